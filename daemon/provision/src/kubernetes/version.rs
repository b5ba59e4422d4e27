//! The versions of Kubernetes that this release makes clusters of.

use std::fmt;
use std::str::FromStr;

/// The minor versions that are offered, each with its newest release that was tried; the last is the default.
pub const SUPPORTED: [Version; 3] = [Version::new(35, 4), Version::new(36, 3), Version::new(37, 2)];

/// A release of Kubernetes 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version {
    /// The 36 of `1.36.3`.
    pub minor: u32,
    /// The 3 of `1.36.3`.
    pub patch: u32,
}

/// The version that a cluster gets that asks for none.
pub const DEFAULT: Version = SUPPORTED[1];

impl Version {
    /// `1.<minor>.<patch>`.
    pub const fn new(minor: u32, patch: u32) -> Self {
        Self { minor, patch }
    }

    /// The release for what a user asked for: `1.36` is the newest that was tried, `1.36.1` is itself.
    pub fn wanted(asked: Option<&str>) -> Result<Self, String> {
        let Some(asked) = asked else { return Ok(DEFAULT) };
        let offered = || {
            let minors: Vec<String> = SUPPORTED.iter().map(|version| format!("1.{}", version.minor)).collect();
            format!("`{asked}` is not offered; offered are {} and their patch releases", minors.join(", "))
        };
        let mut parts = asked.split('.');
        let (Some("1"), Some(minor), patch, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(offered());
        };
        let minor = number(minor).ok_or_else(offered)?;
        let newest = SUPPORTED.iter().find(|version| version.minor == minor).ok_or_else(offered)?;
        match patch {
            None => Ok(*newest),
            Some(patch) => Ok(Self::new(minor, number(patch).ok_or_else(offered)?)),
        }
    }

    /// `1.36`.
    pub fn minor_text(self) -> String {
        format!("1.{}", self.minor)
    }
}

/// Decimal digits only: no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = String;

    /// A full version, with or without Kubernetes' `v`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let mut parts = bare.split('.');
        match (parts.next(), parts.next().and_then(number), parts.next().and_then(number), parts.next()) {
            (Some("1"), Some(minor), Some(patch), None) => Ok(Self::new(minor, patch)),
            _ => Err(format!("`{text}` is no full version of Kubernetes 1")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_version_means_its_newest_tried_release_and_a_full_one_itself() {
        assert_eq!(Version::wanted(None), Ok(DEFAULT));
        assert_eq!(Version::wanted(Some("1.36")), Ok(Version::new(36, 3)));
        assert_eq!(Version::wanted(Some("1.36.1")), Ok(Version::new(36, 1)));
        assert_eq!("v1.35.4".parse(), Ok(Version::new(35, 4)));
    }

    #[test]
    fn what_is_not_offered_is_refused_with_what_is() {
        for asked in ["1.12", "1.36.x", "1.36.3.1", "2.36", "v1.36", "", "1", "1.036", "1.+36"] {
            let error = Version::wanted(Some(asked)).unwrap_err();
            assert!(error.contains("1.35, 1.36, 1.37"), "{asked}: {error}");
        }
    }
}
