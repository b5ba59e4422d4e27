//! Which capabilities machines get: all that the engine's host has and the engine knows.
//!
//! `Privileged` would ask for every capability that the kernel knows, and fails where the host itself was given fewer.

/// By bit number, as in capabilities(7). 38 to 40 (`PERFMON`, `BPF`, `CHECKPOINT_RESTORE`) are left out: Docker Engine
/// 20.10 refuses names that it does not know, and nothing in a machine needs them.
const NAMES: [&str; 38] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
];

/// What no machine can run without: systemd mounts, the nested engine makes networks.
const NEEDED: [&str; 3] = ["SYS_ADMIN", "NET_ADMIN", "SYS_CHROOT"];

/// The capabilities of the engine's host, from the text of its first process's `/proc/PID/status`.
pub(crate) fn of_host(status: &str) -> Option<Vec<&'static str>> {
    let bounding_set = status.lines().find_map(|line| line.strip_prefix("CapBnd:"))?;
    let bits = u64::from_str_radix(bounding_set.trim(), 16).ok()?;
    let names = NAMES.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
    Some(names.map(|(_, name)| *name).collect())
}

/// Which needed capabilities are not among these.
pub(crate) fn missing(capabilities: &[&str]) -> Vec<&'static str> {
    NEEDED.into_iter().filter(|needed| !capabilities.contains(needed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_host_has_and_the_engine_knows_is_asked_for() {
        let all = of_host("Name:\tsystemd\nCapBnd:\t000001ffffffffff\n").unwrap();
        assert_eq!(all, NAMES);
        let restricted = of_host("CapBnd:\t000001fffeffffff\n").unwrap();
        assert_eq!(restricted.len(), NAMES.len() - 1);
        assert!(!restricted.contains(&"SYS_RESOURCE"));
    }

    #[test]
    fn a_status_without_a_bounding_set_is_not_taken_for_one() {
        assert_eq!(of_host("Name:\tsystemd\n"), None);
        assert_eq!(of_host("CapBnd:\tnonsense\n"), None);
    }

    #[test]
    fn a_host_in_a_plain_container_lacks_what_machines_need() {
        let docker_default = of_host("CapBnd:\t00000000a80425fb\n").unwrap();
        assert_eq!(missing(&docker_default), ["SYS_ADMIN", "NET_ADMIN"]);
        assert!(missing(&NAMES).is_empty());
    }
}
