//! Subnets for networks and addresses for machines.
//!
//! The engine gives fixed addresses only in subnets that were asked for, so the driver chooses them: for each cluster a
//! /22 out of 10.213.0.0/16, which neither Docker's nor Kubernetes' defaults use.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use muster_protocol::ClusterId;

pub(crate) const POOL: Subnet = Subnet { first: 0x0AD5_0000, prefix: 16 };
/// 1022 addresses: more than the machines of the largest cluster.
const PREFIX: u8 = 22;

/// An IPv4 subnet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subnet {
    first: u32,
    prefix: u8,
}

impl Subnet {
    fn size(self) -> u64 {
        1 << (32 - self.prefix)
    }

    fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix.min(other.prefix);
        (u64::from(self.first) ^ u64::from(other.first)) >> (32 - shorter) == 0
    }

    /// The address that the host itself has.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first + 1)
    }

    /// The lowest address for a machine that is not taken.
    pub(crate) fn free_address(self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let last = u32::try_from(u64::from(self.first) + self.size() - 1).ok()?;
        (self.first + 2..last).map(Ipv4Addr::from).find(|address| !taken.contains(address))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').ok_or(())?;
        let address: Ipv4Addr = address.parse().map_err(|_| ())?;
        let prefix: u8 = prefix.parse().map_err(|_| ())?;
        if prefix > 32 {
            return Err(());
        }
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Ok(Self { first: address.to_bits() & mask, prefix })
    }
}

/// The subnets that could be this cluster's, best first: none that overlaps a taken one. Each cluster starts at another
/// place in the pool, so that two that are made at once hardly ever want the same.
pub(crate) fn candidates(cluster: ClusterId, taken: &[Subnet]) -> Vec<Subnet> {
    let count = 1_u32 << (PREFIX - POOL.prefix);
    let [.., high, low] = *cluster.as_bytes();
    let start = u32::from(u16::from_be_bytes([high, low]));
    (0..count)
        .map(|step| Subnet { first: POOL.first + (((start + step) % count) << (32 - PREFIX)), prefix: PREFIX })
        .filter(|subnet| !taken.iter().any(|other| other.overlaps(*subnet)))
        .collect()
}

/// The subnets that the host has routes to, from the text of `/proc/net/route`. The default route does not count.
pub(crate) fn routed(table: &str) -> Vec<Subnet> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Numbers are in the byte order of the host's memory.
        let number = |index: usize| {
            u32::from_str_radix(fields.get(index)?, 16).ok().map(|raw| u32::from_be_bytes(raw.to_ne_bytes()))
        };
        let (first, mask) = (number(1)?, number(7)?);
        let prefix = u8::try_from(mask.leading_ones()).ok()?;
        (prefix > 0).then_some(Subnet { first, prefix })
    };
    table.lines().skip(1).filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn subnets_overlap_if_one_holds_the_other() {
        assert!(subnet("10.213.0.0/16").overlaps(subnet("10.213.4.0/22")));
        assert!(subnet("10.213.4.0/22").overlaps(subnet("10.0.0.0/8")));
        assert!(!subnet("10.213.4.0/22").overlaps(subnet("10.213.8.0/22")));
        assert!(subnet("0.0.0.0/0").overlaps(subnet("10.213.8.0/22")));
    }

    #[test]
    fn every_subnet_of_the_pool_is_a_candidate_once() {
        let mut all: Vec<String> = candidates(ClusterId::generate(), &[]).iter().map(Subnet::to_string).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 64);
        assert!(all.iter().all(|text| subnet("10.213.0.0/16").overlaps(subnet(text))));
    }

    #[test]
    fn taken_subnets_are_no_candidates() {
        let taken = [subnet("10.213.0.0/17"), subnet("10.213.128.7/32"), subnet("192.168.0.0/16")];
        let left = candidates(ClusterId::generate(), &taken);
        assert_eq!(left.len(), 31);
        assert!(!left.contains(&subnet("10.213.128.0/22")));
        assert!(candidates(ClusterId::generate(), &[subnet("10.0.0.0/8")]).is_empty());
    }

    #[test]
    fn machines_get_the_lowest_free_address_and_never_the_hosts_or_the_broadcast_one() {
        let small = subnet("10.213.4.0/29");
        assert_eq!(small.gateway(), Ipv4Addr::new(10, 213, 4, 1));
        let mut taken = BTreeSet::new();
        for last in 2..=6 {
            let address = small.free_address(&taken).unwrap();
            assert_eq!(address, Ipv4Addr::new(10, 213, 4, last));
            taken.insert(address);
        }
        assert_eq!(small.free_address(&taken), None);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn routes_of_the_host_are_read_but_not_the_default_route() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t010010AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            tun0\t0004D50A\t00000000\t0001\t0\t0\t0\t00FCFFFF\t0\t0\t0\n";
        assert_eq!(routed(table), [subnet("10.213.4.0/22")]);
    }
}
