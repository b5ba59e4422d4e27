//! The outside call that performs an action, with all that it needs: made of the state in which the action was begun
//! ([`crate::state::ClusterState::order`]), and the one place that says which action is which call.
//!
//! How long a call may take, how many there are at a time, and who breaks one off, is for whoever performs it.

use muster_protocol::Name;

use crate::action::Outcome;
use crate::context::ClusterContext;
use crate::driver::{Driver, InfraOrder};
use crate::failure::Failure;
use crate::handler::{Handler, ServiceOrder};
use crate::ledger::{InfraKey, Present};
use crate::member::Member;
use crate::preparer::{Preparer, StepOrder};
use crate::recipe::MachineStep;

/// One call, by who makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// To the infrastructure.
    Driver(DriverOrder),
    /// To a machine itself: [`Preparer::perform`].
    Preparer(StepOrder),
    /// To the orchestrator.
    Handler(HandlerOrder),
}

/// One call of a [`Driver`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DriverOrder {
    /// [`Driver::create`].
    Create(InfraOrder),
    /// [`Driver::look_up`], or [`Driver::look_up_known`] of what was there.
    LookUp(InfraKey, Option<Present>),
    /// [`Driver::start`], with the provider's id.
    Start(InfraKey, String),
    /// [`Driver::remove`], with the provider's id.
    Remove(InfraKey, String),
    /// [`Driver::list_owned`], of this cluster.
    ListOwned,
}

/// One call of a [`Handler`]. Members are the machines that can be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HandlerOrder {
    /// [`Handler::form`].
    Form(Member),
    /// [`Handler::look_up_cluster`], on one of these after the other until one knows it.
    LookUpCluster(Vec<Member>),
    /// [`Handler::join`].
    Join(Vec<Member>, Member),
    /// [`Handler::look_up_node`].
    LookUpNode(Vec<Member>, Member),
    /// [`Handler::step`].
    Step(Vec<Member>, Member, MachineStep),
    /// [`Handler::remove_node`], with the orchestrator's id of the node, and its machine if that is there.
    RemoveNode(Vec<Member>, String, Option<Member>),
    /// [`Handler::deploy`]. Whoever performs it puts the values of the service's secrets in first: no state has them.
    Deploy(Vec<Member>, Box<ServiceOrder>),
    /// [`Handler::look_up_service`].
    LookUpService(Vec<Member>, Name),
    /// [`Handler::remove_service`].
    RemoveService(Vec<Member>, Name),
}

impl DriverOrder {
    /// Makes the call.
    pub async fn perform(self, driver: &dyn Driver, cluster: &ClusterContext) -> Outcome {
        match self {
            Self::Create(order) => present(driver.create(cluster, &order).await),
            Self::LookUp(key, None) => found(driver.look_up(cluster, &key).await),
            Self::LookUp(key, Some(known)) => found(driver.look_up_known(cluster, &key, &known).await),
            Self::Start(key, id) => present(driver.start(cluster, &key, &id).await),
            Self::Remove(key, id) => done(driver.remove(cluster, &key, &id).await),
            Self::ListOwned => {
                let owned = driver.list_owned(cluster.instance, Some(cluster.cluster)).await;
                owned.map_or_else(Outcome::Failed, Outcome::Swept)
            }
        }
    }
}

impl StepOrder {
    /// Makes the call.
    pub async fn perform(self, preparer: &dyn Preparer, cluster: &ClusterContext) -> Outcome {
        done(preparer.perform(cluster, &self).await)
    }
}

impl HandlerOrder {
    /// Makes the call.
    pub async fn perform(self, handler: &dyn Handler) -> Outcome {
        match self {
            Self::Form(first) => present(handler.form(&first).await),
            Self::LookUpCluster(founders) => found(look_up_cluster(handler, &founders).await),
            Self::Join(members, machine) => present(handler.join(&members, &machine).await),
            Self::LookUpNode(members, machine) => found(handler.look_up_node(&members, &machine).await),
            Self::Step(members, machine, step) => done(handler.step(&members, &machine, step).await),
            Self::RemoveNode(members, node_id, machine) => {
                done(handler.remove_node(&members, &node_id, machine.as_ref()).await)
            }
            Self::Deploy(members, service) => present(handler.deploy(&members, &service).await),
            Self::LookUpService(members, name) => found(handler.look_up_service(&members, &name).await),
            Self::RemoveService(members, name) => done(handler.remove_service(&members, &name).await),
        }
    }
}

/// A cluster is not there only if none of the machines on which it may have been formed knows it.
async fn look_up_cluster(handler: &dyn Handler, founders: &[Member]) -> Result<Option<Present>, Failure> {
    let mut unheard = None;
    for founder in founders {
        match handler.look_up_cluster(founder).await {
            Ok(None) => {}
            Ok(Some(cluster)) => return Ok(Some(cluster)),
            Err(failure) => unheard = unheard.or(Some(failure)),
        }
    }
    unheard.map_or(Ok(None), Err)
}

fn present(answer: Result<Present, Failure>) -> Outcome {
    answer.map_or_else(Outcome::Failed, Outcome::Present)
}

fn found(answer: Result<Option<Present>, Failure>) -> Outcome {
    answer.map_or_else(Outcome::Failed, |found| found.map_or(Outcome::Absent, Outcome::Present))
}

fn done(answer: Result<(), Failure>) -> Outcome {
    answer.map_or_else(Outcome::Failed, |()| Outcome::Done)
}
