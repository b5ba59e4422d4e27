//! `docs/errors.md` explains every error code, and no other.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

use std::path::Path;

use muster_protocol::ErrorCode;

fn sections() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut sections = Vec::new();
    for section in page.split("\n### ").skip(1) {
        let (title, rest) = section.split_once('\n').unwrap();
        // The next chapter's title belongs to no code.
        let text = rest.split("\n## ").next().unwrap_or_default();
        sections.push((title.trim_matches('`').to_owned(), text.to_owned()));
    }
    sections
}

#[test]
fn every_code_has_one_section_and_nothing_else_has() {
    let mut explained: Vec<String> = sections().into_iter().map(|(title, _)| title).collect();
    explained.sort();
    let mut codes = ErrorCode::ALL.map(|code| code.to_string());
    codes.sort();
    assert_eq!(explained, codes);
}

#[test]
fn every_section_tells_meaning_exit_code_causes_and_remedy() {
    for (code, text) in sections() {
        for part in ["Exit code ", "\n- **Causes**: ", "\n- **Remedy**: "] {
            assert!(text.contains(part), "the section on {code} lacks {part:?}");
        }
    }
}
