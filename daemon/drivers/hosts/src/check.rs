//! What an account's hosts are, and whether a cluster could have the machines that it asks for.

use std::collections::BTreeSet;

use muster_engine::driver::Promised;
use muster_engine::failure::Failure;
use muster_engine::finding;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::{ClusterSpec, MachineShape, Orchestrator};
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name, Timestamp};

use crate::HostsDriver;
use crate::facts::{HostFacts, WantedMachine};
use crate::machine::{refuse, seconds_now};
use crate::survey::{Seen, Survey};

impl HostsDriver {
    /// One finding a host: what it is, who has it, or what keeps Muster from it.
    pub(crate) async fn findings(&self) -> Vec<Finding> {
        match self.survey_now().await {
            Ok(survey) => survey.hosts.iter().map(|(name, seen)| finding(name, judge(name, seen))).collect(),
            Err(failure) => vec![finding_of("hosts", Err(failure))],
        }
    }

    /// Refuses a cluster that wants more machines than there are free hosts that fit.
    pub(crate) async fn refuse_what_cannot_be(
        &self,
        spec: &ClusterSpec,
        promised: Promised<'_>,
    ) -> Result<(), Failure> {
        let shapes = shapes(spec);
        if shapes.iter().any(|shape| shape.image.is_some()) {
            let message = "hosts do not support `machine.image`: they are what they are".to_owned();
            let failure = Failure::not_applied(ErrorCode::Unsupported, message);
            return Err(failure.permanent().with_remedy("leave `machine.image` out"));
        }
        // Whoever puts a host right asks again at once.
        let survey = self.survey_now().await?;
        let mut taken = BTreeSet::new();
        for shape in &shapes {
            let free = survey.hosts.iter().find(|(name, seen)| {
                let is_free = |(facts, _): &(HostFacts, _)| refuse(facts, &wanted(spec.orchestrator, shape)).is_ok();
                !taken.contains(*name) && seen.as_ref().is_ok_and(is_free)
            });
            let Some((name, _)) = free else { return Err(self.too_few(spec, &shapes, shape, &survey)) };
            taken.insert(name.clone());
        }
        self.refuse_what_is_promised(spec, &shapes, &survey, promised())
    }

    /// Refuses to give away hosts that other clusters were promised and have not claimed yet. Which ones they will claim is
    /// not known, so the free ones are counted.
    fn refuse_what_is_promised(
        &self,
        spec: &ClusterSpec,
        shapes: &[MachineShape],
        survey: &Survey,
        promised: usize,
    ) -> Result<(), Failure> {
        let smallest = shapes.last().cloned().unwrap_or_default();
        let wanted = wanted(spec.orchestrator, &smallest);
        let free = survey.hosts.values().filter_map(|seen| seen.as_ref().ok());
        let free = free.filter(|(facts, _)| refuse(facts, &wanted).is_ok()).count();
        if promised == 0 || free >= shapes.len() + promised {
            return Ok(());
        }
        let message = format!(
            "the cluster wants {} machines; account `{}` has {free} free hosts, and {promised} are promised to clusters that \
             have not claimed them yet",
            shapes.len(),
            self.options.account
        );
        Err(Failure::not_applied(ErrorCode::Quota, message)
            .permanent()
            .with_remedy("add hosts to the account, or ask for fewer machines"))
    }

