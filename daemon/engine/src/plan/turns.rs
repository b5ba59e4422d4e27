//! Steps of machines that were prepared before: another recipe, other peers, new certificates. Any of them may interrupt
//! the machine, so machines take turns.

use std::time::Duration;

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::{Gate, Planner};
use crate::action::Action;
use crate::ledger::{Duty, LedgerEntry, ResourceKey};
use crate::recipe::MachineStep;
use crate::rollout::{Hold, MachineNow, coming_back};

/// How long a member may take to be ready again after its turn. Then the next turn begins all the same, where the
/// roll-out policy has no other reason to hold it.
const COMES_BACK_IN: Duration = Duration::from_secs(300);

impl Planner<'_> {
    pub(super) fn take_turns(&mut self) {
        let fleet = self.fleet();
        let mut turn: Vec<Action> = Vec::new();
        for machine in &fleet {
            let Some(entry) = self.state.machine(&machine.name) else { continue };
            let (steps, hold) = self.turn_of(machine, entry, &fleet);
            if steps.is_empty() {
                continue;
            }
            let mut after = self.until_prepared(&machine.name);
            after.extend(turn);
            let obstacle = hold.map(|hold| Gate::Waiting(Some(hold.to_string())));
            let mut done: Vec<Action> = Vec::new();
            for step in steps {
                let action = Action::Step(machine.name.clone(), step);
                let first: Vec<Action> = after.iter().chain(done.last()).cloned().collect();
                // What was begun goes on, whoever's turn it is now.
                let obstacle = obstacle.clone().filter(|_| done.is_empty() && !has_begun(entry));
                done.push(self.step_if(action, &first, obstacle));
            }
            turn = done;
        }
    }

    /// The machines that were prepared before, in the order of their turns.
    fn fleet(&self) -> Vec<MachineNow> {
        let prepared = self.machines.iter().filter_map(|(name, role)| {
            let entry = self.state.machine(name).filter(|entry| entry.present().is_some())?;
            let node = self.entry(&ResourceKey::Node(name.clone())).filter(|node| node.present().is_some());
            let is_ready = self.is_node_ready(name);
            let is_new = node.is_some_and(|node| self.now.since(node.since) < COMES_BACK_IN);
            Some(MachineNow {
                name: name.clone(),
                role: *role,
                prepared: entry.prepared.clone()?,
                is_member: node.is_some(),
                is_ready,
                is_coming_back: is_new && !is_ready,
            })
        });
        prepared.collect()
    }

    /// What is to be done to a machine that was prepared before, and why it may not begin.
    fn turn_of(
        &self,
        machine: &MachineNow,
        entry: &LedgerEntry,
        fleet: &[MachineNow],
    ) -> (Vec<MachineStep>, Option<Hold>) {
        let back_in_service = (entry.duty != Duty::On).then_some(MachineStep::Uncordon);
        if let Some(begun) = &entry.step {
            // Nothing else may begin before its end is known, and only it can tell its end.
            let back = back_in_service.filter(|back| begun.step != *back);
            return ([begun.step].into_iter().chain(back).collect(), None);
        }
        let record = &self.state.record;
        let blueprint = &self.state.blueprint;
        let target = blueprint.recipes.offered(&record.desired.spec);
        let has_recipe = machine.prepared.recipe == record.recipe || machine.prepared.recipe == target;
        if !has_recipe || machine.prepared.role != machine.role {
            let hold = blueprint.rollout.hold(fleet, machine, &target);
            let steps = blueprint.rollout.steps(machine, &target).into_iter();
            let is_done = |step: &MachineStep| match step {
                MachineStep::Cordon => entry.duty != Duty::On,
                MachineStep::Drain => entry.duty == Duty::Drained,
                MachineStep::Start
                | MachineStep::Prepare
                | MachineStep::Upgrade
                | MachineStep::Renew
                | MachineStep::Uncordon => false,
            };
            return (steps.filter(|step| !is_done(step)).collect(), hold);
        }
        if self.state.peers_of(machine.role).is_some_and(|peers| peers != machine.prepared.peers) {
            return ([MachineStep::Prepare].into_iter().chain(back_in_service).collect(), coming_back(fleet));
        }
        if entry.renewed < record.renewal {
            return ([MachineStep::Renew].into_iter().chain(back_in_service).collect(), coming_back(fleet));
        }
        (back_in_service.into_iter().collect(), None)
    }

    /// The control planes that should be there.
    pub(super) fn control_plane_machines(&self) -> impl Iterator<Item = Name> + '_ {
        let control_planes = self.machines.iter().filter(|(_, role)| *role == Role::ControlPlane);
        control_planes.map(|(name, _)| name.clone())
    }
}

const fn has_begun(entry: &LedgerEntry) -> bool {
    entry.step.is_some()
}
