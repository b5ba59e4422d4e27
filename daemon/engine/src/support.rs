//! Which field of a service an orchestrator honours: the table of a handler, and the page in the documentation made from it.

/// How far a field is honoured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// As it is written.
    Full,
    /// Only some of its values; the note says which.
    Partial,
    /// Refused with code `unsupported`.
    Refused,
}

impl Support {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "yes",
            Self::Partial => "partly",
            Self::Refused => "refused",
        }
    }
}

/// One field of a service.
pub struct FieldSupport {
    /// Its name, as in a service's YAML.
    pub name: &'static str,
    /// How far it is honoured.
    pub support: Support,
    /// What becomes of it at the orchestrator.
    pub note: &'static str,
}

/// A row of a table.
pub const fn field(name: &'static str, support: Support, note: &'static str) -> FieldSupport {
    FieldSupport { name, support, note }
}

/// A handler's table.
pub struct SupportTable {
    /// The orchestrator's name.
    pub orchestrator: &'static str,
    /// Where what becomes of a field is: `the swarm`.
    pub place: &'static str,
    /// The file with the table, from the top of the workspace.
    pub source: &'static str,
    /// Every field of a service, in the order of the model.
    pub fields: &'static [FieldSupport],
}

impl SupportTable {
    /// The page in `docs/reference`.
    pub fn page(&self) -> String {
        let Self { orchestrator, place, source, fields } = self;
        let mut page = format!(
            "# What {orchestrator} honours\n\n\
             <!-- Made from {source}; run the crate's tests with UPDATE_DOCS=1 after a change. -->\n\n\
             A field that is refused answers with code `unsupported` and its name, before anything is changed.\n\n\
             | field | honoured | in {place} |\n|---|---|---|\n",
        );
        for field in *fields {
            page.push_str(&format!("| `{}` | {} | {} |\n", field.name, field.support.as_str(), field.note));
        }
        page
    }

    /// Whether a field of the model has a row; one for a part of it or one of its values is enough.
    pub fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|row| row.name.split(['.', '[', ':', ',']).next() == Some(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: SupportTable = SupportTable {
        orchestrator: "Nothing",
        place: "the void",
        source: "here.rs",
        fields: &[field("image", Support::Full, ""), field("ports[].exposure: host", Support::Refused, "no machines")],
    };

    #[test]
    fn a_row_for_a_part_of_a_field_is_one_for_the_field() {
        assert!(TABLE.has("image") && TABLE.has("ports") && !TABLE.has("env"));
    }

    #[test]
    fn the_page_has_a_row_for_each_field() {
        assert!(TABLE.page().ends_with("| `image` | yes |  |\n| `ports[].exposure: host` | refused | no machines |\n"));
    }
}
