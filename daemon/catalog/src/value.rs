//! Values of parameters, typed.

use std::collections::BTreeMap;

use muster_protocol::SecretString;
use muster_protocol::quantity::{Bytes, CpuMillis};
use serde_json::Value as Json;

/// One value that is not a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Bytes(Bytes),
    Cpu(CpuMillis),
}

impl Value {
    /// As part of a text: amounts of bytes as a plain number, processor time as cores,
    /// because that is what programs read that know nothing of our units.
    pub(crate) fn as_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(yes) => yes.to_string(),
            Self::Bytes(bytes) => bytes.0.to_string(),
            Self::Cpu(CpuMillis(millis)) if millis.is_multiple_of(1000) => (millis / 1000).to_string(),
            Self::Cpu(CpuMillis(millis)) => {
                let text = format!("{}.{:03}", millis / 1000, millis % 1000);
                text.trim_end_matches('0').to_owned()
            }
        }
    }

    /// As a field of its own type.
    pub(crate) fn as_json(&self) -> Json {
        match self {
            Self::Text(text) => Json::from(text.as_str()),
            Self::Integer(number) => Json::from(*number),
            Self::Boolean(yes) => Json::from(*yes),
            Self::Bytes(bytes) => Json::from(bytes.0),
            // A bare number would be read as cores.
            Self::Cpu(CpuMillis(millis)) => Json::from(format!("{millis}m")),
        }
    }
}

/// All values of one rendering. Secrets are kept apart, so that only what asks for them can get them.
#[derive(Default)]
pub(crate) struct Values {
    pub(crate) plain: BTreeMap<String, Value>,
    pub(crate) secret: BTreeMap<String, SecretString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back_as_themselves_and_in_text_as_plain_numbers() {
        for (millis, text) in [(500, "0.5"), (2000, "2"), (50, "0.05"), (1001, "1.001")] {
            let value = Value::Cpu(CpuMillis(millis));
            assert_eq!(value.as_text(), text);
            assert_eq!(serde_json::from_value::<CpuMillis>(value.as_json()).expect("cpu"), CpuMillis(millis));
        }
        let value = Value::Bytes(Bytes(512 << 20));
        assert_eq!(value.as_text(), "536870912");
        assert_eq!(serde_json::from_value::<Bytes>(value.as_json()).expect("bytes"), Bytes(512 << 20));
    }
}
