//! Which capabilities machines get: those that the engine's host has and the engine knows, without those that reach the
//! host itself.

use std::fs;

use muster_capabilities::{HOST_STATUS, of_status};
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

/// What no machine can run without: systemd mounts, the nested engine makes networks.
const NEEDED: [&str; 3] = ["SYS_ADMIN", "NET_ADMIN", "SYS_CHROOT"];

/// What no machine gets, because these reach the kernel or the clock that machines share with their host: modules, raw
/// input and output, the time, and the rules of SELinux and the like.
const WITHHELD: [&str; 5] = ["SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "MAC_OVERRIDE", "MAC_ADMIN"];

/// The capabilities that machines on this host get.
pub(crate) fn of_host() -> Result<Vec<&'static str>, Failure> {
    let status = fs::read_to_string(HOST_STATUS).unwrap_or_default();
    of_status(&status).map(without_withheld).ok_or_else(|| {
        let message = format!("the host's capabilities cannot be read from {HOST_STATUS}");
        Failure::not_applied(ErrorCode::Provider, message).with_remedy(
            "let the daemon see the host's first process: `ProtectProc=default`, as in the drop-in `local-engine.conf`",
        )
    })
}

fn without_withheld(mut capabilities: Vec<&'static str>) -> Vec<&'static str> {
    capabilities.retain(|capability| !WITHHELD.contains(capability));
    capabilities
}

/// Which needed capabilities are not among these.
pub(crate) fn missing(capabilities: &[&str]) -> Vec<&'static str> {
    NEEDED.into_iter().filter(|needed| !capabilities.contains(needed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_in_a_plain_container_lacks_what_machines_need() {
        let docker_default = of_status("CapBnd:\t00000000a80425fb\n").unwrap();
        assert_eq!(missing(&docker_default), ["SYS_ADMIN", "NET_ADMIN"]);
        assert!(missing(&muster_capabilities::NAMES).is_empty());
    }

    #[test]
    fn machines_cannot_load_modules_or_set_the_clock_of_their_host() {
        let all = muster_capabilities::NAMES.to_vec();
        let granted = without_withheld(all.clone());
        assert_eq!(granted.len() + WITHHELD.len(), all.len());
        assert!(missing(&granted).is_empty() && !granted.contains(&"SYS_MODULE"));
    }
}
