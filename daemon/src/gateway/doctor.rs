//! doctor: looks at everything that Muster needs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_engine::failure::Failure;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{Error, ErrorCode, Name, Response, Timestamp};
use rustix::fs::statvfs;

use crate::app::App;
use crate::journal::records::{StoredAccount, StoredInstance};

/// Less free space than this is trouble soon: the store's file grows, and an export needs room for a copy.
const WANTED_FREE_BYTES: u64 = 512 << 20;

/// A clock before this is not set: this was written in 2026.
const EARLIEST: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Everything that was looked at.
pub async fn doctor(app: &Arc<App>) -> Result<Response, Error> {
    let mut findings = vec![store(app).await, disk(app).await, clock(app)];
    findings.extend(infrastructures(app).await);
    findings.push(catalog(app).await);
    findings.extend(logins(app).await);
    findings.extend(app.findings());
    Ok(Response::Doctor(findings))
}

async fn store(app: &App) -> Finding {
    let read = app.store.get::<StoredInstance>(StoredInstance::KEY).await;
    match (read, app.store.event_numbers().await) {
        (Ok(Some(_)), Ok(events)) => {
            let kept = events.end - events.start;
            good("store", format!("reads well; {kept} events are kept"))
        }
        (Ok(None), _) => bad(
            app,
            "store",
            ErrorCode::Store,
            "the installation's own record is missing",
            "restart the daemon, so that the store is checked",
        ),
        (Err(error), _) | (_, Err(error)) => {
            bad(app, "store", ErrorCode::Store, &error.to_string(), "restart the daemon, so that the store is checked")
        }
    }
}

async fn disk(app: &App) -> Finding {
    let dir = app.state_dir.clone();
    let free = tokio::task::spawn_blocking(move || free_bytes(&dir)).await;
    let free = free.unwrap_or_else(|lost| Err(lost.to_string()));
    match room(&app.state_dir.display().to_string(), free) {
        Ok(message) => good("disk", message),
        Err((message, remedy)) => bad(app, "disk", ErrorCode::Store, &message, remedy),
    }
}

/// Whether so many free bytes are enough, or the remedy.
fn room(dir: &str, free: Result<u64, String>) -> Result<String, (String, &'static str)> {
    match free {
        Ok(free) if free >= WANTED_FREE_BYTES => Ok(format!("{} MiB free in {dir}", free >> 20)),
        Ok(free) => {
            Err((format!("only {} MiB free in {dir}", free >> 20), "make room: without it no change can be stored"))
        }
        Err(error) => Err((format!("{dir}: {error}"), "check the file system")),
    }
}

