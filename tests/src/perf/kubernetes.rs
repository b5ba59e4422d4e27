//! A real Kubernetes cluster of three machines on the local Docker Engine, with `kubectl` beside it on the same cluster.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_client::Client;
use muster_client::protocol::Name;
use muster_client::protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_client::protocol::model::service::ServiceSpec;
use muster_client::protocol::request::ServiceSource;
use muster_engine::context::mark;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::daemon::Daemon;
use super::figure::Figure;
use super::fleet::spec;
use super::swarm::{Label, median, succeeded};
use super::{Options, kubeadm, say};
use crate::kubernetes::{Mirrors, kubectl, kubernetes_parts};

const NAME: &str = "perf";
const IMAGE: &str = "busybox:1.36";
/// The namespace of our services, in which `kubectl` makes its own beside them.
const NAMESPACE: &str = "muster";
/// How often a cluster is made, each way.
const ROUNDS: usize = 3;
/// Services that are made ready, each way.
const DEPLOYMENTS: usize = 7;
/// Pods that fail.
const FAILURES: usize = 20;
/// Services that one cluster has while memory is looked at.
const SERVICES: usize = 100;
/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_secs(600);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// Until a daemon that did much has come to rest.
const REST: Duration = Duration::from_secs(10);

/// The cluster, and both ways to it.
struct Site {
    client: Client,
    cluster: Name,
    /// The image as the machines reach it.
    image: String,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

/// The figures.
pub async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let parts = kubernetes_parts(&[IMAGE]).await?;
    let places = &parts.places;
    let dir = options.dir.join("kubernetes");
    let daemon = Daemon::start_and_wait(&options.musterd, &dir).await?;
    let client = daemon.client().await?;
    let _made = Label(format!("{}={}", mark::INSTANCE, client.whoami().await?.instance));
    // Declared behind the label, and so gone before what it made is removed.
    let daemon = daemon;

    let (cluster, newest) = (NAME.parse::<Name>()?, places.versions.last().context("there is no version")?);
    let (mut made_in, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        say(&format!("kubernetes: three machines with {newest} by kubeadm, {round} of {ROUNDS}"));
        let by_hand = format!("kubeadm-{round}");
        theirs.push(kubeadm::by_hand(options, &by_hand, cluster_spec(places, newest, "kubeadm")?).await?);
        say(&format!("kubernetes: three machines with {newest} by Muster, {round} of {ROUNDS}"));
        if round > 1 {
            let asked = client.cluster_delete(&cluster, None).await?;
            succeeded(client.wait(asked.id).await?)?;
        }
        let began = Instant::now();
        let asked = client.cluster_create(cluster_spec(places, newest, NAME)?, None).await?;
        succeeded(timeout(LIMIT, client.wait(asked.id)).await.context("the cluster takes too long")??)?;
        made_in.push(began.elapsed().as_secs_f64());
        ours.push(kubeadm::by_muster(&client, &cluster).await?);
    }
    let formed = "three-machine Kubernetes cluster: from prepared machines to ready, beside kubeadm";
    let mut figures = vec![
        Figure::new("three-machine Kubernetes cluster: made", median(made_in), "s"),
        Figure::new(formed, median(ours), "s").beside(median(theirs)).ratio_at_most(1.15),
    ];

    let kubeconfig = dir.join("kubeconfig");
    let access = client.cluster_access(&cluster, None, None, None).await?;
    std::fs::write(&kubeconfig, access.content.expose()).context("cannot write the kubeconfig")?;
    let image = format!("{}/library/{IMAGE}", places.registry);
    let site = Site { client, cluster, image, kubectl: kubectl(newest)?, kubeconfig };
    figures.push(made_ready(&site, &dir).await?);
    figures.extend(failures(&site, places).await?);
    figures.push(memory(&site, &daemon).await?);
    let asked = site.client.cluster_delete(&site.cluster, None).await?;
    succeeded(site.client.wait(asked.id).await?)?;
    Ok(figures)
}

fn cluster_spec(places: &Mirrors, version: &str, name: &str) -> Result<ClusterSpec> {
    let key = std::fs::read_to_string(&places.key).context("cannot read the key of the packages")?;
    let options = [
        ("packageRepository", places.package_repository(version)),
        ("packageRepositoryKey", key),
        ("imageRepository", places.image_repository.clone()),
        ("insecureRegistries", places.registry.clone()),
        ("flannelImage", places.flannel_image.clone()),
    ];
    Ok(ClusterSpec {
        orchestrator: Orchestrator::Kubernetes,
        infrastructure: Infrastructure::Local,
        version: Some(version.to_owned()),
        options: options.map(|(name, value)| (name.to_owned(), value)).into(),
        ..spec(name, 1, 2)?
    })
}

impl Site {
    fn service(&self, name: &str) -> Result<ServiceSpec> {
        let command = ["sleep", "100000"].map(str::to_owned).to_vec();
        Ok(ServiceSpec { command, stop_grace_ms: 1_000, ..ServiceSpec::new(name.parse()?, &self.image) })
    }

    async fn create(&self, spec: ServiceSpec) -> Result<()> {
        self.client.service_create(&self.cluster, ServiceSource::Spec(Box::new(spec)), None).await?;
        Ok(())
    }

    /// When a service is first seen to be like this.
    async fn seen(
        &self,
        service: &Name,
        is_so: impl Fn(&muster_client::protocol::model::service::ServiceInfo) -> bool,
    ) -> Result<Instant> {
        let look = async {
            loop {
                if is_so(&self.client.service_info(&self.cluster, service).await?) {
                    return Ok(Instant::now());
                }
                sleep(BETWEEN_LOOKS).await;
            }
        };
        timeout(LIMIT, look).await.with_context(|| format!("{service} does not become what it should be"))?
    }

