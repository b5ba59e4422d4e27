//! Forgetting old history: events, ended operations, answers to idempotency keys, audit records.

use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{OperationId, Timestamp};
use muster_store::{Batch, BatchError, CommitError, PruneError, ReadError};
use tracing::{error, info};

use super::History;
use crate::app::App;
use crate::gateway::idempotency::REMEMBERED;
use crate::journal::records::{StoredAnswer, StoredEvent, StoredOperation};

/// Records forgotten in one batch, so that others need not wait long.
const AT_ONCE: usize = 500;

/// The most ended operations that are kept for being young: some 50 MB of memory. Whoever asks again with the key of one
/// that was forgotten is told so, and the change is not made twice.
const OF_A_DAY: usize = 100_000;

#[derive(Debug, thiserror::Error)]
enum ForgetError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Prune(#[from] PruneError),
}

/// Forgets what is too old or too much.
pub async fn forget(app: &App, history: History) {
    let forgotten = async {
        let answers = answers(app).await?;
        let operations = operations(app, history.operations).await?;
        let events = events(app, history).await?;
        let audit = app.store.prune_audit(history.audit).await?;
        Ok::<_, ForgetError>((answers, operations, events, audit))
    };
    match forgotten.await {
        Ok((0, 0, 0, 0)) => {}
        Ok((answers, operations, events, audit)) => {
            info!(answers, operations, events, audit, "old history is forgotten");
        }
        Err(cause) => error!(%cause, "old history could not be forgotten"),
    }
}

async fn answers(app: &App) -> Result<usize, ForgetError> {
    let now = app.now();
    let answers = app.store.scan::<StoredAnswer>(&[]).await?;
    let old: Vec<StoredAnswer> = answers.into_iter().filter(|answer| now.since(answer.at) >= REMEMBERED).collect();
    for some in old.chunks(AT_ONCE) {
        let mut batch = Batch::new();
        for answer in some {
            batch.delete::<StoredAnswer>(&StoredAnswer::key_of(&answer.principal, &answer.idempotency_key))?;
        }
        app.store.commit(batch).await?;
    }
    Ok(old.len())
}

async fn operations(app: &App, kept: usize) -> Result<usize, ForgetError> {
    let board = &app.provisioner.shared.board;
    let old = too_many(&board.operations(None, usize::MAX, |_| true), kept, OF_A_DAY, app.now());
    for some in old.chunks(AT_ONCE) {
        let mut batch = Batch::new();
        for id in some {
            batch.delete::<StoredOperation>(id.as_bytes())?;
        }
        app.store.commit(batch).await?;
        board.forget_operations(some);
    }
    Ok(old.len())
}

/// Ended operations beyond the newest `kept`. Those that an idempotency key may still be answered with stay, as long as
/// they are no more than `of_a_day`.
fn too_many(newest_first: &[OperationInfo], kept: usize, of_a_day: usize, now: Timestamp) -> Vec<OperationId> {
    let ended = newest_first.iter().filter_map(|operation| Some((operation.id, operation.ended_at?)));
    let beyond = ended.enumerate().skip(kept);
    let too_many = beyond.filter(|(place, (_, at))| *place >= of_a_day || now.since(*at) >= REMEMBERED);
    too_many.map(|(_, (id, _))| id).collect()
}

async fn events(app: &App, history: History) -> Result<u64, ForgetError> {
    let numbers = app.store.event_numbers().await?;
    let by_count = numbers.end.saturating_sub(history.events);
    let oldest_wanted = app.now() - history.events_age;
    // Events are in the order of their times, so the first that is young enough is found by halving.
    let (mut low, mut high) = (numbers.start, numbers.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if written_before(app, middle, oldest_wanted).await? { low = middle + 1 } else { high = middle }
    }
    Ok(app.store.prune_events(low.max(by_count)).await?)
}

async fn written_before(app: &App, number: u64, time: Timestamp) -> Result<bool, ForgetError> {
    let event = app.store.read_events(number - 1, 1).await?;
    let at = event.first().and_then(|event| event.decode::<StoredEvent>().ok()).map(|event| event.at);
    Ok(at.is_some_and(|at| at < time))
}

#[cfg(test)]
mod tests {
    use muster_protocol::ClusterId;
    use muster_protocol::model::operation::{OperationKind, OperationPhase};

    use super::*;

    fn operation(number: u128, ended_at: Option<u64>) -> OperationInfo {
        OperationInfo {
            id: OperationId::from_u128(number),
            kind: OperationKind::ClusterScale,
            cluster_id: ClusterId::from_u128(1),
            cluster: "demo".parse().unwrap(),
            services: Vec::new(),
            phase: if ended_at.is_some() { OperationPhase::Succeeded } else { OperationPhase::Running },
            requested_by: muster_protocol::Principal::user("root"),
            created_at: Timestamp::from_millis(0),
            deadline: Timestamp::from_millis(0),
            ended_at: ended_at.map(Timestamp::from_millis),
            steps_done: 0,
            steps_total: 0,
            message: String::new(),
            cause: None,
        }
    }

    #[test]
    fn running_young_and_the_newest_ended_operations_are_kept() {
        let now = Timestamp::from_millis(0) + REMEMBERED * 10;
        let young = now.as_millis() - 1;
        let newest_first = [
            operation(6, None),
            operation(5, Some(1)),
            operation(4, Some(young)),
            operation(3, None),
            operation(2, Some(1)),
        ];
        assert_eq!(too_many(&newest_first, 1, 9, now), [OperationId::from_u128(2)]);
        assert_eq!(too_many(&newest_first, 9, 9, now), []);
    }

    #[test]
    fn of_young_operations_no_more_are_kept_than_a_daemon_can_hold() {
        let now = Timestamp::from_millis(1000);
        let newest_first =
            [operation(4, Some(900)), operation(3, None), operation(2, Some(900)), operation(1, Some(900))];
        assert_eq!(too_many(&newest_first, 1, 2, now), [OperationId::from_u128(1)]);
        assert_eq!(too_many(&newest_first, 3, 2, now), [], "as many as the configuration says are kept in any case");
    }
}
