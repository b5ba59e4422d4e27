//! A cluster on local machines, through the driver, the preparer and the lifecycle; removed whatever happens.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use muster_driver_local::{LocalDriver, LocalOptions, NETWORK};
use muster_engine::access::AccessOrder;
use muster_engine::context::ClusterContext;
use muster_engine::driver::{Driver as _, InfraOrder, MachineOrder};
use muster_engine::failure::Failure;
use muster_engine::handler::Handler as _;
use muster_engine::key::{InfraKey, ResourceKey};
use muster_engine::ledger::{Facts, StepRun};
use muster_engine::member::Member;
use muster_engine::preparer::{Preparer as _, StepOrder};
use muster_engine::recipe::{MachineStep, Peer, Prepared, Recipes as _};
use muster_handler_kubernetes::KubernetesHandler;
use muster_handler_kubernetes::lifecycle::{EtcdMember, Lifecycle};
use muster_protocol::model::access::AccessKind;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, MachineShape, Orchestrator};
use muster_protocol::model::host::Role;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ClusterId, InstanceId, Name, Principal, Retry, SecretString};
use muster_provision::KubernetesPreparer;
use muster_provision::machines::SshMachines;
use muster_provision::material;
use muster_provision::ssh::{Command, Session};
use muster_tests::kubernetes::kubernetes_parts;
use muster_tests::skip::docker_is_wanted;
use muster_tests::traces::Traces;

use crate::kubectl::Kubectl;

const PATIENCE: Duration = Duration::from_secs(240);

/// A cluster's machines and the parts that work on them. A step that fails ends the test.
pub struct LocalCluster {
    driver: Arc<LocalDriver>,
    cluster: Arc<ClusterContext>,
    preparer: Arc<KubernetesPreparer>,
    /// The lifecycle under test.
    pub lifecycle: Arc<Lifecycle>,
    /// `HOST:PORT` of the registry that the machines pull from.
    pub registry: String,
    members: Vec<Member>,
    /// The Docker Engine's ids of the machines, by name.
    containers: BTreeMap<String, String>,
    runs: Arc<std::sync::atomic::AtomicU32>,
    began: Instant,
}

