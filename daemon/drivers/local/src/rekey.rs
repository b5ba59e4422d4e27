//! New keys for a machine that has others: those that it was made with were lost with the daemon's store.
//!
//! ```text
//!   our line not among the authorized keys ──▶ host key ──▶ sshd reads it ──▶ our line
//! ```
//! The line goes last, and by it a machine is known that needs nothing: whoever was cut off before begins anew.

use std::io::Read as _;
use std::time::Duration;

use bollard::models::ExecConfig;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures::TryStreamExt as _;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, Name};
use tokio::time::{Instant, sleep};

use crate::LocalDriver;
use crate::docker_error::{failure, status};
use crate::keys::{self, AUTHORIZED_KEYS};
use crate::machine::FoundMachine;
use crate::power::Stage;

/// Whoever puts more into it than this has not written a list of keys.
const LARGEST_LIST: u64 = 1 << 20;

/// How long sshd may take to read its key.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);
const RELOAD_POLL: Duration = Duration::from_millis(50);

impl LocalDriver {
    /// Gives a machine the cluster's keys, if it has others.
    pub(crate) async fn give_keys_anew(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        found: &FoundMachine,
    ) -> Result<(), Failure> {
        match found.stage {
            // One that never ran gets them before it runs; one that leaves needs none.
            Stage::New | Stage::Leaving => return Ok(()),
            Stage::Running | Stage::CutOff | Stage::Stopped | Stage::Paused => {}
        }
        let line = keys::login_line(cluster)?;
        let list = self.authorized_keys(&found.id).await?;
        if list.lines().any(|known| known == line) {
            return Ok(());
        }
        tracing::warn!(%machine, cluster = %cluster.name(), "the machine has other keys than its cluster and gets new ones");
        self.put_files(&found.id, keys::host_key_archive(cluster, machine)?).await?;
        if found.stage != Stage::Stopped {
            self.have_sshd_read_its_key(&found.id).await?;
        }
        self.put_files(&found.id, keys::pack(&[(AUTHORIZED_KEYS, &with_line(&list, line))])?).await
    }

    /// The machine's list of keys; empty if there is none.
    async fn authorized_keys(&self, id: &str) -> Result<String, Failure> {
        let options = DownloadFromContainerOptionsBuilder::new().path(AUTHORIZED_KEYS).build();
        let archive = self.docker()?.download_from_container(id, Some(options));
        let archive: Vec<bytes::Bytes> = match archive.try_collect().await {
            Ok(parts) => parts,
            Err(error) if status(&error) == Some(404) => return Ok(String::new()),
            Err(error) => return Err(failure("read the machine's authorized keys", error)),
        };
        let archive = archive.concat();
        let unreadable = |error: std::io::Error| {
            let message = format!("the machine's authorized keys cannot be read: {error}");
            Failure::not_applied(ErrorCode::Provider, message)
        };
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut text = String::new();
        for file in archive.entries().map_err(unreadable)? {
            file.map_err(unreadable)?.take(LARGEST_LIST).read_to_string(&mut text).map_err(unreadable)?;
        }
        Ok(text)
    }

    /// Sessions that are open stay so: what they do is not cut off.
    async fn have_sshd_read_its_key(&self, id: &str) -> Result<(), Failure> {
        const STEP: &str = "have the machine's sshd read its new key";
        let failed = |error| failure(STEP, error);
        let docker = self.docker()?;
        let command = ["systemctl", "reload-or-restart", "ssh.service"].map(str::to_owned).to_vec();
        let exec =
            docker.create_exec(id, ExecConfig { cmd: Some(command), ..Default::default() }).await.map_err(failed)?;
        if let bollard::exec::StartExecResults::Attached { output, .. } =
            docker.start_exec(&exec.id, None).await.map_err(failed)?
        {
            // It ends when the command does.
            output.try_for_each(|_| async { Ok(()) }).await.map_err(failed)?;
        }
        // Nothing of its output was asked for, so the stream may end before the command has.
        let deadline = Instant::now() + RELOAD_LIMIT;
        let code = loop {
            let seen = docker.inspect_exec(&exec.id).await.map_err(failed)?;
            if seen.exit_code.is_some() || Instant::now() >= deadline {
                break seen.exit_code;
            }
            sleep(RELOAD_POLL).await;
        };
        match code {
            Some(0) => Ok(()),
            code => {
                let how = code.map_or_else(|| "does not end".to_owned(), |code| format!("ended with {code}"));
                let message = format!("{STEP}: `systemctl` {how}");
                Err(Failure::not_applied(ErrorCode::Provider, message)
                    .with_remedy("see on the machine why sshd does not run: `docker exec` with `journalctl -u ssh`"))
            }
        }
    }
}

/// The list with our line, which takes the place of an earlier one of this cluster: nobody has the other half of that.
fn with_line(list: &str, line: &str) -> String {
    let comment = line.splitn(3, ' ').nth(2).unwrap_or(line);
    let is_ours = |known: &&str| known.splitn(3, ' ').nth(2) == Some(comment);
    let others: String = list.lines().filter(|known| !is_ours(known)).map(|known| format!("{known}\n")).collect();
    format!("{others}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_earlier_line_is_replaced_and_others_stay() {
        let list = "ssh-ed25519 AAAA muster demo\nssh-rsa BBBB ann@desk\nssh-ed25519 CCCC muster demo-2";
        let expected = "ssh-rsa BBBB ann@desk\nssh-ed25519 CCCC muster demo-2\nssh-ed25519 DDDD muster demo\n";
        assert_eq!(with_line(list, "ssh-ed25519 DDDD muster demo"), expected);
    }
}
