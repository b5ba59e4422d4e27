//! Which clusters are to be read from disk again. One reading is under way at a time, and the next one has all that were
//! asked for meanwhile: a reading looks through all operations, whether it is for one cluster or for thousands.

use std::collections::BTreeSet;
use std::mem;

use muster_protocol::ClusterId;

/// Clusters to be read again.
#[derive(Default)]
pub struct Reloads {
    wanted: BTreeSet<ClusterId>,
    under_way: BTreeSet<ClusterId>,
}

impl Reloads {
    /// A cluster is to be read with the next reading.
    pub fn want(&mut self, cluster: ClusterId) {
        self.wanted.insert(cluster);
    }

    /// What a reading that is under way finds of this cluster may be out of date: it is read again, if it is read at all.
    pub fn want_anew(&mut self, cluster: ClusterId) {
        if self.under_way.contains(&cluster) {
            self.wanted.insert(cluster);
        }
    }

    /// The clusters of the next reading, which begins with this; none while one is under way or nothing is wanted.
    pub fn begin(&mut self) -> Option<BTreeSet<ClusterId>> {
        if self.wanted.is_empty() || !self.under_way.is_empty() {
            return None;
        }
        self.under_way = mem::take(&mut self.wanted);
        Some(self.under_way.clone())
    }

    /// The reading has ended.
    pub fn end(&mut self) {
        self.under_way.clear();
    }

    /// Whether a cluster is to be read once more, so that what was read before does not count.
    pub fn is_wanted(&self, cluster: ClusterId) -> bool {
        self.wanted.contains(&cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u128]) -> BTreeSet<ClusterId> {
        ids.iter().copied().map(ClusterId::from_u128).collect()
    }

    #[test]
    fn however_many_are_wanted_while_one_is_read_they_are_read_together() {
        let mut reloads = Reloads::default();
        assert_eq!(reloads.begin(), None);
        (1..=2000).for_each(|id| {
            reloads.want(ClusterId::from_u128(id));
            assert_eq!(reloads.begin(), (id == 1).then(|| set(&[1])));
        });
        reloads.end();
        assert_eq!(reloads.begin().map(|clusters| clusters.len()), Some(1999));
        reloads.end();
        assert_eq!(reloads.begin(), None);
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_again_and_what_is_not_read_is_not() {
        let mut reloads = Reloads::default();
        let [one, other] = [1, 2].map(ClusterId::from_u128);
        reloads.want(one);
        reloads.begin();
        reloads.want_anew(one);
        reloads.want_anew(other);
        assert!(reloads.is_wanted(one) && !reloads.is_wanted(other));
        reloads.end();
        assert_eq!(reloads.begin(), Some(set(&[1])));
    }
}
