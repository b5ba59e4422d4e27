//! What was found and what becomes of it, in words.

use std::fmt;

use muster_engine::ledger::ResourceKey;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{InstanceId, Name};

use super::{ClusterPlan, Sighting, Survey, Verdict};
use crate::collector::leftovers::Place;

/// What `musterd recover` says.
#[derive(Debug)]
pub struct Report {
    /// Everything that was found.
    pub survey: Survey,
    /// The installation that is recovered, if one was named.
    pub instance: Option<InstanceId>,
    /// Its clusters, the oldest first.
    pub clusters: Vec<ClusterPlan>,
    /// Whether it is done.
    pub is_done: bool,
}

impl Report {
    /// What there is, of every installation.
    pub fn of_survey(survey: Survey) -> Self {
        Self { survey, instance: None, clusters: Vec::new(), is_done: false }
    }

    /// How many clusters are, or would be, in the store by this.
    pub fn recovered(&self) -> usize {
        self.clusters.iter().filter(|cluster| cluster.state().is_some()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instance {
            None => self.write_installations(f)?,
            Some(_) => self.clusters.iter().try_for_each(|cluster| write_cluster(f, cluster))?,
        }
        for (place, why) in &self.survey.silent {
            writeln!(f, "not asked: {}: {why}", Shown(place))?;
        }
        match (self.instance, self.is_done) {
            (None, _) if self.survey.installations.is_empty() => writeln!(
                f,
                "nothing that carries Muster's marks was found; accounts are asked when they are in the store: start the \
                 daemon, add them with `muster account add`, stop it, and recover again"
            ),
            (None, _) => writeln!(f, "see what becomes of one: `musterd recover --instance ID`"),
            (Some(instance), false) => {
                writeln!(f, "nothing was changed; to do it: `musterd recover --instance {instance} --yes`")
            }
            (Some(_), true) => {
                writeln!(f, "clusters recovered: {}; start the daemon, it does the rest", self.recovered())
            }
        }
    }
}

impl Report {
    fn write_installations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (instance, clusters) in &self.survey.installations {
            writeln!(f, "installation {instance}")?;
            for (id, Sighting { place, marked }) in clusters {
                let name = marked.iter().find_map(|marked| marked.cluster_name.as_ref());
                let name = name.map_or("(no name)", Name::as_str);
                writeln!(f, "  cluster {name} ({id}) at {}: {} resources", Shown(place), marked.len())?;
            }
        }
        Ok(())
    }
}

fn write_cluster(f: &mut fmt::Formatter<'_>, cluster: &ClusterPlan) -> fmt::Result {
    let ClusterPlan { id, sighting, verdict } = cluster;
    let name = cluster.name().map_or("(no name)", Name::as_str);
    let orchestrator = cluster.spec().map_or_else(String::new, |spec| format!("{} ", spec.orchestrator));
    writeln!(f, "cluster {name} ({id}): {orchestrator}at {}", Shown(&sighting.place))?;
    let keys = sighting.marked.iter().map(|marked| marked.owned.key.as_ref());
    let readable: Vec<String> = keys.flatten().filter(|key| is_readable(Some(key))).map(ToString::to_string).collect();
    writeln!(f, "  found: {}", readable.join(", "))?;
    let odd = sighting.marked.iter().filter(|marked| !is_readable(marked.owned.key.as_ref()));
    for marked in odd {
        writeln!(f, "  marked as this cluster's, but not as what: {}", marked.owned.present.id)?;
    }
    match verdict {
        Verdict::Rebuilt(state) => {
            write_numbers(f, cluster, &state.desired().spec)?;
            let missing: Vec<&str> = cluster.missing().into_iter().map(Name::as_str).collect();
            if !missing.is_empty() {
                writeln!(f, "  looked for once more, and made anew: {}", missing.join(", "))?;
            }
            writeln!(
                f,
                "  becomes what it was: each machine gets new keys and is prepared again, which interrupts what runs on it; \
                 services run on, but nobody knows them until they are created again under their names"
            )
        }
        Verdict::OnlyToBeDeleted(state) => {
            let cause = state.causes().into_iter().next();
            let why = cause.map_or_else(String::new, |cause| cause.message);
            writeln!(f, "  listed for removal: {why}; `muster cluster delete {name}` removes all of it")
        }
        Verdict::Known => writeln!(f, "  the store has it already"),
        Verdict::LeftAlone(why) => writeln!(f, "  left alone: {why}"),
    }
}

/// Whether it is something that an infrastructure makes.
fn is_readable(key: Option<&ResourceKey>) -> bool {
    key.is_some_and(ResourceKey::is_infrastructure)
}

/// Numbers that differ from those of the time when it was made.
fn write_numbers(f: &mut fmt::Formatter<'_>, cluster: &ClusterPlan, now: &ClusterSpec) -> fmt::Result {
    let Some(marked) = cluster.spec() else { return Ok(()) };
    for role in [Role::ControlPlane, Role::Worker] {
        let (before, after) = (marked.count(role), now.count(role));
        if before != after {
            writeln!(f, "  {role} machines: {after}, as found; {before} were asked for when it was created")?;
        }
    }
    Ok(())
}

/// A place in words.
struct Shown<'a>(&'a Place);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.1 {
            Some(account) => write!(f, "{} (account {account})", self.0.0),
            None => write!(f, "{}", self.0.0),
        }
    }
}
