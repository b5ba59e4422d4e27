//! What runs behind the demo: an image registry, with Kubernetes' packages beside it if need be, and a private `musterd`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::orchestrator::Orchestrator;
use crate::{host, shell};

/// The image of the template that is shown.
const IMAGE: &str = "busybox:1.36";
/// The daemon's configuration in the demo's folder.
const CONFIGURATION: &str = "muster.toml";
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The two processes, and the folder with all that is theirs.
pub struct DemoParts {
    /// Which orchestrator is shown.
    pub orchestrator: Orchestrator,
    /// The name under which machines find the service's image, if it is not its own.
    pub image: Option<String>,
    folder: PathBuf,
    registry: Child,
    daemon: Child,
}

impl DemoParts {
    /// Starts both. With `stay` they outlive this program.
    pub fn start(folder: &Path, orchestrator: Orchestrator, stay: bool) -> Result<Self> {
        fs::create_dir_all(folder.join("daemons")).with_context(|| format!("cannot create {}", folder.display()))?;
        let (registry, image) = match orchestrator {
            Orchestrator::Swarm => (start_registry(folder, stay)?, None),
            Orchestrator::Kubernetes => {
                let (registry, image) = start_kubernetes(folder, stay)?;
                (registry, Some(image))
            }
        };
        trust_own_user(folder)?;
        shell::say(format!("starting musterd with its state in {}", folder.join("state").display()));
        let daemon = start_daemon(folder)?;
        let mut parts = Self { orchestrator, image, folder: folder.to_owned(), registry, daemon };
        parts.wait_until_it_answers()?;
        Ok(parts)
    }

    /// The folder of all that is the demo's.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the daemon answers.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("muster.sock")
    }

    /// Leaves word of what is made under this mark, for a run that cleans up after this one.
    pub fn note_instance(&self, instance: &str) -> Result<()> {
        let folder = self.folder.join("instances");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::write(folder.join(instance), "").with_context(|| format!("cannot write to {}", folder.display()))
    }

    /// Ends the bridge, the daemon as systemd would, then the registry, and removes their files.
    pub fn stop(&mut self, bridge: &mut Child) -> Result<()> {
        shell::say("stopping muster-bridge, musterd and the registry");
        let processes =
            [("muster-bridge", bridge), ("musterd", &mut self.daemon), ("the registry", &mut self.registry)];
        for (name, process) in processes {
            kill_process(Pid::from_child(process), Signal::TERM).with_context(|| format!("cannot stop {name}"))?;
            let ended = shell::poll(STOP_LIMIT, || process.try_wait().context("cannot wait for a process"))?;
            let status = ended.with_context(|| format!("{name} did not end in {} s", STOP_LIMIT.as_secs()))?;
            ensure!(status.success(), "{name} ended with {status}");
        }
        fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let socket = self.socket();
        let answers = shell::poll(START_LIMIT, || {
            if let Some(status) = self.daemon.try_wait().context("cannot wait for musterd")? {
                bail!("musterd ended with {status}");
            }
            Ok(std::os::unix::net::UnixStream::connect(&socket).is_ok().then_some(()))
        })?;
        answers.with_context(|| format!("musterd does not answer after {} s", START_LIMIT.as_secs()))
    }
}

/// The bridge runs as the same user as the daemon, and speaks for the owners of its tokens.
fn trust_own_user(folder: &Path) -> Result<()> {
    let access = format!("\n[access]\ntrusted = [\"{}\"]\n", rustix::process::geteuid().as_raw());
    let path = folder.join(CONFIGURATION);
    let present = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(&path, present + &access).with_context(|| format!("cannot write {}", path.display()))
}

/// A program of this build: they lie beside this one.
pub fn program(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(this.with_file_name(name))
}

/// Shows the end of the daemon's log, if there is one.
pub fn show_log(folder: &Path) {
    if let Ok(log) = fs::read(folder.join("log")) {
        eprintln!("the end of musterd's log:\n{}", shell::tail(&String::from_utf8_lossy(&log)));
    }
}

/// The registry, and the configuration of a daemon whose machines ask it.
fn start_registry(folder: &Path, stay: bool) -> Result<Child> {
    shell::say(format!("starting a registry with the image {IMAGE}, which stands for Docker Hub"));
    let (registry, line) = serve(folder, "registry", &[], stay)?;
    let port: u16 = line.parse().context("the registry did not start; what it said is above")?;
    let configuration = format!(
        "# Machines ask the demo's registry before Docker Hub.\n[preparation]\n\
         registry_mirrors = [\"http://{{gateway}}:{port}\"]\ninsecure_registries = [\"{{gateway}}:{port}\"]\n"
    );
    fs::write(folder.join(CONFIGURATION), configuration).context("cannot write the configuration")?;
    Ok(registry)
}

/// Packages and images of Kubernetes, which write the daemon's configuration, and the name of the service's image there.
fn start_kubernetes(folder: &Path, stay: bool) -> Result<(Child, String)> {
    shell::say(format!("starting a package repository and a registry with Kubernetes and the image {IMAGE}"));
    let into = folder.to_str().context("the cache's path is not text")?;
    let (parts, line) = serve(folder, "kubernetes-parts", &["--into", into], stay)?;
    ensure!(!line.is_empty(), "the parts of Kubernetes did not start; what they said is above");
    let registry = fs::read_to_string(folder.join("registry")).context("cannot read the registry's address")?;
    Ok((parts, format!("{registry}/library/{IMAGE}")))
}

/// Starts a program that serves [`IMAGE`], and its first line, by which everything is there.
fn serve(folder: &Path, name: &str, arguments: &[&str], stay: bool) -> Result<(Child, String)> {
    let mut command = Command::new(program(name)?);
    command.args(arguments).arg(IMAGE).args(stay.then_some("--stay"));
    // The images' sources are found by it, whichever checkout the program was built in.
    command.env("CARGO_MANIFEST_DIR", host::checkout().join("tests"));
    // A pipe that is never written to: the registry ends when it closes, so also when this program is killed.
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = start(folder, &mut command)?;
    let output = child.stdout.take().with_context(|| format!("{name} has no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).with_context(|| format!("cannot read what {name} says"))?;
    Ok((child, line.trim().to_owned()))
}

fn start_daemon(folder: &Path) -> Result<Child> {
    let log = shell::append_to(&folder.join("log"))?;
    let mut command = Command::new(program("musterd")?);
    command.arg("--config").arg(folder.join(CONFIGURATION)).arg("--state-dir").arg(folder.join("state"));
    command.arg("--socket").arg(folder.join("muster.sock")).stdin(Stdio::null());
    command.stdout(log.try_clone().context("cannot open the log")?).stderr(log);
    start(folder, &mut command)
}

/// Starts a process out of reach of Ctrl-C, and leaves word of it.
pub fn start(folder: &Path, command: &mut Command) -> Result<Child> {
    let child = command.process_group(0).spawn().with_context(|| format!("cannot start {command:?}"))?;
    let file = folder.join(format!("daemons/{}.pid", child.id()));
    fs::write(&file, child.id().to_string()).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(child)
}
