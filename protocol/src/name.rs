//! Names that users give to clusters, services and accounts.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A name: 1 to [`Name::MAX_LENGTH`] characters, lower-case letters, digits and inner hyphens,
/// starting with a letter. This is a DNS label, so it can be used as a host name or as part of
/// a provider's resource name without any escaping.
///
/// Names are copied all the time and never changed, so copies share one text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// Shorter than a DNS label's 63, so that a suffix still fits behind it.
    pub const MAX_LENGTH: usize = 40;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than [`Name::MAX_LENGTH`].
    #[error("the name has {length} characters, at most {} are allowed", Name::MAX_LENGTH)]
    TooLong {
        /// How many characters it has.
        length: usize,
    },
    /// A character that is not allowed where it stands.
    #[error("`{name}`: use lower-case letters, digits and inner hyphens, and start with a letter")]
    Form {
        /// The text that was given.
        name: String,
    },
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Names are found by their text.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let length = text.chars().count();
        if length > Self::MAX_LENGTH {
            return Err(NameError::TooLong { length });
        }
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
        let ends_well = !text.ends_with('-');
        let all_allowed = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !(starts_well && ends_well && all_allowed) {
            return Err(NameError::Form { name: text.to_owned() });
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.as_str().to_owned()
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_labels_that_start_with_a_letter_are_names() {
        for text in ["a", "demo", "web-1", &"x".repeat(Name::MAX_LENGTH)] {
            assert!(text.parse::<Name>().is_ok(), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "1a", "-a", "a-", "A", "a_b", "a.b", "ä", "a b", &"x".repeat(Name::MAX_LENGTH + 1)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
