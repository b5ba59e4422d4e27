//! Sheets for people: everything about one thing, fields first, then its lists.

use muster_protocol::{Cause, Timestamp};

use super::table::{self, Cell, Row};

/// What can be shown as a sheet.
pub trait Describe {
    /// Fills the sheet.
    fn describe(&self, sheet: &mut Sheet);
}

/// A sheet being filled.
pub struct Sheet {
    /// The present, from which ages are counted.
    pub now: Timestamp,
    styled: bool,
    fields: Vec<Vec<Cell>>,
    text: String,
}

impl Sheet {
    /// An empty sheet.
    pub fn new(now: Timestamp, styled: bool) -> Self {
        Self { now, styled, fields: Vec::new(), text: String::new() }
    }

    /// A field: its name and value.
    pub fn field(&mut self, name: &str, value: impl Into<Cell>) {
        self.fields.push(vec![Cell::from(format!("{name}:")), value.into()]);
    }

    /// A field that is left out where there is no value.
    pub fn maybe<T: ToString>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// A field with a moment and how long ago it was.
    pub fn moment(&mut self, name: &str, moment: Timestamp) {
        let age = table::age(moment, self.now);
        self.field(name, format!("{moment} ({age} ago)"));
    }

    /// A field with `key=value` pairs, left out where there are none.
    pub fn pairs<'a>(&mut self, name: &str, pairs: impl IntoIterator<Item = (&'a String, &'a String)>) {
        let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        if !pairs.is_empty() {
            self.field(name, pairs.join(" "));
        }
    }

    /// A list that is the sheet's main part.
    pub fn table<T: Row>(&mut self, rows: &[T]) {
        self.end_fields();
        self.text.push_str(&table::of_rows(rows, self.now, self.styled));
    }

    /// A list with a title, left out where it is empty.
    pub fn rows<T: Row>(&mut self, title: &str, rows: &[T]) {
        if !rows.is_empty() {
            let text = table::of_rows(rows, self.now, self.styled);
            self.section(title, &text);
        }
    }

    /// Lines with a title, left out where there are none.
    pub fn lines<T: ToString>(&mut self, title: &str, lines: impl IntoIterator<Item = T>) {
        let text: String = lines.into_iter().map(|line| line.to_string() + "\n").collect();
        if !text.is_empty() {
            self.section(title, &text);
        }
    }

    /// What is wrong, each with its remedy.
    pub fn causes<'a>(&mut self, causes: impl IntoIterator<Item = &'a Cause>) {
        let now = self.now;
        self.lines("Causes", causes.into_iter().map(|cause| cause_lines(cause, now)));
    }

    fn section(&mut self, title: &str, text: &str) {
        self.end_fields();
        let text = text.trim_end().replace('\n', "\n  ");
        self.text.push_str(&format!("\n{title}:\n  {text}\n"));
    }

    fn end_fields(&mut self) {
        let fields = std::mem::take(&mut self.fields);
        self.text.push_str(&table::of_cells(None, fields, self.styled));
    }

    /// The whole text.
    pub fn into_text(mut self) -> String {
        self.end_fields();
        self.text
    }
}

/// A cause with all that helps, over several lines.
pub fn cause_lines(cause: &Cause, now: Timestamp) -> String {
    let mut text = format!("{cause}, {} ago", table::age(cause.at, now));
    for (name, value) in [
        ("provider's code", &cause.provider_code),
        ("provider's request id", &cause.provider_request_id),
        ("remedy", &cause.remedy),
    ] {
        if let Some(value) = value {
            text.push_str(&format!("\n  {name}: {value}"));
        }
    }
    text
}
