//! The tables, as key prefixes within one sled tree.

/// A table. The discriminant is the first byte of every key on disk: append-only, never renumbered.
///
/// All tables share **one** sled tree, because sled's `apply_batch` is atomic within a tree only. Its transactions
/// span trees, but may re-run their closure, cannot scan, and write more. A prefix byte gives a cluster, its operation
/// and its event in one atomic step for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Facts about the daemon instance itself.
    Meta = 1,
    /// One record a cluster.
    Clusters = 2,
    /// Outside resources that we own or may own.
    Ledger = 3,
    /// Services on clusters.
    Services = 4,
    /// Changes that were asked for.
    Operations = 5,
    /// The numbered event log; written through [`crate::Batch::append_event`] only.
    Events = 6,
    /// Sealed values; written through [`crate::Batch::put_sealed`] only.
    Secrets = 7,
    /// Infrastructure accounts, without their credentials.
    Accounts = 8,
    /// Answers already given, by idempotency key.
    Idempotency = 9,
    /// The audit trail; written through [`crate::Batch::append_audit`] only.
    Audit = 10,
    /// Tokens, by their names.
    Tokens = 11,
    /// What sessions of handlers keep.
    Kept = 12,
}

impl Table {
    /// Every table, in the order of its prefix.
    pub const ALL: [Table; 12] = [
        Table::Meta,
        Table::Clusters,
        Table::Ledger,
        Table::Services,
        Table::Operations,
        Table::Events,
        Table::Secrets,
        Table::Accounts,
        Table::Idempotency,
        Table::Audit,
        Table::Tokens,
        Table::Kept,
    ];

    /// The table of a prefix byte.
    pub(crate) fn from_tag(tag: u8) -> Option<Table> {
        Table::ALL.into_iter().find(|table| *table as u8 == tag)
    }

    /// The key under which sled holds `key` of this table.
    pub(crate) fn full_key(self, key: &[u8]) -> Vec<u8> {
        let mut full = Vec::with_capacity(1 + key.len());
        full.push(self as u8);
        full.extend_from_slice(key);
        full
    }
}
