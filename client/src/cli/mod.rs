//! The command line: one folder a noun, one file a verb, mirroring the daemon's `gateway/`.
//!
//! A verb's file has its arguments and a `run` that asks the daemon and prints the answer. What all share:
//! [`args`] (the tree), [`context`] (socket and output), [`output`] (table, JSON, YAML), [`change`] and [`wait`]
//! (operations), [`input`] (files and `key=value`), [`failure`] and [`exit`] (how a command ends).

mod account;
mod args;
mod audit;
mod catalog;
mod change;
mod cluster;
mod completion;
mod container;
mod context;
mod doctor;
mod events;
mod exit;
mod exit_codes;
mod failure;
mod finding;
mod host;
mod input;
mod kinds;
mod manual;
mod moment;
mod operation;
mod output;
mod progress;
mod reader;
mod reference;
#[cfg(test)]
mod samples;
mod service;
mod sheet;
mod table;
mod token;
mod version;
mod wait;
mod whoami;

use std::ffi::OsString;
use std::io;

use clap::Parser;

use args::Cli;
use context::Context;
use exit::Exit;

/// Runs the command line `arguments`, the program's name first, and tells how it ended.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(help_or_error) => {
            // Help is asked for and goes to standard output, a wrong command line to standard error.
            let _nobody_reads = help_or_error.print();
            return if help_or_error.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    let format = cli.globals.output;
    let styled_errors = cli.globals.styled(&io::stderr());
    let mut context = Context::new(cli.globals);
    match cli.command.run(&mut context).await {
        Ok(()) => Exit::Success,
        Err(failure) => {
            failure.show(format, styled_errors, &mut io::stderr());
            failure.exit()
        }
    }
}
