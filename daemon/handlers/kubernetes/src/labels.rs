//! What Kubernetes takes as a label. Source: `k8s.io/apimachinery/pkg/util/validation`.

/// Whether this can be a label's value: at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends.
pub(crate) fn is_value(text: &str) -> bool {
    text.is_empty() || is_word(text)
}

/// Whether this can be a label's or annotation's name: a word, with a DNS name and `/` before it or not.
pub(crate) fn is_name(text: &str) -> bool {
    match text.split_once('/') {
        None => is_word(text),
        Some((domain, word)) => is_domain(domain) && is_word(word),
    }
}

fn is_word(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63 && text.starts_with(end) && text.ends_with(end) && text.chars().all(inner)
}

fn is_domain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part =
        |part: &str| part.starts_with(plain) && part.ends_with(plain) && part.chars().all(|c| plain(c) || c == '-');
    text.len() <= 253 && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_judged_as_kubernetes_does() {
        for name in ["team", "com.example.team", "example.com/team", "a_B-c.d"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-team", "a b", "Example.com/team", "a/b/c", "/a", "a/", &"x".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
        for value in ["", "red", "1.2-3_4"] {
            assert!(is_value(value), "{value}");
        }
        for value in ["a b", "ä", "x-", "a/b"] {
            assert!(!is_value(value), "{value}");
        }
    }
}
