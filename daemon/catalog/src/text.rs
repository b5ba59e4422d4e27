//! Text with parameters in it: `${name}` stands for a value, `$${` for the characters `${`.
//!
//! The text is taken apart once, when its template is loaded. A value that is put in
//! later is never looked at again, so nothing in it can act as template or as YAML.

/// A text, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(String),
    Parameter(String),
}

impl Text {
    /// Takes a text apart.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = &from[2..];
                continue;
            }
            literal.push_str(before);
            let Some((parameter, after)) = from[2..].split_once('}') else {
                return Err(format!("`{from}` has no closing brace; write `$${{` for a plain `${{`"));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Parameter(parameter.to_owned()));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The parameters that it mentions.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The parameter, if the text is one parameter and nothing else.
    pub(crate) fn sole_parameter(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Parameter(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with values in it; nothing if one of them is missing.
    pub(crate) fn render(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut whole = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => whole.push_str(text),
                Piece::Parameter(name) => whole.push_str(&value(name)?),
            }
        }
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Option<String> {
        let value = |name: &str| (name == "who").then(|| "${who} $${".to_owned());
        Text::parse(text).expect("well-formed").render(value)
    }

    #[test]
    fn parameters_are_replaced_and_values_are_never_read_as_templates() {
        assert_eq!(rendered("hello ${who}!").as_deref(), Some("hello ${who} $${!"));
        assert_eq!(rendered("").as_deref(), Some(""));
    }

    #[test]
    fn a_doubled_dollar_writes_a_plain_one_and_lone_dollars_stay() {
        assert_eq!(rendered("$${HOME}/$PATH $(pwd) $5").as_deref(), Some("${HOME}/$PATH $(pwd) $5"));
    }

    #[test]
    fn a_missing_value_leaves_nothing() {
        assert_eq!(rendered("host==${machine}"), None);
    }

    #[test]
    fn an_open_brace_is_refused() {
        assert!(Text::parse("a ${b").is_err());
    }
}
