//! Amounts with units, as people write them: `512Mi`, `2Gi`, `250m`, `1.5`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount of memory or disk in bytes. Written as a plain number of bytes or with a suffix
/// `Ki Mi Gi Ti` (powers of 1024) or `k M G T` (powers of 1000).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Bytes(pub u64);

/// An amount of processor time in thousandths of a core. Written as cores (`2`, `0.5`) or with the suffix `m` (`500m`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CpuMillis(pub u64);

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an amount of {of}, write for example {example}")]
pub struct QuantityError {
    text: String,
    of: &'static str,
    example: &'static str,
}

const BYTE_SUFFIXES: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

impl FromStr for Bytes {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || QuantityError { text: text.to_owned(), of: "bytes", example: "`512Mi` or `2Gi`" };
        let suffix = BYTE_SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix));
        let (digits, unit) = match suffix {
            Some((suffix, unit)) => (&text[..text.len() - suffix.len()], *unit),
            None => (text, 1),
        };
        let count: u64 = digits.trim().parse().map_err(|_| error())?;
        count.checked_mul(unit).map(Self).ok_or_else(error)
    }
}

impl FromStr for CpuMillis {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || QuantityError { text: text.to_owned(), of: "processor time", example: "`2`, `0.5` or `500m`" };
        if let Some(millis) = text.strip_suffix('m') {
            return millis.parse().map(Self).map_err(|_| error());
        }
        let (cores, fraction) = text.split_once('.').unwrap_or((text, ""));
        if fraction.len() > 3 {
            return Err(error());
        }
        let cores: u64 = cores.parse().map_err(|_| error())?;
        let thousandths: u64 = format!("{fraction:0<3}").parse().map_err(|_| error())?;
        cores.checked_mul(1000).and_then(|millis| millis.checked_add(thousandths)).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (suffix, unit) in BYTE_SUFFIXES[..4].iter().rev() {
            if self.0 >= *unit && self.0.is_multiple_of(*unit) {
                return write!(f, "{}{suffix}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for CpuMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

/// Numbers stay numbers for machines (bytes, thousandths); people may also write text with a unit.
struct AmountVisitor<T> {
    expecting: &'static str,
    from_number: fn(f64) -> Option<T>,
    from_integer: fn(u64) -> Option<T>,
}

impl<T: FromStr<Err = QuantityError>> de::Visitor<'_> for AmountVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        (self.from_integer)(value).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        let unsigned = u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
        self.visit_u64(unsigned)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        (self.from_number)(value).ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &self))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Ok(Self(u64::deserialize(deserializer)?));
        }
        deserializer.deserialize_any(AmountVisitor {
            expecting: "an amount of bytes such as 512Mi",
            from_number: |_| None,
            from_integer: |bytes| Some(Self(bytes)),
        })
    }
}

impl Serialize for CpuMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            // Text, because a bare number would read back as cores.
            serializer.collect_str(&format_args!("{}m", self.0))
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for CpuMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Ok(Self(u64::deserialize(deserializer)?));
        }
        deserializer.deserialize_any(AmountVisitor {
            expecting: "an amount of processor time such as 0.5 or 500m",
            from_number: |cores| format!("{cores:.3}").parse().ok(),
            from_integer: |cores| cores.checked_mul(1000).map(Self),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_mean_what_people_expect() {
        assert_eq!("512Mi".parse(), Ok(Bytes(512 << 20)));
        assert_eq!("2G".parse(), Ok(Bytes(2_000_000_000)));
        assert_eq!("17".parse(), Ok(Bytes(17)));
        assert_eq!("250m".parse(), Ok(CpuMillis(250)));
        assert_eq!("1.5".parse(), Ok(CpuMillis(1500)));
        assert_eq!("2".parse(), Ok(CpuMillis(2000)));
    }

    #[test]
    fn nonsense_and_overflow_are_refused() {
        for text in ["", "-1", "1.5Gi", "Mi", "99999999999999Ti"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        for text in ["", "-1", "1.0001", "m", "1.x", "99999999999999999999"] {
            assert!(text.parse::<CpuMillis>().is_err(), "{text}");
        }
    }
}
