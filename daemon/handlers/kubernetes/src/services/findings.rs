//! What was found out for an order: what its objects have that the order itself does not say.

use std::collections::BTreeSet;

use super::host_ports::HostPorts;

/// What was found out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Findings {
    /// The numbers for ports of the host that the order leaves open.
    pub(crate) host_ports: HostPorts,
    /// What the image's tag means, if that is known.
    pub(crate) digest: Option<String>,
    /// Why that is not known, if the image's registry was asked in vain.
    pub(crate) unanswered: Option<String>,
    /// The volumes where its copies have to go.
    pub(crate) held: BTreeSet<String>,
    /// Those of them that have a place; none if the service has no volumes, or is left as an earlier release made it.
    pub(crate) placed: Option<BTreeSet<String>>,
}
