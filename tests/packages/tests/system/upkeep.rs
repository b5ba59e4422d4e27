//! The service is restarted and upgraded while it is used, and no request fails. One that hangs is replaced.

use anyhow::{Result, ensure};
use muster_tests::machine_container::PLAIN_IMAGE;
use muster_tests_packages::{Machine, Package, on_a_machine};

/// Four askers and one who makes clusters, each request a process of its own, until `/run/load/stop` is there.
const LOAD: &str = r#"
mkdir -p /run/load
for asker in 1 2 3 4; do
    setsid sh -c 'while ! test -e /run/load/stop; do
        if muster cluster list >/dev/null 2>>/run/load/errors; then echo ok; else echo failed; fi
    done >/run/load/reads.$0' $asker </dev/null >/dev/null 2>&1 &
done
setsid sh -c 'n=0; while ! test -e /run/load/stop; do
    n=$((n + 1))
    if muster cluster create c$n --orchestrator sim --infrastructure sim --workers 1 >/dev/null 2>>/run/load/errors
    then echo ok; else echo failed; fi
done >/run/load/changes' </dev/null >/dev/null 2>&1 &
"#;

/// Puts `LOAD` on a machine, and takes it off again: how many requests were answered meanwhile. None may have failed.
async fn under_load(machine: &Machine, story: impl AsyncFnOnce() -> Result<()>) -> Result<usize> {
    machine.sh(LOAD).await?;
    machine.until("test -s /run/load/reads.1 && test -s /run/load/changes").await?;
    story().await?;
    machine.sh("touch /run/load/stop").await?;
    machine.until("! pgrep -x muster && ! pgrep -f '[/]run/load/stop'").await?;
    let failed = machine.sh("cat /run/load/reads.* /run/load/changes | grep -c failed || true").await?;
    let errors = machine.sh("grep -A 2 error: /run/load/errors || true").await?;
    ensure!(failed == "0", "{failed} requests failed:\n{errors}");
    let answered: usize = machine.sh("cat /run/load/reads.* /run/load/changes | wc -l").await?.trim().parse()?;
    let made: usize = machine.sh("wc -l </run/load/changes").await?.trim().parse()?;
    let there: usize = machine.sh("muster cluster list | tail -n +2 | wc -l").await?.trim().parse()?;
    ensure!(there == made, "{made} clusters were asked for once each, and {there} are there");
    machine.sh("rm -r /run/load").await?;
    Ok(answered)
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_under_load_lose_no_request() -> Result<()> {
    on_a_machine("upkeep::restarts_under_load_lose_no_request", PLAIN_IMAGE, async |machine| {
        machine.install(Package::Present).await?;
        let mut process = machine.process_of("musterd").await?;
        let answered = under_load(machine, async || {
            for _ in 0..5 {
                machine.sh("systemctl restart musterd").await?;
                let next = machine.process_of("musterd").await?;
                ensure!(next != 0 && next != process, "it was not restarted");
                process = next;
            }
            Ok(())
        })
        .await?;
        ensure!(answered > 20, "hardly a load: {answered} requests");
        println!("{answered} requests were answered during 5 restarts");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_hangs_is_killed_by_the_watchdog_and_the_next_one_goes_on() -> Result<()> {
    let test = "upkeep::a_daemon_that_hangs_is_killed_by_the_watchdog_and_the_next_one_goes_on";
    on_a_machine(test, PLAIN_IMAGE, async |machine| {
        machine.install(Package::Present).await?;
        let limit = machine.sh("systemctl show --property WatchdogUSec --value musterd").await?;
        ensure!(limit == "1min", "the watchdog of the unit: {limit}");
        // That is long for a test.
        let sooner = "mkdir -p /etc/systemd/system/musterd.service.d; \
                      printf '[Service]\\nWatchdogSec=8s\\n' >/etc/systemd/system/musterd.service.d/sooner.conf; \
                      systemctl daemon-reload; systemctl restart musterd";
        machine.sh(sooner).await?;
        machine.sh("muster cluster create demo --orchestrator sim --infrastructure sim --wait").await?;
        let hanging = machine.process_of("musterd").await?;
        machine.sh(&format!("kill -STOP {hanging}")).await?;
        machine.until(&format!("! test -e /proc/{hanging} && systemctl is-active --quiet musterd")).await?;
        let clusters = machine.sh("muster cluster list | tail -n +2 | cut -d ' ' -f 1").await?;
        ensure!(clusters == "demo", "{clusters}");
        let journal = machine.sh("journalctl --no-pager --unit musterd").await?;
        ensure!(journal.contains("Watchdog timeout"), "{journal}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_under_load_loses_no_request_and_keeps_clusters_and_configuration() -> Result<()> {
    let test = "upkeep::an_upgrade_under_load_loses_no_request_and_keeps_clusters_and_configuration";
    on_a_machine(test, PLAIN_IMAGE, async |machine| {
        machine.install(Package::Earlier).await?;
        let version = "dpkg-query -W -f '${Version}' muster";
        ensure!(machine.sh(version).await? == "0.0.1-1");
        machine
            .sh("printf '[history]\\nevents_kept = 50000\\n' >/etc/muster/muster.toml; systemctl restart musterd")
            .await?;
        let process = machine.process_of("musterd").await?;
        let open_since = "systemctl show --property ActiveEnterTimestampMonotonic --value musterd.socket";
        let opened = machine.sh(open_since).await?;
        under_load(machine, async || {
            let said = machine.install(Package::Present).await?;
            ensure!(said.contains("over (0.0.1-1)"), "{said}");
            Ok(())
        })
        .await?;
        ensure!(machine.sh(version).await? == format!("{}-1", env!("CARGO_PKG_VERSION")));
        let next = machine.process_of("musterd").await?;
        ensure!(next != 0 && next != process, "the earlier daemon runs on");
        ensure!(machine.sh(open_since).await? == opened, "the socket was closed meanwhile");
        ensure!(machine.sh("cat /etc/muster/muster.toml").await?.contains("50000"), "what was configured is lost");
        machine.until("! muster cluster list | tail -n +2 | grep -qv ready").await?;

        // A new release that refuses the configuration must not cost the daemon that runs.
        machine.sh("echo 'no_such_key = 1' >>/etc/muster/muster.toml").await?;
        let said = machine.install(Package::Present).await?;
        ensure!(said.contains("no_such_key") && said.contains("systemctl restart musterd"), "{said}");
        ensure!(machine.process_of("musterd").await? == next, "it was restarted on a configuration that it refuses");
        Ok(())
    })
    .await
}
