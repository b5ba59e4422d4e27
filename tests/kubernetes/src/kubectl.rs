//! `kubectl` on a machine of the cluster, since this host may have none.

use std::process::Command;

/// The administrator's kubeconfig on a control plane.
const KUBECONFIG: &str = "/etc/kubernetes/admin.conf";

/// Runs `kubectl` in a machine's container.
#[derive(Clone, Debug)]
pub struct Kubectl {
    pub(crate) container: String,
}

impl Kubectl {
    /// What the command prints. One that fails ends the test with what it says.
    pub fn run(&self, arguments: &[&str]) -> String {
        let inside = ["exec", self.container.as_str(), "kubectl", "--kubeconfig", KUBECONFIG];
        let output = Command::new("docker").args(inside).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(output.status.success(), "{arguments:?}: {said} {}", String::from_utf8_lossy(&output.stderr));
        said
    }
}
