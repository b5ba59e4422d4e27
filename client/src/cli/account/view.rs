//! How accounts look to people.

use muster_protocol::Timestamp;
use muster_protocol::model::account::AccountInfo;

use crate::cli::table::{Cell, Row, age, joined, or_dash};

impl Row for AccountInfo {
    const HEADER: &'static [&'static str] =
        &["NAME", "INFRASTRUCTURE", "ENDPOINT", "CREDENTIALS", "DEFAULTS", "CLUSTERS", "AGE"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::from(&self.name),
            self.infrastructure.into(),
            or_dash(self.endpoint.as_ref()).into(),
            joined(&self.credentials).into(),
            joined(self.defaults.iter().map(|(key, value)| format!("{key}={value}"))).into(),
            self.clusters.into(),
            age(self.created_at, now).into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::samples;

    #[test]
    fn accounts_look_so() {
        insta::assert_snapshot!("list", samples::table(&[samples::account()]));
        insta::assert_json_snapshot!("json", samples::account());
    }
}
