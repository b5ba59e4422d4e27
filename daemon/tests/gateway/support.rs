//! A daemon in this process, and ways to talk to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::SinkExt;
use metrics_exporter_prometheus::PrometheusHandle;
use muster_client::Client;
use muster_engine::sim::{SimOptions, SimWorld};
use muster_protocol::hello::Hello;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::model::token::{AccessRole, NewToken, TokenSpec};
use muster_protocol::stream::{FrameReader, length_codec};
use muster_protocol::{ClientFrame, Name, ServerFrame, codec, handshake};
use musterd::clock::Clock;
use musterd::config::{Config, Places};
use musterd::daemon::{Daemon, Options};
use musterd::kinds::Kinds;
use musterd::kinds::built_in::BuiltIn;
use musterd::kinds::ec2::Ec2Accounts;
use musterd::kinds::hosts::HostsAccounts;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

/// Longer than anything here takes: what is not done by then is stuck.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A daemon with a folder of its own, and the world of its twins, which outlive it.
pub struct TestDaemon {
    pub folder: TempDir,
    pub world: SimWorld,
    pub config: Config,
    pub daemon: Daemon,
    metrics: Option<PrometheusHandle>,
}

impl TestDaemon {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on_new_disk(change, None).await
    }

    /// With the metrics of the process.
    #[allow(dead_code, reason = "`tests/metrics.rs` alone measures")]
    pub async fn measured(metrics: PrometheusHandle) -> Self {
        Self::on_new_disk(|_| {}, Some(metrics)).await
    }

    async fn on_new_disk(change: impl FnOnce(&mut Config), metrics: Option<PrometheusHandle>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.limits.look_when_busy_ms = 20;
        change(&mut config);
        let world = SimWorld::new(SimOptions { rollout: Duration::from_millis(10), ..SimOptions::default() });
        let daemon = start(&folder, &config, &world, metrics.clone()).await;
        Self { folder, world, config, daemon, metrics }
    }

    /// In a world that is as these options say.
    #[allow(dead_code, reason = "`tests/metrics.rs` has the usual world")]
    pub async fn in_world(options: SimOptions) -> Self {
        let mut config = Config::default();
        config.limits.look_when_busy_ms = 20;
        Self::on(tempfile::tempdir().unwrap(), config, SimWorld::new(options)).await
    }

    /// A daemon on what is in this folder, with the world of another one.
    #[allow(dead_code, reason = "`tests/metrics.rs` restores nothing")]
    pub async fn on(folder: TempDir, config: Config, world: SimWorld) -> Self {
        let daemon = start(&folder, &config, &world, None).await;
        Self { folder, world, config, daemon, metrics: None }
    }

    /// Shuts the daemon down and starts it again on what is on disk.
    pub async fn restart(self) -> Self {
        let Self { folder, world, config, daemon, metrics } = self;
        daemon.shutdown().await;
        let daemon = start(&folder, &config, &world, metrics.clone()).await;
        Self { folder, world, config, daemon, metrics }
    }

    pub fn socket(&self) -> PathBuf {
        self.daemon.socket().to_owned()
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.daemon.socket()).await.unwrap()
    }

    /// A client with a ready cluster.
    pub async fn with_cluster(&self, cluster: &str) -> Client {
        let client = self.client().await;
        succeed(&client, client.cluster_create(spec(cluster), None).await.unwrap()).await;
        client
    }
}

/// Where a daemon in this folder looks for its things.
pub fn places(folder: &TempDir) -> Places {
    Places {
        config: folder.path().join("none.toml"),
        state_dir: folder.path().join("state"),
        socket: folder.path().join("muster.sock"),
        catalog: folder.path().join("templates"),
    }
}

async fn start(folder: &TempDir, config: &Config, world: &SimWorld, metrics: Option<PrometheusHandle>) -> Daemon {
    let places = places(folder);
    let kinds = kinds(config, &places, world);
    let (config, kinds) = (config.clone(), Box::pin(async { Ok(kinds) }));
    let options = Options { config, places, kinds, clock: Clock::system(), listener: None, metrics };
    Daemon::start(options).await.unwrap()
}

/// What a daemon of these tests has.
pub fn kinds(config: &Config, places: &Places, world: &SimWorld) -> Arc<dyn Kinds> {
    Arc::new(BuiltIn {
        local: config.local.as_options(),
        preparation: config.preparation.as_options(),
        kubernetes: config.kubernetes.options.clone(),
        logins: config.as_logins(),
        sim: world.clone(),
        ec2: Ec2Accounts::default(),
        hosts: HostsAccounts::new(places.state_dir.join("hosts")),
    })
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// One control plane and two workers.
pub fn spec(cluster: &str) -> ClusterSpec {
    ClusterSpec { workers: 2, ..ClusterSpec::new(name(cluster), Orchestrator::Sim, Infrastructure::Sim) }
}

pub fn service(service: &str) -> ServiceSpec {
    ServiceSpec { replicas: 2, ..ServiceSpec::new(name(service), "nginx:1.28") }
}

/// Makes a token that holds for an hour.
#[allow(dead_code, reason = "`tests/metrics.rs` makes none")]
pub async fn make_token(client: &Client, token: &str, role: AccessRole, clusters: &[&str]) -> NewToken {
    let clusters = clusters.iter().map(|cluster| name(cluster)).collect();
    client.token_create(TokenSpec { name: name(token), role, clusters, lifetime_seconds: 3_600 }).await.unwrap()
}

/// Waits for the operation's end, which must be a success.
pub async fn succeed(client: &Client, operation: OperationInfo) -> OperationInfo {
    let ended = tokio::time::timeout(LIMIT, client.wait(operation.id)).await.expect("the operation is stuck").unwrap();
    assert_eq!(ended.phase, OperationPhase::Succeeded, "{ended:?}");
    ended
}

/// Asks again and again until the answer is yes.
pub async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, asked).await.unwrap_or_else(|_| panic!("not so in time: {what}"));
}

/// A connection on which frames are sent and read one by one.
pub struct Raw {
    pub reader: FrameReader<OwnedReadHalf>,
    pub writer: FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>,
}

impl Raw {
    pub async fn connect(daemon: &TestDaemon) -> Self {
        Self::connect_as(daemon, &Hello::of_this_build("test")).await
    }

    pub async fn connect_as(daemon: &TestDaemon, hello: &Hello) -> Self {
        let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
        handshake::connect(&mut stream, hello, LIMIT).await.unwrap();
        let (read_half, write_half) = stream.into_split();
        Self { reader: FrameReader::new(read_half, LIMIT), writer: FramedWrite::new(write_half, length_codec()) }
    }

    pub async fn send(&mut self, frame: ClientFrame) {
        self.writer.send(codec::encode(&frame).unwrap()).await.unwrap();
    }

    /// The next frame; none at the end of the connection.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        tokio::time::timeout(LIMIT, self.reader.next()).await.expect("no frame in time").unwrap()
    }
}
