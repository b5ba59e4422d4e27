//! doctor: looks at everything that Muster needs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{Cause, Error, ErrorCode, Response, Retry, Timestamp};
use rustix::fs::statvfs;

use super::context::Context;
use crate::clock::system_time;
use crate::journal::records::StoredInstance;

/// Less free space than this is trouble soon: the store's file grows, and an export needs room for a copy.
const WANTED_FREE_BYTES: u64 = 512 << 20;

/// A clock before this is not set: this was written in 2026.
const EARLIEST: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Everything that was looked at.
pub async fn doctor(context: &Arc<Context>) -> Result<Response, Error> {
    let mut findings = vec![store(context).await, disk(context).await, clock(context)];
    findings.extend(infrastructures(context).await);
    findings.push(catalog(context).await);
    findings.extend(context.findings());
    Ok(Response::Doctor(findings))
}

async fn store(context: &Context) -> Finding {
    let read = context.store.get::<StoredInstance>(StoredInstance::KEY).await;
    match (read, context.store.event_numbers().await) {
        (Ok(Some(_)), Ok(events)) => {
            let kept = events.end - events.start;
            good("store", format!("reads well; {kept} events are kept"))
        }
        (Ok(None), _) => bad(
            context,
            "store",
            ErrorCode::Store,
            "the installation's own record is missing",
            "restart the daemon, so that the store is checked",
        ),
        (Err(error), _) | (_, Err(error)) => bad(
            context,
            "store",
            ErrorCode::Store,
            &error.to_string(),
            "restart the daemon, so that the store is checked",
        ),
    }
}

async fn disk(context: &Context) -> Finding {
    let dir = context.state_dir.clone();
    let free = tokio::task::spawn_blocking(move || free_bytes(&dir)).await;
    let dir = context.state_dir.display();
    match free.unwrap_or_else(|lost| Err(lost.to_string())) {
        Ok(free) if free >= WANTED_FREE_BYTES => good("disk", format!("{} MiB free in {dir}", free >> 20)),
        Ok(free) => {
            let message = format!("only {} MiB free in {dir}", free >> 20);
            bad(context, "disk", ErrorCode::Store, &message, "make room: without it no change can be stored")
        }
        Err(error) => bad(context, "disk", ErrorCode::Store, &format!("{dir}: {error}"), "check the file system"),
    }
}

fn free_bytes(dir: &Path) -> Result<u64, String> {
    let stat = statvfs(dir).map_err(|error| error.to_string())?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Deadlines and events carry the system's time. While that is behind what is on record, the daemon goes by its own.
fn clock(context: &Context) -> Finding {
    let now = system_time();
    let ahead = Duration::from_secs(context.provisioner.shared.clock.ahead().as_secs());
    let remedy = "set the clock, and keep it right with a time service such as systemd-timesyncd or chrony";
    if now < EARLIEST {
        return bad(context, "clock", ErrorCode::Conflict, &format!("it shows {now}, which is long past"), remedy);
    }
    if !ahead.is_zero() {
        let message = format!(
            "it shows {now}, {ahead:?} less than it did: Muster's own time goes on at half the pace until the clock has \
             caught up"
        );
        let remedy = format!("if the clock is right now, it has caught up in {:?}; if not, {remedy}", ahead * 2);
        return bad(context, "clock", ErrorCode::Conflict, &message, &remedy);
    }
    good("clock", format!("shows {now}"))
}

/// Every infrastructure of this build, with its defaults.
async fn infrastructures(context: &Context) -> Vec<Finding> {
    // Side by side, so that one that does not answer costs its own time only.
    let checks = Infrastructure::ALL.iter().map(|infrastructure| infrastructure_findings(context, *infrastructure));
    futures::future::join_all(checks).await.concat()
}

async fn infrastructure_findings(context: &Context, infrastructure: Infrastructure) -> Vec<Finding> {
    match context.provisioner.check(infrastructure, None).await {
        Ok(found) => found,
        // Another build may have it.
        Err(error) if error.code == ErrorCode::Unsupported => Vec::new(),
        Err(error) => {
            let remedy = error.remedy.as_deref().unwrap_or("see the daemon's log");
            vec![bad(context, infrastructure.as_str(), error.code, &error.message, remedy)]
        }
    }
}

async fn catalog(context: &Context) -> Finding {
    let listing = context.shelf.catalog().await.list();
    let Some(broken) = listing.broken.first() else {
        return good("catalog", format!("{} templates", listing.templates.len()));
    };
    let count = listing.broken.len();
    let message = format!("{count} files were skipped; {}: {}", broken.file, broken.message);
    bad(
        context,
        "catalog",
        ErrorCode::InvalidArgument,
        &message,
        "mend or remove them; `muster catalog list` names them all",
    )
}

fn good(subject: &str, message: String) -> Finding {
    Finding { subject: subject.to_owned(), ok: true, message, cause: None }
}

fn bad(context: &Context, subject: &str, code: ErrorCode, message: &str, remedy: &str) -> Finding {
    let cause = Cause {
        code,
        step: format!("check {subject}"),
        message: message.to_owned(),
        provider_code: None,
        provider_request_id: None,
        remedy: Some(remedy.to_owned()),
        retry: Retry::Never,
        at: context.now(),
    };
    Finding { subject: subject.to_owned(), ok: false, message: message.to_owned(), cause: Some(cause) }
}
