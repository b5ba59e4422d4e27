//! What surrounds every stored value.
//!
//! ```text
//! magic "MST1" (4) | schema u16 | generation u64 | crc32 u32 | payload          (big endian)
//! ```
//!
//! The checksum covers the key as well, so that an intact value under a wrong key is found: sled was seen to return old
//! or foreign values without an error after its file had been cut.

/// Bytes before the payload.
pub const HEADER_LEN: usize = 18;
/// The largest value with its envelope. sled moves larger ones to files that it never fsyncs.
pub const MAX_VALUE: usize = 64 * 1024;
/// The largest payload.
pub const MAX_PAYLOAD: usize = MAX_VALUE - HEADER_LEN;

const MAGIC: [u8; 4] = *b"MST1";

/// A checked envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Schema version of the payload.
    pub schema: u16,
    /// The group commit that wrote the value.
    pub generation: u64,
    /// Checksum over key, schema, generation and payload.
    pub crc: u32,
    /// The value itself.
    pub payload: &'a [u8],
}

/// Why bytes are not the value of their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Shorter than a header or longer than a value may be.
    #[error("value of {0} bytes has no possible envelope")]
    Length(usize),
    /// Does not start with the magic.
    #[error("value does not start with the magic")]
    Magic,
    /// The checksum over key and value does not match.
    #[error("checksum over key and value does not match")]
    Checksum,
}

/// Wraps `payload` for `key`. The caller has checked the payload against [`MAX_PAYLOAD`].
#[must_use]
pub fn encode(key: &[u8], schema: u16, generation: u64, payload: &[u8]) -> Vec<u8> {
    seal(key, schema, generation, payload).0
}

/// Like [`encode`], and the checksum that the envelope holds.
pub(crate) fn seal(key: &[u8], schema: u16, generation: u64, payload: &[u8]) -> (Vec<u8>, u32) {
    let crc = checksum(key, schema, generation, payload);
    let mut bytes = Vec::with_capacity(HEADER_LEN + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&schema.to_be_bytes());
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(payload);
    (bytes, crc)
}

/// Unwraps and checks the value of `key`.
pub fn decode<'a>(key: &[u8], bytes: &'a [u8]) -> Result<Envelope<'a>, EnvelopeError> {
    if bytes.len() > MAX_VALUE {
        return Err(EnvelopeError::Length(bytes.len()));
    }
    let length = EnvelopeError::Length(bytes.len());
    let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(length)?;
    let (schema, rest) = rest.split_first_chunk::<2>().ok_or(length)?;
    let (generation, rest) = rest.split_first_chunk::<8>().ok_or(length)?;
    let (crc, payload) = rest.split_first_chunk::<4>().ok_or(length)?;
    if *magic != MAGIC {
        return Err(EnvelopeError::Magic);
    }
    let envelope = Envelope {
        schema: u16::from_be_bytes(*schema),
        generation: u64::from_be_bytes(*generation),
        crc: u32::from_be_bytes(*crc),
        payload,
    };
    if checksum(key, envelope.schema, envelope.generation, payload) != envelope.crc {
        return Err(EnvelopeError::Checksum);
    }
    Ok(envelope)
}

fn checksum(key: &[u8], schema: u16, generation: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // The length keeps (key, payload) apart from a longer key with a shorter payload.
    hasher.update(&(key.len() as u64).to_be_bytes());
    hasher.update(key);
    hasher.update(&schema.to_be_bytes());
    hasher.update(&generation.to_be_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_wrapped_comes_back(key in prop::collection::vec(any::<u8>(), 0..64), schema: u16, generation: u64,
                                       payload in prop::collection::vec(any::<u8>(), 0..512)) {
            let bytes = encode(&key, schema, generation, &payload);
            let envelope = decode(&key, &bytes).unwrap();
            prop_assert_eq!((envelope.schema, envelope.generation, envelope.payload), (schema, generation, &payload[..]));
        }

        #[test]
        fn any_single_flipped_bit_is_found(key in prop::collection::vec(any::<u8>(), 0..16),
                                           payload in prop::collection::vec(any::<u8>(), 0..64), position: prop::sample::Index) {
            let mut bytes = encode(&key, 3, 9, &payload);
            let bit = position.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&key, &bytes).is_err());
        }

        #[test]
        fn a_value_under_another_key_is_found(key in prop::collection::vec(any::<u8>(), 0..16),
                                              other in prop::collection::vec(any::<u8>(), 0..16),
                                              payload in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assume!(key != other);
            prop_assert!(decode(&other, &encode(&key, 1, 1, &payload)).is_err());
        }

        #[test]
        fn a_cut_value_is_found(payload in prop::collection::vec(any::<u8>(), 0..64), cut: prop::sample::Index) {
            let bytes = encode(b"key", 1, 1, &payload);
            prop_assert!(decode(b"key", &bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_never_pass(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            prop_assert!(decode(b"key", &bytes).is_err());
        }

        #[test]
        fn arbitrary_bytes_after_a_true_magic_never_panic(rest in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = [&MAGIC[..], &rest].concat();
            if let Ok(envelope) = decode(b"key", &bytes) {
                prop_assert_eq!(encode(b"key", envelope.schema, envelope.generation, envelope.payload), bytes);
            }
        }
    }

    #[test]
    fn a_value_above_the_limit_is_refused() {
        let bytes = encode(b"key", 1, 1, &vec![0; MAX_PAYLOAD + 1]);
        assert_eq!(decode(b"key", &bytes), Err(EnvelopeError::Length(MAX_VALUE + 1)));
    }
}
