//! What systemd takes away from the daemon and the bridge, measured and tried.

use anyhow::{Context, Result, ensure};
use muster_tests::machine_container::{MACHINE_IMAGE, PLAIN_IMAGE};
use muster_tests_packages::{Machine, Package, on_a_machine};

/// The units, and how exposed each may be at most.
const LIMITS: [(&str, f64); 2] = [("musterd.service", 2.0), ("muster-bridge.service", 1.5)];

async fn exposure(machine: &Machine, unit: &str) -> Result<f64> {
    let path = format!("/usr/lib/systemd/system/{unit}");
    let said = machine.sh(&format!("systemd-analyze security --offline=true --no-pager {path}")).await?;
    let level = said.split(&format!("Overall exposure level for {unit}: ")).nth(1).with_context(|| said.clone())?;
    Ok(level.split_whitespace().next().context("no level")?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_installed_units_are_as_closed_as_promised() -> Result<()> {
    on_a_machine("closed::the_installed_units_are_as_closed_as_promised", PLAIN_IMAGE, async |machine| {
        machine.install(Package::Present).await?;
        for (unit, limit) in LIMITS {
            let level = exposure(machine, unit).await?;
            ensure!(level <= limit, "{unit}: {level}");
        }
        let warnings = machine
            .sh("systemd-analyze verify --man=no musterd.socket musterd.service muster-bridge.service 2>&1")
            .await?;
        ensure!(!warnings.contains("muster"), "{warnings}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_reaches_the_docker_engine_with_the_drop_in_and_not_without() -> Result<()> {
    let test = "closed::the_daemon_reaches_the_docker_engine_with_the_drop_in_and_not_without";
    on_a_machine(test, MACHINE_IMAGE, async |machine| {
        machine.sh("systemctl enable --now --quiet docker").await?;
        machine.install(Package::Present).await?;
        machine.sh("muster account add home --infrastructure local").await?;
        let refused = machine.sh("muster account check home 2>&1 || true").await?;
        ensure!(refused.contains("socket may not be opened"), "{refused}");
        let drop_in = "install -D -m 644 /usr/share/doc/muster/examples/local-engine.conf \
                       /etc/systemd/system/musterd.service.d/local-engine.conf; \
                       systemctl daemon-reload && systemctl restart musterd";
        machine.sh(drop_in).await?;
        let allowed = machine.sh("muster account check home 2>&1 || true").await?;
        let is_well = |what: &str| {
            let found = allowed.lines().find_map(|line| line.strip_prefix("ok ")?.trim_start().strip_prefix(what));
            found.is_some()
        };
        ensure!(is_well("docker engine") && is_well("capabilities"), "{allowed}");
        Ok(())
    })
    .await
}
