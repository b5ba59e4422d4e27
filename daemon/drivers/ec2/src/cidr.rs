//! IPv4 ranges.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of addresses: `10.214.0.0/16`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Cidr {
    first: Ipv4Addr,
    prefix: u8,
}

impl Cidr {
    /// The range of this length around an address.
    pub(crate) fn new(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self { first: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// How many bits all its addresses share.
    pub(crate) fn prefix(self) -> u8 {
        self.prefix
    }

    /// The part with this number, when the range is cut into so many of equal size (a power of two).
    pub(crate) fn part(self, number: u32, bits: u8) -> Self {
        let prefix = (self.prefix + bits).min(32);
        let offset = number.checked_shl(u32::from(32 - prefix)).unwrap_or(0);
        Self { first: Ipv4Addr::from_bits(self.first.to_bits() | offset), prefix }
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(u32::from(32 - prefix)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = ();

    /// Reads a range whose address is its first.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').ok_or(())?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or(())?;
        let address = address.parse().map_err(|_| ())?;
        let cidr = Self::new(address, prefix);
        if cidr.first == address { Ok(cidr) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_that_starts_where_it_says_is_one() {
        assert_eq!("10.214.0.0/16".parse::<Cidr>().unwrap().to_string(), "10.214.0.0/16");
        assert_eq!("0.0.0.0/0".parse::<Cidr>().unwrap().to_string(), "0.0.0.0/0");
        for wrong in ["10.214.0.1/16", "10.214.0.0", "10.214.0.0/33", "x/8", ""] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_cut_into_equal_parts() {
        let range: Cidr = "10.214.0.0/16".parse().unwrap();
        assert_eq!(range.part(0, 3).to_string(), "10.214.0.0/19");
        assert_eq!(range.part(7, 3).to_string(), "10.214.224.0/19");
        assert_eq!(range.part(0, 0), range);
    }
}
