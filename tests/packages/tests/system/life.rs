//! The package is installed, used, removed and purged; clusters that exist then are not forgotten.

use anyhow::{Result, ensure};
use muster_tests::machine_container::PLAIN_IMAGE;
use muster_tests_hosts::inventory::{differences, inventory};
use muster_tests_packages::{Machine, Package, on_a_machine};

const CREATE: &str = "muster cluster create demo --orchestrator sim --infrastructure sim --workers 2 --wait";

/// What whoever makes and removes users writes anew: copies of what was there before, and dates of no account.
const OF_USERS: [&str; 4] = ["/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-"];

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_installed_serves_and_leaves_nothing_when_it_is_purged() -> Result<()> {
    let test = "life::a_package_is_installed_serves_and_leaves_nothing_when_it_is_purged";
    on_a_machine(test, PLAIN_IMAGE, async |machine| {
        let before = inventory(machine.host()).await?;

        machine.install(Package::Present).await?;
        let states =
            "systemctl is-enabled musterd.socket musterd.service; systemctl is-active musterd.socket musterd.service";
        ensure!(machine.sh(states).await? == "enabled\nenabled\nactive\nactive");
        ensure!(
            machine.sh("systemctl is-active muster-bridge || true").await? == "inactive",
            "nobody asked for the bridge"
        );
        let user = machine.sh("ps -o user= -C musterd; stat -c '%U %a' /var/lib/muster").await?;
        ensure!(user == "musterd\nmusterd 700", "{user}");
        has_its_pages(machine).await?;

        // The daemon is stopped, and the first request starts it: the socket was open all the time.
        machine.sh("systemctl stop musterd.service; ! systemctl is-active --quiet musterd.service").await?;
        machine.sh(CREATE).await?;
        machine.sh("systemctl is-active musterd.service").await?;
        let clusters = machine.sh("muster cluster list | tail -n +2 | cut -d ' ' -f 1").await?;
        ensure!(clusters == "demo", "{clusters}");
        bridge_serves(machine).await?;

        // As docs/operating.md says. A key that root has put back is the daemon's at the next start.
        let upkeep = "upkeep() { runuser -u musterd -- musterd --config /etc/muster/muster.toml --state-dir /var/lib/muster \"$@\"; }; \
                      systemctl stop musterd.socket musterd.service; upkeep rotate-key; \
                      upkeep backup /var/lib/muster/all.export; upkeep restore /var/lib/muster/all.export --replace; \
                      cp /var/lib/muster/sealing.key /root/; rm /var/lib/muster/sealing.key; mv /root/sealing.key /var/lib/muster/; \
                      systemctl start musterd.socket musterd.service";
        machine.sh(upkeep).await?;
        let clusters = machine.sh("muster cluster list | tail -n +2 | cut -d ' ' -f 1").await?;
        ensure!(clusters == "demo", "{clusters}");

        machine.sh("muster cluster delete demo --wait").await?;
        let said = machine.sh("dpkg --remove muster 2>&1").await?;
        ensure!(!said.contains("run on"), "there is no cluster to be named: {said}");
        let kept =
            machine.sh("ls /etc/muster/muster.toml /etc/muster/bridge.toml; ls -d /var/lib/muster/store").await?;
        ensure!(kept.lines().count() == 3, "a removal keeps configuration and state: {kept}");

        machine.sh("dpkg --purge muster").await?;
        let left = differences(&before, &inventory(machine.host()).await?);
        let left: Vec<&String> = left.iter().filter(|line| !OF_USERS.iter().any(|file| line.contains(file))).collect();
        ensure!(left.is_empty(), "a purge leaves traces:\n{left:#?}");
        machine.sh("! getent passwd musterd muster-bridge; ! getent group muster; ! test -e /run/muster").await?;
        Ok(())
    })
    .await
}

/// Manual pages and completions are there, and every page can be read as one.
async fn has_its_pages(machine: &Machine) -> Result<()> {
    let pages = machine
        .sh("cd /usr/share/man; zcat man1/muster-cluster-create.1.gz man8/musterd.8.gz man8/muster-bridge.8.gz")
        .await?;
    ensure!(pages.matches("\n.SH SYNOPSIS").count() == 3, "{pages}");
    machine.sh("bash -n /usr/share/bash-completion/completions/muster").await?;
    let shells =
        "grep -l cluster /usr/share/zsh/vendor-completions/_muster /usr/share/fish/vendor_completions.d/muster.fish";
    ensure!(machine.sh(shells).await?.lines().count() == 2);
    Ok(())
}

/// The bridge is turned on as docs/bridge.md says, and asks the daemon on behalf of a token's holder.
async fn bridge_serves(machine: &Machine) -> Result<()> {
    let access = "[access]\\ntrusted = [\"muster-bridge\"]\\n[access.admin]\\nusers = [\"muster-bridge\"]\\n";
    machine.sh(&format!("printf '{access}' > /etc/muster/muster.toml; systemctl restart musterd")).await?;
    machine.sh("systemctl enable --now --quiet muster-bridge").await?;
    let ask = "token=$(muster token create olga --role viewer --expires 1d -o json | sed -n 's/.*\"token\": *\"\\([^\"]*\\)\".*/\\1/p'); \
               curl -fsS -H \"Authorization: Bearer $token\" 'http://127.0.0.1:8440/v1/orchestrators?fields=name'";
    let answer = machine.sh(ask).await?;
    ensure!(answer.contains("\"demo\""), "{answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_are_named_when_the_package_goes_and_a_purge_keeps_what_can_remove_them() -> Result<()> {
    let test = "life::clusters_are_named_when_the_package_goes_and_a_purge_keeps_what_can_remove_them";
    on_a_machine(test, PLAIN_IMAGE, async |machine| {
        machine.install(Package::Present).await?;
        machine.sh(CREATE).await?;
        let said = machine.sh("dpkg --remove muster 2>&1").await?;
        ensure!(said.contains("run on") && said.contains("muster:   demo"), "{said}");
        let said = machine.sh("dpkg --purge muster 2>&1").await?;
        ensure!(said.contains("muster:   demo") && said.contains("rm -r /var/lib/muster"), "{said}");
        // Nobody else may come to own the state.
        ensure!(machine.sh("stat -c %U /var/lib/muster/store").await? == "musterd");

        machine.install(Package::Present).await?;
        machine.sh("muster cluster delete demo --wait").await?;
        machine.sh("dpkg --purge muster; ! test -e /var/lib/muster; ! getent passwd musterd").await?;

        // A daemon that cannot be asked may have clusters.
        machine.install(Package::Present).await?;
        machine.sh("systemctl stop musterd.socket musterd.service").await?;
        let said = machine.sh("dpkg --purge muster 2>&1; test -d /var/lib/muster/store").await?;
        ensure!(said.contains("could not be asked"), "{said}");
        Ok(())
    })
    .await
}
