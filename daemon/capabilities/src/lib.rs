//! Which Linux capabilities the Docker Engine's host can grant to a container: all that it has and that the engine knows.
//!
//! `Privileged` would ask for every capability that the kernel knows, and fails where the host itself was given fewer.
//! A crate of its own and without dependencies, for the driver, its image's build and the tests of what runs on machines.

/// The process to read them from: the engine's ancestor. One's own may be narrowed, by a unit for example.
pub const HOST_STATUS: &str = "/proc/1/status";

/// By bit number, as in capabilities(7). 38 to 40 (`PERFMON`, `BPF`, `CHECKPOINT_RESTORE`) are left out: Docker Engine
/// 20.10 refuses names that it does not know, and nothing in a machine needs them.
pub const NAMES: [&str; 38] = [
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

/// The capabilities in the bounding set of a process, from the text of its `/proc/PID/status`; none if it has no such set.
pub fn of_status(status: &str) -> Option<Vec<&'static str>> {
    let bounding_set = status.lines().find_map(|line| line.strip_prefix("CapBnd:"))?;
    let bits = u64::from_str_radix(bounding_set.trim(), 16).ok()?;
    Some((0..).zip(NAMES).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restricted_host_grants_all_but_what_it_lacks() {
        let granted = of_status("Name:\tinit\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n").unwrap();
        assert_eq!(granted.len(), NAMES.len() - 1);
        assert!(!granted.contains(&"SYS_RESOURCE"));
        assert!(granted.contains(&"SYS_ADMIN") && granted.contains(&"AUDIT_READ"));
    }

    #[test]
    fn capabilities_unknown_to_the_engine_are_never_asked_for() {
        assert_eq!(of_status("CapBnd:\tffffffffffffffff").unwrap(), NAMES);
    }

    #[test]
    fn the_bits_have_the_kernels_numbers() {
        // include/uapi/linux/capability.h: CAP_CHOWN 0, CAP_NET_ADMIN 12, CAP_SYS_ADMIN 21, CAP_AUDIT_READ 37.
        let granted = of_status("CapBnd:\t0000002000201001").unwrap();
        assert_eq!(granted, ["CHOWN", "NET_ADMIN", "SYS_ADMIN", "AUDIT_READ"]);
    }

    #[test]
    fn an_unreadable_status_is_no_empty_set() {
        assert_eq!(of_status("Name:\tinit\n"), None);
        assert_eq!(of_status("CapBnd:\tnonsense\n"), None);
    }
}
