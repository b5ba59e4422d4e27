//! accessOrchestrator: a file with which the caller's own tools reach a cluster.

use std::time::Duration;

use muster_engine::access::AccessOrder;
use muster_protocol::model::access::{AccessFile, AccessKind};
use muster_protocol::model::event::EventKind;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{Error, ErrorCode, Name, Response};

use crate::app::App;
use crate::cluster::message::SupervisorMessage;
use crate::gateway::ask;
use crate::gateway::note::note;
use crate::gateway::roles::{Caller, Role};

/// A file that ends sooner would have ended before anybody has used it.
const SHORTEST_SECONDS: u64 = 60;

/// Has the cluster's handler make the file. Nobody gets it before the event that tells of it is on disk.
pub async fn access(
    app: &App,
    caller: &Caller,
    cluster: &Name,
    kind: Option<AccessKind>,
    role: Option<AccessRole>,
    valid_seconds: Option<u64>,
) -> Result<Response, Error> {
    let seconds = valid_seconds.unwrap_or(AccessFile::DEFAULT_SECONDS);
    if seconds < SHORTEST_SECONDS {
        let message = format!("a file holds for at least {SHORTEST_SECONDS} s");
        return Err(Error::invalid("validSeconds", message).with_remedy("say a longer time, such as `24h`"));
    }
    let role = role_of(caller, role)?;
    let renewal = app.provisioner.shared.board.cluster(cluster)?.state.renewal();
    let lifetime = Duration::from_secs(seconds);
    let order = AccessOrder { who: caller.principal.clone(), kind, role, lifetime, renewal };
    let file = ask::for_answer(app, cluster, |reply| SupervisorMessage::Access(order, reply)).await?;
    let message = format!("a {} with the role {} until {}", file.kind, file.role, file.not_after);
    note(app, caller, cluster, None, EventKind::Access, message).await?;
    Ok(Response::Access(Box::new(file)))
}

/// The role that the file gets: the caller's own one, or a lower one that was asked for.
fn role_of(caller: &Caller, asked: Option<AccessRole>) -> Result<AccessRole, Error> {
    let own = match caller.role {
        Some(Role::Admin) => AccessRole::Admin,
        Some(Role::Operator) => AccessRole::Operator,
        Some(Role::Viewer) | None => AccessRole::Viewer,
    };
    match asked {
        Some(AccessRole::Unknown(_)) => Err(Error::invalid("role", "there is no such role in this release")
            .with_remedy("say viewer, operator or admin")),
        Some(asked) if asked > own => {
            let message = format!("{} has the role {own} and asks for a file with the role {asked}", caller.principal);
            Err(Error::new(ErrorCode::PermissionDenied, message)
                .with_remedy("ask for your own role, or for a lower one"))
        }
        asked => Ok(asked.unwrap_or(own)),
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::Principal;

    use super::*;

    #[test]
    fn a_file_has_the_callers_role_or_a_lower_one_that_was_asked_for() {
        let caller = |role| Caller::new(Principal::user("anna"), 1000, Some(role));
        assert_eq!(role_of(&caller(Role::Operator), None).unwrap(), AccessRole::Operator);
        assert_eq!(role_of(&caller(Role::Admin), Some(AccessRole::Viewer)).unwrap(), AccessRole::Viewer);
        let above = role_of(&caller(Role::Operator), Some(AccessRole::Admin)).unwrap_err();
        assert_eq!(above.code, ErrorCode::PermissionDenied);
        assert_eq!(role_of(&caller(Role::Admin), Some(AccessRole::Unknown(9))).unwrap_err().details["field"], "role");
    }
}
