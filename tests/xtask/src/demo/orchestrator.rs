//! What differs between the orchestrators that the demo shows. The story is the same.

/// Which orchestrator is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Orchestrator {
    /// Docker Swarm.
    #[default]
    Swarm,
    /// Kubernetes.
    Kubernetes,
}

impl Orchestrator {
    /// As `muster` calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Swarm => "swarm",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// As people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Swarm => "Swarm",
            Self::Kubernetes => "Kubernetes",
        }
    }

    /// How many copies of the service run on three machines, at first and in the end. Each takes a port of its machine,
    /// and Kubernetes keeps services off the control plane.
    pub const fn copies(self) -> (usize, usize) {
        match self {
            Self::Swarm => (2, 3),
            Self::Kubernetes => (1, 2),
        }
    }
}
