//! What the commands share that ask for a file with which a tool reaches a cluster.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use muster_protocol::model::access::{AccessFile, AccessKind};
use muster_protocol::model::token::AccessRole;
use muster_protocol::time::parse_lifetime;
use muster_protocol::{Error, ErrorCode, Name};

use crate::cli::context::Context;
use crate::cli::failure::Result;

/// What the file is to allow, and for how long.
#[derive(Debug, Args)]
pub struct AccessArgs {
    /// The cluster
    pub name: Name,
    /// How long the file holds, such as 8h or 30d; never longer than the cluster's authority
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_lifetime)]
    pub valid_for: Duration,
}

impl AccessArgs {
    /// Asks the daemon for it.
    pub async fn ask(&self, context: &Context, kind: AccessKind, role: Option<AccessRole>) -> Result<AccessFile> {
        let client = context.client().await?;
        Ok(client.cluster_access(&self.name, Some(kind), role, Some(self.valid_for)).await?)
    }
}

/// Writes a file that nobody else may read: as a whole, or not at all.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let cannot = |problem: std::io::Error| {
        Error::new(ErrorCode::InvalidArgument, format!("cannot write {}", path.display()))
            .with_detail("cause", problem)
            .with_remedy("check the path and its permissions")
    };
    // Whoever keeps the file elsewhere and links to it, keeps the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}.new", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    };
    write().map_err(|problem| {
        let _may_not_be_there = fs::remove_file(&beside);
        cannot(problem).into()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_through_its_link_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("kept"), folder.path().join("config"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        write_private(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
        assert!(write_private(&folder.path().join("none/config"), b"new").is_err());
    }
}
