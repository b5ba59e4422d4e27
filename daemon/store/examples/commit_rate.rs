//! Measures durable commits: `commit_rate <directory> [clients] [seconds]`. Every commit is a record of 200 bytes and an
//! event, acknowledged after the fsync. The directory must be on the disk that is to be measured, not on tmpfs.

use std::time::{Duration, Instant};

use muster_store::{Batch, CodecError, OpenOptions, Payload, Record, Store, Table, codec};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Sample {
    number: u64,
    filling: Vec<u8>,
}

impl Payload for Sample {
    const SCHEMA: u16 = 1;
    fn decode(_: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes)
    }
}

impl Record for Sample {
    const TABLE: Table = Table::Meta;
    fn key(&self) -> Vec<u8> {
        self.number.to_be_bytes().to_vec()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("usage: commit_rate <directory> [clients] [seconds]")?;
    let clients: u64 = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;

    let (store, _) = Store::open(&dir, OpenOptions::default()).await?;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for client in 0..clients {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let sample = Sample { number: client, filling: vec![client as u8; 200] };
                let mut batch = Batch::new();
                batch.put(&sample)?.append_event(&sample)?;
                let begun = Instant::now();
                store.commit(batch).await?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await?.map_err(|error| error.to_string())?);
    }
    let elapsed = start.elapsed();
    store.close().await;
    latencies.sort_unstable();
    let at = |part: usize| latencies.get(latencies.len().saturating_sub(1) * part / 1000).copied().unwrap_or_default();
    let rate = latencies.len() as f64 / elapsed.as_secs_f64();
    let report = format!(
        "{clients} clients: {rate:.0} commits/s, latency p50 {:?}, p99 {:?}, worst {:?}\n",
        at(500),
        at(990),
        at(1000)
    );
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(())
}
