//! What is seen in containers and at ports: commands, output, connections.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::TryStreamExt;
use muster_client::protocol::duplex::{ExecOutput, StreamInput};
use muster_client::protocol::model::service::LogLine;
use muster_client::protocol::{Name, StreamItem};

use super::World;

/// Whoever listens says something back by then.
const PORT_PATIENCE: Duration = Duration::from_secs(8);

/// What a command said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// On standard output.
    pub stdout: Vec<u8>,
    /// On standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub code: i64,
}

impl Said {
    /// Its standard output as text, without the end of the last line.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }
}

impl World {
    /// Runs a command in a copy of a service, with this on its standard input.
    ///
    /// # Errors
    /// If it cannot be run, or has no end.
    pub async fn exec(&self, service: &Name, command: &[&str], input: &[u8]) -> Result<Said> {
        self.exec_in(service, None, command, input).await
    }

    /// The same in one container.
    ///
    /// # Errors
    /// As [`World::exec`].
    pub async fn exec_in(
        &self,
        service: &Name,
        container: Option<String>,
        command: &[&str],
        input: &[u8],
    ) -> Result<Said> {
        let words = command.iter().map(|word| (*word).to_owned()).collect();
        let mut exec = self.client.container_exec(&self.cluster, service, container, words, false).await?;
        let way_in = exec.input();
        // Beside listening: whoever is refused is told so, and takes no input.
        let speaking = async {
            way_in.send_bytes(input).await;
            way_in.send(StreamInput::End).await;
        };
        let mut said = Said::default();
        let conversation = async {
            while let Some(item) = exec.next().await? {
                match item {
                    StreamItem::Exec(ExecOutput::Stdout(bytes)) => said.stdout.extend(bytes),
                    StreamItem::Exec(ExecOutput::Stderr(bytes)) => said.stderr.extend(bytes),
                    StreamItem::Exec(ExecOutput::Exit(code)) => {
                        said.code = code;
                        return Ok(());
                    }
                    StreamItem::Operation(_) | StreamItem::Event(_) | StreamItem::Log(_) | StreamItem::Bytes(_) => {
                        bail!("no part of a command: {item:?}")
                    }
                }
            }
            bail!("the command ended without a code")
        };
        let both = async { tokio::join!(speaking, conversation).1 };
        tokio::time::timeout(self.patience, both).await.context("the command does not end")??;
        Ok(said)
    }

    /// What a shell command in a copy prints; it has to succeed.
    ///
    /// # Errors
    /// If it does not.
    pub async fn shell(&self, service: &Name, line: &str) -> Result<String> {
        let said = self.exec(service, &["sh", "-c", line], b"").await?;
        ensure!(said.code == 0, "`{line}` ended with {}: {}", said.code, String::from_utf8_lossy(&said.stderr));
        Ok(said.text())
    }

    /// What was written by now.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn logs(&self, service: &Name, tail: Option<u32>) -> Result<Vec<LogLine>> {
        let lines = self.client.service_logs(&self.cluster, service, false, tail).try_collect();
        tokio::time::timeout(self.patience, lines).await.context("the log has no end")?.map_err(Into::into)
    }

    /// The log, once it has so many lines.
    ///
    /// # Errors
    /// If they do not come.
    pub async fn logs_of(&self, service: &Name, lines: usize) -> Result<Vec<LogLine>> {
        self.until("all lines in the log", async || {
            let seen = self.logs(service, None).await?;
            ensure!(seen.len() >= lines, "{} of {lines} lines: {:?}", seen.len(), seen.first());
            Ok(Some(seen))
        })
        .await
    }

    /// What a port of a service says to this, until it has said as much.
    ///
    /// # Errors
    /// If it says less.
    pub async fn through_port(&self, service: &Name, port: u16, words: &[u8], bytes: usize) -> Result<Vec<u8>> {
        let mut connection = self.client.service_port_forward(&self.cluster, service, port).await?;
        let way_in = connection.input();
        let mut heard = Vec::new();
        let listening = async {
            while heard.len() < bytes {
                match connection.next().await? {
                    Some(StreamItem::Bytes(more)) => heard.extend(more),
                    other => bail!("no part of a connection: {other:?}"),
                }
            }
            Ok(())
        };
        let both = async { tokio::join!(way_in.send_bytes(words), listening).1 };
        tokio::time::timeout(PORT_PATIENCE, both).await.context("the port says too little")??;
        Ok(heard)
    }
}
