//! Tables for people: columns without borders, one line a thing, the same when piped.

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{Color, ContentArrangement, Table};
use muster_protocol::Timestamp;

/// What can be a line of a table.
pub trait Row {
    /// The columns' titles.
    const HEADER: &'static [&'static str];

    /// The line's cells, one a title. `now` is what ages are counted from.
    fn cells(&self, now: Timestamp) -> Vec<Cell>;
}

/// What a cell tells, for its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// On its way.
    Busy,
    /// Needs somebody's eyes.
    Bad,
}

/// One cell.
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in a tone.
    pub fn toned(text: impl ToString, tone: Tone) -> Self {
        Self { text: text.to_string(), tone }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// What may be missing; shown as `-` so that columns stay columns for `awk`.
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A list in one cell.
pub fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(",") }
}

/// How long ago, in the two largest units that matter.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    duration(now.since(then))
}

/// How long something that ends then still lasts.
pub fn until(end: Timestamp, now: Timestamp) -> String {
    duration(end.since(now))
}

/// A duration, in the two largest units that matter.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, 0) => format!("{minutes}m"),
        (0, 0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (0, hours, 0, _) => format!("{hours}h"),
        (0, hours, minutes, _) => format!("{hours}h{minutes}m"),
        (days, 0, _, _) => format!("{days}d"),
        (days, hours, _, _) => format!("{days}d{hours}h"),
    }
}

/// A whole table.
pub fn of_rows<T: Row>(rows: &[T], now: Timestamp, styled: bool) -> String {
    of_cells(Some(T::HEADER), rows.iter().map(|row| row.cells(now)), styled)
}

/// A table of cells.
pub fn of_cells(header: Option<&[&str]>, rows: impl IntoIterator<Item = Vec<Cell>>, styled: bool) -> String {
    let mut table = Table::new();
    // Lines are never wrapped: what is one thing stays one line for `grep`, whatever the terminal's width.
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if styled {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if let Some(header) = header {
        table.set_header(header.iter().copied());
    }
    for row in rows {
        table.add_row(row.into_iter().map(|cell| paint(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.filter(|line| !line.trim().is_empty()).collect()
}

fn paint(cell: &Cell) -> comfy_table::Cell {
    // A line's end would break the line.
    let text = comfy_table::Cell::new(cell.text.replace(['\n', '\r'], " "));
    match cell.tone {
        Tone::Plain => text,
        Tone::Good => text.fg(Color::Green),
        Tone::Busy => text.fg(Color::Yellow),
        Tone::Bad => text.fg(Color::Red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(text(0), "0s");
        assert_eq!(text(59), "59s");
        assert_eq!(text(60), "1m");
        assert_eq!(text(200), "3m20s");
        assert_eq!(text(3_600), "1h");
        assert_eq!(text(7_299), "2h1m");
        assert_eq!(text(86_400), "1d");
        assert_eq!(text(200_000), "2d7h");
    }

    #[test]
    fn a_thing_stays_on_one_line_and_lines_have_no_tail() {
        let rows = vec![vec![Cell::from("a\nb"), Cell::from("")], vec![Cell::from("c".repeat(300)), Cell::from("d")]];
        let text = of_cells(Some(&["ONE", "TWO"]), rows, false);
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| line == line.trim_end()), "{text:?}");
        assert!(text.contains("\na b\n"), "{text}");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let rows = || vec![vec![Cell::toned("ready", Tone::Good), "x".into()], vec!["degraded".into(), "y".into()]];
        let plain = of_cells(None, rows(), false);
        let styled = of_cells(None, rows(), true);
        assert!(styled.contains("\u{1b}["), "{styled:?}");
        let stripped = anstyle_strip(&styled);
        assert_eq!(stripped, plain);
    }

    fn anstyle_strip(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        plain + rest
    }
}
