//! Enums of words that later releases may add to.
//!
//! A plain enum cannot grow: a peer or a store that meets a word of a later release could not read the whole frame or
//! record around it. Each enum that is declared with `growing_words!` reads such a word as `Unknown`
//! with its number, shows it as `unknown-<number>`, and writes the same number again.
//!
//! In bincode a word is its number, written as serde's derived enums write their variant's index. In JSON, YAML and on
//! the command line a word is its text. Numbers and texts are never changed or used again.

use std::fmt;

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, EnumAccess, VariantAccess as _, Visitor};

/// Declares an enum of words with an `Unknown` variant for those of later releases, and how the words are written and
/// read. Each variant says its number and its text.
macro_rules! growing_words {
    (
        $(#[$about:meta])*
        pub enum $kind:ident { $($(#[$about_word:meta])* $variant:ident = $number:literal => $word:literal),+ $(,)? }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $kind {
            $($(#[$about_word])* $variant,)+
            /// A word of a later release, by its number.
            Unknown(u32),
        }

        impl $kind {
            /// Every word that this release knows, in the order in which they were added.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$variant),+];

            const TEXTS: [&'static str; Self::ALL.len()] = [$($word),+];

            /// The word as text. Words of a later release are all `unknown` here; `Display` tells them apart.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(_) => "unknown",
                }
            }

            const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $number,)+
                    Self::Unknown(number) => number,
                }
            }

            const fn from_number(number: u32) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    later => Self::Unknown(later),
                }
            }

            fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    other => Some(Self::from_number(other.strip_prefix("unknown-")?.parse().ok()?)),
                }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    Self::Unknown(number) => f.pad(&format!("unknown-{number}")),
                    $(Self::$variant)|+ => f.pad(self.as_str()),
                }
            }
        }

        impl std::str::FromStr for $kind {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_text(text).ok_or_else(|| format!("`{text}` is none of {}", Self::TEXTS.join(", ")))
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $kind {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::schema::words(&Self::TEXTS)
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $kind {}

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_u32(self.number())
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return Ok(Self::from_number(u32::deserialize(deserializer)?));
                }
                let word = $crate::growing::WordReader { read: Self::from_text, known: &Self::TEXTS };
                // As an enumeration, so that readers of files name the place of the word and not of its key.
                deserializer.deserialize_enum(stringify!($kind), word.known, word)
            }
        }
    };
}

pub(crate) use growing_words;

/// Reads a word from text. A word that is not known is an error at its place in the file.
pub(crate) struct WordReader<T> {
    pub(crate) read: fn(&str) -> Option<T>,
    pub(crate) known: &'static [&'static str],
}

impl<'de, T> Visitor<'de> for WordReader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.known.join(", "))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::unknown_variant(text, self.known))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<T, A::Error> {
        let (word, rest) = data.variant_seed(self)?;
        rest.unit_variant()?;
        Ok(word)
    }
}

impl<'de, T> DeserializeSeed<'de> for WordReader<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::codec;

    growing_words! {
        /// A word as this release knows it.
        pub enum Now {
            /// Known to both.
            Old = 0 => "old",
        }
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    enum Later {
        Old,
        New,
    }

    #[test]
    fn a_word_has_the_bytes_of_the_variant_of_a_derived_enum() {
        assert_eq!(codec::encode(&Now::Old).unwrap(), codec::encode(&Later::Old).unwrap());
        let read: Now = codec::decode(&codec::encode(&Later::New).unwrap()).unwrap();
        assert_eq!(read, Now::Unknown(1));
        assert!(matches!(codec::decode(&codec::encode(&read).unwrap()).unwrap(), Later::New));
    }

    #[test]
    fn a_word_of_a_later_release_is_shown_by_its_number_and_read_again() {
        assert_eq!(Now::Unknown(300).to_string(), "unknown-300");
        assert_eq!("unknown-300".parse(), Ok(Now::Unknown(300)));
        assert_eq!("unknown-0".parse(), Ok(Now::Old));
        assert_eq!("new".parse::<Now>(), Err("`new` is none of old".to_owned()));
    }
}
