//! What all drivers of one account share, also when the account is changed: the notes, and which hosts are being claimed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_protocol::Name;

use crate::notes::Notes;

/// What is kept of an account's hosts. An account has one, whatever becomes of its drivers.
pub struct Register {
    pub(crate) notes: Notes,
    claiming: Mutex<BTreeSet<Name>>,
}

impl Register {
    /// A register that keeps its notes in this file.
    pub fn new(file: PathBuf) -> Self {
        Self { notes: Notes::new(file), claiming: Mutex::default() }
    }

    /// Keeps a host for one creation; none if another one has it.
    pub(crate) fn reserve(&self, host: &Name) -> Option<HostReservation<'_>> {
        self.claiming().insert(host.clone()).then(|| HostReservation { register: self, host: host.clone() })
    }

    fn claiming(&self) -> MutexGuard<'_, BTreeSet<Name>> {
        self.claiming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A host that no other creation of this daemon takes.
pub(crate) struct HostReservation<'a> {
    register: &'a Register,
    host: Name,
}

impl Drop for HostReservation<'_> {
    fn drop(&mut self) {
        self.register.claiming().remove(&self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_reserved_once_until_it_is_let_go() {
        let register = Register::new(PathBuf::new());
        let host: Name = "web-1".parse().unwrap();
        let first = register.reserve(&host).unwrap();
        assert!(register.reserve(&host).is_none());
        drop(first);
        assert!(register.reserve(&host).is_some());
    }
}
