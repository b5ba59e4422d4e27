//! The `muster` command, as a user types it: shown, run, and its answer kept.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::parts::DemoParts;

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
    pub fn new(parts: &DemoParts, interrupted: &'a Interrupted) -> Result<Self> {
        Ok(Self { program: super::parts::program("muster")?, socket: parts.socket(), interrupted })
    }

    /// Types a command: shows it, runs it, shows what it prints and returns that. Its progress goes to the terminal.
    pub fn types(&self, arguments: &[&str]) -> Result<String> {
        println!("\n$ muster {}", line(arguments));
        let printed = self.asks(arguments)?;
        println!("{printed}");
        Ok(printed)
    }

    /// The same with another program, which is shown by its name alone.
    pub fn types_into(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        self.types_with_hidden(program, arguments, &[], &[])
    }

    /// The same with some words shown as others.
    pub fn types_with_hidden(
        &self,
        program: &Path,
        arguments: &[&str],
        hidden: &[&str],
        shown: &[&str],
    ) -> Result<String> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let words = hidden.iter().zip(shown);
        let line = words.fold(line(arguments), |line, (hidden, shown)| line.replace(hidden, shown));
        println!("\n$ {name} {line}");
        let printed = self.runs(program, arguments)?;
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
        self.runs(&self.program, arguments)
    }

    fn runs(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        self.interrupted.check()?;
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let mut command = Command::new(program);
        command.args(arguments).env("MUSTER_SOCKET", &self.socket);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.wait_with_output().with_context(|| format!("cannot wait for {name}"))?;
        // On a terminal Ctrl-C reaches the command too, and that is not its failure.
        self.interrupted.check()?;
        if !output.status.success() {
            println!("{}", String::from_utf8_lossy(&output.stdout).trim_end());
            bail!("`{name} {}` ended with {}", line(arguments), output.status);
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
    arguments.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c));
    match word.split_once('=') {
        _ if is_plain(word) => word.to_owned(),
        _ if word.contains('"') => format!("'{word}'"),
        // As people write it.
        Some((name, value)) if is_plain(name) => format!("{name}=\"{value}\""),
        Some(_) | None => format!("\"{word}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_can_be_typed_again() {
        let shown = line(&["service", "create", "--set", "greeting=Hello, house", "--wait"]);
        assert_eq!(shown, r#"service create --set greeting="Hello, house" --wait"#);
        let shown = line(&["-H", "Prefer: wait=9", "-d", r#"{"replicas":1}"#, "http://a/b?fields=name,phase"]);
        assert_eq!(shown, r#"-H "Prefer: wait=9" -d '{"replicas":1}' "http://a/b?fields=name,phase""#);
    }
}
