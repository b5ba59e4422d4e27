//! How the networks that an orchestrator makes on its machines are to be: options of a cluster that the preparation of
//! machines and the handler both read.

use std::collections::BTreeMap;

use crate::subnet::Subnet;

/// The names of the options, as users write them.
pub mod option {
    /// Networks, with commas between, of which each network of the cluster takes a /24.
    pub const ADDRESS_POOLS: &str = "addressPools";
    /// The same for the networks that each machine's engine has for itself.
    pub const ENGINE_ADDRESS_POOLS: &str = "engineAddressPools";
    /// The largest packet that the machines' network carries, in bytes.
    pub const MTU: &str = "mtu";
}

/// The size of each network that is taken from a pool.
pub const TAKEN: u32 = 24;

/// The largest packet of a network of which nothing is known, in bytes: Ethernet's.
pub const USUAL_MTU: u32 = 1500;

/// Every host must take this much (RFC 791); a network that carries less carries no IPv4.
const SMALLEST_MTU: u32 = 576;
const LARGEST_MTU: u32 = 65_535;

/// What a cluster's options say of its networks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Networks {
    /// Where the cluster's networks get theirs; empty if the orchestrator may choose.
    pub address_pools: Vec<Subnet>,
    /// Where the networks of each machine's engine get theirs; empty if the engine may choose.
    pub engine_address_pools: Vec<Subnet>,
    /// The largest packet of the machines' network, if it is not to be what the machines show.
    pub mtu: Option<u32>,
}

impl Networks {
    /// Reads them from the options of a cluster. Other names are somebody else's.
    ///
    /// # Errors
    /// The name of the option that cannot be used, and why.
    pub fn read(options: &BTreeMap<String, String>) -> Result<Self, (&'static str, String)> {
        let pools_of = |name: &'static str| match options.get(name) {
            Some(value) => pools(value).map_err(|why| (name, why)),
            None => Ok(Vec::new()),
        };
        let mtu = options.get(option::MTU).map(|value| mtu(value).map_err(|why| (option::MTU, why)));
        let all = Self {
            address_pools: pools_of(option::ADDRESS_POOLS)?,
            engine_address_pools: pools_of(option::ENGINE_ADDRESS_POOLS)?,
            mtu: mtu.transpose()?,
        };
        for pool in &all.engine_address_pools {
            if let Some(other) = all.address_pools.iter().find(|other| other.overlaps(*pool)) {
                let why = format!("{pool} overlaps {other} of `{}`", option::ADDRESS_POOLS);
                return Err((option::ENGINE_ADDRESS_POOLS, why));
            }
        }
        Ok(all)
    }

    /// The pools by the names of their options.
    pub fn pools(&self) -> impl Iterator<Item = (&'static str, Subnet)> {
        let of = |name, pools: &[Subnet]| pools.iter().map(move |pool| (name, *pool)).collect::<Vec<_>>();
        let own = of(option::ADDRESS_POOLS, &self.address_pools);
        own.into_iter().chain(of(option::ENGINE_ADDRESS_POOLS, &self.engine_address_pools))
    }
}

/// Networks with commas between, each of which has room for networks of its own.
///
/// # Errors
/// Why one of them cannot be a pool.
pub fn pools(text: &str) -> Result<Vec<Subnet>, String> {
    let mut pools: Vec<Subnet> = Vec::new();
    for part in text.split(',') {
        let pool: Subnet = part.trim().parse()?;
        if pool.prefix() > TAKEN {
            return Err(format!("{pool} has no room for a /{TAKEN}"));
        }
        if let Some(other) = pools.iter().find(|other| other.overlaps(pool)) {
            return Err(format!("{pool} overlaps {other}"));
        }
        pools.push(pool);
    }
    Ok(pools)
}

/// The largest packet of a network, in bytes.
///
/// # Errors
/// Why it cannot be.
pub fn mtu(text: &str) -> Result<u32, String> {
    let bytes = text.trim().parse().ok().filter(|bytes| (SMALLEST_MTU..=LARGEST_MTU).contains(bytes));
    bytes.ok_or_else(|| format!("`{text}` is no number of bytes from {SMALLEST_MTU} to {LARGEST_MTU}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<Networks, (&'static str, String)> {
        Networks::read(&options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_not_said_is_left_to_others() {
        assert_eq!(read(&[("colour", "red")]), Ok(Networks::default()));
    }

    #[test]
    fn pools_are_networks_that_have_room_and_are_apart() {
        let networks = read(&[("addressPools", "10.50.0.0/16, 10.60.0.0/24"), ("mtu", "1400")]).unwrap();
        let texts: Vec<String> = networks.pools().map(|(name, pool)| format!("{name} {pool}")).collect();
        assert_eq!(texts, ["addressPools 10.50.0.0/16", "addressPools 10.60.0.0/24"]);
        assert_eq!(networks.mtu, Some(1400));
        for wrong in ["", "10.50.0.0", "10.50.0.0/25", "10.50.0.1/16", "10.50.0.0/16,10.50.3.0/24"] {
            assert_eq!(read(&[("addressPools", wrong)]).unwrap_err().0, "addressPools", "{wrong}");
        }
        let both = read(&[("addressPools", "10.50.0.0/16"), ("engineAddressPools", "10.50.7.0/24")]);
        assert_eq!(both.unwrap_err().0, "engineAddressPools");
    }

    #[test]
    fn packets_have_a_size_that_networks_have() {
        for wrong in ["", "0", "575", "65536", "1400 bytes", "-1"] {
            assert_eq!(read(&[("mtu", wrong)]).unwrap_err().0, "mtu", "{wrong}");
        }
    }
}
