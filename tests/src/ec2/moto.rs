//! moto's EC2 server, as a process that ends with this value.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::{REGION, http, xml};
use crate::registry::cached_storage;

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// Ends the server when the pipe on its standard input closes, which the kernel does however its starter ends.
const GUARD: &str = r#""$0" -H 127.0.0.1 -p "$1" & read -r word; kill $!; wait $!"#;

/// A server of moto with nothing in it but what AWS gives every account.
pub struct Moto {
    port: u16,
    guard: Child,
    _folder: TempDir,
}

/// Where moto's server is, if it is installed: `cargo xtask setup` puts it into the cache.
pub fn program() -> Option<PathBuf> {
    let place = cached_storage().ok()?.with_file_name("moto").join("bin/moto_server");
    place.exists().then_some(place)
}

impl Moto {
    /// Starts one at a free port of the loopback.
    ///
    /// # Errors
    /// If it is not installed or does not answer in time, with its log.
    pub async fn start() -> Result<Self> {
        let program = program().context("moto is not installed; run: cargo xtask setup")?;
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let log_path = folder.path().join("log");
        let log = File::create(&log_path).context("cannot create moto's log")?;
        let port = free_port().await?;
        let guard = Command::new("sh")
            .args(["-c", GUARD])
            .arg(program)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("cannot start a shell")?;
        let moto = Self { port, guard, _folder: folder };
        let deadline = Instant::now() + START_LIMIT;
        while moto.call(&[("Action", "DescribeRegions")]).await.is_err() {
            if Instant::now() >= deadline {
                bail!("moto does not answer: {}", std::fs::read_to_string(&log_path).unwrap_or_default());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(moto)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Calls the API as somebody else than Muster would.
    ///
    /// # Errors
    /// If it refuses or does not answer.
    pub async fn call(&self, parameters: &[(&str, &str)]) -> Result<String> {
        call(&self.address(), parameters).await
    }

    /// The same for the API of load balancers.
    ///
    /// # Errors
    /// If it refuses or does not answer.
    pub async fn call_balancers(&self, parameters: &[(&str, &str)]) -> Result<String> {
        call_of(&self.address(), Api::Balancers, parameters).await
    }

    /// Registers an image of this name, and gives its id.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn register_image(&self, name: &str) -> Result<String> {
        let answer = self
            .call(&[
                ("Action", "RegisterImage"),
                ("Name", name),
                ("Architecture", "x86_64"),
                ("RootDeviceName", "/dev/xvda"),
            ])
            .await?;
        xml::text(&answer, "imageId").map(str::to_owned).context("moto told no image id")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// One call of EC2's API at this address.
///
/// # Errors
/// If it refuses or does not answer.
pub async fn call(address: &str, parameters: &[(&str, &str)]) -> Result<String> {
    call_of(address, Api::Ec2, parameters).await
}

/// An API that moto serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Api {
    /// EC2.
    Ec2,
    /// Elastic Load Balancing, version 2.
    Balancers,
}

impl Api {
    /// The version that stands in every call.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::Ec2 => "2016-11-15",
            Self::Balancers => "2015-12-01",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Balancers => "elasticloadbalancing",
        }
    }
}

/// One call of this API at this address.
///
/// # Errors
/// If it refuses or does not answer.
pub async fn call_of(address: &str, api: Api, parameters: &[(&str, &str)]) -> Result<String> {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", http::encoded(name), http::encoded(value))).collect();
    let body = format!("Version={}&{}", api.version(), pairs.join("&"));
    let request = http::Message::form(address, &authorization(api), body);
    let answer = http::ask(address, &request).await?;
    ensure!(answer.status() == Some(200), "{parameters:?}: {}", answer.text());
    Ok(answer.text())
}

/// moto believes every signature; only region and API in it count.
fn authorization(api: Api) -> String {
    let scope = format!("20260101/{REGION}/{}/aws4_request", api.word());
    format!("AWS4-HMAC-SHA256 Credential=tests/{scope}, SignedHeaders=host, Signature=none")
}

async fn free_port() -> Result<u16> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port())
}
