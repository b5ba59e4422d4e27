//! Callers in a closed loop: each asks again as soon as it is answered.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

/// Somebody who asks for something, again and again.
pub trait Caller: Send + 'static {
    /// Asks once, and waits for the answer.
    fn call(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// What callers saw.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// How long each call took.
    latencies: Vec<Duration>,
    /// How long the callers were at it.
    elapsed: Duration,
}

impl Sample {
    /// Adds what was seen in another round.
    pub fn add(&mut self, other: Sample) {
        self.latencies.extend(other.latencies);
        self.elapsed += other.elapsed;
    }

    /// Calls.
    pub fn calls(&self) -> usize {
        self.latencies.len()
    }

    /// Calls per second of all callers together.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this part of the calls kept within, in milliseconds; 0 without calls.
    pub fn quantile_ms(&self, part: f64) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let place = ((sorted.len() as f64 * part).ceil() as usize).saturating_sub(1);
        sorted.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// Has all callers call for this time, and gives them back with what they saw.
pub async fn closed_loop<C: Caller>(callers: Vec<C>, time: Duration) -> Result<(Vec<C>, Sample)> {
    let began = Instant::now();
    let end = began + time;
    let mut loops = JoinSet::new();
    for mut caller in callers {
        loops.spawn(async move {
            let mut latencies = Vec::new();
            let mut asked = Instant::now();
            while asked < end {
                caller.call().await?;
                let answered = Instant::now();
                latencies.push(answered - asked);
                asked = answered;
            }
            Ok::<_, anyhow::Error>((caller, latencies))
        });
    }
    let (mut callers, mut sample) = (Vec::new(), Sample::default());
    while let Some(ended) = loops.join_next().await {
        let (caller, latencies) = ended.context("a caller broke off")??;
        callers.push(caller);
        sample.latencies.extend(latencies);
    }
    sample.elapsed = began.elapsed();
    Ok((callers, sample))
}

/// Rounds of a comparison. Sides take turns, so that a host that is slower for a while is so for both.
const ROUNDS: u32 = 3;

/// Measures two sides in turns, each for `time` in all.
pub async fn compare<A: Caller, B: Caller>(
    mut ones: Vec<A>,
    mut others: Vec<B>,
    time: Duration,
) -> Result<(Sample, Sample)> {
    let mut samples = (Sample::default(), Sample::default());
    for _ in 0..ROUNDS {
        let seen;
        (ones, seen) = closed_loop(ones, time / ROUNDS).await?;
        samples.0.add(seen);
        let seen;
        (others, seen) = closed_loop(others, time / ROUNDS).await?;
        samples.1.add(seen);
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: impl IntoIterator<Item = u64>) -> Sample {
        let latencies = milliseconds.into_iter().map(Duration::from_millis).collect();
        Sample { latencies, elapsed: Duration::from_secs(2) }
    }

    #[test]
    fn quantiles_are_latencies_that_were_seen() {
        let hundred = sample((1..=100).rev());
        assert_eq!(hundred.quantile_ms(0.5), 50.0);
        assert_eq!(hundred.quantile_ms(0.99), 99.0);
        assert_eq!(sample([7]).quantile_ms(0.99), 7.0);
        assert_eq!(sample([]).quantile_ms(0.99), 0.0);
    }

    #[test]
    fn rounds_add_up_to_one_rate() {
        let mut both = sample(1..=100);
        both.add(sample(1..=300));
        assert_eq!(both.rate(), 100.0);
    }
}
