//! Parameters: what a template's author allows, and the check of what a user gives.

use muster_protocol::model::catalog::{ParameterInfo, ParameterKind};
use muster_protocol::quantity::{Bytes, CpuMillis};
use regex_lite::Regex;
use serde::Deserialize;

use crate::value::Value;

/// The name that always stands for the name given to the template's first service.
pub(crate) const SERVICE_NAME: &str = "name";

/// A parameter, as its template writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ParameterFile {
    name: String,
    kind: ParameterKind,
    description: String,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    minimum: Option<String>,
    #[serde(default)]
    maximum: Option<String>,
    #[serde(default)]
    one_of: Vec<String>,
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pattern: Option<String>,
    /// A value to try the template with, where nothing else tells one.
    #[serde(default)]
    example: Option<String>,
    /// May be left out although it has no default; what mentions it is then left out as well.
    #[serde(default)]
    optional: bool,
    /// For a secret: must be given, instead of being made at random, because somebody needs to know it.
    #[serde(default)]
    required: bool,
}

/// A parameter, checked.
pub(crate) struct Parameter {
    pub(crate) info: ParameterInfo,
    pattern: Option<Pattern>,
    example: Option<String>,
}

struct Pattern {
    text: String,
    regex: Regex,
}

impl Parameter {
    /// Checks what the template's author wrote.
    pub(crate) fn from_file(file: ParameterFile) -> Result<Self, String> {
        let name = file.name.clone();
        Self::checked(file).map_err(|message| format!("parameter `{name}`: {message}"))
    }

