//! `muster service exec NAME --cluster C -- CMD…`: a command in a container, with this terminal.

use std::io::{self, Read, Write};

use clap::Args;
use muster_client::{ClientError, Duplex, DuplexInput};
use muster_protocol::duplex::MAX_CHUNK_BYTES;
use muster_protocol::{Error, ErrorCode, ExecOutput, Name, StreamInput, StreamItem};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::terminal::{self, Raw};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Result};

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster service exec web --cluster demo -- sh\n  \
    muster service exec db --cluster demo --no-tty -- pg_dump > dump.sql\n\n\
    Ends with the exit code of the command. The event log tells who ran which program where, and none of its arguments.")]
pub struct Exec {
    /// The service
    pub name: Name,
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
    /// The container, as `muster container list` shows its id [default: any that runs]
    #[arg(long, value_name = "ID")]
    pub container: Option<String>,
    /// No terminal for the command, also if this one is a terminal
    #[arg(long)]
    pub no_tty: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl Exec {
    /// Runs it and ends as it ends.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, cluster, container, no_tty, command } = self;
        let tty = !no_tty && terminal::is_there();
        let client = context.client().await?;
        let mut duplex = client.container_exec(&cluster, &name, container, command, tty).await?;
        let raw = if tty { Raw::begin().ok() } else { None };
        tokio::spawn(hand_in(duplex.input()));
        if tty {
            tokio::spawn(tell_size(duplex.input()));
        }
        let code = show(&mut duplex).await;
        drop(raw);
        match code? {
            0 => Ok(()),
            code => Err(Failure::Said(Exit::OfCommand(u8::try_from(code).unwrap_or(u8::MAX)))),
        }
    }
}

/// Writes what the command says, as it comes, until its exit code comes.
async fn show(duplex: &mut Duplex) -> Result<i64> {
    while let Some(item) = duplex.next().await? {
        match item {
            StreamItem::Exec(ExecOutput::Stdout(bytes)) => write(&mut io::stdout(), &bytes)?,
            StreamItem::Exec(ExecOutput::Stderr(bytes)) => write(&mut io::stderr(), &bytes)?,
            StreamItem::Exec(ExecOutput::Exit(code)) => return Ok(code),
            StreamItem::Operation(_) | StreamItem::Event(_) | StreamItem::Log(_) | StreamItem::Bytes(_) => {
                return Err(ClientError::unexpected("output of a command").into());
            }
        }
    }
    Err(Error::new(ErrorCode::Orchestrator, "the connection to the command was lost before its end").into())
}

fn write(to: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    to.write_all(bytes).and_then(|()| to.flush()).map_err(|_nobody_reads| Failure::ReaderGone)
}

/// Hands standard input in. A thread reads it, because nothing else can wait for it; the thread ends with the program.
async fn hand_in(input: DuplexInput) {
    let (read, mut chunks) = mpsc::channel::<Vec<u8>>(4);
    let reader = std::thread::Builder::new().name("muster-stdin".into()).spawn(move || {
        let mut buffer = vec![0; MAX_CHUNK_BYTES];
        while let Ok(length @ 1..) = io::stdin().read(&mut buffer) {
            if read.blocking_send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    if reader.is_err() {
        return;
    }
    while let Some(chunk) = chunks.recv().await {
        if !input.send_bytes(&chunk).await {
            return;
        }
    }
    input.send(StreamInput::End).await;
}

/// Tells the terminal's size now and whenever it changes.
async fn tell_size(input: DuplexInput) {
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    loop {
        let Some(size) = terminal::size() else { return };
        if !input.send(StreamInput::Resize(size)).await || changes.recv().await.is_none() {
            return;
        }
    }
}
