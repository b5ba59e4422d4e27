//! The docker command line.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Lines of its complaint that an error shows.
const TAIL_LINES: usize = 15;

/// Runs the docker command line and gives what it wrote to stdout, without the newline at its end.
///
/// # Errors
/// If it cannot be started or fails, with the end of what it wrote.
pub async fn docker(arguments: &[&str]) -> Result<String> {
    let line = || format!("docker {}", arguments.join(" "));
    let output = Command::new("docker")
        .args(arguments)
        // Engines before 23 have no other builder, and the newer one cannot use a base image that is in no registry.
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot start `{}`", line()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let stdout = text(&output.stdout);
    if !output.status.success() {
        let all = format!("{stdout}\n{}", text(&output.stderr));
        let lines: Vec<&str> = all.lines().collect();
        let end = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        bail!("`{}` failed ({}):\n{end}", line(), output.status);
    }
    Ok(stdout)
}
