//! From an instance that was asked for to a machine that can be logged in to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, Present};
use muster_protocol::ErrorCode;
use muster_provision::ssh::fingerprint;
use russh::keys::PublicKey;
use tokio::time::{Instant, sleep};

use crate::Ec2Driver;
use crate::host_key::{ConsoleWord, scan};
use crate::listing::{OwnedInstance, Stage};
use crate::mark;
use crate::settings::Settings;

/// The console is asked at so many looks before a key counts as pinned at first contact.
const CONSOLE_LOOKS: u32 = 8;

/// How far the boot of a machine is.
enum Progress {
    Reached(Box<OwnedInstance>),
    /// What is still missing, in words.
    Waiting(String),
}

impl Ec2Driver {
    /// Waits until the machine runs, has its addresses, and its host key is known and pinned. The machine is there
    /// whatever goes wrong here, unless it has ended.
    pub(crate) async fn reached(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        key: &InfraKey,
        id: &str,
    ) -> Result<Present, Failure> {
        let deadline = Instant::now() + self.options.habits.boot_limit;
        let mut console_looks = 0;
        loop {
            let listing =
                self.listing(cluster.instance, self.options.habits.poll / 2).await.map_err(Failure::in_doubt)?;
            let machine = listing.iter().find(|machine| machine.id == id).cloned();
            let missing = match self.progress(settings, machine, id, &mut console_looks).await? {
                Progress::Reached(machine) => return Ok(Self::present(settings, &machine)),
                Progress::Waiting(missing) => missing,
            };
            if Instant::now() >= deadline {
                let seconds = self.options.habits.boot_limit.as_secs();
                let message = format!("{key} ({id}): {missing}, {seconds} s after it was started");
                return Err(Failure::maybe_applied(ErrorCode::Unreachable, message).with_remedy(
                    "see that `allowedCidrs` has the daemon's address, that the subnet has a route to it, and that \
                     `connect` says which address it reaches",
                ));
            }
            sleep(self.options.habits.poll).await;
        }
    }

    async fn progress(
        &self,
        settings: &Settings,
        machine: Option<OwnedInstance>,
        id: &str,
        console_looks: &mut u32,
    ) -> Result<Progress, Failure> {
        let waiting = |missing: &str| Ok(Progress::Waiting(missing.to_owned()));
        let Some(mut machine) = machine else { return waiting("it is not listed yet") };
        match machine.stage {
            Stage::Running => {}
            Stage::Pending | Stage::Stopping => return waiting("it does not run yet"),
            Stage::Stopped => return waiting("it is stopped"),
            Stage::Ending | Stage::Ended => return Err(ended(&machine)),
        }
        if machine.host_key.is_some() && Self::access(settings, &machine).is_some() {
            return Ok(Progress::Reached(Box::new(machine)));
        }
        let address = if settings.connect_publicly { &machine.public_address } else { &machine.private_address };
        let Some(address) = address else { return waiting("it has no address yet") };
        let Some(shown) = scan(address, settings.ssh_port).await else {
            return waiting("its SSH server does not answer");
        };
        match self.console_word(id, &shown).await {
            ConsoleWord::Same => tracing::debug!(id, "the console knows the host key"),
            ConsoleWord::Others(known) => return Err(wrong_key(&machine, &shown, &known)),
            ConsoleWord::Nothing if *console_looks < CONSOLE_LOOKS => {
                *console_looks += 1;
                return waiting("its console does not say its host key yet");
            }
            ConsoleWord::Nothing => {
                tracing::warn!(id, "the host key is pinned at first contact: the console is silent");
            }
        }
        machine.host_key = Some(self.pin(id, &shown).await?);
        Ok(Progress::Reached(Box::new(machine)))
    }

    /// One look at a machine whose host key is not known yet, without patience. A machine that may still be booting is
    /// given the time to write its key to its console.
    pub(crate) async fn glance(&self, settings: &Settings, machine: OwnedInstance) -> OwnedInstance {
        let id = machine.id.clone();
        let is_young = age(&machine) < self.options.habits.boot_limit;
        let mut console_looks = if is_young { 0 } else { CONSOLE_LOOKS };
        match self.progress(settings, Some(machine.clone()), &id, &mut console_looks).await {
            Ok(Progress::Reached(machine)) => machine.as_ref().clone(),
            Ok(Progress::Waiting(missing)) => {
                tracing::debug!(id, missing, "the machine cannot be reached yet");
                machine
            }
            // It is there all the same, and can be removed.
            Err(failure) => {
                tracing::warn!(id, %failure, "the machine's host key cannot be pinned");
                machine
            }
        }
    }

    /// Keeps the key with the machine, so that it is known wherever the machine is found again.
    async fn pin(&self, id: &str, shown: &PublicKey) -> Result<String, Failure> {
        let line = shown.to_openssh().map_err(|error| {
            Failure::maybe_applied(ErrorCode::Preparation, format!("the host key of {id} cannot be written: {error}"))
        })?;
        // The comment is the server's own word and means nothing.
        let line = line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let tag = mark::tag(mark::HOST_KEY, &line);
        let pinned =
            self.change("pin the host key", |ec2| ec2.create_tags().resources(id).tags(tag.clone()).send()).await;
        pinned.map_err(|error| error.failure.in_doubt())?;
        Ok(line)
    }
}

fn age(machine: &OwnedInstance) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_secs(u64::try_from(machine.launched_at).unwrap_or(0)))
}

/// It ended by itself or by somebody's hand: for want of capacity, of a key for its disk, or of the spot market.
fn ended(machine: &OwnedInstance) -> Failure {
    let reason = machine.reason.as_deref().unwrap_or("EC2 does not say why");
    Failure::not_applied(ErrorCode::Provider, format!("instance {} has ended: {reason}", machine.id))
        .with_remedy("Muster makes another; if that ends too, see the reason in the EC2 console")
}

fn wrong_key(machine: &OwnedInstance, shown: &PublicKey, known: &[String]) -> Failure {
    let message = format!(
        "the SSH server at the address of {} shows the host key {}, and the machine's console says {}",
        machine.id,
        fingerprint(shown),
        known.join(", ")
    );
    Failure::maybe_applied(ErrorCode::Preparation, message)
        .permanent()
        .with_remedy("somebody else answers at that address: see who, then retry or delete the cluster")
}
