//! Running commands on a machine and putting files there.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::lines::LineBuffer;
use super::{Session, SshError};

/// So many of the last lines are kept for the error message and for [`CommandOutput::lines`].
const KEPT_LINES: usize = 200;
const UPLOAD_LIMIT: Duration = Duration::from_secs(60);
/// Output that comes later than this after the end of its command is not the command's own. It is waited for only where
/// something that the command started holds its streams open; less, and a busy machine's own last words would be lost.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);
/// The number that SSH gives to a command's error stream.
const STDERR: u32 = 1;

/// A command to run.
pub struct Command<'a> {
    /// What it is, in one word, for logs and errors.
    pub name: &'a str,
    /// The command line. Everybody on the machine can see it: never a secret.
    pub line: &'a str,
    /// What it reads.
    pub stdin: Bytes,
    /// How long it may take.
    pub limit: Duration,
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandOutput {
    /// Its exit code.
    pub code: u32,
    /// The last lines of both its streams, as they came.
    pub lines: Vec<String>,
}

impl CommandOutput {
    /// An error, if the command did not end with 0.
    pub fn success(self, command: &str) -> Result<Self, SshError> {
        if self.code == 0 {
            return Ok(self);
        }
        Err(SshError::Exit {
            command: command.to_owned(),
            outcome: format!("exit code {}", self.code),
            last_line: self.lines.last().cloned().unwrap_or_default(),
        })
    }
}

impl Session {
    /// Runs a command as root and gives every line of its output as it comes.
    pub async fn run(
        &self,
        command: Command<'_>,
        on_line: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<CommandOutput, SshError> {
        let (name, limit) = (command.name, command.limit);
        let ended = timeout(limit, self.run_unlimited(command, on_line)).await;
        ended.unwrap_or_else(|_| Err(SshError::TimedOut { command: name.to_owned(), limit }))
    }

    /// Puts a file on the machine, owned by root, whole or not at all. The content goes over the connection only.
    pub async fn upload(&self, path: &str, mode: u32, content: impl Into<Bytes>) -> Result<(), SshError> {
        let line = format!(
            "set -e; umask 022; mkdir -p \"${{0%/*}}\"; umask 077; cat > \"$0.new\"; chmod {mode:o} \"$0.new\"; mv -f \"$0.new\" \"$0\""
        );
        let line = format!("sh -c {} {}", quoted(&line), quoted(path));
        let command = Command { name: "upload", line: &line, stdin: content.into(), limit: UPLOAD_LIMIT };
        self.run(command, &|_| ()).await?.success(&format!("upload {path}"))?;
        Ok(())
    }

    async fn run_unlimited(
        &self,
        command: Command<'_>,
        on_line: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<CommandOutput, SshError> {
        let lost = || SshError::Lost { address: self.address.clone(), command: command.name.to_owned() };
        let channel = self.handle.channel_open_session().await.map_err(|_| lost())?;
        let (mut output, input) = channel.split();
        input.exec(true, self.elevation.line(command.line)).await.map_err(|_| lost())?;

        let write = async {
            if let Some(password) = self.elevation.preamble() {
                let line = Zeroizing::new(format!("{}\n", password.expose()).into_bytes());
                input.data_bytes(Bytes::from_owner(line)).await?;
            }
            // A command may end without reading everything; then its exit code tells the story, not this error.
            let written = input.data_bytes(command.stdin.clone()).await;
            if written.is_ok() { input.eof().await } else { written }
        };
        let read = read_to_end(&mut output, on_line);
        tokio::pin!(read);
        // Both ways at once: a command that talks before it has read everything must not block us, nor we it.
        let (ended, lines) = tokio::select! {
            ended = &mut read => ended,
            _ = write => read.await,
        };
        match ended {
            Some(Ended::Code(code)) => Ok(CommandOutput { code, lines }),
            Some(Ended::Otherwise(outcome)) => Err(SshError::Exit {
                command: command.name.to_owned(),
                outcome,
                last_line: lines.last().cloned().unwrap_or_default(),
            }),
            None => Err(lost()),
        }
    }
}

/// Reads until the command has ended and its output is complete; no end means that the connection broke.
async fn read_to_end(
    output: &mut ChannelReadHalf,
    on_line: &(dyn Fn(&str) + Send + Sync),
) -> (Option<Ended>, Vec<String>) {
    let mut collector = Collector::new(on_line);
    let mut ended = None;
    loop {
        let next = match ended {
            None => output.wait().await,
            // A service that the command started may hold the streams open for ever.
            Some(_) => timeout(OUTPUT_GRACE, output.wait()).await.unwrap_or(None),
        };
        match next {
            Some(ChannelMsg::Data { data }) => collector.stdout(&data),
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => collector.stderr(&data),
            Some(ChannelMsg::ExitStatus { exit_status }) => ended = Some(Ended::Code(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                ended = Some(Ended::Otherwise(format!("signal {signal_name:?}")));
            }
            Some(ChannelMsg::Failure) => {
                ended = Some(Ended::Otherwise("no start: the server runs no commands".to_owned()));
                break;
            }
            Some(ChannelMsg::Close) | None => break,
            Some(_) => {}
        }
    }
    (ended, collector.finish())
}

/// How a command ended.
enum Ended {
    Code(u32),
    /// Without a code; in words.
    Otherwise(String),
}

/// Passes lines on and keeps the last ones.
struct Collector<'a> {
    on_line: &'a (dyn Fn(&str) + Send + Sync),
    stdout: LineBuffer,
    stderr: LineBuffer,
    kept: VecDeque<String>,
}

impl<'a> Collector<'a> {
    fn new(on_line: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        Self { on_line, stdout: LineBuffer::default(), stderr: LineBuffer::default(), kept: VecDeque::new() }
    }

    fn stdout(&mut self, bytes: &[u8]) {
        let (on_line, kept) = (self.on_line, &mut self.kept);
        self.stdout.push(bytes, |line| keep(on_line, kept, line));
    }

    fn stderr(&mut self, bytes: &[u8]) {
        let (on_line, kept) = (self.on_line, &mut self.kept);
        self.stderr.push(bytes, |line| keep(on_line, kept, line));
    }

    fn finish(mut self) -> Vec<String> {
        let (on_line, kept) = (self.on_line, &mut self.kept);
        self.stdout.flush(|line| keep(on_line, kept, line));
        self.stderr.flush(|line| keep(on_line, kept, line));
        self.kept.into()
    }
}

fn keep(on_line: &(dyn Fn(&str) + Send + Sync), kept: &mut VecDeque<String>, line: &str) {
    on_line(line);
    if kept.len() == KEPT_LINES {
        kept.pop_front();
    }
    kept.push_back(line.to_owned());
}

/// A text as one word for a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_whatever_is_in_it() {
        assert_eq!(quoted("a b$c"), "'a b$c'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