fn free_bytes(dir: &Path) -> Result<u64, String> {
    let stat = statvfs(dir).map_err(|error| error.to_string())?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Deadlines and events carry the system's time. While that is behind what is on record, or was set ahead, the daemon goes
/// by its own.
fn clock(app: &App) -> Finding {
    let now = Timestamp::of_system_clock();
    let ahead = Duration::from_secs(app.provisioner.shared.clock.ahead().as_secs());
    let remedy = "set the clock, and keep it right with a time service such as systemd-timesyncd or chrony";
    if now < EARLIEST {
        return bad(app, "clock", ErrorCode::Conflict, &format!("it shows {now}, which is long past"), remedy);
    }
    if !ahead.is_zero() {
        let message = format!(
            "it shows {now}, {ahead:?} less than it did: Muster's own time goes on at half the pace until the clock has \
             caught up"
        );
        let remedy = format!("if the clock is right now, it has caught up in {:?}; if not, {remedy}", ahead * 2);
        return bad(app, "clock", ErrorCode::Conflict, &message, &remedy);
    }
    let behind = Duration::from_secs(app.provisioner.shared.clock.behind().as_secs());
    if !behind.is_zero() {
        let message = format!(
            "it shows {now}, {behind:?} more than has passed: Muster's own time goes a quarter faster until it has caught up"
        );
        let remedy = format!("if the clock is right now, Muster has caught up in {:?}; if not, {remedy}", behind * 4);
        return bad(app, "clock", ErrorCode::Conflict, &message, &remedy);
    }
    good("clock", format!("shows {now}"))
}

/// Every infrastructure of this build with its defaults, and every account.
async fn infrastructures(app: &App) -> Vec<Finding> {
    let accounts: Vec<(Infrastructure, Option<Name>)> = match app.store.scan::<StoredAccount>(&[]).await {
        Ok(stored) => stored.into_iter().map(|StoredAccount(info)| (info.infrastructure, Some(info.name))).collect(),
        Err(error) => {
            return vec![bad(app, "accounts", ErrorCode::Store, &error.to_string(), "see the daemon's log")];
        }
    };
    let defaults = Infrastructure::ALL.into_iter().map(|infrastructure| (infrastructure, None));
    // Side by side, so that one that does not answer costs its own time only.
    let checks = defaults.chain(accounts.iter().cloned()).map(|(infrastructure, account)| {
        let has_account = accounts.iter().any(|(other, _)| *other == infrastructure);
        infrastructure_findings(app, infrastructure, account, has_account)
    });
    futures::future::join_all(checks).await.concat()
}

async fn infrastructure_findings(
    app: &App,
    infrastructure: Infrastructure,
    account: Option<Name>,
    has_account: bool,
) -> Vec<Finding> {
    let subject = account.as_ref().map_or(infrastructure.as_str(), Name::as_str);
    match (app.provisioner.check(infrastructure, account.as_ref()).await, &account) {
        (Ok(mut found), _) => {
            for finding in found.iter_mut().filter(|_| account.is_some()) {
                finding.subject = format!("{subject}: {}", finding.subject);
            }
            found
        }
        // Another build may have it.
        (Err(error), _) if error.code == ErrorCode::Unsupported => Vec::new(),
        // It has no default account: nothing is wrong with what nobody uses.
        (Err(error), None) if error.code == ErrorCode::InvalidArgument => {
            let unused = good(subject, format!("not in use: {}; add one with `muster account add`", error.message));
            if has_account { Vec::new() } else { vec![unused] }
        }
        (Err(error), _) => {
            let remedy = error.remedy.as_deref().unwrap_or("see the daemon's log");
            vec![bad(app, subject, error.code, &error.message, remedy)]
        }
    }
}

/// One finding for all logins that can be used, and one for each that cannot.
async fn logins(app: &App) -> Vec<Finding> {
    let checked = app.provisioner.shared.logins.check().await;
    let usable: Vec<&str> = checked.iter().filter(|(_, failure)| failure.is_none()).map(|(name, _)| *name).collect();
    let broken = checked.iter().filter_map(|(_, failure)| failure.as_ref()).map(|failure| {
        let remedy = failure.remedy.as_deref().unwrap_or_default();
        bad(app, "logins", failure.code, &failure.message, remedy)
    });
    let usable = (!usable.is_empty()).then(|| good("logins", format!("there is one at {}", usable.join(", "))));
    usable.into_iter().chain(broken).collect()
}

async fn catalog(app: &App) -> Finding {
    let listing = app.shelf.catalog().await.list();
    let Some(broken) = listing.broken.first() else {
        return good("catalog", format!("{} templates", listing.templates.len()));
    };
    let count = listing.broken.len();
    let message = format!("{count} files were skipped; {}: {}", broken.file, broken.message);
    bad(
        app,
        "catalog",
        ErrorCode::InvalidArgument,
        &message,
        "mend or remove them; `muster catalog list` names them all",
    )
}

fn good(subject: &str, message: String) -> Finding {
    Finding { subject: subject.to_owned(), ok: true, message, cause: None }
}

fn bad(app: &App, subject: &str, code: ErrorCode, message: &str, remedy: &str) -> Finding {
    let failure = Failure::not_applied(code, message).with_remedy(remedy).permanent();
    let cause = failure.into_cause(format!("check {subject}"), app.now());
    Finding { subject: subject.to_owned(), ok: false, message: message.to_owned(), cause: Some(cause) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_or_cannot_be_asked_is_wrong() {
        assert_eq!(room("/state", Ok(WANTED_FREE_BYTES)).unwrap(), "512 MiB free in /state");
        let (message, remedy) = room("/state", Ok(WANTED_FREE_BYTES - 1)).unwrap_err();
        assert!(message == "only 511 MiB free in /state" && remedy.contains("make room"), "{message}");
        assert!(room("/state", Err("not mounted".to_owned())).unwrap_err().0.contains("/state: not mounted"));
    }
}
