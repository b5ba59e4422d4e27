//! The service changes.
//!
//! Covers: updateOrchestratorService, getContainerServiceInfo.

use anyhow::Result;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::{ServiceInfo, ServicePhase};

use super::DEMO;
use crate::lab::{LIMIT, Lab};

async fn change(lab: &Lab, arguments: &[&str]) -> Result<OperationInfo> {
    lab.cli().json(&[&["service"][..], arguments, &["--cluster", DEMO, "--wait"]].concat()).await
}

async fn info(lab: &Lab) -> Result<ServiceInfo> {
    lab.cli().json(&["service", "info", "web", "--cluster", DEMO]).await
}

pub async fn copies_are_added_and_taken_away(lab: &Lab) -> Result<()> {
    for copies in [3_usize, 1, 3] {
        change(lab, &["scale", "web", "--replicas", &copies.to_string()]).await?;
        let info = info(lab).await?;
        assert_eq!((info.ready as usize, info.wanted as usize), (copies, copies));
        // Each at most once on a machine, for each takes the published port there.
        let running = lab.running(DEMO, "web").await?;
        let mut machines: Vec<_> = running.iter().filter_map(|container| container.machine.clone()).collect();
        machines.sort();
        machines.dedup();
        assert_eq!((running.len(), machines.len(), info.endpoints.len()), (copies, copies, copies), "{running:#?}");
    }
    Ok(())
}

pub async fn a_change_is_rolled_out(lab: &Lab) -> Result<()> {
    let before = info(lab).await?;
    change(lab, &["update", "web", "--env", "GREETING=Good night"]).await?;
    let after = info(lab).await?;
    assert!(after.generation > before.generation);
    assert_eq!((after.phase, after.ready), (ServicePhase::Running, 3));
    let body = lab.fetch(DEMO, "web", "/", |status, _| status == 200).await?;
    assert_eq!(body.lines().next(), Some("Good night"));
    Ok(())
}

/// An image that does not exist: the operation fails in its time, and the last good version is back.
pub async fn a_change_that_does_not_work_is_withdrawn(lab: &Lab) -> Result<()> {
    let good = info(lab).await?;
    let mut bad = good.spec.clone();
    // Asked for at a port of the machine itself where nobody listens: refused at once, wherever the tests run.
    bad.image = "127.0.0.1:9/no-such-image:1".to_owned();
    // Long enough that the engine's refusal is seen before the time is out.
    bad.update.deadline_ms = 60_000;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), serde_json::to_string(&bad)?)?;
    let path = file.path().to_string_lossy();
    let ended = lab.cli().run(&["service", "update", "--cluster", DEMO, "-f", &path, "--wait"]).await?;
    let operation: OperationInfo = ended.json()?;
    assert_eq!((ended.code, operation.phase), (Some(1), OperationPhase::Failed), "{}", ended.stderr);
    let error = ended.error()?;
    let cause = error.details.get("cause").cloned().unwrap_or_default();
    assert!(cause.contains("127.0.0.1:9/no-such-image:1"), "{error:?}");
    assert!(error.remedy.is_some(), "{error:?}");

    let is_back = |info: &ServiceInfo| info.phase == ServicePhase::Running && info.spec == good.spec;
    let back = lab.cli().until(&["service", "info", "web", "--cluster", DEMO], LIMIT, is_back).await?;
    assert_eq!((back.ready, back.wanted), (3, 3));
    let body = lab.fetch(DEMO, "web", "/", |status, _| status == 200).await?;
    assert_eq!(body.lines().next(), Some("Good night"));
    Ok(())
}
