//! Requests over the socket: a read beside an echo, a durable write beside a bare group commit.
//!
//! The read is `getOrchestratorInfo` of a cluster of ten machines; beside it, `whoami`, which needs no work, shows what the
//! way through gateway and client costs alone. The write is a change of a cluster as users ask for it,
//! the smallest one: `retryOrchestrator` of a cluster in which nothing failed. It is one batch with the operation, its
//! events and the answer to the idempotency key, and so is that of the bare group commit: as many records of the same
//! sizes, but nobody to decide what they are. Every client has a connection of its own, and for writes a cluster.

use anyhow::{Context, Result};
use muster_client::Client;
use muster_client::protocol::{ClientFrame, Name, Request, Response, ServerFrame, codec};

use super::daemon::Daemon;
use super::echo::Server;
use super::figure::Figure;
use super::fleet::{create_clusters, spec};
use super::group_commit::{Committer, GroupCommit};
use super::load::{Caller, Sample, compare};
use super::{Options, say};

const CLIENTS: [usize; 3] = [1, 64, 256];

/// What Muster stores for the write, about: the operation, the answer to its key, and two events.
const WRITE_BYTES: [usize; 4] = [280, 130, 120, 120];

/// The figures.
pub async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let daemon = Daemon::start_and_wait(&options.musterd, &options.dir.join("socket")).await?;
    let most = CLIENTS.into_iter().max().unwrap_or(1);
    say(&format!("socket: {most} clusters of one machine, and one of ten"));
    let big = spec("big", 1, 9)?;
    let mut specs = vec![big.clone()];
    for number in 0..most {
        specs.push(spec(&cluster_name(number), 1, 0)?);
    }
    create_clusters(&daemon, specs).await?;

    let client = daemon.client().await?;
    let sizes = frame_sizes(&client, &big.name).await?;
    let echo = Server::start(&options.perf, &options.dir.join("echo"), sizes.1, &[]).await?;
    let committing = Server::start(&options.perf, &options.dir.join("committing"), sizes.1, &WRITE_BYTES).await?;
    let bare = GroupCommit::open(&options.dir.join("bare"))?;

    let mut figures = Vec::new();
    for count in CLIENTS {
        say(&format!("socket: {count} clients"));
        let reads = daemon.clients(count).await?;
        let reads = reads.into_iter().map(|client| Reader { client, cluster: big.name.clone() }).collect();
        let (read, base) = compare(reads, echo.clients(count, sizes.0).await?, options.load_time).await?;
        let rate = rate_figure(&format!("read, {count} clients: rate, beside an echo"), &read, &base);
        figures.push(rate.ratio_at_least(0.5));
        figures.extend(latency_figures(&format!("read, {count} clients"), &read, &base));

        let callers = daemon.clients(count).await?.into_iter().map(WhoamiCaller).collect();
        let (least, base) = compare(callers, echo.clients(count, sizes.0).await?, options.load_time).await?;
        figures.push(rate_figure(&format!("whoami, {count} clients: rate, beside an echo"), &least, &base));

        let writes = || async {
            let clients = daemon.clients(count).await?;
            clients.into_iter().zip(0..).map(|(client, number)| Writer::new(client, number)).collect::<Result<Vec<_>>>()
        };
        let committers = (0..count).map(|_| Committer { writer: bare.clone(), bytes: WRITE_BYTES.to_vec() }).collect();
        let (write, base) = compare(writes().await?, committers, options.load_time).await?;
        let rate =
            rate_figure(&format!("durable write, {count} clients: rate, beside a bare group commit"), &write, &base);
        figures.push(rate.ratio_at_least(0.7));
        figures.extend(latency_figures(&format!("durable write, {count} clients"), &write, &base));

        let committing_echo = committing.clients(count, sizes.0).await?;
        let (write, base) = compare(writes().await?, committing_echo, options.load_time).await?;
        figures.push(rate_figure(
            &format!("durable write, {count} clients: rate, beside a bare group commit behind an echo"),
            &write,
            &base,
        ));
    }
    Ok(figures)
}

fn rate_figure(name: &str, sample: &Sample, base: &Sample) -> Figure {
    Figure::new(name, sample.rate(), "1/s").beside(base.rate())
}

fn latency_figures(name: &str, sample: &Sample, base: &Sample) -> [Figure; 2] {
    [("p50", 0.5), ("p99", 0.99)].map(|(word, part)| {
        Figure::new(format!("{name}: {word}"), sample.quantile_ms(part), "ms").beside(base.quantile_ms(part))
    })
}

/// The bytes of the read's request and of its answer.
async fn frame_sizes(client: &Client, cluster: &Name) -> Result<(usize, usize)> {
    let request = Request::ClusterInfo { cluster: cluster.clone() };
    let asked = codec::encode(&ClientFrame::request(1, request))?.len();
    let info = client.cluster_info(cluster).await?;
    let answered = codec::encode(&ServerFrame::answer(1, Ok(Response::Cluster(Box::new(info)))))?.len();
    Ok((asked, answered))
}

fn cluster_name(number: usize) -> String {
    format!("small-{number}")
}

struct Reader {
    client: Client,
    cluster: Name,
}

impl Caller for Reader {
    async fn call(&mut self) -> Result<()> {
        self.client.cluster_info(&self.cluster).await?;
        Ok(())
    }
}

struct WhoamiCaller(Client);

impl Caller for WhoamiCaller {
    async fn call(&mut self) -> Result<()> {
        self.0.whoami().await?;
        Ok(())
    }
}

struct Writer {
    client: Client,
    cluster: Name,
}

impl Writer {
    fn new(client: Client, number: usize) -> Result<Self> {
        let cluster = cluster_name(number).parse().ok().context("a cluster's name is not valid")?;
        Ok(Self { client, cluster })
    }
}

impl Caller for Writer {
    async fn call(&mut self) -> Result<()> {
        self.client.cluster_retry(&self.cluster, None).await?;
        Ok(())
    }
}