/// Runs a test on machines, plain ones or such that have containerd already, and leaves nothing behind. The registry has
/// `images` (such as `busybox:1.36`) beside Kubernetes' own. Without a Docker Engine the test says that it was skipped.
pub async fn with_cluster<T: Future<Output = ()> + Send + 'static>(
    test: &str,
    (control_planes, workers): (u32, u32),
    plain: bool,
    images: &[&str],
    body: impl FnOnce(LocalCluster) -> T,
) {
    if !docker_is_wanted(test) {
        return;
    }
    let parts = kubernetes_parts(images).await.unwrap();
    let places = &parts.places;
    let options = BTreeMap::from([
        ("packageRepository".to_owned(), places.package_repository("{minor}")),
        ("packageRepositoryKey".to_owned(), std::fs::read_to_string(&places.key).unwrap()),
        ("imageRepository".to_owned(), places.image_repository.clone()),
        ("insecureRegistries".to_owned(), places.registry.clone()),
    ]);
    let began = Instant::now();
    let say = move |address: &str, step: &str, line: &str| {
        println!("{:7.2} s {address} {step}: {line}", began.elapsed().as_secs_f64());
    };
    let preparer = KubernetesPreparer::new(options, Duration::from_secs(60)).with_progress(Arc::new(say));
    let mut spec = ClusterSpec::new("kube".parse().unwrap(), Orchestrator::Kubernetes, Infrastructure::Local);
    spec.control_planes = control_planes;
    spec.workers = workers;
    preparer.validate(&spec).unwrap();
    let material = preparer.material(&spec).unwrap();
    let cluster =
        Arc::new(ClusterContext { instance: InstanceId::generate(), cluster: ClusterId::generate(), spec, material });
    // Before the machines, which outlive a test that is killed.
    let _traces = Traces::of(cluster.instance).unwrap();
    let driver = Arc::new(LocalDriver::new(LocalOptions { plain, ..LocalOptions::default() }));
    let machines = SshMachines::new(&cluster, Duration::from_secs(10)).unwrap().with_progress(Arc::new(say));
    let mut made = LocalCluster {
        driver: Arc::clone(&driver),
        lifecycle: Arc::new(Lifecycle::new(Arc::clone(&cluster), Arc::new(machines))),
        cluster: Arc::clone(&cluster),
        preparer: Arc::new(preparer),
        registry: places.registry.clone(),
        members: Vec::new(),
        containers: BTreeMap::new(),
        runs: Arc::default(),
        began,
    };
    driver.create(&cluster, &order(InfraKey::only(NETWORK))).await.unwrap();
    for number in 1..=control_planes {
        made.create(&format!("control-plane-{number}"), Role::ControlPlane).await;
    }
    for number in 1..=workers {
        made.create(&format!("worker-{number}"), Role::Worker).await;
    }
    made.lap("machines made");
    let ended = tokio::spawn(body(made)).await;

    let mut owned = driver.list_owned(cluster.instance, None).await.unwrap();
    // Machines before the network that they are in.
    owned.sort_by_key(|owned| owned.key == Some(ResourceKey::Infra(InfraKey::only(NETWORK))));
    for owned in owned {
        driver.remove(&cluster, owned.key.unwrap().infra().unwrap(), &owned.present.id).await.unwrap();
    }
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn order(key: InfraKey) -> InfraOrder {
    let shape = MachineShape::default();
    let machine = key.machine().map(|name| MachineOrder { name: name.clone(), role: Role::Worker, shape });
    InfraOrder { key, machine, present: None, known: Default::default(), attempt: 1 }
}

impl LocalCluster {
    /// Says how long the test has taken so far.
    pub fn lap(&self, what: &str) {
        println!("{:7.2} s == {what}", self.began.elapsed().as_secs_f64());
    }

    /// The machines, by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The machine of this name.
    pub fn member(&self, name: &str) -> Member {
        self.members.iter().find(|member| member.machine.as_str() == name).unwrap().clone()
    }

    /// Another version for what is prepared from now on.
    pub fn set_version(&mut self, version: &str) {
        let mut cluster = ClusterContext::clone(&self.cluster);
        cluster.spec.version = Some(version.to_owned());
        self.cluster = Arc::new(cluster);
    }

    /// The exact version that machines are prepared for.
    pub fn version(&self) -> String {
        self.preparer.offered(&self.cluster.spec).version.unwrap()
    }

    /// Makes a machine.
    pub async fn create(&mut self, name: &str, role: Role) {
        let machine: Name = name.parse().unwrap();
        let present = self.driver.create(&self.cluster, &order(InfraKey::for_machine(machine.clone()))).await.unwrap();
        self.containers.insert(name.to_owned(), present.id.clone());
        let Facts::Machine(access) = present.facts else { panic!("{present:?}") };
        self.members.push(Member { machine, role, access, node_id: None });
        self.members.sort_by(|one, other| one.machine.cmp(&other.machine));
    }

    /// A kubeconfig as a user gets it who asks for this role.
    pub async fn kubeconfig(&self, role: AccessRole) -> SecretString {
        let order = AccessOrder {
            who: Principal::user("tests"),
            kind: Some(AccessKind::Kubeconfig),
            role,
            lifetime: Duration::from_secs(3600),
            renewal: 0,
        };
        let machines = Arc::new(SshMachines::new(&self.cluster, Duration::from_secs(10)).unwrap());
        let handler = KubernetesHandler::new(Arc::clone(&self.cluster), machines);
        let file = handler.access(&self.members, &order).await.unwrap();
        SecretString::new(std::str::from_utf8(file.content.expose()).unwrap())
    }

    /// What runs `kubectl` on the first machine, as its administrator: without waiting for anything else.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl { container: self.containers[self.members[0].machine.as_str()].clone() }
    }

    /// Takes a machine away without a word.
    pub async fn lose(&mut self, name: &str) {
        let key = InfraKey::for_machine(name.parse().unwrap());
        self.driver.remove(&self.cluster, &key, "").await.unwrap();
        self.members.retain(|member| member.machine.as_str() != name);
    }

    fn peers(&self) -> Vec<Peer> {
        let peer = |member: &Member| Peer {
            machine: member.machine.clone(),
            role: member.role,
            private_address: member.access.private_address.clone(),
        };
        self.members.iter().map(peer).collect()
    }

    /// Prepares every machine, all at once.
    pub async fn prepare_all(&self) {
        let steps = self.members.iter().map(|member| self.step(member, MachineStep::Prepare));
        join_all(steps).await;
        self.lap("machines prepared");
    }

    /// Performs a step of the preparer on one machine.
    pub async fn step(&self, member: &Member, step: MachineStep) {
        let peers = self.peers();
        let target = Prepared {
            recipe: self.preparer.offered(&self.cluster.spec),
            role: member.role,
            peers: self.preparer.peers(&self.cluster.spec, member.role, &peers, None),
        };
        let run = self.runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let order = StepOrder {
            machine: member.machine.clone(),
            role: member.role,
            access: member.access.clone(),
            run: StepRun { step, target, run },
            peers,
            endpoint: None,
            renewal: 0,
        };
        self.preparer.perform(&self.cluster, &order).await.unwrap();
    }

    /// Prepares, forms on the first control plane, joins the other control planes one by one and the workers at once.
    pub async fn bring_up(&self) {
        self.prepare_all().await;
        let formed = self.persist("form", || self.lifecycle.form(&self.members[0])).await;
        assert!(!formed.id.is_empty());
        self.lap("formed");
        let (planes, workers): (Vec<&Member>, Vec<&Member>) =
            self.members.iter().partition(|member| member.role == Role::ControlPlane);
        for plane in planes {
            self.persist("join", || self.lifecycle.join(&self.members, plane)).await;
        }
        self.lap("control planes joined");
        let joins = workers.into_iter().map(|worker| async move {
            self.persist("join", || self.lifecycle.join(&self.members, worker)).await;
        });
        join_all(joins).await;
        self.lap("workers joined");
    }

    /// Asks for something of the lifecycle as the engine does: what fails and may succeed later is asked again.
    pub async fn persist<T, F: Future<Output = Result<T, Failure>>>(&self, what: &str, ask: impl Fn() -> F) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(failure) if failure.retry == Retry::Never || Instant::now() > deadline => {
                    panic!("{what}: {failure}")
                }
                Err(failure) => self.lap(&format!("{what}, once more: {failure}")),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until the members of etcd are so.
    pub async fn etcd_until(&self, is_so: impl Fn(&[EtcdMember]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let members = self.persist("members of etcd", || self.lifecycle.etcd_members(&self.members)).await;
            if is_so(&members) {
                return;
            }
            assert!(Instant::now() < deadline, "{members:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until every machine is a node that is ready, and answers their names.
    pub async fn nodes_ready(&self, through: &str) -> Vec<String> {
        let format = r#"{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#;
        let expected: Vec<String> = self.members.iter().map(|member| member.machine.to_string()).collect();
        let wanted: String = expected.iter().map(|name| format!("{name}=True\n")).collect();
        let command = format!("kubectl get nodes -o jsonpath='{format}'");
        self.run_until(through, &command, |seen| seen.trim() == wanted.trim()).await;
        self.lap("nodes ready");
        expected
    }

    /// Waits until every pod of the cluster's own is ready.
    pub async fn pods_run(&self, through: &str) {
        let command = "kubectl get pods -A --no-headers | awk '{ split($3, n, \"/\"); if ($4 != \"Running\" || n[1] != n[2]) print $2 \" \" $4 }'";
        self.run_until(through, command, str::is_empty).await;
        self.lap("all pods run");
    }

    /// Asks the cluster's DNS over its service's address, from this machine: for a service, whose address must come, and
    /// for a machine, which only the machines' own name server knows.
    pub async fn dns_answers(&self, from: &str) {
        let own = self.member("control-plane-1").access.address;
        for (name, address) in
            [("kubernetes.default.svc.cluster.local", "10.96.0.1"), ("control-plane-1", own.as_str())]
        {
            let labels: String = name.split('.').map(|label| format!("\\{:03o}{label}", label.len())).collect();
            let question = format!(
                "\\022\\064\\001\\000\\000\\001\\000\\000\\000\\000\\000\\000{labels}\\000\\000\\001\\000\\001"
            );
            let address: Vec<String> =
                address.split('.').map(|part| format!("{:02x}", part.parse::<u8>().unwrap())).collect();
            let command =
                format!("printf '{question}' | socat -t 3 - UDP4:10.96.0.10:53 | od -An -v -tx1 | tr -d '\\n'");
            self.run_until(from, &command, |seen| seen.ends_with(&address.join(" "))).await;
        }
        self.lap("names are resolved");
    }

    /// Runs a command on a machine, with the administrator's access to the cluster where there is one.
    pub async fn run(&self, machine: &str, command: &str) -> String {
        self.try_run(machine, command).await.unwrap()
    }

    /// Runs a command until it succeeds.
    pub async fn insist(&self, machine: &str, command: &str) -> String {
        self.run_until(machine, command, |_| true).await
    }

    /// Runs a command until what it prints is so.
    pub async fn run_until(&self, machine: &str, command: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.try_run(machine, command).await;
            match seen {
                Ok(text) if is_so(&text) => return text,
                seen if Instant::now() > deadline => panic!("{machine}: `{command}`: {seen:?}"),
                _ => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
    }

    async fn try_run(&self, machine: &str, command: &str) -> Result<String, String> {
        let key = self.cluster.material.get(material::SSH_KEY).unwrap();
        let access = self.member(machine).access;
        let session = Session::open(&access, key, Duration::from_secs(20)).await.map_err(|error| error.to_string())?;
        let line = format!("KUBECONFIG=/etc/kubernetes/admin.conf; export KUBECONFIG; {command}");
        let command = Command { name: "test", line: &line, stdin: "".into(), limit: Duration::from_secs(60) };
        let ended = session.run(command, &|_| ()).await.map_err(|error| error.to_string());
        session.close().await;
        let ended = ended?;
        let text = ended.lines.join("\n");
        if ended.code == 0 { Ok(text) } else { Err(text) }
    }
}
