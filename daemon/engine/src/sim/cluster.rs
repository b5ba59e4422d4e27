//! The rules of the simulated orchestrator: it is decided by a majority of control planes, joined through one
//! of them, and a machine is in one cluster at most.

use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, ErrorCode, Name};
use tokio::time::Instant;

use super::audit::Violation;
use super::state::{Change, ClusterThings, Node, Orchestrator, Service, machine_at};
use super::things::Things;
use crate::failure::Failure;
use crate::handler::ServiceOrder;
use crate::ledger::{Duty, Facts, Present};
use crate::member::Member;

/// What helps against a lost majority.
const BRING_BACK: &str =
    "bring back the control planes that are down; if they are lost, delete the cluster and create it again";

fn refused(message: String) -> Failure {
    Failure::not_applied(ErrorCode::Orchestrator, message)
}

pub(super) fn node_id(id: u64) -> String {
    format!("node-{id}")
}

fn present(id: String) -> Present {
    Present { id, facts: Facts::None }
}

fn submitted(service: &Service) -> Present {
    Present { id: service.id.to_string(), facts: Facts::Service { generation: service.generation } }
}

impl ClusterThings {
    /// Whether this node's machine is there and runs.
    pub(super) fn is_up(&self, node: &Node) -> bool {
        self.resources.get(&node.machine).is_some_and(|machine| machine.running && !machine.faltered)
    }

    /// The formed cluster that this machine is in, and its node there.
    pub(super) fn membership(&self, machine: u64) -> Option<(u64, u64)> {
        self.orchestrators.iter().find_map(|(id, formed)| {
            let node = formed.nodes.iter().find(|(_, node)| node.machine == machine);
            node.map(|(node, _)| (*id, *node))
        })
    }

    /// How many control planes there are, and how many of them are up; without one node, if one is given.
    pub(super) fn control_planes(&self, formed: &Orchestrator, without: Option<u64>) -> (usize, usize) {
        let all = formed.nodes.iter().filter(|(id, node)| node.role == Role::ControlPlane && Some(**id) != without);
        let up = all.clone().filter(|(_, node)| self.is_up(node)).count();
        (all.count(), up)
    }

    fn has_majority(&self, formed: &Orchestrator, without: Option<u64>) -> bool {
        let (all, up) = self.control_planes(formed, without);
        up > all / 2
    }
}

impl Things {
    /// The formed cluster that answers at one of these machines.
    pub(super) fn reach(&self, cluster: ClusterId, members: &[Member]) -> Result<u64, Failure> {
        let unreachable = || {
            let message = "no control plane of this cluster answers";
            Failure::not_applied(ErrorCode::Unreachable, message).with_remedy(BRING_BACK)
        };
        let bucket = self.bucket(cluster).ok_or_else(unreachable)?;
        let answering = members.iter().filter(|member| member.role == Role::ControlPlane).filter_map(|member| {
            let (formed, node) = bucket.membership(machine_at(&member.access)?)?;
            let node = bucket.orchestrators.get(&formed)?.nodes.get(&node)?;
            bucket.is_up(node).then_some((node.role, formed))
        });
        let id = match answering.min_by_key(|(role, _)| *role != Role::ControlPlane) {
            Some((Role::ControlPlane, id)) => id,
            Some((Role::Worker | Role::Unknown(_), _)) => {
                let message = "the control planes that answer were demoted";
                return Err(Failure::not_applied(ErrorCode::QuorumLost, message).with_remedy(BRING_BACK));
            }
            None => return Err(unreachable()),
        };
        let Some(formed) = bucket.orchestrators.get(&id) else { return Err(unreachable()) };
        if bucket.has_majority(formed, None) {
            return Ok(id);
        }
        let (all, up) = bucket.control_planes(formed, None);
        let message = format!("only {up} of {all} control planes are up: there is no majority to decide anything");
        Err(Failure::not_applied(ErrorCode::QuorumLost, message).with_remedy(BRING_BACK))
    }

    pub(super) fn formed(&self, cluster: ClusterId, orchestrator: u64) -> Option<(&ClusterThings, &Orchestrator)> {
        let bucket = self.bucket(cluster)?;
        Some((bucket, bucket.orchestrators.get(&orchestrator)?))
    }