    async fn remove(&self, service: &Name) -> Result<()> {
        let asked = self.client.service_delete(&self.cluster, service, None).await?;
        succeeded(self.client.wait(asked.id).await?)
    }

    fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["--namespace", NAMESPACE]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn kubectl_done(&self, arguments: &[&str]) -> Result<()> {
        let ended = timeout(LIMIT, self.kubectl(arguments).status()).await.context("kubectl takes too long")??;
        ensure!(ended.success(), "kubectl {} failed ({ended})", arguments.join(" "));
        Ok(())
    }
}

/// From asking for a service to its copy seen ready, by Muster and by `kubectl apply` with `kubectl rollout status`.
async fn made_ready(site: &Site, dir: &Path) -> Result<Figure> {
    say("kubernetes: services made ready, by Muster and by kubectl");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=DEPLOYMENTS {
        let (name, by_kubectl) = (format!("ours-{round}"), format!("theirs-{round}"));
        let began = Instant::now();
        site.create(site.service(&name)?).await?;
        let name: Name = name.parse()?;
        let our_time =
            (site.seen(&name, |info| info.ready == info.wanted && info.ready > 0).await? - began).as_secs_f64();
        site.remove(&name).await?;

        let file = dir.join("deployment.yaml");
        std::fs::write(&file, deployment(&by_kubectl, &site.image)).context("cannot write the deployment")?;
        let file = file.to_str().context("the folder's path is not UTF-8")?;
        let began = Instant::now();
        site.kubectl_done(&["apply", "--filename", file]).await?;
        site.kubectl_done(&["rollout", "status", &format!("deployment/{by_kubectl}")]).await?;
        let their_time = began.elapsed().as_secs_f64();
        site.kubectl_done(&["delete", "--filename", file, "--wait"]).await?;
        // The first of each pulls the image.
        if round > 0 {
            ours.push(our_time);
            theirs.push(their_time);
        }
    }
    let figure = Figure::new("Kubernetes service: from create to seen ready, beside kubectl", median(ours), "s");
    Ok(figure.beside(median(theirs)).ratio_at_most(1.1))
}

fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: \
         {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      \
         terminationGracePeriodSeconds: 1\n      containers:\n      - name: main\n        image: {image}\n        command: \
         [sleep, '100000']\n"
    )
}

/// From the moment in which a watch of `kubectl` shows a pod's failure to that in which our client sees its cause.
async fn failures(site: &Site, places: &Mirrors) -> Result<[Figure; 2]> {
    say("kubernetes: pods that fail");
    let mut watch = Watch::start(site)?;
    let mut late = Vec::new();
    for round in 0..FAILURES {
        let name: Name = format!("fails-{round}").parse()?;
        let image = format!("{}/library/no-such-image:1", places.registry);
        site.create(ServiceSpec::new(name.clone(), &image)).await?;
        let (ours, theirs) = tokio::join!(
            site.seen(&name, |info| info.cause.is_some()),
            watch.shows(|line| line.contains(name.as_str()) && line.contains("Image")),
        );
        late.push(ours?.saturating_duration_since(theirs?).as_secs_f64() * 1000.0);
        site.remove(&name).await?;
    }
    late.sort_by(f64::total_cmp);
    let worst = late.last().copied().unwrap_or(f64::NAN);
    let name = "Kubernetes pod that fails: from kubectl's watch to our client";
    Ok([
        Figure::new(format!("{name}, p50"), median(late), "ms"),
        // Of so few, the worst is what a p99 would be.
        Figure::new(format!("{name}, worst of {FAILURES}"), worst, "ms").at_most(1000.0),
    ])
}

/// A watch of pods by `kubectl`, each line with the moment in which it came.
struct Watch {
    _process: Child,
    lines: mpsc::UnboundedReceiver<(Instant, String)>,
}

impl Watch {
    fn start(site: &Site) -> Result<Self> {
        let form = "jsonpath={.metadata.name} {.status.containerStatuses[*].state.waiting.reason}{\"\\n\"}";
        let mut command = site.kubectl(&["get", "pods", "--watch", "--output", form]);
        let mut process = command.stdout(Stdio::piped()).spawn().context("cannot start kubectl")?;
        let output = process.stdout.take().context("kubectl has no output")?;
        let (sender, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                if sender.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Ok(Self { _process: process, lines })
    }

    async fn shows(&mut self, is_so: impl Fn(&str) -> bool) -> Result<Instant> {
        let read = async {
            loop {
                let (at, line) = self.lines.recv().await.context("kubectl's watch ended")?;
                if is_so(&line) {
                    return Ok(at);
                }
            }
        };
        timeout(LIMIT, read).await.context("kubectl does not show the failure")?
    }
}

/// What the daemon holds more for a cluster with many services than for the same cluster with none.
async fn memory(site: &Site, daemon: &Daemon) -> Result<Figure> {
    say(&format!("kubernetes: memory with {SERVICES} services"));
    let before = daemon.usage()?.memory_mb;
    let names = (0..SERVICES).map(|number| format!("many-{number}").parse::<Name>()).collect::<Result<Vec<_>, _>>()?;
    for name in &names {
        site.create(site.service(name.as_str())?).await?;
    }
    for name in &names {
        site.seen(name, |info| info.ready == info.wanted && info.ready > 0).await?;
    }
    sleep(REST).await;
    let more = daemon.usage()?.memory_mb - before;
    Ok(Figure::new(format!("Kubernetes cluster with {SERVICES} services: memory that they take"), more, "MB"))
}
