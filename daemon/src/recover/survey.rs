//! What carries owner marks, at every infrastructure and account that the store knows.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_engine::driver::{Driver, Marked};
use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, InstanceId};
use muster_store::{ReadError, Store};
use tokio::time::{Instant, sleep_until, timeout};

use super::ById;
use crate::collector::leftovers::Place;
use crate::collector::look;
use crate::provisioner::Provisioner;

/// How long an infrastructure may take to list what there is.
const LISTING_LIMIT: Duration = Duration::from_secs(300);

/// What was found, and where nobody answered.
#[derive(Debug, Default)]
pub struct Survey {
    /// By installation, its clusters.
    pub installations: BTreeMap<InstanceId, ById<Sighting>>,
    /// Places that did not say what they have, and why.
    pub silent: Vec<(Place, String)>,
}

/// What was found of one cluster.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Where.
    pub place: Place,
    /// What: at least one.
    pub marked: Vec<Marked>,
}

/// Asks every place. Of the installation that is to be complete, what was made just before the store was lost may not be
/// listed yet: where there is anything of it, it is waited until everything is.
pub async fn survey(
    provisioner: &Provisioner,
    store: &Store,
    complete: Option<InstanceId>,
) -> Result<Survey, ReadError> {
    let mut survey = Survey::default();
    for place in look::places(store).await? {
        let driver = match provisioner.driver(place.0, place.1.as_ref()).await {
            Ok(driver) => driver,
            Err(cause) => {
                // An infrastructure without a default account has nothing that is not in an account.
                if place.1.is_some() {
                    survey.silent.push((place, cause.message));
                }
                continue;
            }
        };
        match listing(driver.as_ref(), complete).await {
            Ok(marked) => survey.note(&place, marked),
            Err(Failure { message, remedy, .. }) => {
                let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
                survey.silent.push((place, format!("{message}{remedy}")));
            }
        }
    }
    Ok(survey)
}

async fn listing(driver: &dyn Driver, complete: Option<InstanceId>) -> Result<Vec<Marked>, Failure> {
    let list = async || timeout(LISTING_LIMIT, driver.list_marked()).await.unwrap_or_else(|_| Err(no_answer()));
    let complete_at = Instant::now() + driver.listing_lag();
    let listed = list().await?;
    if !listed.iter().any(|marked| Some(marked.instance) == complete) {
        return Ok(listed);
    }
    sleep_until(complete_at).await;
    list().await
}

impl Survey {
    /// Two accounts may show the same things: then those of the account that the marks name count.
    fn note(&mut self, place: &Place, marked: Vec<Marked>) {
        let mut seen: BTreeMap<InstanceId, ById<Vec<Marked>>> = BTreeMap::new();
        for marked in marked {
            seen.entry(marked.instance).or_default().entry(marked.owned.cluster).or_default().push(marked);
        }
        for (instance, clusters) in seen {
            let known = self.installations.entry(instance).or_default();
            for (cluster, marked) in clusters {
                let sighting = Sighting { place: place.clone(), marked };
                let is_better = known.get(&cluster).is_none_or(|known| !known.is_where_marks_say());
                if is_better && (!known.contains_key(&cluster) || sighting.is_where_marks_say()) {
                    known.insert(cluster, sighting);
                }
            }
        }
    }
}

impl Sighting {
    fn is_where_marks_say(&self) -> bool {
        let mut specs = self.marked.iter().filter_map(|marked| marked.spec.as_ref());
        specs.any(|spec| spec.account == self.place.1)
    }
}

fn no_answer() -> Failure {
    Failure::not_applied(ErrorCode::Unreachable, "the infrastructure does not answer")
}

#[cfg(test)]
mod tests {
    use muster_engine::driver::Owned;
    use muster_engine::ledger::{Facts, Present};
    use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
    use muster_protocol::{ClusterId, Name};

    use super::*;

    fn marked(cluster: u128, account: Option<&str>) -> Marked {
        let spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Sim, Infrastructure::Sim);
        let spec = ClusterSpec { account: account.map(|name| name.parse().unwrap()), ..spec };
        let present = Present { id: "sim-1".to_owned(), facts: Facts::None };
        let owned = Owned { cluster: ClusterId::from_u128(cluster), key: None, present };
        Marked { instance: InstanceId::from_u128(1), owned, cluster_name: None, spec: Some(spec) }
    }

    #[test]
    fn what_several_accounts_show_counts_where_its_marks_say() {
        let accounts: [Option<Name>; 3] = [None, Some("a".parse().unwrap()), Some("b".parse().unwrap())];
        let mut survey = Survey::default();
        for account in accounts {
            let all = vec![marked(1, None), marked(2, Some("a")), marked(3, Some("gone"))];
            survey.note(&(Infrastructure::Sim, account), all);
        }
        let found = &survey.installations[&InstanceId::from_u128(1)];
        let at: Vec<_> = found.values().map(|sighting| sighting.place.1.as_ref().map(Name::as_str)).collect();
        assert_eq!(at, [None, Some("a"), None]);
        assert!(found.values().all(|sighting| sighting.marked.len() == 1));
    }
}
