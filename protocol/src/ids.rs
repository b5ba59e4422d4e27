//! Typed identifiers. Each is a UUIDv7, so ids sort by the time they were made,
//! and one kind cannot be passed where another is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; later ids sort after earlier ones.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with exactly these bits, for ids that are derived from something else.
            pub const fn from_u128(bits: u128) -> Self {
                Self(Uuid::from_u128(bits))
            }

            /// The sixteen bytes, in the order in which ids sort.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// When it was made, in milliseconds since 1970: a UUIDv7 begins with that (RFC 9562, section 5.7).
            pub fn made_at_millis(&self) -> u64 {
                let [a, b, c, d, e, f, ..] = *self.0.as_bytes();
                u64::from_be_bytes([0, 0, a, b, c, d, e, f])
            }

            /// The last twelve hexadecimal digits: random, so short and still telling ids apart.
            /// For names at providers that limit length.
            pub fn short(&self) -> String {
                let text = self.0.simple().to_string();
                text[20..].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(Uuid::from_str(text)?))
            }
        }
    };
}

typed_id!(
    /// One cluster, for its whole life; a new cluster of the same name has another id.
    ClusterId
);
typed_id!(
    /// One machine of a cluster: the same place in the cluster keeps its id when the machine behind it is replaced.
    MachineId
);
typed_id!(
    /// One service, for its whole life.
    ServiceId
);
typed_id!(
    /// One change that was asked for.
    OperationId
);
typed_id!(
    /// One installation of the daemon: the owner whose mark every outside resource carries.
    InstanceId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<ClusterId> = (0..100).map(|_| ClusterId::generate()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let before = now();
        let made_at = u128::from(ClusterId::generate().made_at_millis());
        assert!((before..=now()).contains(&made_at), "{made_at}");
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = OperationId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