    /// The machine behind a member, if it can take part in anything.
    fn usable_machine(&self, cluster: ClusterId, member: &Member) -> Result<u64, Failure> {
        let name = &member.machine;
        let id = machine_at(&member.access);
        let machine = id.and_then(|id| self.bucket(cluster)?.resources.get(&id));
        match (id, machine) {
            (Some(id), Some(machine)) if machine.running && machine.is_prepared() => Ok(id),
            (_, Some(machine)) if machine.running => Err(refused(format!("{name} is not prepared"))),
            (_, _) => Err(Failure::not_applied(ErrorCode::Unreachable, format!("{name} does not answer"))),
        }
    }

    pub(super) fn form(&mut self, cluster: ClusterId, first: &Member) -> Result<Present, Failure> {
        let machine = self.usable_machine(cluster, first)?;
        let bucket = self.bucket(cluster);
        if let Some((id, _)) = bucket.and_then(|bucket| bucket.membership(machine)) {
            return Ok(present(format!("cluster-{id}")));
        }
        let others = bucket.into_iter().flat_map(|bucket| bucket.orchestrators.keys());
        if let Some(other) = others.copied().next() {
            let what = format!("a cluster was formed on {} beside cluster-{other} of {cluster}", first.machine);
            self.note(Violation::SecondCluster(what));
        }
        let id = self.next_id();
        self.apply(Change::Formed { cluster, id });
        self.add_node(cluster, id, first, machine);
        Ok(present(format!("cluster-{id}")))
    }

    pub(super) fn look_up_cluster(&self, cluster: ClusterId, first: &Member) -> Result<Option<Present>, Failure> {
        let machine = self.usable_machine(cluster, first)?;
        let membership = self.bucket(cluster).and_then(|bucket| bucket.membership(machine));
        Ok(membership.map(|(id, _)| present(format!("cluster-{id}"))))
    }

    pub(super) fn join(
        &mut self,
        cluster: ClusterId,
        members: &[Member],
        joining: &Member,
    ) -> Result<Present, Failure> {
        let machine = self.usable_machine(cluster, joining)?;
        let formed = self.reach(cluster, members)?;
        let membership = self.bucket(cluster).and_then(|bucket| bucket.membership(machine));
        match membership {
            Some((in_cluster, node)) if in_cluster == formed => {
                self.give_role(cluster, formed, node, joining.role)?;
                Ok(present(node_id(node)))
            }
            Some((other, _)) => Err(refused(format!("{} is in cluster-{other} already", joining.machine))),
            None => Ok(present(node_id(self.add_node(cluster, formed, joining, machine)))),
        }
    }

    /// Promotes or demotes a node, if a majority of control planes is left then.
    fn give_role(&mut self, cluster: ClusterId, orchestrator: u64, id: u64, role: Role) -> Result<(), Failure> {
        let Some((bucket, formed)) = self.formed(cluster, orchestrator) else { return Ok(()) };
        let Some(node) = formed.nodes.get(&id).filter(|node| node.role != role) else { return Ok(()) };
        // It takes a majority to decide it, and one to go on afterwards.
        let left = role == Role::ControlPlane || bucket.has_majority(formed, Some(id));
        if !left || !bucket.has_majority(formed, None) {
            let message = format!("there is no majority of control planes that could spare {}", node.name);
            return Err(Failure::not_applied(ErrorCode::QuorumLost, message));
        }
        let now = Node { role, ..node.clone() };
        self.apply(Change::Node { cluster, orchestrator, id, now: Some(now) });
        Ok(())
    }

    /// The machine's node in the cluster that was formed, if there is one.
    pub(super) fn node_named(&self, cluster: ClusterId, machine: &Name) -> Option<(u64, u64)> {
        self.bucket(cluster)?.orchestrators.iter().find_map(|(orchestrator, formed)| {
            let node = formed.nodes.iter().find(|(_, node)| node.name == *machine);
            node.map(|(id, _)| (*orchestrator, *id))
        })
    }

    /// Somebody else's hand promotes or demotes a node. Whether it could.
    pub(super) fn change_role(&mut self, cluster: ClusterId, machine: &Name, role: Role) -> bool {
        let node = self.node_named(cluster, machine);
        node.is_some_and(|(orchestrator, id)| self.give_role(cluster, orchestrator, id, role).is_ok())
    }

    /// Somebody else's hand takes a node out while its machine lives. Whether it could.
    pub(super) fn strike_off(&mut self, cluster: ClusterId, machine: &Name) -> bool {
        let Some((orchestrator, id)) = self.node_named(cluster, machine) else { return false };
        if self.give_role(cluster, orchestrator, id, Role::Worker).is_err() {
            return false;
        }
        self.apply(Change::Node { cluster, orchestrator, id, now: None });
        true
    }

