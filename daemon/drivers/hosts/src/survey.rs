//! A look at all hosts of an account at once. One that is a moment old serves every cluster of the account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, MachineAccess};
use muster_protocol::Name;
use tokio::time::Instant;

use crate::HostsDriver;
use crate::claim::Claim;
use crate::entry::Host;
use crate::facts::HostFacts;
use crate::notes::NotedClaim;
use crate::scripts;

/// So many hosts are asked at once.
const AT_ONCE: usize = 32;

/// What one host said, and how it was reached; or why it said nothing.
pub(crate) type Seen = Result<(HostFacts, MachineAccess), Failure>;

/// All hosts of an account, as they were a moment ago.
pub(crate) struct Survey {
    pub(crate) hosts: BTreeMap<Name, Seen>,
    /// For what each was or may have been claimed, as the daemon itself noted it.
    noted: BTreeMap<Name, NotedClaim>,
}

/// A survey and when it was begun.
pub(crate) type Kept = Option<(Instant, Arc<Survey>)>;

impl HostsDriver {
    /// All hosts, by a survey that was begun no longer than `kept` before it was asked for. Who asks while one is being made
    /// waits for it.
    pub(crate) async fn survey(&self, kept: Duration) -> Result<Arc<Survey>, Failure> {
        let asked = Instant::now();
        let mut last = self.last_survey.lock().await;
        if let Some((at, survey)) = &*last
            && asked.saturating_duration_since(*at) < kept
        {
            return Ok(Arc::clone(survey));
        }
        let began = Instant::now();
        let noted = self.register.notes.all().await?;
        let noted = noted.into_iter().filter_map(|(host, note)| Some((host, note.claimed?))).collect();
        let mut looks = Vec::new();
        for host in self.options.hosts.values() {
            looks.push(async { (host.name.clone(), self.look(host).await) }.boxed());
        }
        let hosts: BTreeMap<Name, Seen> = futures::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        self.count_silence(&hosts);
        let survey = Arc::new(Survey { hosts, noted });
        for (host, claim, _) in survey.claims() {
            // A daemon that lost its notes has them again.
            let seen = NotedClaim::of(claim);
            self.register.notes.change(host, |note| note.claimed = seen).await?;
        }
        *last = Some((began, Arc::clone(&survey)));
        Ok(survey)
    }

    /// A look that sees what was done just now.
    pub(crate) async fn survey_now(&self) -> Result<Arc<Survey>, Failure> {
        self.survey(Duration::ZERO).await
    }

    /// What one host says.
    pub(crate) async fn look(&self, host: &Host) -> Seen {
        let (session, access) = self.open(host, self.options.habits.login_limit).await?;
        let facts = scripts::facts(host, &session, self.options.habits.facts_limit).await;
        session.close().await;
        Ok((facts?, access))
    }

    /// Counts for each host the surveys in a row in which it did not answer.
    fn count_silence(&self, hosts: &BTreeMap<Name, Seen>) {
        let mut silent = self.silent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        silent.retain(|name, _| hosts.get(name).is_some_and(Seen::is_err));
        for (name, _) in hosts.iter().filter(|(_, seen)| seen.is_err()) {
            *silent.entry(name.clone()).or_default() += 1;
        }
    }

    /// For how many surveys in a row a host has not answered.
    pub(crate) fn silence(&self, host: &Name) -> u32 {
        let silent = self.silent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        silent.get(host).copied().unwrap_or(0)
    }
}

impl Survey {
    /// The host that has the claim of this machine.
    pub(crate) fn claimed_for(&self, cluster: &ClusterContext, key: &InfraKey) -> Option<&Name> {
        self.claims().find(|(_, claim, _)| claim.is_for(cluster, key)).map(|(host, _, _)| host)
    }

    /// Every claim that can be read, with its host and how that is reached.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (&Name, &Claim, &MachineAccess)> {
        self.hosts.iter().filter_map(|(name, seen)| match seen {
            Ok((HostFacts { claim: Some(Ok(claim)), .. }, access)) => Some((name, claim, access)),
            Ok(_) | Err(_) => None,
        })
    }

    /// Hosts that cannot say now whose they are, with what the daemon noted of them.
    pub(crate) fn in_doubt(&self) -> impl Iterator<Item = (&Name, &NotedClaim, Option<&Failure>)> {
        self.hosts.iter().filter_map(|(name, seen)| {
            let noted = self.noted.get(name)?;
            match seen {
                Err(failure) => Some((name, noted, Some(failure))),
                Ok((facts, _)) if facts.is_busy && facts.claim.is_none() => Some((name, noted, None)),
                Ok(_) => None,
            }
        })
    }
}
