//! What clusters that are gone left behind, and what may be done about it. Pure.
//!
//! Something that carries our mark and belongs to no cluster of ours may be removed only if all of this is so: the history in the
//! store knows the cluster, so that it certainly was ours and was deleted (a store that was put back from an older copy does
//! not know the clusters made since, and those live); and two looks that are [`GRACE`] apart saw it.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_engine::driver::Owned;
use muster_engine::failure::Failure;
use muster_engine::ledger::ResourceKey;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::{ClusterId, ErrorCode, Name, Timestamp};

/// Between the first sight of something and its removal.
pub const GRACE: Duration = Duration::from_secs(10 * 60);

/// Most findings that are shown one by one.
const SHOWN: usize = 20;

/// An infrastructure with one account.
pub type Place = (Infrastructure, Option<Name>);

/// What was seen and is still there, as far as known.
#[derive(Debug, Default)]
pub struct Leftovers {
    seen: BTreeMap<(Place, ClusterId, String), Sighting>,
}

#[derive(Debug)]
struct Sighting {
    first: Timestamp,
    cluster: Option<Name>,
    failure: Option<String>,
}

/// Something that belongs to no cluster of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leftover {
    /// What it is.
    pub owned: Owned,
    /// The name of its cluster, if the history knows it: then it was deleted.
    pub cluster: Option<Name>,
}

/// What is to be done about a leftover.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What it is about.
    pub leftover: Leftover,
    /// It was not there at the last look.
    pub is_new: bool,
    /// It may be removed now.
    pub remove: bool,
}

impl Leftover {
    /// Its key where it has one, else its id.
    pub fn name(&self) -> String {
        let Owned { key, present, .. } = &self.owned;
        key.as_ref().map_or_else(|| present.id.clone(), |key| format!("{key} ({})", present.id))
    }
}

impl Leftovers {
    /// Notes everything that a look at a place found. Machines come before what they stand on.
    pub fn note(&mut self, place: &Place, found: Vec<Leftover>, now: Timestamp) -> Vec<Decision> {
        let keys: Vec<_> = found.iter().map(|leftover| key_of(place, leftover)).collect();
        self.seen.retain(|key, _| key.0 != *place || keys.contains(key));
        let mut decisions: Vec<Decision> = Vec::new();
        for leftover in found {
            let key = key_of(place, &leftover);
            let is_new = !self.seen.contains_key(&key);
            let fresh = || Sighting { first: now, cluster: leftover.cluster.clone(), failure: None };
            let first = self.seen.entry(key).or_insert_with(fresh).first;
            let removable = leftover.cluster.is_some() && is_infrastructure(&leftover.owned);
            let remove = removable && now.since(first) >= GRACE;
            decisions.push(Decision { leftover, is_new, remove });
        }
        // What machines stand on can go when they are gone; what is in use still is tried again at the next look.
        let is_machine =
            |decision: &Decision| decision.leftover.owned.key.as_ref().is_some_and(|key| key.machine().is_some());
        decisions.sort_by_key(|decision| !is_machine(decision));
        decisions
    }

    /// Forgets what was seen at other places: their accounts are gone, and nobody looks there any more.
    pub fn retain_places(&mut self, places: &[Place]) {
        self.seen.retain(|(place, _, _), _| places.contains(place));
    }

    /// It is gone.
    pub fn removed(&mut self, place: &Place, leftover: &Leftover) {
        self.seen.remove(&key_of(place, leftover));
    }

    /// It could not be removed; the next look tries again.
    pub fn failed(&mut self, place: &Place, leftover: &Leftover, why: String) {
        if let Some(seen) = self.seen.get_mut(&key_of(place, leftover)) {
            seen.failure = Some(why);
        }
    }

    /// Everything was seen so much earlier. For tests, which do not wait.
    #[doc(hidden)]
    pub fn age(&mut self, by: Duration) {
        for seen in self.seen.values_mut() {
            seen.first = seen.first - by;
        }
    }

    /// For `doctor`.
    pub fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.seen.iter().take(SHOWN).map(|(key, seen)| finding(key, seen, now)).collect();
        let more = self.seen.len().saturating_sub(SHOWN);
        if let Some(last) = findings.last_mut().filter(|_| more > 0) {
            last.message.push_str(&format!("; and {more} more"));
        }
        findings
    }
}

fn key_of(place: &Place, leftover: &Leftover) -> (Place, ClusterId, String) {
    (place.clone(), leftover.owned.cluster, leftover.name())
}

fn is_infrastructure(owned: &Owned) -> bool {
    owned.key.as_ref().is_some_and(ResourceKey::is_infrastructure)
}

