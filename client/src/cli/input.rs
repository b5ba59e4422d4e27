//! What users hand in besides flags: YAML files, `key=value` pairs, values from files.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_protocol::{Error, SecretBytes, SecretString, nearest};
use serde::de::DeserializeOwned;
use serde_saphyr::{Error as Yaml, MessageFormatter, UserMessageFormatter};
use zeroize::Zeroizing;

use super::failure::{Failure, Result};

/// The path that means standard input.
const STDIN: &str = "-";

/// A second reader would find it empty, and take nothing for the value.
static STDIN_IS_READ: AtomicBool = AtomicBool::new(false);

/// Reads the bytes of a file, or of standard input for `-`. Their memory is wiped.
fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let read = if path.as_os_str() == STDIN {
        if STDIN_IS_READ.swap(true, Ordering::Relaxed) {
            let remedy = "give `-` or `@-` once, and files for the rest";
            return Err(Failure::usage("standard input is asked for twice, and can be read once", remedy));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        io::stdin().read_to_end(&mut bytes).map(|_length| bytes)
    } else {
        fs::read(path).map(Zeroizing::new)
    };
    read.map_err(|problem| {
        Error::invalid("file", format!("cannot read {}", name_of(path)))
            .with_detail("cause", problem)
            .with_remedy("check the path and its permissions; `-` reads standard input")
            .into()
    })
}

/// Reads a text from a file, or from standard input for `-`.
fn read_text(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = read_bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|problem| {
        Error::invalid("file", format!("{} is no text in UTF-8", name_of(path)))
            .with_detail("cause", problem)
            .with_remedy("give a text; of a binary file, for example its base64, which the program decodes")
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads a YAML (or JSON) file, or standard input for `-`.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read_text(path)?;
    parse_yaml(&text, &name_of(path))
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == STDIN { "standard input".to_owned() } else { path.display().to_string() }
}

fn parse_yaml<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|problem| mistake(problem.without_snippet(), origin).into())
}

/// A mistake in a file, with its place and what may have been meant.
#[expect(clippy::wildcard_enum_match_arm, reason = "not our enum; what is not said better here it says itself")]
fn mistake(problem: &Yaml, origin: &str) -> Error {
    let place = match problem.location() {
        Some(location) if location.line() > 0 => format!("{origin}:{}:{}", location.line(), location.column()),
        Some(_) | None => origin.to_owned(),
    };
    match problem {
        Yaml::SerdeUnknownField { field, expected, .. } => {
            Error::invalid(field, format!("{place}: there is no key `{field}` here"))
                .with_remedy(suggestion(field, expected))
        }
        Yaml::SerdeUnknownVariant { variant, expected, .. } => {
            Error::invalid(variant, format!("{place}: `{variant}` is not one of the words allowed here"))
                .with_remedy(suggestion(variant, expected))
        }
        Yaml::SerdeMissingField { field, .. } => {
            Error::invalid(field, format!("{place}: the key `{field}` is missing"))
                .with_remedy(format!("add `{field}: …`"))
        }
        Yaml::InvalidScalar { ty, .. } => {
            Error::invalid("file", format!("{place}: the value here is not {}", kind_of_value(ty)))
                .with_remedy("write another value at this place")
        }
        other => {
            let message = UserMessageFormatter.format_message(other);
            Error::invalid("file", format!("{place}: {message}")).with_remedy("mend the file at this place")
        }
    }
}

/// A Rust type's name in words.
fn kind_of_value(ty: &str) -> &str {
    match ty {
        "bool" => "`true` or `false`",
        "u8" | "u16" | "u32" | "u64" => "a whole number from 0",
        other => other,
    }
}

/// What may have been meant, and everything that could be.
fn suggestion(given: &str, known: &[&'static str]) -> String {
    let all = known.join(", ");
    match nearest(given, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? known here: {all}"),
        None => format!("known here: {all}"),
    }
}

/// `KEY=VALUE`, for clap.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write KEY=VALUE".to_owned()),
    }
}

/// Adds pairs to a map; a key that is given twice is a mistake.
pub fn collect<V, M>(map: &mut M, pairs: impl IntoIterator<Item = (String, V)>, flag: &str) -> Result<()>
where
    M: Extend<(String, V)>,
{
    let mut seen = std::collections::BTreeSet::new();
    for (key, value) in pairs {
        if !seen.insert(key.clone()) {
            return Err(Failure::usage(format!("`{key}` is given twice with {flag}"), "give each key once"));
        }
        map.extend([(key, value)]);
    }
    Ok(())
}

