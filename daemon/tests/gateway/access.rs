//! Roles: by the socket's peer credentials.
//!
//! Covers: whoami.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use futures::TryStreamExt;
use muster_client::Client;
use muster_client::EventQuery;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ErrorCode, Principal};

use crate::support::{TestDaemon, make_token, name, spec, succeed};

const NOBODY: u32 = 65534;
const SOCKET: &str = "MUSTER_TEST_SOCKET";
const ROLE: &str = "MUSTER_TEST_ROLE";

/// Runs this test once more as another user, who then is the caller.
fn as_nobody(test: &str, daemon: &TestDaemon, role: &str) -> std::process::Output {
    // The other user must reach the socket and this program.
    std::fs::set_permissions(daemon.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = daemon.folder.path().join("test");
    // By another program: if this one held the copy open for writing, a child that another test starts at the same time
    // would hold it too, and then it cannot be run (ETXTBSY).
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap().success());
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(program);
    command.args([test, "--exact", "--nocapture"]).env(SOCKET, daemon.socket()).env(ROLE, role);
    command.current_dir("/").uid(NOBODY).gid(NOBODY).output().unwrap()
}

async fn check_as_caller(socket: &str, role: &str) {
    let client = Client::connect(socket).await.unwrap();
    assert_eq!(client.whoami().await.unwrap().role, role);
    let code = |result: Result<(), muster_client::ClientError>| result.err().map(|error| error.code());
    let denied = Some(ErrorCode::PermissionDenied);
    let looks = code(client.cluster_info(&name("demo")).await.map(drop));
    let changes = code(client.cluster_scale(&name("demo"), None, Some(3), None).await.map(drop));
    let administers = code(client.account_remove(&name("none")).await);
    match role {
        "none" => assert_eq!((looks, changes, administers), (denied, denied, denied)),
        "viewer" => assert_eq!((looks, changes, administers), (None, denied, denied)),
        "operator" => assert_eq!((looks, changes, administers), (None, None, denied)),
        "admin" => assert_eq!((looks, changes, administers), (None, None, Some(ErrorCode::NotFound))),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn callers_may_do_what_their_role_allows_and_nothing_more() {
    if let (Ok(socket), Ok(role)) = (std::env::var(SOCKET), std::env::var(ROLE)) {
        return check_as_caller(&socket, &role).await;
    }
    assert!(rustix::process::geteuid().is_root(), "only root can try to be somebody else: run the tests as root");
    for role in ["none", "viewer", "operator", "admin"] {
        let daemon = TestDaemon::with(|config| {
            config.socket.group = Some(NOBODY.to_string());
            let number = NOBODY.to_string();
            match role {
                "viewer" => drop(config.access.viewer.users.insert(number)),
                "operator" => drop(config.access.operator.groups.insert(number)),
                "admin" => drop(config.access.admin.users.insert(number)),
                _none => {}
            }
        })
        .await;
        let client = daemon.client().await;
        succeed(&client, client.cluster_create(spec("demo"), None).await.unwrap()).await;
        let test = "access::callers_may_do_what_their_role_allows_and_nothing_more";
        let daemon = std::sync::Arc::new(daemon);
        let output = tokio::task::spawn_blocking({
            let daemon = daemon.clone();
            move || as_nobody(test, &daemon, role)
        });
        let output = output.await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{role}: {said}");
    }
}

#[tokio::test]
async fn a_trusted_user_speaks_for_others_whose_changes_events_and_keys_are_their_own() {
    let daemon = TestDaemon::with(|config| {
        config.access.trusted.insert(rustix::process::geteuid().as_raw().to_string());
    })
    .await;
    let client = daemon.client().await;
    for (token, role) in [("ci", AccessRole::Admin), ("cd", AccessRole::Operator), ("dashboard", AccessRole::Viewer)] {
        make_token(&client, token, role, &[]).await;
    }
    let (ci, cd) = (Principal::token("ci"), Principal::token("cd"));
    let [for_ci, for_cd] = [&ci, &cd].map(|principal| client.on_behalf_of(principal.clone()));
    let key = || Some("same-key".to_owned());
    let created = for_ci.cluster_create(spec("one"), key()).await.unwrap();
    assert_eq!(created.requested_by, ci);
    assert_eq!(for_ci.whoami().await.unwrap().principal, ci);
    let again = for_ci.cluster_create(spec("one"), key()).await.unwrap();
    assert_eq!(again.id, created.id);
    let other = for_cd.cluster_create(spec("two"), key()).await.unwrap();
    assert_eq!((other.requested_by, other.cluster), (cd, name("two")));
    succeed(&client, created).await;
    let events: Vec<_> =
        client.events(EventQuery { cluster: Some(name("one")), ..EventQuery::default() }).try_collect().await.unwrap();
    assert!(events.iter().any(|event| event.who.as_ref() == Some(&ci)));

    let dashboard = client.on_behalf_of(Principal::token("dashboard"));
    dashboard.cluster_info(&name("one")).await.unwrap();
    let denied = dashboard.cluster_scale(&name("one"), None, Some(3), None).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PermissionDenied);
}

#[tokio::test]
async fn a_user_who_is_not_trusted_speaks_for_nobody_else() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await.on_behalf_of(Principal::user("anna"));
    assert_eq!(client.whoami().await.unwrap_err().code(), ErrorCode::PermissionDenied);
}
