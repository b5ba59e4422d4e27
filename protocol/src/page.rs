//! Lists in pages.

use serde::{Deserialize, Serialize};

/// Which part of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageRequest {
    /// At most so many; none is [`PageRequest::DEFAULT_LIMIT`], more than [`PageRequest::MAX_LIMIT`] is that.
    pub limit: Option<u32>,
    /// Go on behind the page whose `next` this is.
    pub after: Option<String>,
}

impl PageRequest {
    /// Without a limit.
    pub const DEFAULT_LIMIT: u32 = 100;
    /// At most.
    pub const MAX_LIMIT: u32 = 1000;
}

/// Part of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How to ask for the next one; none if this is the last.
    pub next: Option<String>,
}
