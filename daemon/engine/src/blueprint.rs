//! What the kinds of a cluster say about it without asking anybody: the planner's only source beside the state itself.

use std::fmt;
use std::sync::Arc;

use crate::driver::Needs;
use crate::recipe::Recipes;
use crate::rollout::Rollout;

/// The pure side of a cluster's driver, preparer and handler.
#[derive(Clone)]
pub struct Blueprint {
    /// What it needs of its infrastructure.
    pub needs: Arc<dyn Needs>,
    /// What its machines are prepared with.
    pub recipes: Arc<dyn Recipes>,
    /// In which order other recipes reach its machines.
    pub rollout: Arc<dyn Rollout>,
}

impl PartialEq for Blueprint {
    /// Two are equal if they are of the same kinds of one wiring: what they say depends on nothing else.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.needs, &other.needs)
            && Arc::ptr_eq(&self.recipes, &other.recipes)
            && Arc::ptr_eq(&self.rollout, &other.rollout)
    }
}

impl Eq for Blueprint {}

impl fmt::Debug for Blueprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blueprint")
    }
}
