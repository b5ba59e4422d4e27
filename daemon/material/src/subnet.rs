//! IPv4 networks, as far as options need them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network such as `10.244.0.0/16`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subnet {
    first: u32,
    prefix: u32,
}

impl Subnet {
    /// Whether the two have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        let mask = mask(self.prefix.min(other.prefix));
        self.first & mask == other.first & mask
    }

    /// Whether the address is one of its.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.first
    }

    /// The number of leading bits that its addresses share.
    pub const fn prefix(self) -> u32 {
        self.prefix
    }
}

fn mask(prefix: u32) -> u32 {
    u32::MAX.checked_shl(32 - prefix).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no IPv4 network such as 10.244.0.0/16");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
        if !(1..=30).contains(&prefix) {
            return Err(wrong());
        }
        let first = u32::from(address);
        if first & mask(prefix) != first {
            let network = Self { first: first & mask(prefix), prefix };
            return Err(format!("`{text}` is an address within {network}, not a network"));
        }
        Ok(Self { first, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn networks_overlap_if_one_is_within_the_other() {
        assert!(subnet("10.0.0.0/8").overlaps(subnet("10.96.0.0/12")));
        assert!(subnet("10.96.0.0/12").overlaps(subnet("10.0.0.0/8")));
        assert!(!subnet("10.244.0.0/16").overlaps(subnet("10.96.0.0/12")));
        assert!(subnet("10.96.0.0/12").contains("10.111.255.255".parse().unwrap()));
        assert!(!subnet("10.96.0.0/12").contains("10.112.0.0".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "a/8", "10.0.0.0/0", "fd00::/8", ""] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
        assert_eq!(subnet("10.244.0.0/16").to_string(), "10.244.0.0/16");
    }
}
