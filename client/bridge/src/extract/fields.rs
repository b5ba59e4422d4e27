//! Sparse fields: `?fields=name,workers.ready`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A tree of names; one without branches is taken whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields(BTreeMap<String, Fields>);

impl Fields {
    fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for path in text.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            let mut at = &mut all;
            for name in path.split('.') {
                at = at.0.entry(name.to_owned()).or_default();
            }
        }
        all
    }

    /// What they leave of a value. Of a list, of each of its items.
    pub fn of(&self, value: Value) -> Value {
        if self.0.is_empty() {
            return value;
        }
        match value {
            Value::Object(object) => Value::Object(self.of_object(object)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.of(item)).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn of_object(&self, object: Map<String, Value>) -> Map<String, Value> {
        let kept = object.into_iter().filter_map(|(name, value)| {
            let inner = self.0.get(&name)?;
            Some((name, inner.of(value)))
        });
        kept.collect()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_named_is_left_at_every_depth() {
        let value = json!({"name": "a", "tally": {"ready": 1, "wanted": 2}, "steps": [{"name": "s", "after": []}]});
        assert_eq!(Fields::parse("name,steps.name").of(value.clone()), json!({"name": "a", "steps": [{"name": "s"}]}));
        assert_eq!(Fields::parse("tally").of(value.clone()), json!({"tally": {"ready": 1, "wanted": 2}}));
        assert_eq!(Fields::parse("").of(value.clone()), value);
        assert_eq!(Fields::parse("nothing").of(value), json!({}));
    }
}
