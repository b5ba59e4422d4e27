//! How templates look to people.

use muster_protocol::Timestamp;
use muster_protocol::model::catalog::{CatalogListing, ParameterInfo, ParameterKind, TemplateInfo};
use muster_protocol::quantity::{Bytes, CpuMillis};

use crate::cli::sheet::{Describe, Sheet};
use crate::cli::table::{Cell, Row};

impl Describe for CatalogListing {
    fn describe(&self, sheet: &mut Sheet) {
        sheet.table(&self.templates);
        let broken = self.broken.iter().map(|broken| format!("{}: {}", broken.file, broken.message));
        sheet.lines("Skipped, because they are broken", broken);
    }
}

impl Row for TemplateInfo {
    const HEADER: &'static [&'static str] = &["NAME", "VERSION", "SERVICES", "ORIGIN", "TITLE"];

    fn cells(&self, _now: Timestamp) -> Vec<Cell> {
        vec![
            Cell::from(&self.name),
            Cell::from(&self.version),
            self.services.len().into(),
            Cell::from(&self.origin),
            Cell::from(&self.title),
        ]
    }
}

impl Describe for TemplateInfo {
    fn describe(&self, sheet: &mut Sheet) {
        sheet.field("Name", &self.name);
        sheet.field("Version", &self.version);
        sheet.field("Title", &self.title);
        sheet.field("Origin", &self.origin);
        sheet.lines("Description", self.description.trim().lines());
        sheet
            .lines("Services", self.services.iter().map(|(suffix, image)| format!("{} {image}", service_name(suffix))));
        sheet.rows("Parameters", &self.parameters);
    }
}

/// A service's name when the template's user gives the name `NAME`.
fn service_name(suffix: &str) -> String {
    if suffix.is_empty() { "NAME".to_owned() } else { format!("NAME-{suffix}") }
}

impl Row for ParameterInfo {
    const HEADER: &'static [&'static str] = &["PARAMETER", "TYPE", "DEFAULT", "ALLOWED", "DESCRIPTION"];

    fn cells(&self, _now: Timestamp) -> Vec<Cell> {
        let default = match &self.default {
            Some(default) if default.is_empty() => "\"\"".to_owned(),
            Some(default) => default.clone(),
            None if self.required => "(must be given)".to_owned(),
            None if self.kind == ParameterKind::Secret => "(random)".to_owned(),
            None => "-".to_owned(),
        };
        vec![
            Cell::from(&self.name),
            self.kind.into(),
            default.into(),
            allowed(self).into(),
            Cell::from(&self.description),
        ]
    }
}

fn allowed(parameter: &ParameterInfo) -> String {
    if !parameter.one_of.is_empty() {
        return parameter.one_of.join("|");
    }
    let bound = |bound: Option<i64>| bound.map(|bound| amount(parameter.kind, bound)).unwrap_or_default();
    match (bound(parameter.minimum), bound(parameter.maximum)) {
        (minimum, maximum) if minimum.is_empty() && maximum.is_empty() => "-".to_owned(),
        (minimum, maximum) => format!("{minimum}..{maximum}"),
    }
}

/// A bound as it would be written for `--set`.
fn amount(kind: ParameterKind, bound: i64) -> String {
    match (kind, u64::try_from(bound)) {
        (ParameterKind::Bytes, Ok(bytes)) => Bytes(bytes).to_string(),
        (ParameterKind::Cpu, Ok(millis)) => CpuMillis(millis).to_string(),
        (
            ParameterKind::Bytes
            | ParameterKind::Cpu
            | ParameterKind::String
            | ParameterKind::Integer
            | ParameterKind::Boolean
            | ParameterKind::Secret
            | ParameterKind::Unknown(_),
            _,
        ) => bound.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::samples;

    #[test]
    fn templates_look_so() {
        insta::assert_snapshot!("list", samples::sheet(&samples::catalog()));
        insta::assert_snapshot!("show", samples::sheet(&samples::template()));
        insta::assert_json_snapshot!("json", samples::catalog());
    }
}
