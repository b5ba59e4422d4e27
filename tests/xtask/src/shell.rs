//! Starting other programs, and saying what happens.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Lines of a failed program's log that are shown; the rest is in the file.
const TAIL_LINES: usize = 20;

/// Says what happens now, one line.
pub fn say(text: impl std::fmt::Display) {
    println!("xtask: {text}");
    // A CI log is a pipe: without this the line shows up after the output of the program that it announces.
    let _ = std::io::stdout().flush();
}

/// Runs a program on this terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a program on this terminal that says itself what went wrong; all that is left of it is whether it succeeded.
pub fn exit_code(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot start `{}`", command_line(command)))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a program and returns what it wrote to stdout, without the newline at its end.
pub fn capture(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}): {}", output.status, tail(&stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Whether a program starts and exits with 0; its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a chatty program with its output appended to `log`; an error shows the end of it.
pub fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let line = command_line(command);
    let mut file = append_to(log)?;
    writeln!(file, "$ {line}").with_context(|| format!("cannot write {}", log.display()))?;
    let start = file.metadata().map_or(0, |data| data.len());
    let stderr = file.try_clone()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(stderr)
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status}):\n{}\nall of it: {}", tail(&since(log, start)), log.display());
    }
    Ok(())
}

/// Opens a log file for appending, with its folder.
pub fn append_to(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    File::options().create(true).append(true).open(log).with_context(|| format!("cannot open {}", log.display()))
}

/// Asks `done` again and again until it returns a value; `None` when the time is over.
pub fn poll<T>(limit: Duration, mut done: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = done()? {
            return Ok(Some(value));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        pause(Duration::from_millis(100));
    }
}

/// Waits between two tries of something outside this process.
#[expect(clippy::disallowed_methods, reason = "there is no async worker in this program to block")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// The last lines of a text.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// What was written to a log after `start` bytes.
fn since(log: &Path, start: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let start = usize::try_from(start).unwrap_or(0).min(bytes.len());
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_logged_program_shows_only_its_own_output() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("some/log");
        run_logged(Command::new("echo").arg("earlier"), &log).unwrap();
        let error = run_logged(Command::new("sh").args(["-c", "echo broken; exit 3"]), &log).unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains("exit status: 3"), "{error}");
        assert!(!error.contains("earlier"), "{error}");
        assert!(std::fs::read_to_string(&log).unwrap().contains("earlier"));
    }

    #[test]
    fn capture_reports_what_the_program_complained_about() {
        let error = capture(Command::new("sh").args(["-c", "echo no such thing >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
    }

    #[test]
    fn poll_gives_up_at_its_deadline() {
        let mut calls = 0;
        let never = poll::<()>(Duration::ZERO, || {
            calls += 1;
            Ok(None)
        });
        assert_eq!(never.unwrap(), None);
        assert_eq!(calls, 1);
    }
}
