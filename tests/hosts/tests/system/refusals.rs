//! What would break somebody's work, or is not the host that was meant, is refused with cause and remedy.

use anyhow::{Result, ensure};
use muster_protocol::ErrorCode;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::machine_container::MACHINE_IMAGE;

use crate::CREATE;
use crate::site::{at_a_site, finding};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_somebody_uses_is_refused_with_what_is_in_the_way() -> Result<()> {
    at_a_site("a_host_that_somebody_uses_is_refused_with_what_is_in_the_way", async |site| {
        let host = site.lab.boot("web-1", MACHINE_IMAGE).await?;
        site.add_account(&[&host]).await?;
        let refusal = async || -> Result<String> {
            let (_, error) = site.cli().refused(&CREATE).await?;
            ensure!(error.code == ErrorCode::Quota && error.remedy.is_some(), "{error:?}");
            Ok(error.message)
        };

        // A port that Swarm needs.
        host.sh("systemd-run -q --unit=own-port systemd-socket-activate -l 2377 /bin/cat").await?;
        site.demo.until("the port is seen", async || Ok(refusal().await?.contains("tcp/2377"))).await?;
        ensure!(site.finding("web-1").await?.message.contains("tcp/2377"), "the check does not name the port");
        host.sh("systemctl stop own-port.service").await?;

        // A container of somebody, running or not.
        host.sh("tar -c -C / bin/true | docker import - own:1 && docker create --name own own:1 /bin/true").await?;
        ensure!(refusal().await?.contains("1 containers that are not Muster's"), "{}", refusal().await?);
        ensure!(!site.finding("web-1").await?.ok, "a host with somebody's container is no free host");
        host.sh("docker rm own").await?;

        // Somebody's swarm.
        host.sh("docker swarm init").await?;
        let said = refusal().await?;
        ensure!(said.contains("another orchestrator: Docker Swarm (active)"), "{said}");
        ensure!(
            host.sh("docker info -f '{{.Swarm.LocalNodeState}}'").await? == "active",
            "somebody's swarm was touched"
        );
        ensure!(host.sh("ls /var/lib/muster 2>/dev/null || echo nothing").await? == "nothing", "something was left");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_key_than_the_one_given_or_pinned_is_refused_with_both() -> Result<()> {
    at_a_site("a_host_with_another_key_than_the_one_given_or_pinned_is_refused_with_both", async |site| {
        let host = site.lab.boot("web-1", MACHINE_IMAGE).await?;
        let given = format!("SHA256:{}", "A".repeat(43));
        site.add_entries(&[format!("host.web-1={},hostKey={given}", host.address)]).await?;
        let said = site.finding("web-1").await?;
        ensure!(!said.ok && said.message.contains(&given) && said.message.contains(&host.fingerprint), "{said:#?}");
        ensure!(said.cause.is_some_and(|cause| cause.remedy.is_some()), "no remedy");

        // The first key that is seen is kept, over lives of the daemon.
        site.add_entries(&[format!("host.web-1={}", host.address)]).await?;
        ensure!(site.finding("web-1").await?.ok, "{:#?}", site.finding("web-1").await?);
        host.sh("rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh")
            .await?;
        let new = host.sh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2").await?;
        site.daemon.kill()?;
        site.daemon.start_again().await?;
        let said = site.finding("web-1").await?;
        ensure!(!said.ok && said.message.contains(&host.fingerprint) && said.message.contains(&new), "{said:#?}");

        // What the account says goes before what was pinned.
        site.add_entries(&[format!("host.web-1={},hostKey={new}", host.address)]).await?;
        ensure!(site.finding("web-1").await?.ok, "{:#?}", site.finding("web-1").await?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_another_installation_has_is_neither_claimed_nor_left() -> Result<()> {
    at_a_site("a_host_that_another_installation_has_is_neither_claimed_nor_left", async |site| {
        let host = site.lab.boot("web-1", MACHINE_IMAGE).await?;
        site.add_account(&[&host]).await?;
        let created: OperationInfo = site.cli().json(&[&CREATE[..], &["--wait"]].concat()).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        let claim = host.sh("cat /var/lib/muster/claim.json").await?;

        let other = site.another_daemon(&[&host]).await?;
        ensure!(finding(&other, "web-1").await?.message.contains("cluster `demo` has it"), "the other does not see it");
        let (_, error) = other.cli().refused(&CREATE).await?;
        ensure!(error.code == ErrorCode::Quota && error.message.contains("cluster `demo` has it"), "{error:?}");
        ensure!(host.sh("cat /var/lib/muster/claim.json").await? == claim, "the claim was touched");
        ensure!(site.demo.phase_is("ready").await?, "the cluster does not run any more");
        Ok(())
    })
    .await
}
