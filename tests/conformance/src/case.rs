//! What a case is.

use anyhow::Result;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use muster_client::protocol::model::cluster::Orchestrator;

use crate::world::World;

/// What a case needs of the orchestrator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing but its answers.
    Answers,
    /// Machines on which programs run. The simulated twin has none.
    Programs,
}

/// Beside which other cases it may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Beside any: it touches nothing but its own services.
    Beside,
    /// Alone, behind all others and in the order of the table: it changes the cluster.
    Alone,
}

// All cases are performed by one task, so that waiting closures need not be `Send`.
type Check = Box<dyn Fn(World) -> LocalBoxFuture<'static, Result<()>>>;

/// One case.
pub struct Case {
    /// The noun or field that it is about: the name of its file.
    pub about: &'static str,
    /// What holds, as a sentence.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// When it runs.
    pub turn: Turn,
    check: Check,
}

impl Case {
    /// Whether it can be asked of this orchestrator.
    pub fn is_for(&self, orchestrator: Orchestrator) -> bool {
        self.needs == Needs::Answers || orchestrator != Orchestrator::Sim
    }

    /// Whether it is about what an infrastructure delivers, not about what runs on its machines.
    pub fn is_of_infrastructure(&self) -> bool {
        const ABOUT: [&str; 6] = ["accounts", "clusters", "hosts", "infrastructure", "by hand", "machines"];
        ABOUT.contains(&self.about)
    }

    /// Performs it.
    pub fn check(&self, world: World) -> LocalBoxFuture<'static, Result<()>> {
        (self.check)(world)
    }
}

/// The cases of one file.
pub struct Cases {
    about: &'static str,
    all: Vec<Case>,
}

impl Cases {
    /// None yet.
    pub fn about(about: &'static str) -> Self {
        Self { about, all: Vec::new() }
    }

    /// A case for every orchestrator.
    #[must_use]
    pub fn case<F>(self, name: &'static str, check: impl Fn(World) -> F + 'static) -> Self
    where
        F: Future<Output = Result<()>> + 'static,
    {
        self.with(name, Needs::Answers, Turn::Beside, check)
    }

    /// A case that looks into containers.
    #[must_use]
    pub fn inside<F>(self, name: &'static str, check: impl Fn(World) -> F + 'static) -> Self
    where
        F: Future<Output = Result<()>> + 'static,
    {
        self.with(name, Needs::Programs, Turn::Beside, check)
    }

    /// A case that changes the cluster that all share, and leaves it well.
    #[must_use]
    pub fn alone<F>(self, name: &'static str, needs: Needs, check: impl Fn(World) -> F + 'static) -> Self
    where
        F: Future<Output = Result<()>> + 'static,
    {
        self.with(name, needs, Turn::Alone, check)
    }

    fn with<F>(mut self, name: &'static str, needs: Needs, turn: Turn, check: impl Fn(World) -> F + 'static) -> Self
    where
        F: Future<Output = Result<()>> + 'static,
    {
        let check: Check = Box::new(move |world| check(world).boxed_local());
        self.all.push(Case { about: self.about, name, needs, turn, check });
        self
    }
}

impl IntoIterator for Cases {
    type Item = Case;
    type IntoIter = std::vec::IntoIter<Case>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}
