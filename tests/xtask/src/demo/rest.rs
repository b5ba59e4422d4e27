//! The same story over HTTP: the bridge before the demo's daemon, with a token, asked with curl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::muster::User;
use super::parts::{self, DemoParts};
use super::story::{CLUSTER, SERVICE, chapter};
use crate::shell;

const START_LIMIT: Duration = Duration::from_secs(30);
/// What stands for the token and the address where people read.
const SHOWN: [&str; 2] = ["$T", "$U"];

/// A bridge that runs, and a token for it.
pub struct Bridge {
    process: Child,
    address: String,
    token: String,
}

impl Bridge {
    /// Starts one before the demo's daemon, and makes a token.
    pub fn start(parts: &DemoParts, user: &User<'_>) -> Result<Self> {
        let folder = parts.folder();
        let configuration = format!("listen = \"127.0.0.1:0\"\nsocket = \"{}\"\n", parts.socket().display());
        fs::write(folder.join("bridge.toml"), configuration).context("cannot write the bridge's configuration")?;
        let token = user.asks(&["token", "create", "demo", "--role", "operator", "--expires", "1d"])?;
        let log_path = folder.join("bridge.log");
        let log = shell::append_to(&log_path)?;
        let mut command = command(folder)?;
        command.stdin(Stdio::null()).stdout(log.try_clone().context("cannot open the log")?).stderr(log);
        let mut process = parts::start(folder, &mut command)?;
        let listens = shell::poll(START_LIMIT, || {
            if let Some(status) = process.try_wait().context("cannot wait for muster-bridge")? {
                bail!("muster-bridge ended with {status}; its log: {}", log_path.display());
            }
            let log = fs::read_to_string(&log_path).unwrap_or_default();
            Ok(listening_at(&log).map(str::to_owned))
        })?;
        let address = listens.with_context(|| format!("muster-bridge does not listen: {}", log_path.display()))?;
        Ok(Self { process, address, token })
    }

    /// Where its page is.
    pub fn page(&self) -> String {
        format!("{}/page/", self.address)
    }

    /// Its process, to be ended with the others.
    pub fn process(&mut self) -> &mut Child {
        &mut self.process
    }

    /// Types a request with curl.
    fn types(&self, user: &User<'_>, path: &str, more: &[&str]) -> Result<String> {
        let authorization = format!("Authorization: Bearer {}", self.token);
        let url = format!("{}{path}", self.address);
        let arguments = [&["-sS", "--fail-with-body", "-H", &authorization][..], more, &[url.as_str()]].concat();
        let hidden = [self.token.as_str(), self.address.as_str()];
        user.types_with_hidden(&PathBuf::from("curl"), &arguments, &hidden, &SHOWN)
    }
}

/// Shows what was done before over HTTP: the cluster, its service, and one copy less and more.
pub fn show(user: &User<'_>, bridge: &Bridge, copies: usize) -> Result<()> {
    chapter("The same over REST");
    let clusters = bridge.types(user, "/v1/orchestrators?fields=name,phase,workers", &[])?;
    ensure!(clusters.contains(CLUSTER) && clusters.contains("ready"), "the bridge does not show the cluster");
    let services =
        bridge.types(user, &format!("/v1/orchestrators/{CLUSTER}/services?fields=spec.name,phase,ready"), &[])?;
    ensure!(services.contains(SERVICE), "the bridge does not show the service");
    for replicas in [copies - 1, copies] {
        let body = format!("{{\"replicas\":{replicas}}}");
        let change = ["-H", "Content-Type: application/json", "-H", "Prefer: wait=120", "-d", &body];
        let path = format!("/v1/orchestrators/{CLUSTER}/services/{SERVICE}/scale");
        let operation = bridge.types(user, &path, &change)?;
        ensure!(operation.contains("\"succeeded\""), "the service was not scaled over REST");
    }
    Ok(())
}

fn command(folder: &Path) -> Result<Command> {
    let mut command = Command::new(parts::program("muster-bridge")?);
    command.arg("--config").arg(folder.join("bridge.toml"));
    Ok(command)
}

/// The address that the log says.
fn listening_at(log: &str) -> Option<&str> {
    let (_, rest) = log.split_once("listening on ")?;
    Some(rest.split_once('\n')?.0.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_once_its_line_is_whole() {
        assert_eq!(listening_at("info listening on http://127.0.0.1:8440\nmore"), Some("http://127.0.0.1:8440"));
        assert_eq!(listening_at("info listening on http://127.0."), None);
        assert_eq!(listening_at(""), None);
    }
}
