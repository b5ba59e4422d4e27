//! A limit of the host's kernel that all machines share: whoever reaches it stops at boot without a clear word.

use std::fs;
use std::path::Path;

use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

/// How many inotify instances one user may have. All of a host's machines run as root.
const NAME: &str = "fs.inotify.max_user_instances";
const PATH: &str = "/proc/sys/fs/inotify/max_user_instances";

/// What one machine's systemd, D-Bus and container engine take: where 128 are allowed, machines beyond 20 stopped at boot.
const FOR_A_MACHINE: u64 = 6;

/// Machines that any host should have room for.
const USUAL_MACHINES: u64 = 10;

/// Refuses a cluster of so many machines for which the host has no room, whatever else runs there.
pub(crate) fn refuse_too_many(machines: u64) -> Result<(), Failure> {
    refuse(allowed(Path::new(PATH)), machines)
}

/// For how many machines there is room, or that there is too little for the usual use.
pub(crate) fn check() -> Result<String, Failure> {
    let allowed = allowed(Path::new(PATH));
    refuse(allowed, USUAL_MACHINES)?;
    Ok(match allowed {
        Some(instances) => format!("{NAME} = {instances} is enough for about {} machines", instances / FOR_A_MACHINE),
        None => format!("the kernel does not show {NAME}"),
    })
}

fn allowed(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A limit that the kernel does not show is none.
fn refuse(allowed: Option<u64>, machines: u64) -> Result<(), Failure> {
    let needed = machines.saturating_mul(FOR_A_MACHINE);
    let Some(too_few) = allowed.filter(|allowed| *allowed < needed) else { return Ok(()) };
    let message = format!("{machines} machines need {NAME} = {needed} or more, and this host has {too_few}");
    let remedy = format!("raise it with `sysctl -w {NAME}={}`, and keep it in a file in /etc/sysctl.d", needed * 4);
    Err(Failure::not_applied(ErrorCode::Quota, message).permanent().with_remedy(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_machines_than_the_host_has_room_for_are_refused_with_the_limit_and_what_to_set() {
        assert!(refuse(Some(128), 21).is_ok());
        let refused = refuse(Some(128), 22).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Quota);
        assert!(refused.message.contains("fs.inotify.max_user_instances = 132"), "{}", refused.message);
        assert!(refused.remedy.unwrap().contains("sysctl -w fs.inotify.max_user_instances="));
        assert!(refuse(None, 22).is_ok(), "a kernel that shows no limit has none");
    }

    #[test]
    fn a_limit_is_read_as_the_kernel_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("max_user_instances");
        assert_eq!(allowed(&file), None);
        fs::write(&file, "128\n").unwrap();
        assert_eq!(allowed(&file), Some(128));
    }
}
