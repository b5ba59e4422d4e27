//! Addresses of machines that are just being made: no container shows them yet.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_protocol::ClusterId;

use crate::address::Subnet;

/// The addresses that creations hold.
#[derive(Default)]
pub(crate) struct Reservations {
    choosing: tokio::sync::Mutex<()>,
    reserved: Mutex<BTreeSet<(ClusterId, Ipv4Addr)>>,
}

impl Reservations {
    /// Begins to choose an address, before the machines are listed. One creation at a time does.
    pub(crate) async fn choose(&self, cluster: ClusterId) -> Choice<'_> {
        let turn = self.choosing.lock().await;
        let held = self.reserved().iter().filter(|(owner, _)| *owner == cluster).map(|(_, address)| *address).collect();
        Choice { reservations: self, cluster, held, _turn: turn }
    }

    fn reserved(&self) -> MutexGuard<'_, BTreeSet<(ClusterId, Ipv4Addr)>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A creation's turn to choose.
pub(crate) struct Choice<'a> {
    reservations: &'a Reservations,
    cluster: ClusterId,
    /// What was reserved when the turn began: a machine that is completed since is in no list made in between.
    held: BTreeSet<Ipv4Addr>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl<'a> Choice<'a> {
    /// Reserves an address of this subnet that is neither listed nor being given to another machine, until the
    /// reservation is dropped.
    pub(crate) fn reserve(self, subnet: Subnet, listed: &BTreeSet<Ipv4Addr>) -> Option<AddressReservation<'a>> {
        let Self { reservations, cluster, held, .. } = self;
        let address = subnet.free_address(&(listed | &held))?;
        reservations.reserved().insert((cluster, address));
        Some(AddressReservation { reservations, cluster, address })
    }
}

/// An address that no other creation gets.
pub(crate) struct AddressReservation<'a> {
    reservations: &'a Reservations,
    cluster: ClusterId,
    /// The address.
    pub(crate) address: Ipv4Addr,
}

impl Drop for AddressReservation<'_> {
    fn drop(&mut self) {
        self.reservations.reserved().remove(&(self.cluster, self.address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reserve(reservations: &Reservations, cluster: ClusterId) -> AddressReservation<'_> {
        let choice = reservations.choose(cluster).await;
        choice.reserve("10.213.4.0/22".parse().unwrap(), &BTreeSet::new()).unwrap()
    }

    #[tokio::test]
    async fn an_address_is_reserved_until_its_reservation_is_dropped() {
        let reservations = Reservations::default();
        let cluster = ClusterId::generate();
        let first = reserve(&reservations, cluster).await;
        assert_ne!(reserve(&reservations, cluster).await.address, first.address);
        assert_eq!(reserve(&reservations, ClusterId::generate()).await.address, first.address);
        let address = first.address;
        drop(first);
        assert_eq!(reserve(&reservations, cluster).await.address, address);
    }

    #[tokio::test]
    async fn a_machine_that_is_completed_after_the_machines_were_listed_keeps_its_address() {
        let reservations = Reservations::default();
        let cluster = ClusterId::generate();
        let first = reserve(&reservations, cluster).await;
        let address = first.address;
        let choice = reservations.choose(cluster).await;
        let listed = BTreeSet::new();
        drop(first);
        assert_ne!(choice.reserve("10.213.4.0/22".parse().unwrap(), &listed).unwrap().address, address);
    }
}
