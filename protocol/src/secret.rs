//! Secret text and bytes that cannot be printed by accident.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::written;

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
        if is_for_people {
            refuse_placeholder(secret.expose().as_bytes())?;
        }
        Ok(secret)
    }
}

/// Secret bytes: a file with secrets in it, or a value that need not be text. They cross the socket in clear as
/// [`SecretString`] does, in the same form, and no form that people read shows them. People write them as text or as
/// `{ base64: … }`. Their memory is wiped when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Wraps a secret.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
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
        if !deserializer.is_human_readable() {
            return Ok(Self(written::read_plain(deserializer)?));
        }
        let secret = Self(written::read(deserializer)?);
        refuse_placeholder(secret.expose())?;
        Ok(secret)
    }
}

/// What was shown is sent back: taking it would replace the secret by the placeholder.
fn refuse_placeholder<E: Error>(given: &[u8]) -> Result<(), E> {
    if given == SecretString::REDACTED.as_bytes() {
        let message = format!(
            "`{}` stands in place of a secret that is not shown; say the secret itself",
            SecretString::REDACTED
        );
        return Err(E::custom(message));
    }
    Ok(())
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
        let text = SecretString::new("as text");
        let same: SecretBytes = codec::decode(&codec::encode(&text).unwrap()).unwrap();
        assert_eq!(same.expose(), b"as text", "what an earlier release wrote as text");
    }

    #[test]
    fn people_write_secret_bytes_as_text_or_in_base64() {
        let read = |json: &str| serde_json::from_str::<SecretBytes>(json).map_err(|error| error.to_string());
        assert_eq!(read(r#""text""#).unwrap().expose(), b"text");
        assert_eq!(read(r#"{"base64": "AP8H\n Cg=="}"#).unwrap().expose(), [0, 255, 7, 10]);
        assert!(read(r#""(secret)""#).unwrap_err().contains("stands in place of a secret"));
        for wrong in [r#"{"base64": "hunter2!"}"#, r#"{"base64": "AP8"}"#, r#"{"text": "x"}"#, "{}", "7", "null"] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains("base64") && !said.contains("hunter2"), "{wrong}: {said}");
        }
        assert!(read(r#"{"base64": "hunter2!"}"#).unwrap_err().contains("character 8"));
        assert!(read(r#"{"base64": "AP8"}"#).unwrap_err().contains("padding with `=`"));
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
