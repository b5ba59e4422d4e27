//! The `muster` command, as a user types it: shown, run, and its answer kept.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::parts::Parts;

/// Whether somebody wants the demo to end.
pub struct Interrupted(Arc<AtomicBool>);

/// From now on a signal ends the demo in its order: at its next step, with everything removed.
pub fn on_interrupt() -> Result<Interrupted> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot wait for signals")?;
    }
    Ok(Interrupted(flag))
}

impl Interrupted {
    /// An error, if so.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// Someone at a terminal.
pub struct User<'a> {
    program: PathBuf,
    socket: PathBuf,
    interrupted: &'a Interrupted,
}

impl<'a> User<'a> {
    /// Who speaks to the demo's daemon.
    pub fn new(parts: &Parts, interrupted: &'a Interrupted) -> Result<Self> {
        Ok(Self { program: super::parts::program("muster")?, socket: parts.socket(), interrupted })
    }

    /// Types a command: shows it, runs it, shows what it prints and returns that. Its progress goes to the terminal.
    pub fn types(&self, arguments: &[&str]) -> Result<String> {
        println!("\n$ muster {}", line(arguments));
        let printed = self.asks(arguments)?;
        println!("{printed}");
        Ok(printed)
    }

    /// The same, but shows only the last lines.
    pub fn types_for_last_lines(&self, arguments: &[&str], count: usize) -> Result<String> {
        println!("\n$ muster {} | tail -n {count}", line(arguments));
        let printed = self.asks(arguments)?;
        let lines: Vec<&str> = printed.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(count)..].join("\n"));
        Ok(printed)
    }

    /// Runs a command that is not shown.
    pub fn asks(&self, arguments: &[&str]) -> Result<String> {
        self.interrupted.check()?;
        let mut command = Command::new(&self.program);
        command.args(arguments).env("MUSTER_SOCKET", &self.socket);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let output = child.wait_with_output().context("cannot wait for muster")?;
        // On a terminal Ctrl-C reaches the command too, and that is not its failure.
        self.interrupted.check()?;
        if !output.status.success() {
            bail!("`muster {}` ended with {}", line(arguments), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// What the user has to type before anything else, to have this `muster` speak to this daemon.
    pub fn environment(&self) -> String {
        let folder = self.program.parent().unwrap_or(&self.program);
        format!("export MUSTER_SOCKET={} PATH={}:$PATH", self.socket.display(), folder.display())
    }
}

/// Arguments as a shell takes them.
fn line(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|&word| {
        let (name, value) = word.split_once('=').unwrap_or(("", word));
        match (name, value.contains(' ')) {
            (_, false) => word.to_owned(),
            ("", true) => format!("\"{value}\""),
            (name, true) => format!("{name}=\"{value}\""),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_can_be_typed_again() {
        let shown = line(&["service", "create", "--set", "greeting=Hello, house", "--wait"]);
        assert_eq!(shown, r#"service create --set greeting="Hello, house" --wait"#);
    }
}
