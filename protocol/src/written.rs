//! How people write bytes: as text where they are text, and as `{ base64: … }` where they are not.

use std::fmt;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serializer};
use zeroize::Zeroizing;

/// The key under which bytes stand that are no text.
const BASE64: &str = "base64";

/// Writes bytes for people.
pub(crate) fn write<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(BASE64, &STANDARD.encode(bytes))?;
            map.end()
        }
    }
}

/// Reads what people wrote.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<Vec<u8>>, D::Error> {
    deserializer.deserialize_any(Written)
}

/// Reads what a program wrote: the length and the bytes. Text of an earlier release has the same form.
pub(crate) fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<Vec<u8>>, D::Error> {
    deserializer.deserialize_byte_buf(Plain)
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Zeroizing<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text (in quotes where it looks like a number), or bytes as `base64: …`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(text.as_bytes().to_vec()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(text.into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut bytes = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != BASE64 {
                return Err(A::Error::unknown_field(&key, &[BASE64]));
            }
            if bytes.is_some() {
                return Err(A::Error::duplicate_field(BASE64));
            }
            bytes = Some(map.next_value::<Encoded>()?.0);
        }
        bytes.ok_or_else(|| A::Error::missing_field(BASE64))
    }
}

/// A text in base64. Line ends and spaces in it mean nothing, for `base64` folds its output.
struct Encoded(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let folded: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
        let bytes = STANDARD.decode(folded.as_bytes()).map_err(|error| D::Error::custom(wrong(&error)))?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

/// What is wrong with a text that is no base64. It may be a secret, so nothing of it is shown.
fn wrong(error: &DecodeError) -> String {
    match error {
        DecodeError::InvalidByte(at, _) => format!("character {} of `base64` is none of standard base64", at + 1),
        DecodeError::InvalidLength(_) | DecodeError::InvalidLastSymbol(..) | DecodeError::InvalidPadding => {
            "the end of `base64` is missing, or its padding with `=`".to_owned()
        }
    }
}

struct Plain;

impl Visitor<'_> for Plain {
    type Value = Zeroizing<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(bytes))
    }
}
