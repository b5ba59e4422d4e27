//! What machines take from the kernel that they share with their host. They cannot load its modules.

use std::fs;
use std::path::Path;

use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

/// What the host's kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Modules {
    overlay: bool,
    ipvs: bool,
    bridge_filter: bool,
}

/// What machines of this host can do and what they cannot, or why nothing runs in them.
pub(crate) fn check() -> Result<String, Failure> {
    let file_systems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    said(Modules {
        overlay: file_systems.split_whitespace().any(|word| word == "overlay"),
        ipvs: Path::new("/proc/net/ip_vs").exists(),
        bridge_filter: Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables").exists(),
    })
}

fn said(modules: Modules) -> Result<String, Failure> {
    if !modules.overlay {
        let message = "the host's kernel has no overlay file system, so no machine can run containers";
        return Err(Failure::not_applied(ErrorCode::Unsupported, message)
            .permanent()
            .with_remedy("load it with `modprobe overlay`, and keep it in a file in /etc/modules-load.d"));
    }
    let mut lacks = Vec::new();
    if !modules.ipvs {
        lacks.push("no `ip_vs`: a Swarm publishes ports by `exposure: host` only, and `ingress` is refused");
    }
    if !modules.bridge_filter {
        lacks.push("no `br_netfilter`: Kubernetes is refused");
    }
    if lacks.is_empty() {
        return Ok("the host's kernel has what every orchestrator needs".to_owned());
    }
    Ok(format!("the host's kernel has {}. `modprobe` on the host loads them", lacks.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lacks_is_said_with_what_follows_from_it() {
        let all = Modules { overlay: true, ipvs: true, bridge_filter: true };
        assert_eq!(said(all).unwrap(), "the host's kernel has what every orchestrator needs");
        let without_ipvs = said(Modules { ipvs: false, ..all }).unwrap();
        assert!(without_ipvs.contains("`exposure: host` only") && !without_ipvs.contains("Kubernetes"));
        assert!(said(Modules { bridge_filter: false, ..all }).unwrap().contains("Kubernetes is refused"));
        let refused = said(Modules { overlay: false, ..all }).unwrap_err();
        assert!(refused.remedy.unwrap().contains("modprobe overlay"));
    }
}
