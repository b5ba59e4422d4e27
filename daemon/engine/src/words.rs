//! What others say, kept to a length, and what errors say with all that they were caused by.
//!
//! A provider's or orchestrator's words go into causes and events, which are stored, and a stored record has a limit.
//! What has happened cannot be refused for being told at length.

use std::error::Error;

/// The most bytes of one sentence: more than anybody reads, and so little that a record holds several beside its own
/// content.
pub const MAX_BYTES: usize = 2048;

/// The most bytes of a code or an id.
pub const MAX_CODE_BYTES: usize = 256;

const CUT_MARK: &str = "…";

/// The text, or as much of its beginning as `most` bytes hold.
pub fn at_most(most: usize, mut text: String) -> String {
    if text.len() <= most {
        return text;
    }
    let mut end = most.saturating_sub(CUT_MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(CUT_MARK);
    text
}

/// The words of an error and of everything that it was caused by.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the keys")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_chain_of_errors_says_every_cause_once() {
        let broken = || std::io::Error::other("the disk is broken");
        assert_eq!(chain(&Outer(broken())), "cannot read the keys: the disk is broken");
        assert_eq!(chain(&std::io::Error::other(broken())), "the disk is broken");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(at_most(10, "short".to_owned()), "short");
        assert_eq!(at_most(10, "0123456789".to_owned()), "0123456789");
        assert_eq!(at_most(10, "0123456789a".to_owned()), "0123456…");
        assert_eq!(at_most(10, "ééééééé".to_owned()), "ééé…");
    }
}
