//! `muster completion SHELL`: completions, written by clap.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::context::Context;
use super::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "For bash: muster completion bash > /etc/bash_completion.d/muster")]
pub struct Completion {
    /// The shell
    pub shell: Shell,
}

impl Completion {
    /// Prints them.
    pub fn run(self, context: &mut Context) -> Result<()> {
        context.output.text(&script(self.shell))
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "muster", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn bash_can_read_its_completions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.bash");
        std::fs::write(&path, script(Shell::Bash)).unwrap();
        let checked = Command::new("bash").arg("-n").arg(&path).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }

    #[test]
    fn every_shell_completes_every_noun() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = script(shell);
            for noun in ["cluster", "service", "host", "container", "catalog", "operation", "account"] {
                assert!(script.contains(noun), "{shell} {noun}");
            }
        }
    }
}
