//! Lines of one container's output, and of several in the order of their times.

use futures::io::{AsyncBufRead, AsyncBufReadExt as _};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use muster_engine::failure::Failure;
use muster_protocol::model::service::{LogLine, LogSource};
use muster_protocol::{ErrorCode, Timestamp};

/// A line that is longer comes in pieces: a container that never ends its line must not fill the memory.
const LONGEST: usize = 1 << 20;

/// The output of one start of a container.
pub(super) struct Lines {
    reader: Box<dyn AsyncBufRead + Send + Unpin>,
    container: String,
    name: String,
}

impl Lines {
    pub(super) fn new(pod: &Pod, reader: impl AsyncBufRead + Send + 'static) -> Self {
        Self {
            reader: Box::new(Box::pin(reader)),
            container: pod.metadata.uid.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// Its lines, to the end or to the first failure.
    pub(super) fn stream(self) -> BoxStream<'static, Result<LogLine, Failure>> {
        let lines = futures::stream::try_unfold(self, async |mut lines| {
            let mut bytes = Vec::new();
            let read = read_line(&mut lines.reader, &mut bytes).await;
            let more = read.map_err(|error| {
                let message = format!("read the output of {}: {error}", lines.name);
                Failure::not_applied(ErrorCode::Unreachable, message)
            })?;
            Ok(more.then(|| (line(&lines, &bytes), lines)))
        });
        lines.boxed()
    }
}

/// Reads up to and with the next line end. Whether there was anything.
async fn read_line(reader: &mut (dyn AsyncBufRead + Send + Unpin), line: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        let chunk = reader.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = chunk.iter().position(|byte| *byte == b'\n').map_or(chunk.len(), |place| place + 1);
        let taken = end.min(LONGEST - line.len());
        line.extend_from_slice(&chunk[..taken]);
        reader.consume_unpin(taken);
        if line.last() == Some(&b'\n') || line.len() == LONGEST {
            return Ok(true);
        }
    }
}

/// One line, as the kubelet writes it: time, a space, text.
fn line(lines: &Lines, bytes: &[u8]) -> LogLine {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let (at, text) = match text.split_once(' ') {
        Some((first, rest)) => match first.parse::<Timestamp>() {
            Ok(at) => (Some(at), rest),
            Err(_) => (None, text),
        },
        None => match text.parse::<Timestamp>() {
            Ok(at) => (Some(at), ""),
            Err(_) => (None, text),
        },
    };
    LogLine {
        container: lines.container.clone(),
        name: lines.name.clone(),
        source: LogSource::Stdout,
        at,
        text: text.to_owned(),
    }
}

/// The lines of several containers, the earliest first. A line without a time goes before what follows it.
pub(super) fn merged(sources: Vec<Lines>) -> BoxStream<'static, Result<LogLine, Failure>> {
    let heads: Vec<_> = sources.into_iter().map(|lines| (lines.stream(), None::<LogLine>, false)).collect();
    let merged = futures::stream::try_unfold(heads, async |mut heads| {
        for (stream, head, has_ended) in &mut heads {
            if head.is_none() && !*has_ended {
                *head = stream.try_next().await?;
                *has_ended = head.is_none();
            }
        }
        let earliest = heads.iter_mut().filter(|(_, head, _)| head.is_some());
        let next = earliest.min_by_key(|(_, head, _)| head.as_ref().and_then(|line| line.at));
        let line = next.and_then(|(_, head, _)| head.take());
        Ok::<_, Failure>(line.map(|line| (line, heads)))
    });
    merged.boxed()
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    fn of(name: &str, text: &str) -> Lines {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        pod.metadata.uid = Some(format!("{name}-uid"));
        Lines::new(&pod, Cursor::new(text.as_bytes().to_vec()))
    }

    async fn texts(stream: BoxStream<'static, Result<LogLine, Failure>>) -> Vec<String> {
        let lines: Vec<LogLine> = stream.try_collect().await.unwrap();
        lines.into_iter().map(|line| format!("{} {}", line.name, line.text)).collect()
    }

    #[tokio::test]
    async fn a_line_has_its_time_its_container_and_its_text() {
        let text = "2026-11-23T14:00:00.123456789Z hello  world\r\n2026-11-23T14:00:01Z \nno time";
        let lines: Vec<LogLine> = of("web", text).stream().try_collect().await.unwrap();
        assert_eq!(lines[0].at, Some("2026-11-23T14:00:00.123Z".parse().unwrap()));
        assert_eq!((lines[0].container.as_str(), lines[0].text.as_str()), ("web-uid", "hello  world"));
        assert_eq!(lines[1].text, "", "an empty line stays a line");
        assert_eq!((lines[2].at, lines[2].text.as_str()), (None, "no time"));
    }

    #[tokio::test]
    async fn a_long_line_is_one_line() {
        let long = "ä".repeat(40_000);
        let text = format!("2026-11-23T14:00:00Z {long}\n");
        assert_eq!(texts(of("web", &text).stream()).await, [format!("web {long}")]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_comes_in_pieces() {
        let lines = texts(of("web", &"x".repeat(LONGEST + 10)).stream()).await;
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1], format!("web {}", "x".repeat(10)));
    }

    #[tokio::test]
    async fn lines_of_several_containers_come_in_the_order_of_their_times() {
        let one = of("a", "2026-11-23T14:00:01Z one\n2026-11-23T14:00:03Z three\n");
        let other = of("b", "2026-11-23T14:00:02Z two\n2026-11-23T14:00:04Z four\n");
        assert_eq!(texts(merged(vec![one, other])).await, ["a one", "b two", "a three", "b four"]);
    }
}
