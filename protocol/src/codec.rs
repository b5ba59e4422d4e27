//! Values to bytes and back: the only place that calls bincode.
//!
//! The form is bincode 2 `standard` (little-endian, variable-length integers). A decoder fed by a stranger
//! never panics, reads at most [`MAX_FRAME_BYTES`], allocates at most [`MAX_DECODE_BYTES`] for what the stranger
//! merely claims, and accepts a value only if it uses up its input: bytes behind it mean that the sender meant
//! something else.

use bincode::config::{self, Config};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most bytes that one value, and so one frame's body, may have.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// bincode's own limit while decoding. It charges an integer at its full width, up to eight bytes, where one may be
/// written: with a smaller limit, frames that were rightly sent could not be read.
pub const MAX_DECODE_BYTES: usize = 8 * MAX_FRAME_BYTES;

/// Why a value cannot be put into a frame.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It does not fit.
    #[error("the message has {bytes} bytes, at most {MAX_FRAME_BYTES} are allowed")]
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
    },
    /// Its type cannot be carried at all: a mistake in the type.
    #[error("the message cannot be encoded")]
    Form(#[source] bincode::error::EncodeError),
}

/// Why bytes are not a value.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They are too many.
    #[error("the message has {bytes} bytes, at most {MAX_FRAME_BYTES} are allowed")]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// They do not have the value's form.
    #[error("the message is malformed: {0}")]
    Form(#[source] bincode::error::DecodeError),
    /// The value ends before they do.
    #[error("the message has {extra} bytes behind its end")]
    Trailing {
        /// How many are behind its end.
        extra: usize,
    },
}

/// Most values fit; to make room for one piece by piece costs more than to encode it.
const USUAL_BYTES: usize = 512;

fn bincode_config() -> impl Config {
    config::standard().with_limit::<MAX_DECODE_BYTES>()
}

/// The value's bytes.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, EncodeError> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bincode::serde::encode_into_std_write(value, &mut bytes, bincode_config()).map_err(EncodeError::Form)?;
    // bincode applies its limit to decoding only.
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(EncodeError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes.into())
}

/// The value that has exactly these bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(DecodeError::TooLarge { bytes: bytes.len() });
    }
    let (value, used) = bincode::serde::decode_from_slice(bytes, bincode_config()).map_err(DecodeError::Form)?;
    if used < bytes.len() {
        return Err(DecodeError::Trailing { extra: bytes.len() - used });
    }
    Ok(value)
}
