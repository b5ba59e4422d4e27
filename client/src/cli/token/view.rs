//! How tokens look to people.

use muster_protocol::Timestamp;
use muster_protocol::model::token::TokenInfo;

use crate::cli::table::{Cell, Row, Tone, age, joined, until};

impl Row for TokenInfo {
    const HEADER: &'static [&'static str] = &["NAME", "ROLE", "CLUSTERS", "EXPIRES", "AGE", "MADE-BY"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let clusters = if self.clusters.is_empty() { "all".to_owned() } else { joined(&self.clusters) };
        vec![
            Cell::from(&self.name),
            self.role.into(),
            clusters.into(),
            if self.expires_at <= now {
                Cell::toned("ended", Tone::Bad)
            } else {
                format!("in {}", until(self.expires_at, now)).into()
            },
            age(self.created_at, now).into(),
            self.created_by.to_string().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::samples;

    #[test]
    fn tokens_look_so() {
        let limited = samples::token();
        let mut ended = limited.clone();
        ended.clusters.clear();
        ended.expires_at = samples::NOW;
        insta::assert_snapshot!("list", samples::table(&[limited.clone(), ended]));
        insta::assert_json_snapshot!("json", limited);
    }
}
