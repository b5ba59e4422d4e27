//! The simulated command and the simulated port: both say back what they hear.

use futures::StreamExt;
use futures::stream;
use muster_protocol::{ExecOutput, StreamInput, StreamItem};
use tokio::sync::mpsc;

use crate::duplex::{Duplex, ExecOrder};
use crate::failure::Failure;

const QUEUE: usize = 16;

/// A command that says its arguments, then each line that it hears, and exits when it hears `exit CODE` or nothing more.
/// Lines that begin with `!` come back on standard error.
pub(super) fn command(order: &ExecOrder) -> Duplex {
    let (input, heard) = mpsc::channel(QUEUE);
    let first = StreamItem::Exec(ExecOutput::Stdout(format!("{}\n", order.command.join(" ")).into_bytes()));
    let shell = Shell { heard, unread: Vec::new(), is_over: false };
    let answers = stream::unfold(shell, |mut shell| async { shell.next().await.map(|item| (Ok(item), shell)) });
    Duplex { output: stream::iter([Ok(first)]).chain(answers).boxed(), input }
}

/// A connection to something that says back what it hears.
pub(super) fn echo() -> Duplex {
    let (input, heard) = mpsc::channel(QUEUE);
    let output = stream::unfold(heard, |mut heard: mpsc::Receiver<StreamInput>| async {
        loop {
            match heard.recv().await? {
                StreamInput::Bytes(bytes) => return Some((Ok::<_, Failure>(StreamItem::Bytes(bytes)), heard)),
                StreamInput::End => return None,
                StreamInput::Resize(_) => {}
            }
        }
    });
    Duplex { output: output.boxed(), input }
}

struct Shell {
    heard: mpsc::Receiver<StreamInput>,
    unread: Vec<u8>,
    is_over: bool,
}

impl Shell {
    async fn next(&mut self) -> Option<StreamItem> {
        loop {
            if self.is_over {
                return None;
            }
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(self.answer(line));
            }
            match self.heard.recv().await {
                Some(StreamInput::Bytes(bytes)) => self.unread.extend(bytes),
                Some(StreamInput::Resize(size)) => {
                    let said = format!("{}x{}\n", size.columns, size.rows);
                    return Some(StreamItem::Exec(ExecOutput::Stdout(said.into_bytes())));
                }
                Some(StreamInput::End) | None => return Some(self.exit(0)),
            }
        }
    }

    fn answer(&mut self, line: Vec<u8>) -> StreamItem {
        let text = String::from_utf8_lossy(&line);
        if let Some(code) = text.trim_end().strip_prefix("exit") {
            return self.exit(code.trim().parse().unwrap_or(0));
        }
        let is_error = line.starts_with(b"!");
        StreamItem::Exec(if is_error { ExecOutput::Stderr(line) } else { ExecOutput::Stdout(line) })
    }

    fn exit(&mut self, code: i64) -> StreamItem {
        self.is_over = true;
        StreamItem::Exec(ExecOutput::Exit(code))
    }
}
