//! Ten thousand connections to a daemon with its usual limits: they cost little, and touch nobody else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use muster_client::Client;
use muster_protocol::codec::MAX_FRAME_BYTES;
use muster_protocol::handshake::{self, HandshakeError};
use muster_protocol::hello::{Hello, Refusal};
use muster_tests::daemon::Daemon;
use muster_tests::perf::daemon::{Usage, retried};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

const CONNECTIONS: usize = 10_000;
/// Connections of one user, if nothing else is configured.
const ALLOWED: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(20);
/// Who takes no more for so long has taken what there is.
const STEADY: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);
/// Far below what the largest frames of all connections would take.
const MOST_MEMORY_MB: f64 = 200.0;

#[tokio::test]
async fn ten_thousand_connections_with_half_a_frame_each_cost_little_and_touch_nobody() -> Result<()> {
    let daemon = Daemon::start("").await?;
    let told = crowd(&daemon).await;
    daemon.show_log_of_failure(&told);
    told
}

/// Half of the largest frame that there is, as far as anybody takes it; and then nothing.
async fn send_half_a_frame(mut stream: UnixStream) -> Result<()> {
    static HALF: [u8; MAX_FRAME_BYTES / 2] = [0; MAX_FRAME_BYTES / 2];
    stream.write_all(&u32::try_from(MAX_FRAME_BYTES)?.to_be_bytes()).await?;
    stream.write_all(&HALF).await?;
    std::future::pending().await
}

/// Waits until the daemon's memory has not grown for a while.
async fn until_nothing_more_is_taken(pid: u32) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let (mut peak, mut since) = (0.0, Instant::now());
    while since.elapsed() < STEADY {
        ensure!(Instant::now() < deadline, "it still takes more: {peak:.0} MB");
        tokio::time::sleep(POLL).await;
        let now = Usage::of(pid)?.peak_mb;
        if now > peak {
            (peak, since) = (now, Instant::now());
        }
    }
    Ok(())
}

async fn crowd(daemon: &Daemon) -> Result<()> {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).context("cannot raise the number of open files")?;
    let client = Client::connect(daemon.socket()).await?;

    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        let mut stream = UnixStream::connect(daemon.socket()).await.context("cannot connect")?;
        match handshake::connect(&mut stream, &Hello::of_this_build("crowd"), PATIENCE).await {
            Ok(_) => {
                kept.push(tokio::spawn(send_half_a_frame(stream)));
            }
            // Not closed from this side: who is refused may hold on.
            Err(HandshakeError::Refused { refusal: Refusal::Busy, .. }) => refused.push(stream),
            Err(error) => bail!("connection {} was met with: {error}", kept.len() + refused.len()),
        }
    }
    until_nothing_more_is_taken(daemon.pid()?).await?;
    ensure!(kept.len() < ALLOWED && refused.len() > CONNECTIONS - ALLOWED, "{} were let in", kept.len());
    tokio::time::timeout(PATIENCE, client.whoami()).await.context("another session is touched")??;
    let usage = Usage::of(daemon.pid()?)?;
    println!("{CONNECTIONS} connections, {} let in: at most {:.0} MB", kept.len(), usage.peak_mb);
    ensure!(usage.peak_mb < MOST_MEMORY_MB, "{usage:?}");

    kept.iter().for_each(tokio::task::JoinHandle::abort);
    retried(async || Ok(Client::connect(daemon.socket()).await?)).await.context("no place is free again")?;
    Ok(())
}