/// The value of `--set`: as written, from a file for `@PATH`, from standard input for `@-`; `@@` is a plain `@`.
pub fn value(text: &str) -> Result<SecretString> {
    match text.strip_prefix('@') {
        None => Ok(SecretString::new(text)),
        Some(plain) if plain.starts_with('@') => Ok(SecretString::new(plain)),
        Some(path) => value_of_file(Path::new(path)),
    }
}

/// A file's text as a value, without the end of a single line; see [`without_line_end`].
pub fn value_of_file(path: &Path) -> Result<SecretString> {
    Ok(SecretString::new(without_line_end(&read_text(path)?)))
}

/// A file's bytes as a secret. Only of a text that is a single line, its end is left out; see [`without_line_end`].
pub fn secret_of_file(path: &Path) -> Result<SecretBytes> {
    let bytes = read_bytes(path)?;
    let value = std::str::from_utf8(&bytes).map_or(bytes.as_slice(), |text| without_line_end(text).as_bytes());
    Ok(SecretBytes::new(value))
}

/// The end of a single line is no part of a value: editors and `echo` add one, and a password with a line's end is nobody's
/// password. A text of several lines, such as a key, is taken as it is.
fn without_line_end(text: &str) -> &str {
    let line = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text);
    if line.contains('\n') { text } else { line }
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::cluster::ClusterSpec;

    use super::*;

    fn refused(yaml: &str) -> String {
        let failure = parse_yaml::<ClusterSpec>(yaml, "cluster.yaml").unwrap_err();
        let mut text = Vec::new();
        failure.show(crate::cli::output::Format::Table, false, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_end_of_a_single_line_is_no_part_of_a_value_and_several_lines_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &[u8]| {
            let path = folder.path().join("value");
            fs::write(&path, text).unwrap();
            value_of_file(&path).map(|value| value.expose().to_owned())
        };
        for (text, value) in [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("s3cret", "s3cret"), ("\n", "")] {
            assert_eq!(read(text.as_bytes()).unwrap(), value);
        }
        let key = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n";
        assert_eq!(
            read(key.as_bytes()).unwrap(),
            key,
            "a program that reads keys refuses one without its last line's end"
        );
        let mut said = Vec::new();
        read(&[0xff, 0xfe]).unwrap_err().show(crate::cli::output::Format::Table, false, &mut said);
        assert!(String::from_utf8(said).unwrap().contains("base64"));
    }

    #[test]
    fn a_secret_file_may_hold_any_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        for (bytes, secret) in [
            (b"s3cret\n".as_slice(), b"s3cret".as_slice()),
            (b"two\nlines\n", b"two\nlines\n"),
            (&[0x30, 0x82, 0xff, b'\n'], &[0x30, 0x82, 0xff, b'\n']),
        ] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(secret_of_file(&path).unwrap().expose(), secret);
        }
    }

    #[test]
    fn mistakes_in_a_file_are_named_with_place_and_remedy() {
        let head = "name: demo\norchestrator: swarm\ninfrastructure: local\n";
        let mistakes = [
            refused(&format!("{head}worker: 2\n")),
            refused(&format!("{head}machine:\n  memmory: 2Gi\n")),
            refused(&format!("{head}machine:\n  memory: lots\n")),
            refused("name: demo\norchestrator: swarn\ninfrastructure: local\n"),
            refused("name: demo\norchestrator: swarm\n"),
            refused("name: Demo\norchestrator: swarm\ninfrastructure: local\n"),
            refused(&format!("{head}workers: -1\n")),
            refused(&format!("{head}name: twice\n")),
            refused(&format!("{head}labels: [\n")),
            refused(""),
        ];
        insta::assert_snapshot!(mistakes.join("\n"));
    }

    #[test]
    fn values_come_from_the_argument_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "s3cret\n").unwrap();
        let from_file = value(&format!("@{}", path.display())).unwrap();
        assert_eq!(from_file.expose(), "s3cret");
        assert_eq!(value("plain").unwrap().expose(), "plain");
        assert_eq!(value("@@name").unwrap().expose(), "@name");
        assert!(value("@/nowhere/at/all").is_err());
    }

    #[test]
    fn a_pair_needs_a_key() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("=b").is_err());
        assert!(pair("a").is_err());
    }

    #[test]
    fn a_key_is_given_once() {
        let mut map = std::collections::BTreeMap::new();
        let pairs = [("a".to_owned(), 1), ("a".to_owned(), 2)];
        assert!(collect(&mut map, pairs, "--set").is_err());
    }
}
