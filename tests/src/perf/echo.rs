//! An echo over a Unix socket: the least that a request and its answer cost. Frames as in Muster's protocol (a `u32`
//! length and so many bytes) of the same sizes, the same runtime, the server in a process of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::daemon::retried;
use super::group_commit::{Committer, GroupCommit};
use super::load::Caller;

/// What the server does.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerOptions {
    /// Where it answers
    socket: PathBuf,
    /// How many bytes each answer has
    answer_bytes: usize,
    /// Commit records of so many bytes to a bare sled in --dir before each answer
    #[arg(long, requires = "dir", value_delimiter = ',')]
    commit_bytes: Vec<usize>,
    /// The folder of the bare sled
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Answers until it is killed.
pub async fn serve(options: ServerOptions) -> Result<()> {
    let commits = options.dir.as_deref().map(GroupCommit::open).transpose()?;
    let durable = commits.map(|commits| Committer { writer: commits, bytes: options.commit_bytes });
    let answer = Bytes::from(vec![b'a'; options.answer_bytes]);
    let listener = UnixListener::bind(&options.socket)
        .with_context(|| format!("cannot listen at {}", options.socket.display()))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (answer, mut durable) = (answer.clone(), durable.clone());
        tokio::spawn(async move {
            let mut frames = Framed::new(stream, LengthDelimitedCodec::new());
            while let Some(Ok(_)) = frames.next().await {
                if let Some(committer) = &mut durable
                    && committer.call().await.is_err()
                {
                    return;
                }
                if frames.send(answer.clone()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// The server's process; it is killed when this is dropped.
pub struct Server {
    _process: Child,
    socket: PathBuf,
}

impl Server {
    /// Starts one with answers of this size. `commit_bytes`: the records that it commits before each of them.
    pub async fn start(perf: &Path, dir: &Path, answer_bytes: usize, commit_bytes: &[usize]) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let socket = dir.join("echo.sock");
        let mut command = Command::new(perf);
        command.arg("echo-server").arg(&socket).arg(answer_bytes.to_string());
        if !commit_bytes.is_empty() {
            let bytes: Vec<String> = commit_bytes.iter().map(usize::to_string).collect();
            command.arg("--commit-bytes").arg(bytes.join(",")).arg("--dir").arg(dir.join("sled"));
        }
        let process = command.kill_on_drop(true).spawn().context("cannot start the echo server")?;
        retried(async || Ok(UnixStream::connect(&socket).await?)).await.context("the echo server does not answer")?;
        Ok(Self { _process: process, socket })
    }

    /// So many clients with requests of this size, each with a connection of its own.
    pub async fn clients(&self, count: usize, request_bytes: usize) -> Result<Vec<EchoClient>> {
        let request = Bytes::from(vec![b'r'; request_bytes]);
        let mut clients = Vec::new();
        for _ in 0..count {
            let stream = retried(async || Ok(UnixStream::connect(&self.socket).await?)).await?;
            clients.push(EchoClient {
                frames: Framed::new(stream, LengthDelimitedCodec::new()),
                request: request.clone(),
            });
        }
        Ok(clients)
    }
}

/// A client of the server.
pub struct EchoClient {
    frames: Framed<UnixStream, LengthDelimitedCodec>,
    request: Bytes,
}

impl Caller for EchoClient {
    async fn call(&mut self) -> Result<()> {
        self.frames.send(self.request.clone()).await?;
        self.frames.next().await.context("the echo server closed the connection")??;
        Ok(())
    }
}
