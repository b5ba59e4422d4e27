//! What a command works with: the daemon and standard output.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use muster_client::Client;

use super::args::Globals;
use super::failure::Result;
use super::output::{Format, Output};

/// How long to go on trying when the daemon goes away in the middle: long enough for a restart and an upgrade.
const RECONNECT_FOR: Duration = Duration::from_secs(60);

/// The daemon and standard output.
pub struct Context {
    /// Where answers go.
    pub output: Output,
    globals: Globals,
}

impl Context {
    /// As the global flags say. Connects only when the daemon is first needed.
    pub fn new(globals: Globals) -> Self {
        let styled = globals.styled(&io::stdout());
        Self { output: Output::new(globals.output, styled, Box::new(io::stdout().lock())), globals }
    }

    /// Whether standard error is coloured.
    pub fn styled_errors(&self) -> bool {
        self.globals.styled(&io::stderr())
    }

    /// Tells people, on standard error, what they may want to do next. Programs have no use for it.
    pub fn hint(&self, text: &str) {
        if self.output.format == Format::Table {
            let _nobody_reads = writeln!(io::stderr(), "{text}");
        }
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.globals.socket.clone().unwrap_or_else(muster_client::default_socket)
    }

    /// Connects to the daemon.
    pub async fn client(&self) -> Result<Client> {
        let socket = self.socket();
        let program = concat!("muster ", env!("CARGO_PKG_VERSION"));
        Ok(Client::builder().socket(socket).program(program).reconnect_for(RECONNECT_FOR).connect().await?)
    }
}
