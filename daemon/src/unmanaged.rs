//! What stands in for the kinds of a cluster that this daemon cannot take care of, because its account or the part of the
//! build that knows it is missing: nothing is needed and nothing is to be done, so that the cluster can be looked at.

use std::sync::Arc;

use muster_engine::blueprint::Blueprint;
use muster_engine::desired::Desired;
use muster_engine::driver::{Need, Needs};
use muster_engine::recipe::{MachineStep, Peer, Recipe, Recipes};
use muster_engine::rollout::{Hold, MachineNow, Rollout};
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;

/// The blueprint of a cluster whose machines have this recipe.
pub fn blueprint(recipe: Recipe) -> Blueprint {
    let unmanaged = Arc::new(Unmanaged { recipe });
    Blueprint { needs: unmanaged.clone(), recipes: unmanaged.clone(), rollout: unmanaged }
}

struct Unmanaged {
    recipe: Recipe,
}

impl Needs for Unmanaged {
    fn needs(&self, _desired: &Desired) -> Vec<Need> {
        Vec::new()
    }
}

impl Recipes for Unmanaged {
    fn offered(&self, _spec: &ClusterSpec) -> Recipe {
        self.recipe.clone()
    }

    fn peers(&self, _spec: &ClusterSpec, _role: Role, _peers: &[Peer], _endpoint: Option<&str>) -> String {
        String::new()
    }

    fn name_peers(&self) -> bool {
        false
    }
}

impl Rollout for Unmanaged {
    fn steps(&self, _machine: &MachineNow, _target: &Recipe) -> Vec<MachineStep> {
        Vec::new()
    }

    fn hold(&self, _fleet: &[MachineNow], _machine: &MachineNow, _target: &Recipe) -> Option<Hold> {
        None
    }
}