    /// Somebody else's hand removes a service. Whether it was there.
    pub(super) fn take_off(&mut self, cluster: ClusterId, service: &Name) -> bool {
        let has_it = self.bucket(cluster).and_then(|bucket| {
            bucket.orchestrators.iter().find(|(_, formed)| formed.services.contains_key(service)).map(|(id, _)| *id)
        });
        let Some(orchestrator) = has_it else { return false };
        self.apply(Change::Service { cluster, orchestrator, name: service.clone(), now: None });
        true
    }

    fn add_node(&mut self, cluster: ClusterId, orchestrator: u64, member: &Member, machine: u64) -> u64 {
        let id = self.next_id();
        let node = Node { name: member.machine.clone(), machine, role: member.role, duty: Duty::On };
        self.apply(Change::Node { cluster, orchestrator, id, now: Some(node) });
        id
    }

    pub(super) fn look_up_node(
        &self,
        cluster: ClusterId,
        members: &[Member],
        wanted: &Member,
    ) -> Result<Option<Present>, Failure> {
        let id = self.reach(cluster, members)?;
        let machine = machine_at(&wanted.access);
        let Some((_, formed)) = self.formed(cluster, id) else { return Ok(None) };
        let node = formed.nodes.iter().find(|(_, node)| Some(node.machine) == machine);
        Ok(node.map(|(id, _)| present(node_id(*id))))
    }

    pub(super) fn remove_node(&mut self, cluster: ClusterId, members: &[Member], id: &str) -> Result<(), Failure> {
        let orchestrator = self.reach(cluster, members)?;
        let Some((bucket, formed)) = self.formed(cluster, orchestrator) else { return Ok(()) };
        let Some((&number, node)) = formed.nodes.iter().find(|(number, _)| node_id(**number) == id) else {
            return Ok(());
        };
        if node.role == Role::ControlPlane && !bucket.has_majority(formed, Some(number)) {
            let (all, up) = bucket.control_planes(formed, Some(number));
            let what = format!("taking {} out of {cluster} leaves {up} of {all} control planes", node.name);
            // Nobody should have asked, but an orchestrator does not let itself be broken for that.
            let refusal = Failure::not_applied(ErrorCode::QuorumLost, what.clone());
            self.note(Violation::QuorumBreak(what));
            return Err(refusal);
        }
        self.apply(Change::Node { cluster, orchestrator, id: number, now: None });
        Ok(())
    }

    pub(super) fn deploy(
        &mut self,
        cluster: ClusterId,
        members: &[Member],
        order: &ServiceOrder,
    ) -> Result<Present, Failure> {
        let spec = &order.spec;
        if let Some(secret) = spec.secrets.iter().find(|secret| secret.value.is_none()) {
            return Err(refused(format!("secret {} came without its value", secret.name)).permanent());
        }
        let orchestrator = self.reach(cluster, members)?;
        let before = self.formed(cluster, orchestrator).and_then(|(_, formed)| formed.services.get(&spec.name));
        if let Some(same) = before.filter(|before| before.id == order.id && before.generation == order.generation) {
            return Ok(submitted(same));
        }
        let service = Service {
            id: order.id,
            generation: order.generation,
            image: spec.image.clone(),
            mode: spec.mode,
            replicas: spec.replicas,
            constraints: spec.constraints.clone(),
            ports: spec.ports.clone(),
            replaces: before.is_some(),
            since: Instant::now(),
        };
        let answer = submitted(&service);
        self.apply(Change::Service { cluster, orchestrator, name: spec.name.clone(), now: Some(service) });
        Ok(answer)
    }

    pub(super) fn look_up_service(
        &self,
        cluster: ClusterId,
        members: &[Member],
        name: &Name,
    ) -> Result<Option<Present>, Failure> {
        let id = self.reach(cluster, members)?;
        let service = self.formed(cluster, id).and_then(|(_, formed)| formed.services.get(name));
        Ok(service.map(submitted))
    }

    pub(super) fn remove_service(
        &mut self,
        cluster: ClusterId,
        members: &[Member],
        name: &Name,
    ) -> Result<(), Failure> {
        let orchestrator = self.reach(cluster, members)?;
        let there = self.formed(cluster, orchestrator).is_some_and(|(_, formed)| formed.services.contains_key(name));
        if there {
            self.apply(Change::Service { cluster, orchestrator, name: name.clone(), now: None });
        }
        Ok(())
    }
}
