//! How requests say for whom they are.

use muster_protocol::hello::FEATURE_ADDRESS;
use muster_protocol::{Asker, ClientFrame, Request, RequestId};

/// A request, for oneself or for somebody else. A daemon without the feature is not told the address.
pub(crate) fn frame(features: u64, id: RequestId, asker: Option<&Asker>, request: Request) -> ClientFrame {
    let Some(Asker { principal, address }) = asker else { return ClientFrame::request(id, request) };
    match address.filter(|_| features & FEATURE_ADDRESS != 0) {
        Some(address) => ClientFrame::request_from(id, principal.clone(), address, request),
        None => ClientFrame::request_for(id, principal.clone(), request),
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::{ClientBody, Principal};

    use super::*;

    #[test]
    fn an_address_is_said_to_those_who_know_of_addresses() {
        let asker = Asker { principal: Principal::token("ci"), address: Some([192, 0, 2, 7].into()) };
        let body = |features| frame(features, 1, Some(&asker), Request::Whoami).body;
        assert!(matches!(body(FEATURE_ADDRESS), ClientBody::RequestFrom { .. }));
        assert!(matches!(body(0), ClientBody::Request { on_behalf_of: Some(_), .. }));
    }
}
