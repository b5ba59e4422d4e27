//! What outlives a test that is killed: word is left of it for the clean-up of `cargo xtask test`, in `MUSTER_TEST_DIR`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

/// Everything on the Docker Engine with the mark of one installation. It goes when this is dropped.
#[derive(Debug)]
pub struct Traces {
    instance: String,
}

impl Traces {
    /// Leaves word of an installation, before it makes anything or as soon as it is known.
    ///
    /// # Errors
    /// If the word cannot be written.
    pub fn of(instance: impl ToString) -> Result<Self> {
        let instance = instance.to_string();
        leave_word("instances", &instance, "")?;
        Ok(Self { instance })
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        remove_everything_of(&self.instance);
        if let Some(folder) = folder("instances") {
            let _ = fs::remove_file(folder.join(&self.instance));
        }
    }
}

/// Leaves word of something of this kind: `instances` or `daemons`.
///
/// # Errors
/// If the word cannot be written.
pub fn leave_word(kind: &str, name: &str, content: &str) -> Result<()> {
    let Some(folder) = folder(kind) else { return Ok(()) };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(folder.join(name), content).with_context(|| format!("cannot write to {}", folder.display()))
}

fn folder(kind: &str) -> Option<PathBuf> {
    std::env::var_os("MUSTER_TEST_DIR").map(|folder| PathBuf::from(folder).join(kind))
}

/// Removes what carries an installation's mark. Without Docker there is nothing.
fn remove_everything_of(instance: &str) {
    let filter = format!("label=io.muster.instance={instance}");
    let kinds: [(&[&str], &[&str]); 3] = [
        (&["ps", "--all", "--quiet"], &["rm", "--force", "--volumes"]),
        (&["network", "ls", "--quiet"], &["network", "rm"]),
        (&["volume", "ls", "--quiet"], &["volume", "rm", "--force"]),
    ];
    for (list, remove) in kinds {
        let listed = Command::new("docker").args(list).args(["--filter", &filter]).output();
        let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        if !listed.trim().is_empty() {
            let _ = Command::new("docker").args(remove).args(listed.split_whitespace()).output();
        }
    }
}
