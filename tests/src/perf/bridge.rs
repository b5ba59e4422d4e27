//! Reads over the HTTP bridge: beside the same read over the socket, and beside a bare axum handler with the same body.
//! Then a thousand followers of events at once, and what another request waits meanwhile.
//!
//! Every caller has a connection of its own. Bridge, daemon and bare handler are processes of their own; all share this
//! host's processors with the callers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use muster_client::Client;
use muster_client::protocol::Name;
use muster_client::protocol::model::token::{AccessRole, TokenSpec};
use tokio::process::{Child, Command};

use super::daemon::{Daemon, Usage, retried};
use super::figure::Figure;
use super::fleet::{create_clusters, spec};
use super::load::{Caller, Sample, closed_loop, compare};
use super::{Options, say};
use crate::bridge::Bridge;
use crate::http::Http;

const CLIENTS: [usize; 2] = [1, 32];
const FOLLOWERS: usize = 1000;
/// Clusters that are made while they follow, so that they have something to hear.
const CHANGES: usize = 50;

const OPEN: &str = "[limits]\nrequests_per_minute_per_token = 100000000\nrequests_per_minute_per_address = 100000000\n\
    streams_per_token = 2000\n";

/// What the bare server does.
#[derive(Clone, Debug, clap::Args)]
pub struct BareOptions {
    /// Where it answers
    address: SocketAddr,
    /// The file with the body of each answer
    body: PathBuf,
}

/// Answers with the same body until it is killed.
pub async fn serve(options: BareOptions) -> Result<()> {
    let body = bytes::Bytes::from(std::fs::read(&options.body).context("cannot read the body")?);
    let router = Router::new().route("/", get(async move || ([("content-type", "application/json")], body)));
    let listener = tokio::net::TcpListener::bind(options.address).await.context("cannot listen")?;
    Ok(axum::serve(listener, router).await?)
}

/// The bare server's process; it is killed when this is dropped.
struct Bare {
    _process: Child,
    http: Http,
}

impl Bare {
    async fn start(perf: &Path, dir: &Path, body: &[u8]) -> Result<Self> {
        let file = dir.join("body.json");
        std::fs::write(&file, body).context("cannot write the body")?;
        // A port that was free a moment ago.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(perf);
        command.arg("http-server").arg(address.to_string()).arg(&file).stdin(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().context("cannot start the bare server")?;
        let http = Http::new(&format!("http://{address}"), None);
        retried(async || http.get("/").await).await.context("the bare server does not answer")?;
        Ok(Self { _process: process, http })
    }
}

/// The figures.
pub async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let dir = options.dir.join("bridge");
    let daemon = Daemon::start_and_wait(&options.musterd, &dir).await?;
    let big = spec("big", 1, 9)?;
    create_clusters(&daemon, vec![big.clone()]).await?;
    let folder = tempfile::tempdir_in(&options.dir).context("cannot make a folder")?;
    let bridge = Bridge::start_in(folder, daemon.socket(), OPEN).await?;
    let spec =
        TokenSpec { name: "perf".parse()?, role: AccessRole::Operator, clusters: Vec::new(), lifetime_seconds: 86_400 };
    let token = daemon.client().await?.token_create(spec).await?.token.expose().to_owned();
    let path = "/v1/orchestrators/big";
    let body = bridge.http().with_token(&token)?.get(path).await?.expect(200)?.body;
    let bare = Bare::start(&options.perf, &dir, &body).await?;
    let over_http =
        |count: usize| (0..count).map(|_| Reader::new(bridge.address(), path, &token)).collect::<Result<Vec<_>>>();

    let mut figures = Vec::new();
    for count in CLIENTS {
        say(&format!("bridge: {count} clients"));
        let bare_callers =
            (0..count).map(|_| Reader::new(bare.http.base(), "/", &token)).collect::<Result<Vec<_>>>()?;
        let (http, base) = compare(over_http(count)?, bare_callers, options.load_time).await?;
        let rate =
            Figure::new(format!("bridge read, {count} clients: rate, beside a bare axum handler"), http.rate(), "1/s");
        figures.push(rate.beside(base.rate()).ratio_at_least(0.6));

        let socket = daemon.clients(count).await?;
        let socket = socket.into_iter().map(|client| OverSocket { client, cluster: big.name.clone() }).collect();
        let (http, base) = compare(over_http(count)?, socket, options.load_time).await?;
        figures.extend(added(count, &http, &base));
    }
    figures.extend(followed(&daemon, &bridge, &token, options).await?);
    Ok(figures)
}

/// What the bridge adds to a read over the socket.
fn added(count: usize, http: &Sample, socket: &Sample) -> [Figure; 2] {
    [("p50", 0.5), ("p99", 0.99)].map(|(word, part)| {
        let (with, without) = (http.quantile_ms(part), socket.quantile_ms(part));
        Figure::new(format!("bridge read, {count} clients: {word}, beside the socket"), with, "ms").beside(without)
    })
}

/// Followers at once: the memory of the bridge, and what another request waits while events come.
async fn followed(daemon: &Daemon, bridge: &Bridge, token: &str, options: &Options) -> Result<Vec<Figure>> {
    say(&format!("bridge: {FOLLOWERS} followers"));
    let before = Usage::of(bridge.pid())?.memory_mb;
    let mut followers = tokio::task::JoinSet::new();
    for _ in 0..FOLLOWERS {
        let http = Http::new(bridge.address(), None).with_token(token)?;
        let mut events = http.events("/v1/events?since=latest").await?;
        followers.spawn(async move {
            let mut heard = 0_usize;
            while heard < CHANGES && events.next().await?.is_some() {
                heard += 1;
            }
            anyhow::Ok(heard)
        });
    }
    let specs = (0..CHANGES).map(|number| spec(&format!("heard-{number}"), 1, 0)).collect::<Result<Vec<_>>>()?;
    let others = (0..4).map(|_| Reader::new(bridge.address(), "/v1/whoami", token)).collect::<Result<Vec<_>>>()?;
    let (made, measured) = tokio::join!(create_clusters(daemon, specs), closed_loop(others, options.load_time));
    made?;
    let (_, sample) = measured?;
    let memory = Usage::of(bridge.pid())?.memory_mb - before;
    let mut heard = 0;
    while let Some(ended) = followers.join_next().await {
        heard += ended.context("a follower broke off")??;
    }
    anyhow::ensure!(heard == FOLLOWERS * CHANGES, "{heard} of {} events were heard", FOLLOWERS * CHANGES);
    Ok(vec![
        Figure::new(format!("bridge, {FOLLOWERS} followers of events: memory that they take"), memory, "MB"),
        Figure::new(
            format!("bridge, {FOLLOWERS} followers of events: p99 of another request"),
            sample.quantile_ms(0.99),
            "ms",
        )
        .at_most(10.0),
    ])
}

struct Reader {
    http: Http,
    path: String,
}

impl Reader {
    fn new(base: &str, path: &str, token: &str) -> Result<Self> {
        Ok(Self { http: Http::new(base, None).with_token(token)?, path: path.to_owned() })
    }
}

impl Caller for Reader {
    async fn call(&mut self) -> Result<()> {
        self.http.get(&self.path).await?.expect(200)?;
        Ok(())
    }
}

struct OverSocket {
    client: Client,
    cluster: Name,
}

impl Caller for OverSocket {
    async fn call(&mut self) -> Result<()> {
        self.client.cluster_info(&self.cluster).await?;
        Ok(())
    }
}
