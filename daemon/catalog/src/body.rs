//! A service as its template writes it: the YAML tree with its texts taken apart.
//!
//! Values go into a parsed tree and never into YAML text, so no value can change the shape of what is around it.

use serde_json::{Map, Value as Json};

use crate::text::Text;
use crate::value::Values;

/// Fields whose values are text, whatever the parameter's type: `PORT: ${port}` is right in `env`.
const TEXT_FIELDS: [&str; 4] = ["args", "command", "env", "labels"];

/// A node of the tree.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node {
    /// A null, boolean or number.
    Literal(Json),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Takes the texts of a tree apart.
    pub(crate) fn parse(json: Json) -> Result<Self, String> {
        match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => Ok(Self::Literal(json)),
            Json::String(text) => Ok(Self::Text(Text::parse(&text)?)),
            Json::Array(items) => Ok(Self::List(items.into_iter().map(Self::parse).collect::<Result<_, _>>()?)),
            Json::Object(fields) => {
                let mut nodes = Vec::new();
                for (key, value) in fields {
                    if key.contains("${") {
                        return Err(format!("`{key}`: parameters can stand in values only, not in names of fields"));
                    }
                    nodes.push((key, Self::parse(value)?));
                }
                Ok(Self::Map(nodes))
            }
        }
    }

    /// The parameters that it mentions.
    pub(crate) fn parameters(&self) -> Vec<&str> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(text) => text.parameters().collect(),
            Self::List(items) => items.iter().flat_map(Self::parameters).collect(),
            Self::Map(fields) => fields.iter().flat_map(|(_, node)| node.parameters()).collect(),
        }
    }

    /// The tree with values in it. A text that is one parameter takes the parameter's type. What mentions
    /// an optional parameter without a value is left out: the field or item, not what is around it.
    pub(crate) fn render(&self, values: &Values) -> Option<Json> {
        self.render_as(values, false)
    }

    fn render_as(&self, values: &Values, as_text: bool) -> Option<Json> {
        match self {
            Self::Literal(json) => Some(json.clone()),
            Self::Text(text) => match text.sole_parameter() {
                Some(name) if !as_text => Some(values.plain.get(name)?.as_json()),
                Some(_) | None => text.render(|name| Some(values.plain.get(name)?.as_text())).map(Json::String),
            },
            Self::List(items) => Some(items.iter().filter_map(|item| item.render_as(values, as_text)).collect()),
            Self::Map(fields) => {
                let mut map = Map::new();
                for (key, node) in fields {
                    let as_text = as_text || TEXT_FIELDS.contains(&key.as_str());
                    if let Some(value) = node.render_as(values, as_text) {
                        map.insert(key.clone(), value);
                    }
                }
                Some(Json::Object(map))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use serde_json::json;

    fn rendered(template: Json) -> Json {
        let mut values = Values::default();
        values.plain.insert("port".to_owned(), Value::Integer(80));
        Node::parse(template).expect("well-formed").render(&values).expect("something")
    }

    #[test]
    fn a_sole_parameter_keeps_its_type_except_in_fields_of_text() {
        assert_eq!(
            rendered(
                json!({"port": "${port}", "url": "http://x:${port}", "env": {"PORT": "${port}"}, "args": ["${port}"]})
            ),
            json!({"port": 80, "url": "http://x:80", "env": {"PORT": "80"}, "args": ["80"]})
        );
    }

    #[test]
    fn what_mentions_a_value_that_was_not_given_is_left_out() {
        assert_eq!(
            rendered(json!({"constraints": ["host==${machine}"], "ports": [{"port": 1, "published": "${other}"}]})),
            json!({"constraints": [], "ports": [{"port": 1}]})
        );
    }

    #[test]
    fn a_parameter_in_the_name_of_a_field_is_refused() {
        assert!(Node::parse(json!({"env": {"${port}": "x"}})).is_err());
    }
}
