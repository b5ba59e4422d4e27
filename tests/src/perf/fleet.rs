//! Thousands of simulated clusters in one daemon, and a daemon with none.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use muster_client::Client;
use muster_client::protocol::model::cluster::{ClusterPhase, ClusterSpec, Infrastructure, Orchestrator};
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::page::PageRequest;
use muster_client::protocol::{Name, Timestamp};
use tokio::time::sleep;

use super::daemon::{Daemon, Usage};
use super::figure::Figure;
use super::load::{Caller, Sample, closed_loop};
use super::{Options, say};

/// Clusters that are made while lists and infos are asked for.
const CREATES: usize = 200;
/// Requests under way at once, on connections with half as many each.
const CONCURRENT: usize = 64;
/// How often the daemon is killed and started again.
const STARTS: usize = 3;
/// Until work that was asked for is over, or the daemon has come to rest.
const REST: Duration = Duration::from_secs(5);
/// Until all supervisors must have looked at their clusters after a start.
const RESUME_LIMIT: Duration = Duration::from_secs(60);

/// The figures.
pub async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let mut figures = vec![empty(options).await?];
    let count = options.clusters;
    let dir = options.dir.join("fleet");
    let daemon = Daemon::start_and_wait(&options.musterd, &dir).await?;
    say(&format!("fleet: {count} clusters of 10 machines"));
    let names: Vec<String> = (0..count).map(|number| format!("fleet-{number}")).collect();
    let began = Instant::now();
    create_clusters(&daemon, specs(&names)?).await?;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    figures.push(Figure::new(format!("{count} clusters: made ready"), rate, "1/s"));

    say("fleet: lists and infos while clusters are made");
    let (list, info) = reads_while_creating(&daemon, count).await?;
    figures.push(Figure::new("first page p99 while 200 creates run", list.quantile_ms(0.99), "ms").at_most(50.0));
    figures.push(Figure::new("first page p50 while 200 creates run", list.quantile_ms(0.5), "ms"));
    figures.push(Figure::new("info p99 while 200 creates run", info.quantile_ms(0.99), "ms").at_most(5.0));
    figures.push(Figure::new("info p50 while 200 creates run", info.quantile_ms(0.5), "ms"));
    ensure!(list.calls() >= 100 && info.calls() >= 100, "too few reads fell into the creates for a p99");

    say(&format!("fleet: idle for {} s", options.idle_time.as_secs()));
    let (usage, load) = idle(&daemon, options.idle_time).await?;
    figures.push(Figure::new(format!("{count} clusters: memory"), usage.memory_mb, "MB").at_most(400.0));
    figures.push(Figure::new(format!("{count} clusters: peak of memory so far"), usage.peak_mb, "MB"));
    figures.push(Figure::new(format!("{count} clusters: idle, part of a core"), load * 100.0, "%").less_than(1.0));

    figures.extend(starts(options, daemon, count).await?);
    Ok(figures)
}

/// A daemon that has nothing to do.
async fn empty(options: &Options) -> Result<Figure> {
    let daemon = Daemon::start_and_wait(&options.musterd, &options.dir.join("empty")).await?;
    sleep(REST).await;
    Ok(Figure::new("no clusters: memory", daemon.usage()?.memory_mb, "MB").at_most(40.0))
}

/// A simulated cluster.
pub fn spec(name: &str, control_planes: u32, workers: u32) -> Result<ClusterSpec> {
    let name = name.parse().ok().with_context(|| format!("`{name}` is not a valid name"))?;
    let blank = ClusterSpec::new(name, Orchestrator::Sim, Infrastructure::Sim);
    Ok(ClusterSpec { control_planes, workers, ..blank })
}

fn specs(names: &[String]) -> Result<Vec<ClusterSpec>> {
    names.iter().map(|name| spec(name, 3, 7)).collect()
}

/// Creates clusters and waits until each is ready.
pub async fn create_clusters(daemon: &Daemon, specs: Vec<ClusterSpec>) -> Result<()> {
    let clients = daemon.clients(2).await?;
    let created = stream::iter(specs.into_iter().zip(clients.iter().cycle()));
    let created = created.map(|(spec, client)| async move {
        let name = spec.name.clone();
        let operation = client.cluster_create(spec, None).await?;
        let ended = client.wait(operation.id).await?;
        ensure!(ended.phase == OperationPhase::Succeeded, "{name} was not made: {}", ended.message);
        Ok(())
    });
    created.buffer_unordered(CONCURRENT).try_collect().await
}

async fn delete_clusters(daemon: &Daemon, names: &[String]) -> Result<()> {
    let clients = daemon.clients(2).await?;
    let deleted = stream::iter(names.iter().zip(clients.iter().cycle()));
    let deleted = deleted.map(|(name, client)| async move {
        let name: Name = name.parse().ok().context("a cluster's name is not valid")?;
        let operation = client.cluster_delete(&name, None).await?;
        client.wait(operation.id).await?;
        Ok(())
    });
    deleted.buffer_unordered(CONCURRENT).try_collect().await
}

