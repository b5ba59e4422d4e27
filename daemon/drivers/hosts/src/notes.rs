//! What the daemon itself keeps of an account's hosts: their host keys, and which were or may have been claimed for what.
//!
//! A note is on disk before the host is asked to take a claim, so after a crash a host that does not answer is known to
//! be in doubt, and every other one that does not answer is known to have nothing of a cluster's.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::InfraKey;
use muster_protocol::{ClusterId, ErrorCode, InstanceId, Name};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::claim::Claim;

/// What is kept of one host.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    /// Its host key in OpenSSH's one-line form, as it was pinned.
    pub(crate) host_key: Option<String>,
    /// For what it was, or may have been, claimed.
    pub(crate) claimed: Option<NotedClaim>,
}

/// A claim that was made or may have been.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct NotedClaim {
    pub(crate) instance: InstanceId,
    pub(crate) cluster: ClusterId,
    pub(crate) key: InfraKey,
}

impl NotedClaim {
    pub(crate) fn new(cluster: &ClusterContext, key: &InfraKey) -> Self {
        Self { instance: cluster.instance, cluster: cluster.cluster, key: key.clone() }
    }

    /// What a claim on a host says; none if its machine cannot be read.
    pub(crate) fn of(claim: &Claim) -> Option<Self> {
        Some(Self { instance: claim.instance, cluster: claim.cluster, key: claim.machine_key()? })
    }

    /// Whether it is for this cluster.
    pub(crate) fn is_of(&self, cluster: &ClusterContext) -> bool {
        self.instance == cluster.instance && self.cluster == cluster.cluster
    }
}

/// All that is kept of an account's hosts, by their names.
type All = BTreeMap<Name, Note>;

/// The notes of one account. One driver of the account has them at a time.
pub(crate) struct Notes {
    path: PathBuf,
    all: Mutex<Option<All>>,
}

impl Notes {
    /// Notes in this file. It is read at the first use.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, all: Mutex::new(None) }
    }

    /// All notes.
    pub(crate) async fn all(&self) -> Result<All, Failure> {
        let mut all = self.all.lock().await;
        Ok(self.loaded(&mut all).await?.clone())
    }

    /// Changes the note of a host; on disk when it returns.
    pub(crate) async fn change(&self, host: &Name, change: impl FnOnce(&mut Note) + Send) -> Result<(), Failure> {
        let mut all = self.all.lock().await;
        let before = self.loaded(&mut all).await?;
        let mut after = before.clone();
        change(after.entry(host.clone()).or_default());
        if after == *before {
            return Ok(());
        }
        let (path, text) = (self.path.clone(), text_of(&after)?);
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        written.map_err(io::Error::other).flatten().map_err(|error| self.failure("written", &error))?;
        *all = Some(after);
        Ok(())
    }

    async fn loaded<'a>(&self, all: &'a mut Option<All>) -> Result<&'a All, Failure> {
        let notes = match all.take() {
            Some(notes) => notes,
            None => self.read().await?,
        };
        Ok(all.insert(notes))
    }

    async fn read(&self) -> Result<All, Failure> {
        match tokio::fs::read(&self.path).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| self.failure("read", &io::Error::other(error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(All::new()),
            Err(error) => Err(self.failure("read", &error)),
        }
    }

    fn failure(&self, what: &str, error: &io::Error) -> Failure {
        let message = format!("the notes on hosts in {} cannot be {what}: {error}", self.path.display());
        Failure::not_applied(ErrorCode::Store, message)
            .with_remedy("see the disk; if the file is damaged, move it away: hosts are then known by their own claims")
    }
}

fn text_of(all: &All) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec_pretty(all).map_err(|error| {
        Failure::not_applied(ErrorCode::Internal, format!("notes on hosts cannot be written as JSON: {error}"))
    })
}

/// Whole or not at all, and there after a power failure.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_noted_is_there_for_the_next_life_of_the_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts/lab.json");
        let host: Name = "web-1".parse().unwrap();
        let claimed = NotedClaim {
            instance: InstanceId::from_u128(1),
            cluster: ClusterId::from_u128(2),
            key: InfraKey::for_machine("worker-1".parse().unwrap()),
        };
        let notes = Notes::new(path.clone());
        assert!(notes.all().await.unwrap().is_empty());
        notes.change(&host, |note| note.host_key = Some("ssh-ed25519 A".to_owned())).await.unwrap();
        notes.change(&host, |note| note.claimed = Some(claimed.clone())).await.unwrap();

        let after = Notes::new(path).all().await.unwrap();
        assert_eq!(after[&host], Note { host_key: Some("ssh-ed25519 A".to_owned()), claimed: Some(claimed) });
    }

    #[tokio::test]
    async fn a_damaged_file_is_an_error_and_not_the_lack_of_notes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.json");
        std::fs::write(&path, "{").unwrap();
        let failure = Notes::new(path).all().await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::Store);
    }
}
