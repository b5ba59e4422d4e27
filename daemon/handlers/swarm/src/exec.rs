//! Commands in containers, by the engine of the machine that runs the container.

use std::pin::Pin;
use std::sync::Arc;

use bollard::container::LogOutput;
use bollard::exec::{ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{ExecConfig, TaskState};
use futures::{StreamExt as _, stream};
use muster_engine::context::ClusterContext;
use muster_engine::duplex::{Duplex, ExecOrder};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::{ErrorCode, ExecOutput, Name, StreamInput, StreamItem};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::connect::Engine;
use crate::failures::Answer as _;
use crate::managers::Managers;
use crate::membership::nodes;
use crate::observe::tasks;
use crate::services;

const QUEUE: usize = 16;

/// Runs a command in a running container of the service.
pub(crate) async fn exec(
    cluster: &Arc<ClusterContext>,
    managers: &Managers,
    members: &[Member],
    order: &ExecOrder,
) -> Result<Duplex, Failure> {
    let manager = managers.find(members).await?;
    let (machine, container) = find(cluster, &manager.engine, order).await?;
    let member = members.iter().find(|member| member.machine == machine).ok_or_else(|| {
        Failure::not_applied(ErrorCode::Unreachable, format!("{machine}, which runs the container, is not reachable"))
    })?;
    start(managers.engine(member)?, &container, order).await
}

/// The machine and the engine's id of a running container, the one that was asked for or any.
async fn find(cluster: &ClusterContext, manager: &Engine, order: &ExecOrder) -> Result<(Name, String), Failure> {
    let missing = |what: String| Failure::not_applied(ErrorCode::NotFound, what).permanent();
    let service = services::find_ours(cluster, manager, &order.service).await?.and_then(|service| service.id);
    let service =
        service.ok_or_else(|| missing(format!("the swarm has no service `{}` of this cluster", order.service)))?;
    let (listed, tasks) = tokio::try_join!(nodes::list(manager), tasks::list(manager))?;
    let is_meant = |id: &str| order.container.as_ref().is_none_or(|wanted| wanted == id);
    let running = tasks
        .iter()
        .filter(|task| task.service_id() == service && task.state() == TaskState::RUNNING && is_meant(task.id()));
    let mut places = running.filter_map(|task| {
        let node = listed.iter().find(|node| Some(nodes::id(node)) == task.node_id())?;
        let machine = nodes::machine_of(cluster, node)?;
        let status = task.task.status.as_ref()?.container_status.as_ref()?;
        Some((machine, status.container_id.clone()?))
    });
    places.next().ok_or_else(|| {
        let which =
            order.container.as_ref().map_or_else(|| "no container".to_owned(), |id| format!("no container `{id}`"));
        missing(format!("{which} of service `{}` runs", order.service))
            .with_remedy("see what runs with `muster container list`")
    })
}

async fn start(engine: Engine, container: &str, order: &ExecOrder) -> Result<Duplex, Failure> {
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(order.tty),
        cmd: Some(order.command.clone()),
        ..Default::default()
    };
    let created = engine.api().create_exec(container, config).await.writing("make the command")?;
    let options = StartExecOptions { detach: false, tty: order.tty, ..Default::default() };
    let started = engine.api().start_exec(&created.id, Some(options)).await.writing("start the command")?;
    let StartExecResults::Attached { output, input: stdin } = started else {
        return Err(Failure::not_applied(ErrorCode::Orchestrator, "the engine started the command without its output"));
    };
    let (input, heard) = mpsc::channel(QUEUE);
    let feeder = tokio::spawn(feed(engine.clone(), created.id.clone(), heard, stdin));
    // The feeder ends with the output, also when the caller goes away.
    let ends_with_output = AbortOnDrop(feeder);
    let said = output.map(move |chunk| {
        let _alive = &ends_with_output;
        chunk.reading("read the command's output").map(|chunk| StreamItem::Exec(said(chunk)))
    });
    let exit = stream::once(async move { exit_code(&engine, &created.id).await });
    Ok(Duplex { output: said.chain(exit).boxed(), input })
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn said(chunk: LogOutput) -> ExecOutput {
    match chunk {
        LogOutput::StdErr { message } => ExecOutput::Stderr(message.into()),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            ExecOutput::Stdout(message.into())
        }
    }
}

async fn exit_code(engine: &Engine, exec: &str) -> Result<StreamItem, Failure> {
    let seen = engine.api().inspect_exec(exec).await.reading("read the command's exit code")?;
    let code = seen.exit_code.ok_or_else(|| {
        Failure::not_applied(ErrorCode::Orchestrator, "the connection to the command was lost before its end")
    })?;
    Ok(StreamItem::Exec(ExecOutput::Exit(code)))
}

/// Hands input to the command until its end.
async fn feed(
    engine: Engine,
    exec: String,
    mut heard: mpsc::Receiver<StreamInput>,
    mut stdin: Pin<Box<dyn AsyncWrite + Send>>,
) {
    while let Some(item) = heard.recv().await {
        let written = match item {
            StreamInput::Bytes(bytes) => {
                let written = stdin.write_all(&bytes).await;
                if written.is_ok() { stdin.flush().await } else { written }
            }
            StreamInput::End => stdin.shutdown().await,
            StreamInput::Resize(size) => {
                let options = ResizeExecOptions { width: size.columns, height: size.rows };
                // A command that has just ended has no terminal any more; its output says so.
                if let Err(error) = engine.api().resize_exec(&exec, options).await {
                    tracing::debug!(%error, "a terminal keeps its size");
                }
                Ok(())
            }
        };
        if let Err(error) = written {
            tracing::debug!(%error, "a command takes no more input");
            return;
        }
    }
}
