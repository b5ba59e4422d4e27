//! Forming and changing the cluster itself, on its machines: with kubeadm, in steps that may be run again at any time.
//!
//! ```text
//!   form ─▶ kubeadm init           authorities are put there before
//!   join ─▶ settle ─▶ token on a live control plane ─▶ kubeadm join ─▶ token taken back
//!   remove_node ─▶ forget on one that stays (etcd, then the node) ─▶ settle (reset) if the machine lives
//! ```
//!
//! The preparation has left kubeadm's configuration on each machine. No machine is special: whatever has to be said to the
//! cluster is said on any control plane that serves.

mod answers;
mod scripts;
mod steps;
mod token;

use std::sync::Arc;
use std::time::Duration;

use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, Present};
use muster_engine::machine::{MachineFile, Machines};
use muster_engine::member::Member;
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

pub use self::answers::EtcdMember;
use self::answers::{Standing, value};
use self::steps::{Call, Steps};
use self::token::Token;

/// Images may have to be pulled over a slow line.
const FORM_LIMIT: Duration = Duration::from_secs(15 * 60);
const JOIN_LIMIT: Duration = Duration::from_secs(15 * 60);
/// `kubeadm reset` waits for pods that do not end.
const SETTLE_LIMIT: Duration = Duration::from_secs(5 * 60);
const ASK_LIMIT: Duration = Duration::from_secs(60);

/// The lifecycle of one cluster.
pub struct Lifecycle {
    cluster: Arc<ClusterContext>,
    steps: Steps,
}

impl Lifecycle {
    /// The lifecycle of this cluster, whose machines are reached so.
    pub fn new(cluster: Arc<ClusterContext>, machines: Arc<dyn Machines>) -> Self {
        Self { cluster, steps: Steps::new(machines) }
    }

    /// Forms the cluster on this machine; one that it is in already is it. The id is that of the namespace `kube-system`.
    pub async fn form(&self, first: &Member) -> Result<Present, Failure> {
        let call = Call::new("form", scripts::FORM, FORM_LIMIT).node(&first.machine).files(self.authorities()?);
        let lines = self.steps.run(first, call).await?;
        present(value(&lines, "id"), "kubeadm init has not said the cluster's id")
    }

    /// The cluster, if this machine is a control plane of it. One that does not answer is a failure, not an absence.
    pub async fn look_up_cluster(&self, first: &Member) -> Result<Option<Present>, Failure> {
        match self.look(first).await? {
            Standing::Clean | Standing::Remains => Ok(None),
            Standing::Member { cluster: Some(id), .. } => Ok(Some(Present { id, facts: Facts::None })),
            Standing::Member { cluster: None, .. } => {
                let message = format!("the API server of {} does not answer", first.machine);
                Err(Failure::not_applied(ErrorCode::Orchestrator, message))
            }
        }
    }

    /// Makes the machine a node with its role. The id is that of the node.
    pub async fn join(&self, members: &[Member], machine: &Member) -> Result<Present, Failure> {
        if let Standing::Member { node: Some(id), .. } = self.look(machine).await? {
            return Ok(Present { id, facts: Facts::None });
        }
        self.settle(members, machine).await?;
        let token = Token::random();
        let through = self.make_token(members, machine, &token).await?;
        let joined = self.join_with(machine, &token).await;
        self.revoke(&through, &token).await;
        let lines = joined.map_err(Failure::in_doubt)?;
        present(value(&lines, "id"), "kubeadm join has not said the node's id")
    }

    /// The machine's node, if it is one. What a join that was broken off has left is taken away before the node is said to
    /// be absent, its member of etcd too; a join that still goes on is waited for.
    pub async fn look_up_node(&self, members: &[Member], machine: &Member) -> Result<Option<Present>, Failure> {
        match self.look(machine).await {
            Ok(Standing::Member { node: Some(id), .. }) => return Ok(Some(Present { id, facts: Facts::None })),
            Ok(Standing::Clean) => return Ok(None),
            Ok(Standing::Member { node: None, .. } | Standing::Remains) => {}
            // It cannot be asked; what the control plane knows must do.
            Err(_) => {
                let lines = self.find(members, machine.machine.as_str(), "", Some(&machine.machine)).await?.1;
                let node = lines.iter().find_map(|line| line.strip_prefix("node=")?.split(" id=").nth(1));
                let id = node.and_then(|rest| rest.split(' ').next()).map(str::to_owned);
                return Ok(id.map(|id| Present { id, facts: Facts::None }));
            }
        }
        self.settle(members, machine).await?;
        match self.look(machine).await? {
            Standing::Member { node: Some(id), .. } => Ok(Some(Present { id, facts: Facts::None })),
            Standing::Member { node: None, .. } => {
                let message = format!("{} is a node, and no control plane answers it", machine.machine);
                Err(Failure::not_applied(ErrorCode::Unreachable, message))
            }
            Standing::Clean | Standing::Remains => Ok(None),
        }
    }

