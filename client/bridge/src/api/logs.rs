//! The output of a service, and how a follower that was cut off goes on.
//!
//! Lines have no numbers. Where the orchestrator says when a line was written, an event's id tells for each container the
//! time of its last line and how many lines of that time were sent; a follower that comes with it gets what is behind.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_protocol::model::service::LogLine;
use muster_protocol::{Request, Timestamp};

use super::caller::Caller;
use crate::extract::path::ServicePath;
use crate::extract::wants_events;
use crate::problem::Problem;

/// With more containers an id would be longer than a header may be.
const MOST_CONTAINERS: usize = 48;
const LAST_EVENT_ID: &str = "last-event-id";

/// How far a follower has seen each container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct LogPosition(BTreeMap<String, (u64, u32)>);

impl LogPosition {
    fn parse(id: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let seen: BTreeMap<String, (u64, u32)> = serde_json::from_slice(&bytes).ok()?;
        Some(Self(seen))
    }

    /// Notes a line, and returns the id that tells it; none if it cannot be told.
    fn note(&mut self, line: &LogLine) -> Option<String> {
        let at = line.at?.as_millis();
        let last = self.0.entry(line.container.clone()).or_insert((at, 0));
        *last = if last.0 == at { (at, last.1 + 1) } else { (at, 1) };
        if self.0.len() > MOST_CONTAINERS {
            return None;
        }
        serde_json::to_vec(&self.0).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Passes over the lines that were seen.
    fn is_new(&mut self, line: &LogLine) -> bool {
        let (Some(at), Some(last)) = (line.at.map(Timestamp::as_millis), self.0.get_mut(&line.container)) else {
            return true;
        };
        if at < last.0 {
            return false;
        }
        if at == last.0 && last.1 > 0 {
            last.1 -= 1;
            return false;
        }
        true
    }
}

/// Answers a request for a service's output.
///
/// # Errors
/// If the daemon refuses, or it is followed other than by server-sent events.
pub async fn answer(
    caller: &Caller,
    path: ServicePath,
    follow: bool,
    tail: Option<u32>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let ServicePath { name: cluster, service } = path;
    let is_events = wants_events(headers);
    if follow && !is_events {
        let problem = Problem::invalid("follow", "output is followed as server-sent events only");
        return Err(problem.with_remedy("send `Accept: text/event-stream`"));
    }
    let resumed = headers.get(LAST_EVENT_ID).and_then(|id| LogPosition::parse(id.to_str().ok()?));
    let tail = if resumed.is_some() { None } else { tail };
    let request = Request::ServiceLogs { cluster: cluster.clone(), service: service.clone(), follow, tail };
    let lines = caller.stream(&request, |client| client.service_logs(&cluster, &service, follow, tail)).await?;
    if !is_events {
        return lines.as_lines().await;
    }
    let mut sent = resumed.clone().unwrap_or_default();
    let mut passed_over = resumed.unwrap_or_default();
    let new = lines.filter(move |line| passed_over.is_new(line));
    Ok(new.as_events("log", move |line| sent.note(line)))
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::service::LogSource;

    use super::*;

    fn line(container: &str, at: u64, text: &str) -> LogLine {
        LogLine {
            container: container.to_owned(),
            name: "web.1".to_owned(),
            source: LogSource::Stdout,
            at: Some(Timestamp::from_millis(at)),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_follower_that_comes_again_gets_exactly_what_is_behind_its_last_line() {
        let all = [line("a", 1, "1"), line("a", 2, "2"), line("b", 2, "3"), line("a", 2, "4"), line("b", 3, "5")];
        for cut in 1..=all.len() {
            let mut sent = LogPosition::default();
            let ids: Vec<String> = all[..cut].iter().filter_map(|line| sent.note(line)).collect();
            let mut seen = LogPosition::parse(ids.last().unwrap()).unwrap();
            let rest: Vec<&str> = all.iter().filter(|line| seen.is_new(line)).map(|line| line.text.as_str()).collect();
            let expected: Vec<&str> = all[cut..].iter().map(|line| line.text.as_str()).collect();
            assert_eq!(rest, expected, "cut behind {cut}");
        }
    }

    #[test]
    fn a_line_without_a_time_has_no_id_and_is_never_passed_over() {
        let untimed = LogLine { at: None, ..line("a", 0, "x") };
        assert_eq!(LogPosition::default().note(&untimed), None);
        assert!(LogPosition(BTreeMap::from([("a".to_owned(), (5, 1))])).is_new(&untimed));
    }
}
