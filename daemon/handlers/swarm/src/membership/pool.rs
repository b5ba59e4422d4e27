//! Where the networks of a swarm get their addresses.

use std::net::IpAddr;

use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_material::networks::Networks;
use muster_material::subnet::Subnet;
use muster_protocol::ErrorCode;

/// Where an engine takes networks for a swarm when it is told nothing. It does not look whether machines are in there too.
const ENGINES_OWN: &str = "10.0.0.0/8";
const HALVES: [&str; 2] = ["10.0.0.0/9", "10.128.0.0/9"];

/// The pools to form the swarm with: those of the cluster's options, or else one that keeps clear of the network in which
/// its first machine is. `None` leaves it to the engine.
pub(super) fn of(cluster: &ClusterContext, first_address: &str) -> Result<Option<Vec<String>>, Failure> {
    let networks = networks(cluster)?;
    if networks.address_pools.is_empty() {
        return Ok(beside(first_address).map(|pool| vec![pool.to_string()]));
    }
    Ok(Some(networks.address_pools.iter().map(ToString::to_string).collect()))
}

/// What the cluster's options say of its networks.
pub(crate) fn networks(cluster: &ClusterContext) -> Result<Networks, Failure> {
    Networks::read(&cluster.spec.options).map_err(|(name, why)| {
        let message = format!("the cluster's option `{name}` cannot be used: {why}");
        Failure::not_applied(ErrorCode::Internal, message).permanent()
    })
}

/// The half of the engine's own pool in which this address is not; none if the address is not in the pool at all.
fn beside(address: &str) -> Option<Subnet> {
    let Ok(IpAddr::V4(address)) = address.parse() else { return None };
    let own: Subnet = ENGINES_OWN.parse().ok()?;
    let halves = HALVES.iter().filter_map(|half| half.parse::<Subnet>().ok());
    if own.contains(address) { halves.into_iter().find(|half| !half.contains(address)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swarms_networks_keep_clear_of_the_machines() {
        let beside = |address| beside(address).map(|pool| pool.to_string());
        assert_eq!(beside("10.0.3.7").as_deref(), Some("10.128.0.0/9"));
        assert_eq!(beside("10.200.3.7").as_deref(), Some("10.0.0.0/9"));
        assert_eq!(beside("172.18.0.2"), None);
        assert_eq!(beside("fd00::1"), None);
    }
}
