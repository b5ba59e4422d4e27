//! How a service shows that it is well.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is asked for of a service's health. Written as a check, or as `none`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// Nothing is checked, whatever the image says.
    None,
    /// This is checked, instead of what the image says.
    Check(HealthCheck),
}

impl Health {
    /// As which word no check is written.
    pub const NONE: &str = "none";

    /// The check, if there is one.
    pub fn check(&self) -> Option<&HealthCheck> {
        match self {
            Self::None => None,
            Self::Check(check) => Some(check),
        }
    }
}

impl From<HealthCheck> for Health {
    fn from(check: HealthCheck) -> Self {
        Self::Check(check)
    }
}

impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None if serializer.is_human_readable() => serializer.serialize_str(Self::NONE),
            Self::Check(check) if serializer.is_human_readable() => check.serialize(serializer),
            Self::None | Self::Check(_) => self.check().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Health {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(HealthVisitor);
        }
        Ok(Option::deserialize(deserializer)?.map_or(Self::None, Self::Check))
    }
}

struct HealthVisitor;

impl<'de> Visitor<'de> for HealthVisitor {
    type Value = Health;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a health check with a `probe`, or `none`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Health, E> {
        if text == Health::NONE {
            return Ok(Health::None);
        }
        Err(E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Health, A::Error> {
        HealthCheck::deserialize(MapAccessDeserializer::new(map)).map(Health::Check)
    }
}

/// How a service shows that it is well.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// Milliseconds between two probes.
    #[serde(default = "ten_seconds")]
    pub interval_ms: u64,
    /// Milliseconds after which a probe counts as failed.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u64,
    /// How many failures in a row make it unhealthy.
    #[serde(default = "three")]
    pub retries: u32,
    /// Milliseconds after its start in which failures do not count.
    #[serde(default)]
    pub start_period_ms: u64,
}

fn ten_seconds() -> u64 {
    10_000
}

fn five_seconds() -> u64 {
    5_000
}

fn three() -> u32 {
    3
}

/// What a health check asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Probe {
    /// A command in the container; exit code 0 is well.
    Command(Vec<String>),
    /// An HTTP GET; a status from 200 to 399 is well.
    Http {
        /// The port in the container.
        port: u16,
        /// The path, from `/`.
        path: String,
    },
    /// A connection can be made to this port in the container.
    Tcp(u16),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn check() -> Health {
        Health::Check(HealthCheck {
            probe: Probe::Tcp(80),
            interval_ms: 10_000,
            timeout_ms: 5_000,
            retries: 3,
            start_period_ms: 0,
        })
    }

    #[test]
    fn no_check_is_a_word_and_a_check_says_its_times() {
        assert_eq!(serde_json::to_string(&Health::None).unwrap(), r#""none""#);
        assert_eq!(serde_json::from_str::<Health>(r#""none""#).unwrap(), Health::None);
        assert_eq!(serde_json::from_str::<Health>(r#"{ "probe": { "tcp": 80 } }"#).unwrap(), check());
        assert_eq!(serde_json::to_value(check()).unwrap()["retries"], 3);
    }

    #[test]
    fn what_is_neither_is_refused_with_what_it_could_be() {
        let why = |text: &str| serde_json::from_str::<Health>(text).unwrap_err().to_string();
        assert!(why(r#""off""#).contains("or `none`"), "{}", why(r#""off""#));
        assert!(why(r#"{ "prob": { "tcp": 80 } }"#).contains("`prob`"), "{}", why(r#"{ "prob": { "tcp": 80 } }"#));
    }

    #[test]
    fn a_frame_carries_both() {
        for health in [Health::None, check()] {
            assert_eq!(codec::decode::<Health>(&codec::encode(&health).unwrap()).unwrap(), health);
        }
    }
}
