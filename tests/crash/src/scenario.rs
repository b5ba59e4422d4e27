//! Every story: what is asked for, in the middle of what, and what must be there at its end.

use muster_engine::sim::CallKind;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{OperationId, Request};

use super::requests::{
    NEW_KEY, NEXT_VERSION, OLD_KEY, add_account, cancel, create, create_at, create_service, create_with_account,
    delete, delete_service, remove_account, renew, retry, scale, scale_service, service_spec, update_service,
    updated_service_spec, upgrade_to,
};

/// A story with a part that is disturbed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, for the report.
    pub name: String,
    /// What is asked for before, undisturbed; each waits for the one before it.
    pub before: Vec<Request>,
    /// Calls that are refused for good while the last of those goes on, which fails by it.
    pub refused: Option<CallKind>,
    /// Whether machines stand on what a public cloud has them stand on, rather than on a network only.
    pub is_cloud: bool,
    /// Whether the services are run by a framework in its session, rather than by the orchestrator.
    pub is_framework: bool,
    /// Whether kubeadm's rules of upgrades hold, and Muster's policy for them.
    pub is_kubeadm: bool,
    /// Whether the last control plane's machine is lost before the change, by somebody else's hand.
    pub loses_a_control_plane: bool,
    /// The change under proof.
    pub change: Request,
    /// What is asked for while the change is half done, if anything is.
    pub interruption: Option<Interruption>,
    /// The story without that.
    pub uninterrupted: Option<Box<Scenario>>,
    /// How it stands before the change; nothing is there if none.
    pub begin: Option<Standing>,
    /// How it must stand at the end.
    pub end: Option<Standing>,
}

/// A cluster as it is asked for, with nothing beside what is said here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Machines.
    pub machines: u32,
    /// Services, with the values of their secrets.
    pub services: Vec<ServiceSpec>,
}

/// What is asked for while a change is half done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interruption {
    /// The deletion of the cluster.
    Delete,
    /// The end of the change's operation.
    Cancel,
    /// Another try, although nothing has failed.
    Retry,
    /// Another key for the cluster's account.
    ReplaceAccount,
    /// The removal of the cluster's account, which has to wait until the cluster is gone.
    RemoveAccount,
}

impl Interruption {
    /// The request, in the middle of this operation.
    pub fn request(self, change: OperationId) -> Request {
        match self {
            Self::Delete => delete(),
            Self::Cancel => cancel(change),
            Self::Retry => retry(),
            Self::ReplaceAccount => add_account(NEW_KEY),
            Self::RemoveAccount => remove_account(),
        }
    }
}

impl Scenario {
    /// The same story up to the half of the change, and then this.
    fn interrupted(&self, by: Interruption) -> Self {
        let (what, end) = match by {
            Interruption::Delete => ("delete", None),
            // What was asked for before is asked for again.
            Interruption::Cancel => ("cancel", self.begin.clone()),
            Interruption::Retry => ("retry", self.end.clone()),
            Interruption::ReplaceAccount => ("account replaced", self.end.clone()),
            Interruption::RemoveAccount => ("account removed", self.end.clone()),
        };
        let name = format!("{what} in the middle of {}", self.name);
        let uninterrupted = Some(Box::new(self.clone()));
        Self { name, interruption: Some(by), uninterrupted, end, ..self.clone() }
    }

    /// How it must stand when the last operation has ended so.
    pub fn end_after(&self, phase: OperationPhase) -> Option<&Standing> {
        match (&self.uninterrupted, self.interruption) {
            // It had ended before it was cancelled, so it stays as it ended.
            (Some(uninterrupted), Some(Interruption::Cancel)) if phase != OperationPhase::Cancelled => {
                uninterrupted.end_after(phase)
            }
            // A service that cannot be changed goes back to its last good version by itself.
            (None, _) if phase == OperationPhase::Failed && self.is_withdrawn_if_it_fails() => self.begin.as_ref(),
            (_, _) => self.end.as_ref(),
        }
    }

    fn is_withdrawn_if_it_fails(&self) -> bool {
        matches!(self.change, Request::ServiceUpdate { .. } | Request::ServiceScale { .. })
    }
}

/// Every change of a cluster, a service or an account that there is; every one of a cluster or service with a deletion in its
/// middle, and with its cancellation; and those in whose middle something else can be asked for.
pub fn all() -> Vec<Scenario> {
    let changes = changes();
    let deletions = changes.iter().filter(|scenario| scenario.end.is_some());
    let deletions = deletions.map(|scenario| scenario.interrupted(Interruption::Delete));
    let cancellations = changes.iter().map(|scenario| scenario.interrupted(Interruption::Cancel));
    let others = [
        creation_with_account().interrupted(Interruption::Retry),
        creation_with_account().interrupted(Interruption::ReplaceAccount),
        deletion_with_account().interrupted(Interruption::ReplaceAccount),
        deletion_with_account().interrupted(Interruption::RemoveAccount),
    ];
    let mut all: Vec<Scenario> = deletions.chain(cancellations).chain(others).chain(after_a_failure()).collect();
    all.push(replacement());
    all.splice(0..0, changes.iter().cloned().chain(of_accounts()));
    all
}

fn scenario(
    name: &str,
    before: Vec<Request>,
    change: Request,
    begin: Option<Standing>,
    end: Option<Standing>,
) -> Scenario {
    Scenario {
        name: name.to_owned(),
        before,
        refused: None,
        is_cloud: false,
        is_framework: false,
        is_kubeadm: false,
        loses_a_control_plane: false,
        change,
        interruption: None,
        uninterrupted: None,
        begin,
        end,
    }
}