fn finding(
    ((infrastructure, _), cluster, name): &(Place, ClusterId, String),
    seen: &Sighting,
    now: Timestamp,
) -> Finding {
    let of = seen.cluster.as_ref().map_or_else(|| cluster.to_string(), Name::to_string);
    let mut message =
        format!("{name} of cluster {of}, which does not exist, is at {infrastructure} since {} at least", seen.first);
    if let Some(failure) = &seen.failure {
        message.push_str(&format!("; it cannot be removed: {failure}"));
    }
    let remedy = if seen.cluster.is_some() {
        "Muster removes it by itself; if it cannot, remove it by hand"
    } else {
        "Muster does not know the cluster and leaves it alone: was the store put back from an older copy? \
         `musterd recover` brings it back; if nobody needs it, remove it by hand"
    };
    let failure = Failure::not_applied(ErrorCode::Conflict, message.clone()).with_remedy(remedy);
    let failure = if seen.cluster.is_some() { failure } else { failure.permanent() };
    let cause = failure.into_cause("check leftovers".to_owned(), now);
    Finding { subject: "leftovers".to_owned(), ok: false, message, cause: Some(cause) }
}

#[cfg(test)]
mod tests {
    use muster_engine::ledger::{Facts, Present};

    use super::*;

    const PLACE: Place = (Infrastructure::Sim, None);

    fn leftover(key: Option<ResourceKey>, cluster: Option<&str>) -> Leftover {
        let id = key.as_ref().map_or("odd".to_owned(), |key| format!("id-of-{key}"));
        let present = Present { id, facts: Facts::None };
        Leftover {
            owned: Owned { cluster: ClusterId::from_u128(1), key, present },
            cluster: cluster.map(|name| name.parse().unwrap()),
        }
    }

    fn machine() -> ResourceKey {
        ResourceKey::for_machine("worker-1".parse().unwrap())
    }

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn what_a_deleted_cluster_left_is_removed_at_the_second_look_that_is_late_enough() {
        let mut leftovers = Leftovers::default();
        let found =
            || vec![leftover(Some("network".parse().unwrap()), Some("old")), leftover(Some(machine()), Some("old"))];
        assert!(leftovers.note(&PLACE, found(), at(0)).iter().all(|decision| decision.is_new && !decision.remove));
        assert!(leftovers.note(&PLACE, found(), at(9)).iter().all(|decision| !decision.is_new && !decision.remove));
        let decisions = leftovers.note(&PLACE, found(), at(10));
        assert!(decisions.iter().all(|decision| decision.remove));
        assert_eq!(decisions[0].leftover.owned.key, Some(machine()), "machines before their network");
    }

    #[test]
    fn what_was_away_in_between_is_new_again() {
        let mut leftovers = Leftovers::default();
        let found = || vec![leftover(Some(machine()), Some("old"))];
        leftovers.note(&PLACE, found(), at(0));
        leftovers.note(&PLACE, Vec::new(), at(5));
        let decisions = leftovers.note(&PLACE, found(), at(20));
        assert!(decisions[0].is_new && !decisions[0].remove);
    }

    #[test]
    fn what_the_history_does_not_know_or_cannot_be_named_is_only_reported() {
        let mut leftovers = Leftovers::default();
        let found = || vec![leftover(Some(machine()), None), leftover(None, Some("old"))];
        leftovers.note(&PLACE, found(), at(0));
        assert!(leftovers.note(&PLACE, found(), at(1000)).iter().all(|decision| !decision.remove));
        assert_eq!(leftovers.findings(at(1000)).len(), 2);
    }

    #[test]
    fn a_look_at_one_place_says_nothing_about_another() {
        let mut leftovers = Leftovers::default();
        leftovers.note(&PLACE, vec![leftover(Some(machine()), Some("old"))], at(0));
        leftovers.note(&(Infrastructure::Local, None), Vec::new(), at(1));
        assert_eq!(leftovers.findings(at(1)).len(), 1);
    }

    #[test]
    fn a_place_whose_account_was_removed_is_forgotten() {
        let mut leftovers = Leftovers::default();
        let removed = (Infrastructure::Sim, Some("removed".parse().unwrap()));
        leftovers.note(&removed, vec![leftover(Some(machine()), Some("old"))], at(0));
        leftovers.note(&PLACE, vec![leftover(Some(machine()), Some("old"))], at(0));
        leftovers.retain_places(&[PLACE]);
        assert_eq!(leftovers.findings(at(1)).len(), 1);
    }
}
