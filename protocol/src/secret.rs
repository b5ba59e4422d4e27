//! Secret text and bytes that cannot be printed by accident.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A password, key or token. It crosses the socket (bincode) in clear, because the socket is local
/// and its peer is known; every form that people read (JSON, YAML, `Debug`) shows [`SecretString::REDACTED`].
/// Its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// What stands in place of a secret wherever people read.
    pub const REDACTED: &'static str = "(secret)";

    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. Never for logs, events, arguments, environments or errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::REDACTED)
    }
}

impl Serialize for SecretString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(Self::REDACTED)
        } else {
            serializer.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for SecretString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_for_people = deserializer.is_human_readable();
        let secret = Self::new(String::deserialize(deserializer)?);
        if is_for_people && secret.expose() == Self::REDACTED {
            // What was shown is sent back: taking it would replace the secret by the placeholder.
            let message =
                format!("`{}` stands in place of a secret that is not shown; say the secret itself", Self::REDACTED);
            return Err(D::Error::custom(message));
        }
        Ok(secret)
    }
}

/// A file with secrets in it. Crosses the socket in clear as [`SecretString`] does, and no form that people read shows it.
/// Its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Wraps a secret.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret itself. Never for logs, events, arguments, environments or errors.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SecretString::REDACTED)
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(SecretString::REDACTED)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Err(D::Error::custom("a secret file cannot be read from text"));
        }
        deserializer.deserialize_byte_buf(OwnedBytes)
    }
}

struct OwnedBytes;

impl Visitor<'_> for OwnedBytes {
    type Value = SecretBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<SecretBytes, E> {
        Ok(SecretBytes::new(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<SecretBytes, E> {
        Ok(SecretBytes::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn secret_bytes_cross_the_socket_and_nothing_that_people_read_shows_them() {
        let file = SecretBytes::new(vec![0, 255, 7]);
        assert_eq!(codec::decode::<SecretBytes>(&codec::encode(&file).unwrap()).unwrap(), file);
        assert_eq!(format!("{file:?}"), SecretString::REDACTED);
        let refused =
            SecretBytes::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new("abc"));
        assert!(refused.unwrap_err().to_string().contains("cannot be read from text"));
    }

    #[test]
    fn the_placeholder_of_a_secret_is_no_secret_where_people_write() {
        let refused: Result<SecretString, serde::de::value::Error> =
            SecretString::deserialize(serde::de::value::StrDeserializer::new(SecretString::REDACTED));
        assert!(refused.unwrap_err().to_string().contains("stands in place of a secret"));
        let taken: Result<SecretString, serde::de::value::Error> =
            SecretString::deserialize(serde::de::value::StrDeserializer::new("(secret"));
        assert_eq!(taken.unwrap().expose(), "(secret");
        let on_the_wire = SecretString::new(SecretString::REDACTED);
        let read: SecretString = codec::decode(&codec::encode(&on_the_wire).unwrap()).unwrap();
        assert_eq!(read, on_the_wire);
    }
}
