//! Every request with every role, as the one table says: `docs/reference/roles.md` is made from the same.

#[path = "../../../protocol/tests/samples/mod.rs"]
mod samples;

use futures::StreamExt;
use muster_client::{Client, ClientError};
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ErrorCode, Principal, Request};

use crate::support::make_token;
use crate::tokens::trusting;

/// Whether the daemon refuses a request for want of a role.
async fn is_refused(client: &Client, request: Request) -> bool {
    let outcome = if request.is_duplex() {
        match client.duplex(request).await {
            Ok(mut duplex) => duplex.next().await.map(drop),
            Err(error) => Err(error),
        }
    } else if request.is_stream() {
        let mut items = client.stream(request);
        // One that goes on without an item was let in.
        match tokio::time::timeout(std::time::Duration::from_millis(200), items.next()).await {
            Ok(Some(item)) => item.map(drop),
            Ok(None) | Err(_) => Ok(()),
        }
    } else {
        client.request(request).await.map(drop)
    };
    // A refusal that names a field is about what was asked for, and comes after that of a role.
    let is_of_role = |error: &ClientError| {
        let is_denied = error.code() == ErrorCode::PermissionDenied;
        is_denied && !error.to_error().details.contains_key("field")
    };
    outcome.is_err_and(|error| is_of_role(&error))
}

#[tokio::test]
async fn every_request_is_let_in_or_refused_as_the_table_says() {
    let daemon = trusting().await;
    let client = daemon.client().await;
    let mut walked = 0;
    for role in AccessRole::ALL {
        for (kind, clusters) in [("all", vec![]), ("demo", vec!["demo"]), ("other", vec!["other"])] {
            let token = format!("{role}-{kind}");
            let info = make_token(&client, &token, role, &clusters).await.info;
            let holder = client.on_behalf_of(Principal::token(&token));
            for (file, request) in samples::client::requests() {
                let allowed = info.may(&request);
                assert_eq!(is_refused(&holder, request).await, !allowed, "{file} by a {role} of {kind}");
                walked += 1;
            }
        }
    }
    assert_eq!(walked, 9 * samples::client::requests().len());
    // Whoever is spoken for with a token that is not there reaches nothing.
    let nobody = client.on_behalf_of(Principal::token("unknown"));
    for (file, request) in samples::client::requests() {
        assert!(is_refused(&nobody, request).await, "{file}");
    }
}
