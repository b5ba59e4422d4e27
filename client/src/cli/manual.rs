//! `muster manual`: the manual pages, one a command, written from the same tree that parses the command line.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use super::args::Cli;
use super::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Manual {
    /// The folder that they are written to; it must be there
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

impl Manual {
    /// Writes them.
    pub fn run(self) -> Result<()> {
        Ok(write_to(&self.folder)?)
    }
}

fn write_to(folder: &Path) -> std::io::Result<()> {
    clap_mangen::generate_to(Cli::command(), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_its_options() {
        fn check(command: &clap::Command, name: &str, folder: &Path) {
            let page = std::fs::read_to_string(folder.join(format!("{name}.1"))).unwrap_or_default();
            assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
            for option in command.get_arguments().filter_map(clap::Arg::get_long) {
                let as_roff = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(page.contains(&as_roff), "{name} {option}: {page}");
            }
            for shown in command.get_subcommands().filter(|command| !command.is_hide_set()) {
                check(shown, &format!("{name}-{}", shown.get_name()), folder);
            }
        }
        let folder = tempfile::tempdir().unwrap();
        write_to(folder.path()).unwrap();
        check(&Cli::command(), "muster", folder.path());
    }
}