    fn too_few(&self, spec: &ClusterSpec, shapes: &[MachineShape], shape: &MachineShape, survey: &Survey) -> Failure {
        let wanted = wanted(spec.orchestrator, shape);
        let mut remedy = None;
        let (mut free, mut reasons) = (Vec::new(), Vec::new());
        for (name, seen) in &survey.hosts {
            let reason = match seen {
                Ok((facts, _)) => refuse(facts, &wanted).map_err(|reason| {
                    remedy = remedy.or(facts.obstacles(&wanted).first().map(|obstacle| obstacle.remedy));
                    format!("host `{name}`: {reason}")
                }),
                Err(failure) => Err(failure.message.clone()),
            };
            match reason {
                Ok(()) => free.push(name.to_string()),
                Err(reason) => reasons.push(reason),
            }
        }
        let free = if free.is_empty() { "none".to_owned() } else { free.join(", ") };
        let mut message = format!(
            "the cluster wants {} machines; free hosts of account `{}` that fit: {free}",
            shapes.len(),
            self.options.account
        );
        if !reasons.is_empty() {
            message.push_str(&format!(" ({})", reasons.join("; ")));
        }
        let remedy = remedy.unwrap_or("add hosts to the account, or ask for fewer machines");
        Failure::not_applied(ErrorCode::Quota, message).permanent().with_remedy(remedy)
    }
}

/// The shapes of all machines, those that ask for most first: they have the smallest choice.
fn shapes(spec: &ClusterSpec) -> Vec<MachineShape> {
    let shape_of = |pool: &str| {
        let own = spec.pools.iter().find(|other| other.name.as_str() == pool).map(|pool| pool.shape.clone());
        let own = own.unwrap_or_default();
        MachineShape {
            cpu: own.cpu.or(spec.machine.cpu),
            memory: own.memory.or(spec.machine.memory),
            disk: own.disk.or(spec.machine.disk),
            image: own.image.or_else(|| spec.machine.image.clone()),
        }
    };
    let mut shapes = Vec::new();
    for role in [Role::ControlPlane, Role::Worker] {
        for (pool, count) in spec.pools_of(role) {
            shapes.extend((0..count).map(|_| shape_of(pool)));
        }
    }
    shapes.sort_by_key(|shape| std::cmp::Reverse((shape.memory, shape.cpu, shape.disk)));
    shapes
}

fn wanted(orchestrator: Orchestrator, shape: &MachineShape) -> WantedMachine<'_> {
    WantedMachine { orchestrator, shape, clock: seconds_now() }
}

/// What a host is, in words; or why it is not to be had.
fn judge(name: &Name, seen: &Seen) -> Result<String, Failure> {
    let (facts, _) = seen.as_ref().map_err(Failure::clone)?;
    let shape = MachineShape::default();
    // No orchestrator in particular: ports do not count yet.
    let any = wanted(Orchestrator::Sim, &shape);
    let summary = facts.summary();
    match &facts.claim {
        Some(Ok(claim)) => return Ok(format!("{summary}; cluster `{}` has it as {}", claim.cluster_name, claim.key)),
        Some(Err(_)) => {
            let message = format!("host `{name}`: somebody has it, with a claim that cannot be read");
            let failure = Failure::not_applied(ErrorCode::Conflict, message).permanent();
            return Err(failure.with_remedy(
                "see /var/lib/muster/claim.json on the host; another release of Muster may have written it",
            ));
        }
        None => {}
    }
    if let Some(obstacle) = facts.obstacles(&any).first() {
        let all: Vec<String> = facts.obstacles(&any).into_iter().map(|obstacle| obstacle.what).collect();
        let message = format!("host `{name}`: {}", all.join(", "));
        return Err(Failure::not_applied(ErrorCode::Conflict, message).permanent().with_remedy(obstacle.remedy));
    }
    let mut said = format!("{summary}; free");
    if let Some(engine) = &facts.engine {
        said.push_str(&format!(", with {engine}"));
    }
    for orchestrator in [Orchestrator::Swarm, Orchestrator::Kubernetes] {
        for obstacle in facts.obstacles(&wanted(orchestrator, &shape)) {
            said.push_str(&format!(", but {}", obstacle.what));
        }
    }
    Ok(said)
}

fn finding(name: &Name, result: Result<String, Failure>) -> Finding {
    finding_of(&format!("host {name}"), result)
}

fn finding_of(subject: &str, result: Result<String, Failure>) -> Finding {
    finding::finding(subject, result, Timestamp::of_system_clock())
}
