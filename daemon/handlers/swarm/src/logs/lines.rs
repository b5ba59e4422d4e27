//! Lines, from the pieces in which the engine hands them out: it cuts what a container writes every 16 KiB, wherever that is,
//! and only the last piece of a line ends with its end.

use std::collections::BTreeMap;

use bollard::container::LogOutput;
use muster_protocol::Timestamp;
use muster_protocol::model::service::{LogLine, LogSource};

/// Where the engine says which task a piece is from.
const TASK_DETAIL: &str = "com.docker.swarm.task.id";
/// A longer line is cut, so that a container that never ends one cannot fill the memory.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Lines whose end has not come yet, by container and source.
#[derive(Default)]
pub(super) struct Lines {
    unfinished: BTreeMap<(String, bool), Unfinished>,
}

struct Unfinished {
    /// When its first piece was written.
    at: Option<Timestamp>,
    bytes: Vec<u8>,
}

/// A piece, as the engine writes it: time, details, bytes.
struct Piece<'a> {
    at: Option<Timestamp>,
    container: String,
    bytes: &'a [u8],
}

impl Lines {
    /// Takes a piece, and gives the line that it ends, if it does.
    pub(super) fn take(&mut self, chunk: LogOutput) -> Option<LogLine> {
        let (is_error, message) = match chunk {
            LogOutput::StdErr { message } => (true, message),
            LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
                (false, message)
            }
        };
        let Piece { at, container, bytes } = piece(&message);
        let key = (container, is_error);
        let unfinished = self.unfinished.entry(key.clone()).or_insert_with(|| Unfinished { at, bytes: Vec::new() });
        unfinished.bytes.extend_from_slice(bytes);
        let is_whole = unfinished.bytes.ends_with(b"\n") || unfinished.bytes.len() >= MAX_LINE_BYTES;
        // Without a time it is no piece of a container, but a word of the engine's own.
        if !is_whole && at.is_some() {
            return None;
        }
        let ended = self.unfinished.remove(&key)?;
        Some(line(key, ended))
    }

    /// A line that has no end, if there is one.
    pub(super) fn rest(&mut self) -> Option<LogLine> {
        let (key, ended) = self.unfinished.pop_first()?;
        Some(line(key, ended))
    }
}

fn line((container, is_error): (String, bool), Unfinished { at, bytes }: Unfinished) -> LogLine {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let source = if is_error { LogSource::Stderr } else { LogSource::Stdout };
    let text = String::from_utf8_lossy(bytes).into_owned();
    LogLine { container, name: String::new(), source, at, text }
}

fn piece(message: &[u8]) -> Piece<'_> {
    let (first, rest) = word(message);
    let Some(at) = first.parse::<Timestamp>().ok() else {
        return Piece { at: None, container: String::new(), bytes: message };
    };
    let (details, text) = word(rest);
    match task_in(&details) {
        Some(container) => Piece { at: Some(at), container, bytes: text },
        None => Piece { at: Some(at), container: String::new(), bytes: rest },
    }
}

/// What stands before the first blank, as text, and what stands behind it.
fn word(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at(end);
    (String::from_utf8_lossy(first).into_owned(), rest.get(1..).unwrap_or_default())
}

fn task_in(details: &str) -> Option<String> {
    let mut pairs = details.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == TASK_DETAIL).map(|(_, id)| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(task: &str, bytes: &[u8]) -> LogOutput {
        let head = format!("2026-11-23T14:00:00Z com.docker.swarm.node.id=n,com.docker.swarm.task.id={task} ");
        LogOutput::StdOut { message: [head.as_bytes(), bytes].concat().into() }
    }

    fn read(text: &str) -> LogLine {
        Lines::default().take(LogOutput::StdErr { message: text.to_owned().into() }).unwrap()
    }

    #[test]
    fn a_line_has_its_time_its_container_and_its_text() {
        let seen = read(
            "2026-11-23T14:00:00.123456789Z com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=t1 hello  world\r\n",
        );
        assert_eq!(seen.at, Some("2026-11-23T14:00:00.123Z".parse().unwrap()));
        assert_eq!((seen.container.as_str(), seen.text.as_str()), ("t1", "hello  world"));
        assert_eq!(seen.source, LogSource::Stderr);
    }

    #[test]
    fn an_empty_line_stays_a_line() {
        let seen = read("2026-11-23T14:00:00Z com.docker.swarm.task.id=t1 \n");
        assert_eq!((seen.container.as_str(), seen.text.as_str()), ("t1", ""));
    }

    #[test]
    fn what_cannot_be_parsed_is_shown_as_it_is() {
        let seen = read("error from daemon in stream\n");
        assert_eq!((seen.at, seen.text.as_str()), (None, "error from daemon in stream"));
    }

    #[test]
    fn pieces_of_one_line_are_one_line_whoever_writes_between_them() {
        let mut lines = Lines::default();
        // Cut in the middle of a letter of two bytes.
        assert_eq!(lines.take(chunk("t1", b"one \xc3")), None);
        assert_eq!(lines.take(chunk("t2", b"other\n")).map(|line| line.text), Some("other".to_owned()));
        assert_eq!(lines.take(chunk("t1", b"\xa4\n")).map(|line| line.text), Some("one \u{e4}".to_owned()));
    }

    #[test]
    fn an_end_that_comes_alone_is_no_line_of_its_own() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(chunk("t1", b"full")), None);
        assert_eq!(lines.take(chunk("t1", b"\n")).map(|line| line.text), Some("full".to_owned()));
        assert_eq!(lines.rest(), None);
    }

    #[test]
    fn a_last_line_without_an_end_is_not_lost() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(chunk("t1", b"two")), None);
        assert_eq!(lines.rest().map(|line| line.text), Some("two".to_owned()));
        assert_eq!(lines.rest(), None);
    }
}
