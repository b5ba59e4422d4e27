//! The versions of Kubernetes that are offered, and what belongs to each.

/// One version of Kubernetes, by the folders of its modules in `tests/kubernetes`.
pub struct Release {
    /// `1.36.3`: the version, and the folder.
    pub version: &'static str,
    /// The folder of its etcd.
    pub etcd: &'static str,
    /// The folder of its CoreDNS.
    pub coredns: &'static str,
}

/// From oldest to newest. An upgrade goes one minor version at a time.
///
/// 1.35 wants etcd 3.6.6, which the module proxy does not serve: it gets 3.6.8 under that tag.
pub const ALL: [Release; 2] = [
    Release { version: "1.35.4", etcd: "etcd-3.6.8", coredns: "coredns-1.13.1" },
    Release { version: "1.36.3", etcd: "etcd-3.6.8", coredns: "coredns-1.14.2" },
];

/// The folder of flannel's module, for every version.
pub const FLANNEL: &str = "flannel-0.26.7";
/// The folder of the CNI plugins' module.
pub const CNI_PLUGINS: &str = "cni-plugins-1.9.1";
/// The folder of crictl's module.
pub const CRI_TOOLS: &str = "cri-tools-1.37.0";

impl Release {
    /// `1.36`.
    pub fn minor(&self) -> &'static str {
        self.version.rsplit_once('.').map_or(self.version, |(minor, _)| minor)
    }

    /// Where its repository lies below the server's root, as at `https://pkgs.k8s.io/`.
    pub fn repository(&self) -> String {
        format!("core:/stable:/v{}/deb", self.minor())
    }
}

/// `1.9.1` of `cni-plugins-1.9.1`.
pub fn version_of(folder: &str) -> &str {
    folder.rsplit_once('-').map_or(folder, |(_, version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_as_at_the_project() {
        assert_eq!(ALL[1].repository(), "core:/stable:/v1.36/deb");
    }

    #[test]
    fn versions_are_the_end_of_a_folders_name() {
        assert_eq!(version_of("cni-plugins-1.9.1"), "1.9.1");
        assert_eq!(version_of("1.36.3"), "1.36.3");
    }

    #[test]
    fn each_version_can_be_upgraded_to_the_next() {
        let minors: Vec<u32> =
            ALL.iter().map(|release| release.minor().split_once('.').unwrap().1.parse().unwrap()).collect();
        assert!(minors.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{minors:?}");
    }
}
