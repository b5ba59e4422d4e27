//! Steps on machines over SSH, each as a transient systemd unit of its own.
//!
//! ```text
//!   not known ──▶ files and script are put there ──▶ unit runs ──▶ result file
//!                                                       ▲               │
//!   same name again: ───────────────────────────────────┴── follows ────┴── answers the result
//! ```
//!
//! A lost connection only ends the watching: the unit goes on, and the next call for the same name finds it. The step's
//! script, output and result are in a folder of its own on the machine's disk, so that a reboot does not forget them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use muster_engine::context::ClusterContext;
use muster_engine::failure::{Certainty, Failure};
use muster_engine::ledger::MachineAccess;
use muster_engine::machine::{MachineRun, Machines, RunOutput};
use muster_protocol::{ErrorCode, SecretString};

use crate::material::{self, MaterialError};
use crate::recipe::with_variables;
use crate::ssh::{Command, CommandOutput, Session, SshError};

/// Where steps live on a machine.
const ROOT: &str = "/var/lib/muster/steps";
/// Steps that begin so only ask: they run beside others. All other steps of a machine run one after another.
pub const ASK: &str = "ask-";

const STEP: &str = include_str!("../recipes/machine/step.sh");
const FOLLOW: &str = include_str!("../recipes/machine/follow.sh");
const PLACE: &str = include_str!("../recipes/machine/place.sh");

/// What `follow.sh` ends with if it knows no such step.
const NOT_KNOWN: u32 = 252;
/// What `follow.sh` ends with if the step ended without an exit code.
const BROKEN_OFF: u32 = 253;
const SMALL_LIMIT: Duration = Duration::from_secs(60);
/// systemd ends the unit at the step's limit; its last words and its result come a little later.
const END_GRACE: Duration = Duration::from_secs(60);

/// Gets told every line that a step says: address of the machine, step, line.
pub type StepProgress = dyn Fn(&str, &str, &str) + Send + Sync;

/// The machines of one cluster, reached with its login key.
pub struct SshMachines {
    login_key: SecretString,
    scope: String,
    boot_limit: Duration,
    progress: Option<Arc<StepProgress>>,
}

impl SshMachines {
    /// The machines of this cluster. A machine that boots has `boot_limit` to let us in.
    pub fn new(cluster: &ClusterContext, boot_limit: Duration) -> Result<Self, MaterialError> {
        let login_key = SecretString::new(material::entry(&cluster.material, material::SSH_KEY)?);
        // Results of an earlier cluster on the same host are not ours. The end of the id is its random part.
        let id = cluster.cluster.to_string();
        let scope = id[id.len().saturating_sub(12)..].to_owned();
        Ok(Self { login_key, scope, boot_limit, progress: None })
    }

    /// Also gives every line that a step says to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<StepProgress>) -> Self {
        self.progress = Some(progress);
        self
    }

    async fn run_over(
        &self,
        session: &Session,
        access: &MachineAccess,
        step: &MachineRun,
    ) -> Result<RunOutput, Failure> {
        let followed = self.follow(session, access, step, false).await.map_err(in_doubt)?;
        let ended = if followed.code == NOT_KNOWN {
            self.place(session, step).await.map_err(Failure::in_doubt)?;
            self.follow(session, access, step, true).await.map_err(in_doubt)?
        } else {
            followed
        };
        match ended.code {
            0 => Ok(RunOutput { lines: ended.lines }),
            BROKEN_OFF => Err(broken_off(step, &ended)),
            _ => Err(failed(step, ended)),
        }
    }

    async fn place(&self, session: &Session, step: &MachineRun) -> Result<(), Failure> {
        let directory = format!("{ROOT}/{}/{}", self.scope, step.name);
        let variables = [("ROOT", ROOT), ("SCOPE", &self.scope), ("NAME", &step.name)];
        shell(session, "place", PLACE, &variables, SMALL_LIMIT, &|_| ()).await?.success("place")?;
        for file in &step.files {
            session.upload(&file.path, file.mode, Bytes::from_owner(file.content.clone())).await?;
        }
        let variables: Vec<_> = step.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let script = with_variables(&step.script, &variables);
        session.upload(&format!("{directory}/script"), 0o600, script).await?;
        session.upload(&format!("{directory}/step.sh"), 0o600, STEP).await?;
        Ok(())
    }

    async fn follow(
        &self,
        session: &Session,
        access: &MachineAccess,
        step: &MachineRun,
        start: bool,
    ) -> Result<CommandOutput, SshError> {
        let lock = if step.name.starts_with(ASK) { "none".to_owned() } else { format!("{ROOT}/lock") };
        let limit = step.limit.as_secs().max(1).to_string();
        let variables = [
            ("ROOT", ROOT),
            ("SCOPE", &self.scope),
            ("NAME", &step.name),
            ("LIMIT", &limit),
            ("LOCK", &lock),
            ("START", if start { "yes" } else { "no" }),
        ];
        let on_line = |line: &str| {
            tracing::debug!(address = %access.address, step = step.name, "{line}");
            if let Some(progress) = &self.progress {
                progress(&access.address, &step.name, line);
            }
        };
        shell(session, &step.name, FOLLOW, &variables, step.limit + END_GRACE, &on_line).await
    }
}

