//! The one place that knows how stored types become bytes: serde and bincode 2.
//!
//! bincode is not self-describing. Stored enums are append-only and stored structs never change in place: a new shape is
//! a new schema version, and [`Payload::decode`] leads every older one to the present type.

use bincode::config::{Configuration, Limit, standard};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Table, envelope::MAX_PAYLOAD};

/// A type that can be stored: its schema version, and how any version that was ever written is read.
pub trait Payload: Serialize + Sized + Send + 'static {
    /// The version that is written. Raised with every change of shape.
    const SCHEMA: u16;

    /// Reads a stored value of version `schema`: decode that version's struct, then convert it. Ends with
    /// [`CodecError::unknown_schema`] for a version that was never written.
    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError>;
}

/// A stored type that has its own table and key.
pub trait Record: Payload {
    /// The table that holds it.
    const TABLE: Table;

    /// Its key within the table.
    fn key(&self) -> Vec<u8>;
}

/// Why a value could not be turned into bytes or back.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The type holds something that bincode cannot carry.
    #[error("cannot encode {what}")]
    Encode {
        /// The type's name.
        what: &'static str,
        /// bincode's reason.
        #[source]
        source: bincode::error::EncodeError,
    },
    /// The bytes are not a value of this type.
    #[error("cannot decode {what}")]
    Decode {
        /// The type's name.
        what: &'static str,
        /// bincode's reason.
        #[source]
        source: bincode::error::DecodeError,
    },
    /// bincode would ignore these; for us they mean that the type is another one.
    #[error("{trailing} bytes left over after decoding {what}")]
    Trailing {
        /// The type's name.
        what: &'static str,
        /// How many bytes were left.
        trailing: usize,
    },
    /// Written by a newer daemon, or damaged.
    #[error("{what} has unknown schema version {schema}; it may have been written by a newer release")]
    UnknownSchema {
        /// The type's name.
        what: &'static str,
        /// The version found.
        schema: u16,
    },
}

impl CodecError {
    /// The last arm of every [`Payload::decode`].
    #[must_use]
    pub fn unknown_schema<T>(schema: u16) -> Self {
        CodecError::UnknownSchema { what: std::any::type_name::<T>(), schema }
    }
}

/// Keeps a damaged length from allocating. bincode counts a number by its width in memory, which is up to sixteen times
/// the bytes that it takes when stored.
const DECODE_LIMIT: usize = 16 * MAX_PAYLOAD;

fn config() -> Configuration<bincode::config::LittleEndian, bincode::config::Varint, Limit<DECODE_LIMIT>> {
    standard().with_limit::<DECODE_LIMIT>()
}

/// Encodes one value.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    bincode::serde::encode_to_vec(value, config())
        .map_err(|source| CodecError::Encode { what: std::any::type_name::<T>(), source })
}

/// Decodes exactly one value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let what = std::any::type_name::<T>();
    let (value, read) =
        bincode::serde::decode_from_slice(bytes, config()).map_err(|source| CodecError::Decode { what, source })?;
    if read != bytes.len() {
        return Err(CodecError::Trailing { what, trailing: bytes.len() - read });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&7_u32).unwrap();
        bytes.push(0);
        assert!(matches!(decode::<u32>(&bytes), Err(CodecError::Trailing { trailing: 1, .. })));
    }

    #[test]
    fn whatever_fits_into_the_store_can_be_read_back() {
        let numbers = vec![1_u128; MAX_PAYLOAD - 3];
        let bytes = encode(&numbers).unwrap();
        assert_eq!(bytes.len(), MAX_PAYLOAD);
        assert_eq!(decode::<Vec<u128>>(&bytes).unwrap(), numbers);
    }

    #[test]
    fn a_huge_length_prefix_is_refused_without_allocating() {
        let mut bytes = vec![253];
        bytes.extend_from_slice(&(1_u64 << 62).to_le_bytes());
        assert!(matches!(decode::<Vec<u8>>(&bytes), Err(CodecError::Decode { .. })));
    }
}