    fn checked(file: ParameterFile) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !file.name.starts_with(|c: char| c.is_ascii_lowercase()) || !file.name.chars().all(allowed) {
            return Err("a name has lower-case letters, digits and hyphens, and starts with a letter".to_owned());
        }
        if file.name == SERVICE_NAME {
            return Err("this name stands for the service's name and cannot be a parameter".to_owned());
        }
        if let ParameterKind::Unknown(_) = file.kind {
            return Err(not_known(file.kind));
        }
        let is_secret = file.kind == ParameterKind::Secret;
        if is_secret && (file.default.is_some() || !file.one_of.is_empty() || file.optional) {
            return Err("a secret has no `default`, `oneOf` or `optional`: it is given, or made at random".to_owned());
        }
        if file.required && !is_secret {
            return Err("`required` is for secret; others are, without a `default` or `optional`".to_owned());
        }
        if file.optional && file.default.is_some() {
            return Err("with a `default` it needs no `optional`".to_owned());
        }
        let pattern = match file.pattern {
            None => None,
            Some(_) if !matches!(file.kind, ParameterKind::String | ParameterKind::Secret) => {
                return Err(format!("`pattern` is for string and secret, not for {}", file.kind));
            }
            Some(text) => {
                let regex = Regex::new(&format!("^(?:{text})$")).map_err(|e| format!("`pattern`: {e}"))?;
                Some(Pattern { text, regex })
            }
        };
        let required = if is_secret { file.required } else { file.default.is_none() && !file.optional };
        let info = ParameterInfo {
            minimum: bound(file.kind, "minimum", file.minimum.as_deref())?,
            maximum: bound(file.kind, "maximum", file.maximum.as_deref())?,
            name: file.name,
            kind: file.kind,
            // The form in which parameters are told has no place of its own for it.
            description: match &pattern {
                Some(pattern) => format!("{}; of the form `{}`", file.description, pattern.text),
                None => file.description,
            },
            default: file.default,
            one_of: file.one_of,
            required,
        };
        let parameter = Self { info, pattern, example: file.example };
        parameter.check_own_values()?;
        Ok(parameter)
    }

    /// What the author wrote as values must be allowed by what the author wrote as limits.
    fn check_own_values(&self) -> Result<(), String> {
        if let (Some(minimum), Some(maximum)) = (self.info.minimum, self.info.maximum)
            && minimum > maximum
        {
            return Err("`minimum` is greater than `maximum`".to_owned());
        }
        let one_of = self.info.one_of.iter().map(|value| ("oneOf", value));
        let default = self.info.default.iter().map(|value| ("default", value));
        let example = self.example.iter().map(|value| ("example", value));
        for (field, value) in one_of.chain(default).chain(example) {
            self.accept(value).map_err(|message| format!("`{field}`: {message}"))?;
        }
        Ok(())
    }

    /// Checks a value that is not a secret. The message names the value and what is allowed.
    pub(crate) fn accept(&self, text: &str) -> Result<Value, String> {
        if !self.info.one_of.is_empty() && !self.info.one_of.iter().any(|allowed| allowed == text) {
            return Err(format!("`{text}` is not one of {}", quoted(self.info.one_of.iter())));
        }
        match self.info.kind {
            // The caller keeps secrets apart; here they come only as the author's `example`.
            ParameterKind::Secret => self.accept_secret(text).map(|()| Value::Text(text.to_owned())),
            // No argument, variable or path can hold it.
            ParameterKind::String if text.contains('\0') => Err("a text cannot hold the character NUL".to_owned()),
            ParameterKind::String => match &self.pattern {
                Some(pattern) if !pattern.regex.is_match(text) => {
                    Err(format!("`{text}` does not have the form `{}`", pattern.text))
                }
                Some(_) | None => Ok(Value::Text(text.to_owned())),
            },
            ParameterKind::Boolean => match text {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err(format!("`{text}` is neither `true` nor `false`")),
            },
            ParameterKind::Integer => {
                let number: i64 = text.parse().map_err(|_| format!("`{text}` is not a whole number"))?;
                self.in_range(number, text)?;
                Ok(Value::Integer(number))
            }
            ParameterKind::Bytes => {
                let bytes: Bytes = text.parse().map_err(|e| format!("{e}"))?;
                self.in_range(signed(bytes.0), text)?;
                Ok(Value::Bytes(bytes))
            }
            ParameterKind::Cpu => {
                let cpu: CpuMillis = text.parse().map_err(|e| format!("{e}"))?;
                self.in_range(signed(cpu.0), text)?;
                Ok(Value::Cpu(cpu))
            }
            ParameterKind::Unknown(_) => Err(not_known(self.info.kind)),
        }
    }

    /// What to do about a value that was refused.
    pub(crate) fn remedy(&self) -> String {
        match &self.pattern {
            Some(pattern) => format!("give a value that the regular expression `{}` matches as a whole", pattern.text),
            None => format!("give what is asked for: {}", self.info.description),
        }
    }

    /// Checks a secret. The message never holds it.
    pub(crate) fn accept_secret(&self, secret: &str) -> Result<(), String> {
        if secret.is_empty() {
            let otherwise = if self.info.required { "" } else { "; leave it out to have one made at random" };
            return Err(format!("it cannot be empty{otherwise}"));
        }
        match &self.pattern {
            Some(pattern) if !pattern.regex.is_match(secret) => {
                Err(format!("it does not have the form `{}`", pattern.text))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn in_range(&self, number: i64, text: &str) -> Result<(), String> {
        match (self.info.minimum, self.info.maximum) {
            (Some(minimum), _) if number < minimum => {
                Err(format!("`{text}` is less than the minimum, {}", self.amount(minimum)))
            }
            (_, Some(maximum)) if number > maximum => {
                Err(format!("`{text}` is more than the maximum, {}", self.amount(maximum)))
            }
            (None | Some(_), None | Some(_)) => Ok(()),
        }
    }

    /// A limit, in the unit in which values are written.
    fn amount(&self, number: i64) -> String {
        match self.info.kind {
            ParameterKind::Bytes => Bytes(number.unsigned_abs()).to_string(),
            ParameterKind::Cpu => CpuMillis(number.unsigned_abs()).to_string(),
            ParameterKind::String
            | ParameterKind::Integer
            | ParameterKind::Boolean
            | ParameterKind::Secret
            | ParameterKind::Unknown(_) => number.to_string(),
        }
    }

    /// A value that will do, to try the template with.
    pub(crate) fn sample(&self) -> Option<String> {
        let own = self.info.default.as_ref().or(self.example.as_ref()).or(self.info.one_of.first()).cloned();
        own.or_else(|| match self.info.kind {
            ParameterKind::Integer | ParameterKind::Bytes | ParameterKind::Cpu => {
                Some(self.amount(self.info.minimum.or(self.info.maximum).unwrap_or(1)))
            }
            ParameterKind::String | ParameterKind::Boolean | ParameterKind::Secret => {
                self.extremes().into_iter().next()
            }
            ParameterKind::Unknown(_) => None,
        })
    }

    /// The values at the edge of what is allowed: a template must render with each.
    pub(crate) fn extremes(&self) -> Vec<String> {
        if !self.info.one_of.is_empty() {
            return self.info.one_of.clone();
        }
        let range = |least: i64| {
            let ends = [self.info.minimum.unwrap_or(least), self.info.maximum.unwrap_or(i64::MAX)];
            ends.map(|number| self.amount(number)).to_vec()
        };
        match self.info.kind {
            ParameterKind::Integer => range(i64::MIN),
            ParameterKind::Bytes | ParameterKind::Cpu => range(0),
            ParameterKind::Boolean => vec!["true".to_owned(), "false".to_owned()],
            ParameterKind::String | ParameterKind::Secret if self.pattern.is_none() => vec!["sample".to_owned()],
            ParameterKind::String | ParameterKind::Secret | ParameterKind::Unknown(_) => Vec::new(),
        }
    }
}

/// A limit in its kind's unit: bytes, thousandths of a core, or a plain number.
fn bound(kind: ParameterKind, field: &str, text: Option<&str>) -> Result<Option<i64>, String> {
    let Some(text) = text else { return Ok(None) };
    let number = match kind {
        ParameterKind::Integer => text.parse().map_err(|_| format!("`{field}`: `{text}` is not a whole number"))?,
        ParameterKind::Bytes => signed(text.parse::<Bytes>().map_err(|e| format!("`{field}`: {e}"))?.0),
        ParameterKind::Cpu => signed(text.parse::<CpuMillis>().map_err(|e| format!("`{field}`: {e}"))?.0),
        ParameterKind::String | ParameterKind::Boolean | ParameterKind::Secret | ParameterKind::Unknown(_) => {
            return Err(format!("`{field}` is for integer, bytes and cpu, not for {kind}"));
        }
    };
    Ok(Some(number))
}

fn not_known(kind: ParameterKind) -> String {
    format!("the type `{kind}` is not known to this release of Muster")
}

/// Amounts beyond `i64` (eight exbibytes) are as good as `i64::MAX`.
fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

fn quoted<T: std::fmt::Display>(words: impl Iterator<Item = T>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