/// What lists and infos cost while clusters are being made; those are removed again.
async fn reads_while_creating(daemon: &Daemon, count: usize) -> Result<(Sample, Sample)> {
    let names: Vec<String> = (0..CREATES).map(|number| format!("late-{number}")).collect();
    let lister = Lister { client: daemon.client().await? };
    let asker = PagesReader { client: daemon.client().await?, count, next: 0 };
    // Asked in short loops, so that they end when the creates do.
    let reads = async {
        let slice = Duration::from_millis(50);
        let (mut listers, mut askers) = (vec![lister], vec![asker]);
        let (mut list, mut info) = (Sample::default(), Sample::default());
        let mut creates = std::pin::pin!(create_clusters(daemon, specs(&names)?));
        loop {
            let slices = async { tokio::try_join!(closed_loop(listers, slice), closed_loop(askers, slice)) };
            let mut slices = std::pin::pin!(slices);
            let (seen, is_over) = tokio::select! {
                created = &mut creates => {
                    created?;
                    (slices.await?, true)
                }
                seen = &mut slices => (seen?, false),
            };
            let ((back, listed), (others, asked)) = seen;
            (listers, askers) = (back, others);
            list.add(listed);
            info.add(asked);
            if is_over {
                return Ok::<_, anyhow::Error>((list, info));
            }
        }
    };
    let samples = reads.await?;
    delete_clusters(daemon, &names).await?;
    Ok(samples)
}

struct Lister {
    client: Client,
}

impl Caller for Lister {
    async fn call(&mut self) -> Result<()> {
        let page = self.client.cluster_list(PageRequest::default()).await?;
        ensure!(!page.items.is_empty(), "the first page is empty");
        Ok(())
    }
}

struct PagesReader {
    client: Client,
    count: usize,
    next: usize,
}

impl Caller for PagesReader {
    async fn call(&mut self) -> Result<()> {
        // A step that meets all of them, in an order that no cache guesses.
        self.next = (self.next + 7919) % self.count;
        let name: Name = format!("fleet-{}", self.next).parse().ok().context("a cluster's name is not valid")?;
        self.client.cluster_info(&name).await?;
        Ok(())
    }
}

/// Memory, and the part of a core that is used, while nobody asks for anything.
async fn idle(daemon: &Daemon, time: Duration) -> Result<(Usage, f64)> {
    sleep(REST).await;
    let (before, began) = (daemon.usage()?, Instant::now());
    sleep(time).await;
    let after = daemon.usage()?;
    Ok((after, (after.cpu - before.cpu).as_secs_f64() / began.elapsed().as_secs_f64()))
}

/// Times from the start of the process after a kill -9: until it answers, until all supervisors go on. Of several starts
/// the slowest counts.
async fn starts(options: &Options, mut daemon: Daemon, count: usize) -> Result<Vec<Figure>> {
    let (mut answering, mut resumed, mut memory) = (Duration::ZERO, Duration::ZERO, 0.0_f64);
    for start in 1..=STARTS {
        say(&format!("fleet: kill -9 and start, {start} of {STARTS}"));
        daemon.kill().await?;
        let (began, at) = (Instant::now(), now());
        daemon = Daemon::start(&options.musterd, &options.dir.join("fleet"))?;
        let client = daemon.client().await?;
        ensure!(!client.cluster_list(PageRequest::default()).await?.items.is_empty(), "the clusters are gone");
        answering = answering.max(began.elapsed());
        until_all_were_looked_at(&client, count, at).await?;
        resumed = resumed.max(began.elapsed());
        sleep(REST).await;
        memory = memory.max(daemon.usage()?.memory_mb);
    }
    Ok(vec![
        Figure::new("after kill -9: until it answers", answering.as_secs_f64() * 1000.0, "ms").at_most(300.0),
        Figure::new("after kill -9: until all supervisors resumed", resumed.as_secs_f64(), "s").at_most(2.0),
        Figure::new("after kill -9: memory", memory, "MB").at_most(400.0),
    ])
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A supervisor has resumed when it has looked at its cluster since the start, and the cluster is ready.
async fn until_all_were_looked_at(client: &Client, count: usize, since: Timestamp) -> Result<()> {
    let mut waiting: HashSet<usize> = (0..count).collect();
    let began = Instant::now();
    while !waiting.is_empty() {
        ensure!(began.elapsed() < RESUME_LIMIT, "{} supervisors have not resumed", waiting.len());
        let asked = stream::iter(waiting.iter().copied()).map(|number| async move {
            let name: Name = format!("fleet-{number}").parse().ok().context("a cluster's name is not valid")?;
            let info = client.cluster_info(&name).await?;
            let is_back =
                info.summary.phase == ClusterPhase::Ready && info.observed_at.is_some_and(|seen| seen >= since);
            Ok::<_, anyhow::Error>((number, is_back))
        });
        let seen: Vec<(usize, bool)> = asked.buffer_unordered(CONCURRENT / 2).try_collect().await?;
        for (number, _) in seen.into_iter().filter(|(_, is_back)| *is_back) {
            waiting.remove(&number);
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
