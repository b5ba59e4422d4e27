//! Adoption of newer recipes without anybody asking: a few clusters at once over the whole fleet, and none any more as soon
//! as one of them has failed at it.

use muster_engine::state::{ClusterState, Requested};
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::{Name, OperationId, Principal};
use tracing::{info, warn};

use crate::app::App;
use crate::cluster::intent::{Intent, Wish};
use crate::gateway::ask;

/// How a cluster stands towards the recipe of this release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Adoption {
    /// It has the recipe, or has other things to do.
    Aside,
    /// It could adopt the recipe now.
    Ready,
    /// It is adopting.
    Adopting,
    /// It has adopted by itself, failed, and is not well since.
    Failed,
}

/// Has as many clusters adopt the recipe of this release as may do so at once.
pub async fn adopt(app: &App, at_once: usize) {
    let board = &app.provisioner.shared.board;
    let clusters = board.all();
    let fleet = clusters.iter().map(|pinned| {
        let (name, id) = (&pinned.state.desired().spec.name, pinned.state.id());
        (name, standing(&pinned.state, &board.operations(None, usize::MAX, |info| info.cluster_id == id)))
    });
    match chosen(fleet, at_once) {
        Ok(names) => {
            for name in names {
                ask_for(app, name).await;
            }
        }
        Err(failed) => warn!(cluster = %failed, "no cluster adopts the newer recipe while this one has failed at it"),
    }
}

async fn ask_for(app: &App, name: &Name) {
    let asked = Requested { operation: OperationId::generate(), by: Principal::daemon(), at: app.now() };
    let intent = Intent { wish: Wish::Upgrade { version: None }, asked, answer: None, audit: None, turn: None };
    let found = || app.provisioner.shared.board.cluster(name);
    match ask::hand_over(app, name, found, intent).await {
        Ok(_) => info!(cluster = %name, "the cluster adopts the recipe of this release"),
        Err(error) => {
            warn!(cluster = %name, cause = %error.message, "the cluster cannot adopt the recipe of this release")
        }
    }
}

fn standing(cluster: &ClusterState, newest_first: &[OperationInfo]) -> Adoption {
    let is_ready = cluster.record.phase == ClusterPhase::Ready;
    let upgrade = newest_first
        .iter()
        .find(|operation| operation.kind == OperationKind::ClusterUpgrade && operation.cluster_id == cluster.id());
    match upgrade {
        Some(upgrade) if !upgrade.phase.is_ended() => Adoption::Adopting,
        Some(upgrade)
            if !is_ready && upgrade.phase == OperationPhase::Failed && upgrade.requested_by == Principal::daemon() =>
        {
            Adoption::Failed
        }
        Some(_) | None if is_ready && cluster.operations.is_empty() && cluster.is_recipe_offered() => Adoption::Ready,
        Some(_) | None => Adoption::Aside,
    }
}

/// Which clusters begin now; or the one that has failed, if one has.
fn chosen<'a>(fleet: impl Iterator<Item = (&'a Name, Adoption)>, at_once: usize) -> Result<Vec<&'a Name>, &'a Name> {
    let (mut adopting, mut ready) = (0, Vec::new());
    for (name, standing) in fleet {
        match standing {
            Adoption::Aside => {}
            Adoption::Ready => ready.push(name),
            Adoption::Adopting => adopting += 1,
            Adoption::Failed => return Err(name),
        }
    }
    ready.truncate(at_once.saturating_sub(adopting));
    Ok(ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(standings: &[Adoption]) -> Vec<(Name, Adoption)> {
        let names = (1..).map(|number| format!("c{number}").parse().unwrap());
        names.zip(standings.iter().copied()).collect()
    }

    fn names(standings: &[Adoption], at_once: usize) -> Result<Vec<String>, String> {
        let fleet = fleet(standings);
        let chosen = chosen(fleet.iter().map(|(name, standing)| (name, *standing)), at_once);
        chosen.map(|names| names.into_iter().map(ToString::to_string).collect()).map_err(ToString::to_string)
    }

    #[test]
    fn so_many_adopt_at_once_over_the_whole_fleet() {
        use Adoption::{Adopting, Aside, Ready};
        let expected = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect());
        assert_eq!(names(&[Ready, Ready, Ready], 2), expected(&["c1", "c2"]));
        assert_eq!(names(&[Adopting, Aside, Ready], 2), expected(&["c3"]));
        assert_eq!(names(&[Adopting, Ready], 1), expected(&[]));
    }

    #[test]
    fn none_begins_while_one_has_failed() {
        assert_eq!(names(&[Adoption::Ready, Adoption::Failed], 5), Err("c2".to_owned()));
    }
}