    /// Takes a node out of the cluster: its member of etcd, the node itself, and what is on the machine, if that lives.
    /// Draining comes before it. Already so is success. The last control plane takes the cluster with it.
    pub async fn remove_node(
        &self,
        members: &[Member],
        node_id: &str,
        machine: Option<&Member>,
    ) -> Result<(), Failure> {
        let stays = |member: &&Member| machine.is_none_or(|machine| machine.machine != member.machine);
        let others: Vec<Member> = members.iter().filter(stays).cloned().collect();
        let is_control_plane = |member: &&Member| member.role == Role::ControlPlane;
        if others.iter().any(|member| is_control_plane(&member)) {
            let name = machine.map(|machine| machine.machine.as_str()).unwrap_or_default();
            let (through, lines) = self.find(&others, name, node_id, None).await?;
            let found = lines.iter().find_map(|line| line.strip_prefix("node=")?.split_once(" id="));
            let known_name = found.map(|(name, _)| name.to_owned()).or_else(|| Some(name.to_owned()));
            let address = found.and_then(|(_, rest)| rest.split_once(" address=")).map(|(_, address)| address);
            if let Some(name) = known_name.filter(|name| !name.is_empty()) {
                self.forget(&through, &name, address.unwrap_or_default()).await?;
            }
        }
        match machine {
            Some(machine) => {
                let call =
                    Call::new("settle", scripts::SETTLE, SETTLE_LIMIT).node(&machine.machine).variable("LEAVE", "yes");
                self.steps.run(machine, call).await.map(|_| ())
            }
            None => Ok(()),
        }
    }

    /// The members of etcd and their health, asked of any control plane that serves.
    pub async fn etcd_members(&self, members: &[Member]) -> Result<Vec<EtcdMember>, Failure> {
        let (_, lines) =
            self.on_a_control_plane(members, None, || Call::ask("members", scripts::MEMBERS, ASK_LIMIT)).await?;
        Ok(lines.iter().filter_map(|line| EtcdMember::read(line)).collect())
    }

    async fn look(&self, machine: &Member) -> Result<Standing, Failure> {
        let call = Call::ask("look", scripts::LOOK, ASK_LIMIT).node(&machine.machine);
        Standing::read(&self.steps.run(machine, call).await?)
    }

    /// Ends the doubt about a machine on which something was broken off.
    async fn settle(&self, members: &[Member], machine: &Member) -> Result<(), Failure> {
        let call = Call::new("settle", scripts::SETTLE, SETTLE_LIMIT).node(&machine.machine).variable("LEAVE", "no");
        let lines = self.steps.run(machine, call).await?;
        if machine.role != Role::ControlPlane || value(&lines, "state") != Some("clean") {
            return Ok(());
        }
        // Nothing of it is on the machine any more, so whatever etcd still counts for it is dead.
        let (through, lines) = self.find(members, machine.machine.as_str(), "", Some(&machine.machine)).await?;
        let is_counted = lines.iter().any(|line| line.starts_with("member=") || line.starts_with("node="));
        if is_counted { self.forget(&through, machine.machine.as_str(), "").await } else { Ok(()) }
    }

    async fn join_with(&self, machine: &Member, token: &Token) -> Result<Vec<String>, Failure> {
        let mut files = vec![token.kubeconfig(&self.cluster)?];
        let role = match machine.role {
            Role::ControlPlane => {
                files.extend(self.authorities()?);
                "control-plane"
            }
            Role::Worker | Role::Unknown(_) => "worker",
        };
        let call =
            Call::new("join", scripts::JOIN, JOIN_LIMIT).node(&machine.machine).variable("ROLE", role).files(files);
        self.steps.run(machine, call).await
    }

    async fn make_token(&self, members: &[Member], machine: &Member, token: &Token) -> Result<Member, Failure> {
        let secret = token.secret()?;
        let make = || {
            Call::ask("token", scripts::TOKEN, ASK_LIMIT)
                .variable("TOKEN_ID", token.id())
                .variable("MINUTES", token::MINUTES)
                .files(vec![secret.clone()])
        };
        let (through, _) = self.on_a_control_plane(members, Some(&machine.machine), make).await?;
        Ok(through)
    }

    /// Best effort: the token ends by itself within minutes.
    async fn revoke(&self, through: &Member, token: &Token) {
        let call = Call::ask("revoke", scripts::REVOKE, ASK_LIMIT).variable("TOKEN_ID", token.id());
        if let Err(failure) = self.steps.run(through, call).await {
            tracing::warn!(machine = %through.machine, token = token.id(), %failure, "a join token stays until it ends");
        }
    }

    async fn find(
        &self,
        members: &[Member],
        name: &str,
        id: &str,
        except: Option<&Name>,
    ) -> Result<(Member, Vec<String>), Failure> {
        let make = || Call::ask("find", scripts::FIND, ASK_LIMIT).variable("NODE", name).variable("ID", id);
        self.on_a_control_plane(members, except, make).await
    }

    async fn forget(&self, through: &Member, node: &str, address: &str) -> Result<(), Failure> {
        let call = Call::new("forget", scripts::FORGET, ASK_LIMIT).variable("NODE", node).variable("ADDRESS", address);
        self.steps.run(through, call).await.map(|_| ())
    }

    /// Asks one control plane after the other until one serves, and says which.
    async fn on_a_control_plane(
        &self,
        members: &[Member],
        except: Option<&Name>,
        call: impl Fn() -> Call,
    ) -> Result<(Member, Vec<String>), Failure> {
        let mut last = None;
        let candidates =
            members.iter().filter(|member| member.role == Role::ControlPlane && Some(&member.machine) != except);
        for candidate in candidates {
            match self.steps.run(candidate, call()).await {
                Ok(lines) => return Ok((candidate.clone(), lines)),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| {
            Failure::not_applied(ErrorCode::Unreachable, "no other control plane is there that could be asked")
        }))
    }

    /// The cluster's authorities, for the folder in memory from which a control plane takes them.
    fn authorities(&self) -> Result<Vec<MachineFile>, Failure> {
        token::authorities(&self.cluster)
    }
}

fn present(id: Option<&str>, otherwise: &str) -> Result<Present, Failure> {
    match id.filter(|id| !id.is_empty()) {
        Some(id) => Ok(Present { id: id.to_owned(), facts: Facts::None }),
        None => Err(Failure::maybe_applied(ErrorCode::Orchestrator, otherwise)),
    }
}

#[cfg(test)]
mod tests;
