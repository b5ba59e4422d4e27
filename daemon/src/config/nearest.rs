//! What was meant, perhaps: the nearest known key or word.

use muster_protocol::nearest;

use super::reference;

/// The parser's message, and the nearest of what it expected instead.
pub(super) fn explain(message: &str) -> String {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let first_line = message.lines().next().unwrap_or(message);
    let is_key = message.starts_with("unknown field");
    if !is_key && !message.starts_with("unknown variant") {
        return first_line.to_owned();
    }
    let Some((unknown, expected)) = words.split_first() else { return first_line.to_owned() };
    let what = if is_key { "unknown key" } else { "unknown word" };
    if let Some(nearest) = nearest(unknown, expected.iter().copied()) {
        return format!("{what} `{unknown}`: did you mean `{nearest}`?");
    }
    if is_key && let Some(elsewhere) = elsewhere(unknown) {
        return format!("{what} `{unknown}` here: did you mean `{elsewhere}`?");
    }
    format!("{what} `{unknown}`: use one of {}", expected.join(", "))
}

/// The key of another section that has this very name.
fn elsewhere(unknown: &str) -> Option<&'static str> {
    let keys = reference::SETTINGS.iter().map(|setting| setting.key);
    keys.into_iter().find(|key| key.rsplit('.').next() == Some(unknown))
}
