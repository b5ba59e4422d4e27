//! Where cases are performed: a column of the page in the documentation.

use std::fmt;

use muster_client::protocol::model::cluster::{Infrastructure, Orchestrator};

use crate::case::Case;

/// A column of the page: where the cases were performed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    /// All cases on this orchestrator.
    Orchestrator(Orchestrator),
    /// The cases about machines at this infrastructure.
    Infrastructure(Infrastructure),
}

impl Column {
    /// Whether the case is performed there.
    pub fn has(self, case: &Case) -> bool {
        match self {
            Self::Orchestrator(orchestrator) => case.is_for(orchestrator),
            Self::Infrastructure(Infrastructure::Sim) => case.is_of_infrastructure() && case.is_for(Orchestrator::Sim),
            Self::Infrastructure(_) => case.is_of_infrastructure(),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Orchestrator(orchestrator) => orchestrator.fmt(f),
            Self::Infrastructure(infrastructure) => write!(f, "at {infrastructure}"),
        }
    }
}
