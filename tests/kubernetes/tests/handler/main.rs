//! The handler of services against a real cluster, which all checks share: each has services of its own, and a `ClusterId` of
//! its own as far as marks go. They run beside each other, but for the one that empties a node.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it saw")]
#![allow(clippy::wildcard_enum_match_arm, reason = "any other item of a stream is wrong")]

mod drain;
mod fields;
#[path = "../../../../daemon/handlers/swarm/tests/real/patience.rs"]
mod patience;
mod reasons;
mod services;
mod streams;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::future::LocalBoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use muster_engine::context::{ClusterContext, Material};
use muster_engine::duplex::ExecOrder;
use muster_engine::failure::Failure;
use muster_engine::handler::{Handler as _, ServiceOrder};
use muster_engine::ledger::{MachineAccess, Present};
use muster_engine::machine::{MachineRun, Machines, RunOutput};
use muster_engine::observed::{ObservedService, OrchestratorView};
use muster_handler_kubernetes::KubernetesHandler;
use muster_handler_kubernetes::access::KubeconfigConnector;
use muster_handler_kubernetes::marks::MACHINE;

use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{
    ClusterId, ErrorCode, ExecOutput, InstanceId, Name, Retry, SecretString, ServiceId, StreamInput, StreamItem,
};
use muster_tests_kubernetes::{Kubectl, LocalCluster, with_cluster};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::patience::until;

/// Checks at once: what they wait for are containers that start.
const BESIDE_EACH_OTHER: usize = 4;

/// What is checked: a thread of its own runs it, since its closures are no tasks'.
type Check = fn(Scene) -> LocalBoxFuture<'static, ()>;

