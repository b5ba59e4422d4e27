//! Commands in a service's containers.

use std::future::pending;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, TerminalSize};
use muster_engine::duplex::{Duplex, ExecOrder};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::{ErrorCode, ExecOutput, StreamInput, StreamItem};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::copies;
use crate::failures::Answer as _;
use crate::handler::KubernetesHandler;
use crate::marks::NAMESPACE;

/// The most that is read at once, below what one item may hold.
const PIECE: usize = 32 * 1024;
/// How many pieces may wait in each direction before the sender has to.
const QUEUE: usize = 16;

impl KubernetesHandler {
    /// Runs a command in a container of a service.
    pub(crate) async fn exec_in(&self, members: &[Member], order: &ExecOrder) -> Result<Duplex, Failure> {
        let clients = self.api(members).await?;
        let pod = copies::choose(self, &clients, &order.service, order.container.as_deref()).await?;
        let pods: Api<Pod> = Api::namespaced(clients.streams.clone(), NAMESPACE);
        let params = AttachParams::default()
            .container(order.service.as_str())
            .stdin(true)
            .stdout(true)
            .stderr(!order.tty)
            .tty(order.tty);
        let process =
            pods.exec(&pod, order.command.clone(), &params).await.writing(&format!("run a command in {pod}"))?;
        let (input, commands) = mpsc::channel(QUEUE);
        let (said, output) = mpsc::channel(QUEUE);
        // The connection lives as long as its clients do.
        let keep = Arc::clone(&clients);
        tokio::spawn(async move {
            run(process, commands, said).await;
            drop(keep);
        });
        let output = futures::stream::unfold(output, async |mut output| Some((output.recv().await?, output))).boxed();
        Ok(Duplex { output, input })
    }
}

type Said = mpsc::Sender<Result<StreamItem, Failure>>;

/// Carries both directions until the command has ended or nobody listens any more.
async fn run(mut process: AttachedProcess, commands: mpsc::Receiver<StreamInput>, said: Said) {
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let status = process.take_status();
    let ended = async {
        // Both are read at once: one that is full would stop the other.
        tokio::join!(carry(stdout, &said, ExecOutput::Stdout), carry(stderr, &said, ExecOutput::Stderr));
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        // Nobody may be left to hear it.
        let _ = said.send(outcome(status).map(StreamItem::Exec)).await;
    };
    let stdin = process.stdin();
    let sizes = process.terminal_size();
    tokio::select! {
        () = ended => {}
        () = feed(stdin, sizes, commands) => {}
        () = said.closed() => {}
    }
    // Ends the connection, and with it a command that reads from it.
    process.abort();
}

async fn carry(from: Option<impl AsyncRead + Unpin>, said: &Said, wrap: fn(Vec<u8>) -> ExecOutput) {
    let Some(mut from) = from else { return };
    let mut piece = vec![0; PIECE];
    // An end and a broken connection look the same here; the status tells which it was.
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if said.send(Ok(StreamItem::Exec(wrap(piece[..length].to_vec())))).await.is_err() {
            return;
        }
    }
}

/// Never ends by itself: the command decides when it is over.
async fn feed(
    stdin: Option<impl tokio::io::AsyncWrite + Unpin>,
    sizes: Option<futures::channel::mpsc::Sender<TerminalSize>>,
    mut commands: mpsc::Receiver<StreamInput>,
) {
    let (mut stdin, mut sizes) = (stdin, sizes);
    while let Some(command) = commands.recv().await {
        match command {
            StreamInput::Bytes(bytes) => {
                // A command that closed its input is no failure: its end says how it went.
                if let Some(open) = &mut stdin
                    && open.write_all(&bytes).await.is_err()
                {
                    stdin = None;
                }
            }
            StreamInput::End => {
                if let Some(mut open) = stdin.take() {
                    let _ = open.shutdown().await;
                }
            }
            StreamInput::Resize(size) => {
                if let Some(sizes) = &mut sizes {
                    // A size that comes too fast is replaced by the next one.
                    let _ = sizes.try_send(TerminalSize { width: size.columns, height: size.rows });
                }
            }
        }
    }
    // Whoever gave the input is gone, and the input with them.
    if let Some(mut open) = stdin.take() {
        let _ = open.shutdown().await;
    }
    pending::<()>().await;
}

/// The exit code, as the kubelet says it: `k8s.io/kubelet/pkg/cri/streaming/remotecommand`.
fn outcome(status: Option<Status>) -> Result<ExecOutput, Failure> {
    let Some(status) = status else {
        return Err(Failure::maybe_applied(ErrorCode::Unreachable, "the connection to the command was lost"));
    };
    if status.status.as_deref() == Some("Success") {
        return Ok(ExecOutput::Exit(0));
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_deref()).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    let code = code.and_then(|cause| cause.message.as_deref()?.parse().ok());
    match code {
        Some(code) => Ok(ExecOutput::Exit(code)),
        None => {
            let words = status.message.unwrap_or_default();
            let message = format!("the command could not be run: {words}");
            Err(Failure::not_applied(ErrorCode::Orchestrator, message).permanent())
        }
    }
}