fn machines(machines: u32) -> Option<Standing> {
    Some(Standing { machines, services: Vec::new() })
}

fn with_service(machines: u32, service: ServiceSpec) -> Option<Standing> {
    Some(Standing { machines, services: vec![service] })
}

/// Changes of a cluster or its services.
fn changes() -> Vec<Scenario> {
    let small = || vec![create(1, 1)];
    let serving = || vec![create(1, 1), create_service(1)];
    let web = |replicas| with_service(2, service_spec(replicas));
    let updated = with_service(2, updated_service_spec(3));
    vec![
        creation(),
        scenario("create 3+1", vec![], create(3, 1), None, machines(4)),
        scenario("scale workers up", small(), scale(None, Some(3)), machines(2), machines(4)),
        scenario("scale workers down", vec![create(1, 3)], scale(None, Some(1)), machines(4), machines(2)),
        scenario("scale control planes up", small(), scale(Some(3), None), machines(2), machines(4)),
        scenario("scale control planes down", vec![create(3, 1)], scale(Some(1), None), machines(4), machines(2)),
        scenario("service create", small(), create_service(1), machines(2), web(1)),
        scenario("service update", serving(), update_service(3), web(1), updated.clone()),
        scenario("service scale", serving(), scale_service(4), web(1), web(4)),
        scenario("service delete", serving(), delete_service(), web(1), machines(2)),
        scenario("delete", serving(), delete(), web(1), None),
        scenario("upgrade", small(), upgrade_to("2"), machines(2), machines(2)),
        scenario("renew", small(), renew(), machines(2), machines(2)),
        on_a_cloud(scenario("create 1+1", vec![], create(1, 1), None, machines(2))),
        on_a_cloud(scenario("scale workers up", small(), scale(None, Some(2)), machines(2), machines(3))),
        on_a_cloud(scenario("delete", small(), delete(), machines(2), None)),
        by_a_framework(scenario("service create", small(), create_service(2), machines(2), web(2))),
        by_a_framework(scenario("service update", serving(), update_service(3), web(1), updated)),
        by_a_framework(scenario("service scale", serving(), scale_service(4), web(1), web(4))),
        by_a_framework(scenario("service delete", serving(), delete_service(), web(1), machines(2))),
        by_a_framework(scenario("delete", serving(), delete(), web(1), None)),
        by_kubeadm(scenario("create 3+1", vec![], create_at(3, 1), None, machines(4))),
        by_kubeadm(scenario("scale up", vec![create_at(1, 1)], scale(Some(3), None), machines(2), machines(4))),
        by_kubeadm(scenario("scale down", vec![create_at(3, 1)], scale(Some(1), None), machines(4), machines(2))),
        by_kubeadm(scenario("upgrade", vec![create_at(3, 1)], upgrade_to(NEXT_VERSION), machines(4), machines(4))),
        by_kubeadm(scenario("renew", vec![create_at(3, 1)], renew(), machines(4), machines(4))),
    ]
}

/// The same of a cluster whose machines name its control planes, and whose nodes are upgraded by kubeadm's rules.
fn by_kubeadm(scenario: Scenario) -> Scenario {
    Scenario { name: format!("kubeadm's {}", scenario.name), is_kubeadm: true, ..scenario }
}

/// A control plane that is lost: another one takes its place.
fn replacement() -> Scenario {
    let again = scenario("replacement", vec![create_at(3, 1)], retry(), machines(4), machines(4));
    Scenario { loses_a_control_plane: true, ..by_kubeadm(again) }
}

/// The same on five kinds of resource beside machines, each standing on others.
fn on_a_cloud(scenario: Scenario) -> Scenario {
    Scenario { name: format!("{} on a cloud", scenario.name), is_cloud: true, ..scenario }
}

/// The same with services that a framework runs, which must lose no task and start none twice.
fn by_a_framework(scenario: Scenario) -> Scenario {
    let change = scenario.name.trim_start_matches("service ");
    Scenario { name: format!("a framework's {change}"), is_framework: true, ..scenario }
}

fn creation() -> Scenario {
    scenario("create 1+2", vec![], create(1, 2), None, machines(3))
}

fn creation_with_account() -> Scenario {
    let before = vec![add_account(OLD_KEY)];
    scenario("create with an account", before, create_with_account(1, 1), None, machines(2))
}

fn deletion_with_account() -> Scenario {
    let before = vec![add_account(OLD_KEY), create_with_account(1, 1)];
    scenario("delete with an account", before, delete(), machines(2), None)
}

/// Changes of an account that no cluster uses.
fn of_accounts() -> Vec<Scenario> {
    let added = || vec![add_account(OLD_KEY)];
    vec![
        scenario("account add", vec![], add_account(OLD_KEY), None, None),
        scenario("account replace", added(), add_account(NEW_KEY), None, None),
        scenario("account remove", added(), remove_account(), None, None),
    ]
}

/// Another try of what has failed for good.
fn after_a_failure() -> Vec<Scenario> {
    let failed = |name: &str, before: Vec<Request>, refused: CallKind, end: Option<Standing>| Scenario {
        refused: Some(refused),
        ..scenario(&format!("retry after a failed {name}"), before, retry(), None, end)
    };
    vec![
        failed("create", vec![create(1, 1)], CallKind::Create, machines(2)),
        failed("scale", vec![create(1, 1), scale(None, Some(2))], CallKind::Prepare, machines(3)),
        failed(
            "service create",
            vec![create(1, 1), create_service(1)],
            CallKind::Deploy,
            with_service(2, service_spec(1)),
        ),
        failed("delete", vec![create(1, 1), delete()], CallKind::Remove, None),
    ]
}