/// Each check by its name, with a scene.
macro_rules! checks {
    ($stage:expr, $($module:ident :: $check:ident),* $(,)?) => {
        vec![$((stringify!($check), $stage.scene(), (|scene| $module::$check(scene).boxed_local()) as Check)),*]
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn services_on_a_cluster_of_three_nodes() {
    with_cluster("services_on_a_cluster_of_three_nodes", (1, 2), false, &["busybox:1.36"], |cluster| async move {
        let stage = Stage::new(&cluster).await;
        let mut failed = run(checks![
            stage,
            services::a_service_is_created_changed_scaled_and_removed_with_its_secrets_and_files,
            services::services_find_each_other_and_global_services_and_jobs_count_as_they_should,
            services::a_change_that_starts_first_never_has_too_few_copies_and_a_bad_one_leaves_the_old_copies,
            fields::every_text_arrives_byte_for_byte,
            fields::mounts_limits_and_labels_hold,
            fields::what_others_made_stays_as_it_is,
            fields::a_check_that_begins_to_fail_has_the_copy_started_again,
            streams::the_tail_of_the_output_is_that_of_each_container_and_a_long_line_is_one_line,
            streams::output_that_is_followed_goes_on_with_new_copies_and_containers_that_are_started_again,
            streams::a_command_has_input_output_a_terminal_and_an_exit_code,
            streams::a_port_is_reached_through_the_api,
            reasons::a_service_that_does_not_run_says_why_in_the_clusters_own_words,
        ])
        .await;
        failed.extend(run(checks![stage, drain::a_drain_respects_a_budget_says_so_and_ends_when_it_allows_it]).await);
        assert!(failed.is_empty(), "failed: {failed:#?}");
    })
    .await;
}

/// Runs checks beside each other, and answers the names of those that failed.
async fn run(checks: Vec<(&'static str, Scene, Check)>) -> Vec<&'static str> {
    let places = Arc::new(Semaphore::new(BESIDE_EACH_OTHER));
    let mut running = Vec::new();
    for (name, scene, check) in checks {
        let places = Arc::clone(&places);
        let run = move || {
            Handle::current().block_on(async move {
                let _place = places.acquire().await.unwrap();
                let began = Instant::now();
                check(scene).await;
                println!("check {name} ... ok ({:.1} s)", began.elapsed().as_secs_f32());
            })
        };
        running.push((name, spawn_blocking(run)));
    }
    let mut failed = Vec::new();
    for (name, run) in running {
        if run.await.is_err() {
            failed.push(name);
        }
    }
    failed
}

/// The cluster that all checks are on.
struct Stage {
    kubeconfig: SecretString,
    kubectl: Kubectl,
    image: String,
}

impl Stage {
    async fn new(cluster: &LocalCluster) -> Self {
        cluster.bring_up().await;
        let nodes = cluster.nodes_ready("control-plane-1").await;
        let kubectl = cluster.kubectl();
        for node in nodes {
            // As nodes that Muster joins are marked.
            kubectl.run(&["label", "--overwrite", "node", &node, &format!("{MACHINE}={node}")]);
        }
        let image = format!("{}/library/busybox:1.36", cluster.registry);
        Self { kubeconfig: cluster.kubeconfig(AccessRole::Admin).await, kubectl, image }
    }

    fn scene(&self) -> Scene {
        let cluster = ClusterId::generate();
        let context = ClusterContext {
            instance: InstanceId::generate(),
            cluster,
            spec: ClusterSpec::new("real".parse().unwrap(), Orchestrator::Kubernetes, Infrastructure::Local),
            material: Material::default(),
        };
        let connector = Arc::new(KubeconfigConnector::new(self.kubeconfig.clone()));
        let handler = KubernetesHandler::with_connector(Arc::new(context), Arc::new(NoMachines), connector);
        let (kubectl, image) = (self.kubectl.clone(), self.image.clone());
        Scene { handler, kubectl, image, suffix: cluster.short()[..6].to_owned() }
    }
}

/// A handler of a cluster of its own, as far as marks go, on the cluster that there is.
struct Scene {
    handler: KubernetesHandler,
    kubectl: Kubectl,
    image: String,
    suffix: String,
}

impl Scene {
    /// A service that runs this shell command. Its name is nobody else's in the namespace.
    fn service(&self, name: &str, command: &str) -> ServiceSpec {
        let command = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
        ServiceSpec { command, ..ServiceSpec::new(self.name(name), &self.image) }
    }

    fn name(&self, name: &str) -> Name {
        format!("{name}-{}", self.suffix).parse().unwrap()
    }

    /// Observes until what is seen satisfies `enough`.
    async fn observe_until(&self, what: &str, enough: impl Fn(&OrchestratorView) -> bool) -> OrchestratorView {
        until(what, async || match self.handler.observe(&[]).await {
            Ok(view) if enough(&view) => Ok(view),
            Ok(view) => Err(format!("{:#?}", view.services)),
            Err(failure) => Err(failure.to_string()),
        })
        .await
    }

    /// Waits until the service is well in this generation.
    async fn ready(&self, name: &Name, generation: u64, copies: u32) -> OrchestratorView {
        self.observe_until(&format!("{name} of generation {generation} with {copies} copies"), |view| {
            view.services.get(name).is_some_and(|service| {
                let counts = (service.generation, service.ready, service.wanted, service.updating);
                counts == (generation, copies, copies, false)
            })
        })
        .await
    }

    /// Waits until the service says with all these words why it is not well: the first look may come before the last word.
    async fn trouble(&self, name: &Name, words: &[&str]) -> ObservedService {
        let says = |view: &OrchestratorView| {
            let said = view.services.get(name).and_then(|service| service.message());
            said.is_some_and(|said| words.iter().all(|words| said.contains(words)))
        };
        self.observe_until(&format!("{name} to say {words:?}"), says).await.services.remove(name).unwrap()
    }

    /// Submits a service as the engine does: what fails and may succeed later is asked again.
    async fn deploy(&self, order: &ServiceOrder) -> Present {
        let what = format!("{} of generation {}", order.spec.name, order.generation);
        self.insist(&what, async || self.handler.deploy(&[], order).await).await
    }

    async fn insist<T>(&self, what: &str, call: impl AsyncFn() -> Result<T, Failure>) -> T {
        until(what, async || match call().await {
            Err(failure) if failure.retry == Retry::Never => panic!("{what}: {failure}"),
            answer => answer,
        })
        .await
    }

    /// What a command in a container of the service prints, and its exit code.
    async fn run(&self, service: &Name, command: &str) -> (String, i64) {
        let order = ExecOrder {
            service: service.clone(),
            container: None,
            command: ["/bin/sh", "-c", command].map(str::to_owned).to_vec(),
            tty: false,
        };
        let mut exec = self.handler.exec(&[], &order).await.unwrap();
        exec.input.send(StreamInput::End).await.unwrap();
        let mut printed = String::new();
        while let Some(output) = exec.output.next().await {
            match output.unwrap() {
                StreamItem::Exec(ExecOutput::Stdout(bytes)) => printed.push_str(&String::from_utf8_lossy(&bytes)),
                StreamItem::Exec(ExecOutput::Stderr(bytes)) => {
                    printed.push_str(&format!("stderr: {}", String::from_utf8_lossy(&bytes)))
                }
                StreamItem::Exec(ExecOutput::Exit(code)) => return (printed, code),
                other => panic!("{other:?}"),
            }
        }
        panic!("the command had no end: {printed}");
    }

    /// What `kubectl` prints.
    fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl.run(&[&["-n", "muster"], arguments].concat())
    }

    /// Everything with the marks of this scene's cluster.
    fn left(&self) -> String {
        let marked = format!("io.muster.cluster={}", self.handler.cluster_id());
        self.kubectl(&["get", "deployments,daemonsets,jobs,services,secrets,configmaps", "-o", "name", "-l", &marked])
    }

    async fn remove(&self, service: &Name) {
        self.insist(&format!("{service} to go"), async || self.handler.remove_service(&[], service).await).await;
    }
}

/// The first order for a service.
fn order(spec: ServiceSpec) -> ServiceOrder {
    ServiceOrder {
        id: ServiceId::generate(),
        generation: 1,
        spec,
        secrets_version: 1,
        digest: None,
        refresh: false,
        login: None,
    }
}

/// Nothing is run on the machines by these tests.
struct NoMachines;

#[async_trait]
impl Machines for NoMachines {
    async fn run(&self, _: &MachineAccess, step: &MachineRun) -> Result<RunOutput, Failure> {
        Err(Failure::not_applied(ErrorCode::Internal, format!("{} cannot be run here", step.name)))
    }
}
