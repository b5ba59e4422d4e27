//! Machines: hosts that are claimed, found again, and left.
//!
//! ```text
//!   free ──▶ noted by the daemon ──▶ claim.json on the host ──▶ undo record ──▶ the cluster's key ──▶ a machine
//!     ▲                                                                                                   │
//!     └── note is gone ◀── claim.json is gone ◀── everything undone ◀──────────────────────── release ────┘
//! ```
//!
//! The host's own claim decides: it is taken under a lock on the host, so two daemons never have one host. Whoever meets a
//! claim of this cluster that broke off completes it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster_engine::context::ClusterContext;
use muster_engine::driver::{InfraOrder, MachineOrder, Owned};
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, InfraKey, MachineAccess, Present, ResourceKey};
use muster_engine::observed::{Addresses, ObservedResource, Power};
use muster_protocol::{ClusterId, ErrorCode, InstanceId, Name};

use crate::HostsDriver;
use crate::claim::Claim;
use crate::entry::Host;
use crate::facts::WantedMachine;
use crate::notes::NotedClaim;
use crate::scripts::{self, Ended};
use crate::survey::Survey;

/// A host that has not answered so often in a row counts as stopped: the cause is then shown. Once says nothing.
const SILENT_AFTER: u32 = 3;

impl HostsDriver {
    pub(crate) async fn claim_machine(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<Present, Failure> {
        let key = &order.key;
        let Some(machine) = &order.machine else {
            return Err(Failure::not_applied(ErrorCode::Internal, format!("{key} is ordered without its shape")));
        };
        let survey = self.survey_now().await?;
        if let Some(host) = survey.claimed_for(cluster, key) {
            return self.complete(cluster, key, self.host(host)?).await;
        }
        refuse_doubt(&survey, cluster, key)?;
        let mut reasons = BTreeMap::new();
        for host in self.options.hosts.values() {
            if let Err(reason) = self.is_to_be_had(&survey, host, cluster, machine) {
                reasons.insert(&host.name, reason);
                continue;
            }
            let Some(_reservation) = self.register.reserve(&host.name) else {
                reasons.insert(&host.name, format!("host `{}`: another machine is getting it", host.name));
                continue;
            };
            match self.claim_new(cluster, order, host).await? {
                Some(present) => return Ok(present),
                None => reasons.insert(&host.name, format!("host `{}`: somebody else was faster", host.name)),
            };
        }
        let reasons: Vec<String> = reasons.into_values().collect();
        let message = format!(
            "no host of account `{}` is to be had for {}: {}",
            self.options.account,
            machine.name,
            reasons.join("; ")
        );
        Err(Failure::not_applied(ErrorCode::Quota, message)
            .with_remedy("add hosts to the account, or free some: `muster account check` says what each one lacks"))
    }

    /// Finds the host that has the claim, and completes it if its making broke off.
    pub(crate) async fn look_up_machine(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
    ) -> Result<Option<Present>, Failure> {
        let survey = self.survey_now().await?;
        let Some(host) = survey.claimed_for(cluster, key) else {
            refuse_doubt(&survey, cluster, key)?;
            return Ok(None);
        };
        match self.complete(cluster, key, self.host(host)?).await {
            Ok(present) => Ok(Some(present)),
            Err(failure) => {
                tracing::warn!(%host, %failure, "a claim that broke off could not be completed");
                // It can be left all the same.
                Ok(Some(Present { id: host.to_string(), facts: Facts::None }))
            }
        }
    }

    /// Nobody but its owner can start a host: it is waited for.
    pub(crate) async fn wait_for(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
        id: &str,
    ) -> Result<Present, Failure> {
        let host = self.host_of_id(id)?;
        let (session, access) = self.open(host, self.options.habits.start_limit).await?;
        let facts = scripts::facts(host, &session, self.options.habits.facts_limit).await;
        session.close().await;
        match facts?.claim {
            Some(Ok(claim)) if claim.is_for(cluster, key) => Ok(present(host, access)),
            Some(_) | None => {
                Err(Failure::not_applied(ErrorCode::NotFound, format!("host `{id}` has no claim of {key} any more")))
            }
        }
    }

    pub(crate) async fn leave(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<(), Failure> {
        let host = self.host_of_id(id)?;
        let (session, _) = self.open(host, self.options.habits.login_limit).await?;
        let ended = scripts::release(host, &session, cluster, key, self.options.habits.release_limit).await;
        session.close().await;
        match ended? {
            Ended::Released | Ended::Free | Ended::Taken(_) => self.forget(cluster, key, host).await,
            Ended::Left(things) => {
                let message = format!("host `{id}` is not as it was found: {}", things.join(", "));
                Err(Failure::not_applied(ErrorCode::Preparation, message).with_remedy(
                    "see on the host what keeps them (`/var/lib/muster/undo/purge` has dpkg's words); Muster tries again by itself",
                ))
            }
            Ended::Claimed => Err(strange(host, "release")),
        }
    }

    pub(crate) async fn observe_machines(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure> {
        let survey = self.survey(self.options.habits.survey_kept).await?;
        let answering =
            survey.claims().filter(|(_, claim, _)| claim.is_of(cluster)).filter_map(|(host, claim, access)| {
                let (address, private_address) = (access.address.clone(), access.private_address.clone());
                Some(ObservedResource {
                    key: claim.machine_key()?,
                    id: host.to_string(),
                    power: Some(Power::Running),
                    addresses: Some(Addresses { address, private_address }),
                })
            });
        let silent = survey.in_doubt().filter(|(_, noted, _)| noted.is_of(cluster)).map(|(host, noted, _)| {
            let power = if self.silence(host) < SILENT_AFTER { Power::Running } else { Power::Stopped };
            ObservedResource { key: noted.key.clone(), id: host.to_string(), power: Some(power), addresses: None }
        });
        Ok(answering.chain(silent).collect())
    }

    /// Claims, and hosts that do not answer and may have one.
    pub(crate) async fn everything_owned(
        &self,
        instance: InstanceId,
        cluster: Option<ClusterId>,
    ) -> Result<Vec<Owned>, Failure> {
        let survey = self.survey_now().await?;
        let is_wanted = |of: InstanceId, in_cluster: ClusterId| {
            of == instance && cluster.is_none_or(|cluster| cluster == in_cluster)
        };
        let owned = |host: &Name, cluster: ClusterId, key: Option<InfraKey>| Owned {
            cluster,
            key: key.map(ResourceKey::Infra),
            present: Present { id: host.to_string(), facts: Facts::None },
        };
        let claims = survey.claims().filter(|(_, claim, _)| is_wanted(claim.instance, claim.cluster));
        let claims = claims.map(|(host, claim, _)| owned(host, claim.cluster, claim.machine_key()));
        let doubts = survey.in_doubt().filter(|(_, noted, _)| is_wanted(noted.instance, noted.cluster));
        let doubts = doubts.map(|(host, noted, _)| owned(host, noted.cluster, Some(noted.key.clone())));
        Ok(claims.chain(doubts).collect())
    }

    /// Whether a machine can be made of a host; why not, if not.
    fn is_to_be_had(
        &self,
        survey: &Survey,
        host: &Host,
        cluster: &ClusterContext,
        machine: &MachineOrder,
    ) -> Result<(), String> {
        let facts = match survey.hosts.get(&host.name) {
            Some(Ok((facts, _))) => facts,
            Some(Err(failure)) => return Err(failure.message.clone()),
            None => return Err("it is not in the account".to_owned()),
        };
        let wanted =
            WantedMachine { orchestrator: cluster.spec.orchestrator, shape: &machine.shape, clock: seconds_now() };
        refuse(facts, &wanted).map_err(|reason| format!("host `{}`: {reason}", host.name))
    }

    /// Claims a host that is free; none if somebody was faster.
    async fn claim_new(
        &self,
        cluster: &ClusterContext,
        order: &InfraOrder,
        host: &Host,
    ) -> Result<Option<Present>, Failure> {
        // The note goes before the claim.
        let noted = NotedClaim::new(cluster, &order.key);
        self.register.notes.change(&host.name, |note| note.claimed = Some(noted)).await?;
        let claim = Claim::new(cluster, &order.key, host.name.as_str(), order.attempt);
        let (session, access) = match self.open(host, self.options.habits.login_limit).await {
            Ok(opened) => opened,
            Err(failure) => {
                self.forget(cluster, &order.key, host).await?;
                return Err(failure);
            }
        };
        let ended = scripts::claim(host, &session, cluster, &claim, false, self.options.habits.claim_limit).await;
        session.close().await;
        match ended.map_err(Failure::in_doubt)? {
            Ended::Claimed => Ok(Some(present(host, access))),
            Ended::Taken(line) => {
                // It may be another machine's of this daemon: then the note is that one's.
                let theirs = Claim::read(&line).ok().and_then(|claim| NotedClaim::of(&claim));
                self.register.notes.change(&host.name, |note| note.claimed = theirs).await?;
                Ok(None)
            }
            Ended::Released | Ended::Free | Ended::Left(_) => Err(strange(host, "claim")),
        }
    }

    /// Completes what a try to claim the host began: the record, the cluster's key.
    async fn complete(&self, cluster: &ClusterContext, key: &InfraKey, host: &Host) -> Result<Present, Failure> {
        let claim = Claim::new(cluster, key, host.name.as_str(), 0);
        let (session, access) = self.open(host, self.options.habits.login_limit).await.map_err(Failure::in_doubt)?;
        let ended = scripts::claim(host, &session, cluster, &claim, true, self.options.habits.claim_limit).await;
        session.close().await;
        match ended.map_err(Failure::in_doubt)? {
            Ended::Claimed => Ok(present(host, access)),
            Ended::Free | Ended::Taken(_) | Ended::Released | Ended::Left(_) => Err(strange(host, "claim")),
        }
    }

    /// Takes back the note of a claim that is not there.
    async fn forget(&self, cluster: &ClusterContext, key: &InfraKey, host: &Host) -> Result<(), Failure> {
        let ours = NotedClaim::new(cluster, key);
        self.register
            .notes
            .change(&host.name, |note| {
                if note.claimed.as_ref() == Some(&ours) {
                    note.claimed = None;
                }
            })
            .await
    }

    fn host(&self, name: &Name) -> Result<&Host, Failure> {
        self.host_of_id(name.as_str())
    }

    fn host_of_id(&self, id: &str) -> Result<&Host, Failure> {
        self.options.hosts.values().find(|host| host.name.as_str() == id).ok_or_else(|| {
            let message = format!("account `{}` has no host `{id}` any more", self.options.account);
            Failure::not_applied(ErrorCode::NotFound, message)
                .with_remedy("add the account again with that host: a cluster still has it")
        })
    }
}

/// Why a host that answers cannot be had.
pub(crate) fn refuse(facts: &crate::facts::HostFacts, wanted: &WantedMachine<'_>) -> Result<(), String> {
    match &facts.claim {
        Some(Ok(claim)) => return Err(format!("cluster `{}` has it", claim.cluster_name)),
        Some(Err(_)) => return Err("somebody has it, with a claim that cannot be read".to_owned()),
        None if facts.is_busy => return Err("somebody is claiming or leaving it".to_owned()),
        None => {}
    }
    let obstacles = facts.obstacles(wanted);
    if obstacles.is_empty() {
        return Ok(());
    }
    Err(obstacles.into_iter().map(|obstacle| obstacle.what).collect::<Vec<_>>().join(", "))
}

/// A host that may have the claim and does not say so now: nothing else is claimed until it does.
fn refuse_doubt(survey: &Survey, cluster: &ClusterContext, key: &InfraKey) -> Result<(), Failure> {
    let Some((host, _, why)) = survey.in_doubt().find(|(_, noted, _)| noted.is_of(cluster) && noted.key == *key) else {
        return Ok(());
    };
    Err(why.cloned().unwrap_or_else(|| {
        let message = format!("host `{host}` is being claimed or left, and does not say yet whose it is");
        Failure::not_applied(ErrorCode::Busy, message)
    }))
}

fn present(host: &Host, access: MachineAccess) -> Present {
    Present { id: host.name.to_string(), facts: Facts::Machine(access) }
}

fn strange(host: &Host, script: &str) -> Failure {
    let message = format!("host `{}`: `{script}` ended in a way that it never should", host.name);
    Failure::maybe_applied(ErrorCode::Internal, message)
}

/// The daemon's clock, as hosts say theirs.
pub(crate) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