#[async_trait]
impl Machines for SshMachines {
    async fn run(&self, access: &MachineAccess, step: &MachineRun) -> Result<RunOutput, Failure> {
        if !is_word(&step.name) {
            let message = format!("`{}` is no name for a step", step.name);
            return Err(Failure::not_applied(ErrorCode::Internal, message).permanent());
        }
        // As long as the end of the step is not known, it may be running.
        let session = Session::open(access, self.login_key.expose(), self.boot_limit).await;
        let session = session.map_err(|error| Failure::from(error).in_doubt())?;
        let ended = self.run_over(&session, access, step).await;
        session.close().await;
        ended
    }
}

async fn shell(
    session: &Session,
    name: &str,
    text: &str,
    variables: &[(&str, &str)],
    limit: Duration,
    on_line: &(dyn Fn(&str) + Send + Sync),
) -> Result<CommandOutput, SshError> {
    let stdin = Bytes::from(with_variables(text, variables));
    session.run(Command { name, line: "sh -eu", stdin, limit }, on_line).await
}

/// The name is part of paths and of a unit's name.
fn is_word(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 100 && name.bytes().all(allowed)
}

fn in_doubt(error: SshError) -> Failure {
    Failure::from(error).in_doubt()
}

/// The step has ended without a result of its own, and for good: another try is another step.
fn broken_off(step: &MachineRun, ended: &CommandOutput) -> Failure {
    let why = ended.lines.last().map_or("broken off", String::as_str);
    let why = if why.ends_with("timeout") {
        format!("did not end within {} s", step.limit.as_secs())
    } else {
        format!("was {why}")
    };
    let message = format!("`{}` {why}", step.name);
    Failure::not_applied(ErrorCode::Preparation, message)
        .with_remedy("see on the machine what it waited for; Muster tries again by itself")
}

/// The step has ended and did not do what it should: as a step it is over, whatever it has changed.
fn failed(step: &MachineRun, ended: CommandOutput) -> Failure {
    match ended.success(&step.name) {
        Ok(_) => Failure::maybe_applied(ErrorCode::Internal, format!("`{}` has no result", step.name)),
        Err(error) => Failure { certainty: Certainty::NotApplied, ..Failure::from(error) },
    }
}

/// A name that no other step has: for steps that only ask, whose answer counts once.
pub(crate) fn unique(name: &str) -> String {
    let mut bytes = [0; 6];
    // Without random bytes the name may repeat an earlier one's, whose answer is then given again; nothing worse.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steps_name_is_one_word_that_is_safe_in_a_path() {
        assert!(is_word("prepare-3"));
        for name in ["", "../x", "a b", "A", "a/b", "a.b", &"x".repeat(101)] {
            assert!(!is_word(name), "{name}");
        }
    }
}
