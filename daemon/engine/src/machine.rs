//! Running things on machines: how preparers and handlers work on a machine without knowing how it is reached.

use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::ledger::MachineAccess;

/// Runs steps on the machines of one cluster.
#[async_trait]
pub trait Machines: Send + Sync {
    /// Runs the step on the machine, or finds it running or ended by its name and waits for its end. Never twice at once.
    /// A failure that was certainly not applied means that the step is over: it was refused, or has ended. After any other,
    /// the step may be running, and is found by the same name.
    async fn run(&self, access: &MachineAccess, step: &MachineRun) -> Result<RunOutput, Failure>;
}

/// One step on a machine.
#[derive(Clone, Debug)]
pub struct MachineRun {
    /// Its name on that machine: one word of lower-case letters, digits and `-`, such as `prepare-3`. A step that has ended
    /// keeps its result under its name, so another run needs another name.
    pub name: String,
    /// A POSIX shell script, run with `-eu` as root. It may be run again after it broke off.
    pub script: String,
    /// Variables of the script. Everybody on the machine may see them: never a secret.
    pub variables: Vec<(String, String)>,
    /// Files that are there before the script begins. Secrets go here.
    pub files: Vec<MachineFile>,
    /// How long the step may take, from its start on the machine.
    pub limit: Duration,
}

/// A file on a machine, owned by root.
#[derive(Clone)]
pub struct MachineFile {
    /// Its absolute path.
    pub path: String,
    /// Its mode.
    pub mode: u32,
    /// What is in it.
    pub content: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for MachineFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:o}, {} bytes)", self.path, self.mode, self.content.len())
    }
}

/// What a step that ended well has said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunOutput {
    /// The last lines of its output, both streams as they came.
    pub lines: Vec<String>,
}
