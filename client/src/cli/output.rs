//! Standard output in the form that was asked for: tables for people, JSON and YAML for programs.

use std::fmt;
use std::io::Write;

use clap::ValueEnum;
use futures::{Stream, StreamExt, TryStreamExt, pin_mut};
use muster_client::ClientError;
use muster_protocol::{Error, ErrorCode, Timestamp};
use serde::Serialize;

use super::failure::Result;
use super::reader;
use super::sheet::{Describe, Sheet};
use super::table::{self, Row};

/// The form of what is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON value; of what streams (events, logs) one value a line.
    Json,
    /// YAML; what streams is one document an item.
    Yaml,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Yaml => "yaml",
        })
    }
}

/// Standard output.
pub struct Output {
    /// The form.
    pub format: Format,
    /// Whether to use colours.
    pub styled: bool,
    /// The present, from which ages are counted.
    pub now: Timestamp,
    to: Box<dyn Write>,
}

impl Output {
    /// Prints to `to`.
    pub fn new(format: Format, styled: bool, to: Box<dyn Write>) -> Self {
        Self { format, styled, now: Timestamp::of_system_clock(), to }
    }

    /// Prints text as it is.
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Prints bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.to.write_all(bytes)?;
        self.to.flush()?;
        Ok(())
    }

    /// Prints one thing: as a sheet, or as it is in JSON or YAML.
    pub fn thing<T: Serialize + Describe>(&mut self, thing: &T) -> Result<()> {
        let text = match self.format {
            Format::Table => {
                let mut sheet = Sheet::new(self.now, self.styled);
                thing.describe(&mut sheet);
                sheet.into_text()
            }
            Format::Json => json(thing)?,
            Format::Yaml => yaml(thing)?,
        };
        self.text(&text)
    }

    /// Prints one thing whose text for people is `text`.
    pub fn said<T: Serialize>(&mut self, thing: &T, text: impl FnOnce() -> String) -> Result<()> {
        let text = match self.format {
            Format::Table => text() + "\n",
            Format::Json => json(thing)?,
            Format::Yaml => yaml(thing)?,
        };
        self.text(&text)
    }

    /// Prints each item as it comes, until there are no more or nobody reads them.
    pub async fn items<T: Serialize>(
        &mut self,
        items: impl Stream<Item = Result<T, ClientError>>,
        line: impl Fn(&T) -> String,
    ) -> Result<()> {
        pin_mut!(items);
        let left = reader::has_left();
        pin_mut!(left);
        loop {
            let next = tokio::select! {
                next = items.try_next() => next?,
                () = &mut left => None,
            };
            let Some(item) = next else { return Ok(()) };
            self.item(&item, || line(&item))?;
        }
    }

    fn item<T: Serialize>(&mut self, item: &T, line: impl FnOnce() -> String) -> Result<()> {
        let text = match self.format {
            Format::Table => line() + "\n",
            Format::Json => serde_json::to_string(item).map_err(unprintable)? + "\n",
            Format::Yaml => format!("---\n{}", yaml(item)?),
        };
        self.text(&text)
    }

    /// Prints a list that is there.
    pub fn rows<T: Serialize + Row>(&mut self, rows: &[T]) -> Result<()> {
        let text = match self.format {
            Format::Table => table::of_rows(rows, self.now, self.styled),
            Format::Json => json(&rows)?,
            Format::Yaml => yaml(&rows)?,
        };
        self.text(&text)
    }

    /// Prints a list that comes page by page. JSON and YAML go out as they come and are one list in the end;
    /// a table has to know its widest cells and waits for the end.
    pub async fn list<T: Serialize + Row>(
        &mut self,
        items: impl Stream<Item = Result<T, ClientError>>,
        limit: Option<usize>,
    ) -> Result<()> {
        let items = items.take(limit.unwrap_or(usize::MAX));
        pin_mut!(items);
        let mut rows = Vec::new();
        let mut count = 0_usize;
        while let Some(item) = items.next().await {
            let item = item?;
            match self.format {
                Format::Table => rows.push(item),
                Format::Json => {
                    let lead = if count == 0 { "[\n" } else { ",\n" };
                    let text = serde_json::to_string_pretty(&item).map_err(unprintable)?;
                    let indented = format!("{lead}  {}", text.replace('\n', "\n  "));
                    self.to.write_all(indented.as_bytes())?;
                }
                Format::Yaml => self.to.write_all(yaml(&[item])?.as_bytes())?,
            }
            count += 1;
        }
        match self.format {
            Format::Table => self.text(&table::of_rows(&rows, self.now, self.styled)),
            Format::Json if count == 0 => self.text("[]\n"),
            Format::Json => self.text("\n]\n"),
            Format::Yaml if count == 0 => self.text("[]\n"),
            Format::Yaml => self.text(""),
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).map_err(unprintable)? + "\n")
}

fn yaml<T: Serialize>(value: &T) -> Result<String> {
    let mut text = serde_saphyr::to_string(value).map_err(unprintable)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn unprintable(problem: impl fmt::Display) -> Error {
    Error::new(ErrorCode::Internal, "the answer cannot be shown in this form")
        .with_detail("cause", problem)
        .with_remedy("try another `-o`, and report this as a mistake in Muster")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::rc::Rc;

    use super::*;
    use crate::cli::failure::Failure;
    use crate::cli::samples;

    #[derive(Clone, Default)]
    struct Page(Rc<RefCell<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    async fn listed(format: Format, count: usize) -> String {
        let page = Page::default();
        let mut output = Output::new(format, false, Box::new(page.clone()));
        output.now = samples::NOW;
        let items = (0..count).map(|_| Ok(samples::cluster_summary()));
        output.list(futures::stream::iter(items), None).await.unwrap();
        String::from_utf8(page.0.take()).unwrap()
    }

    #[tokio::test]
    async fn a_streamed_list_is_one_json_array() {
        for count in [0, 1, 3] {
            let text = listed(Format::Json, count).await;
            let expected = vec![samples::cluster_summary(); count];
            assert_eq!(text, serde_json::to_string_pretty(&expected).unwrap() + "\n");
        }
    }

    #[tokio::test]
    async fn a_streamed_list_is_one_yaml_sequence() {
        for count in [0, 1, 3] {
            let text = listed(Format::Yaml, count).await;
            let read: Vec<muster_protocol::model::cluster::ClusterSummary> = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read, vec![samples::cluster_summary(); count], "{text}");
        }
    }

    #[tokio::test]
    async fn an_empty_table_still_has_its_header() {
        let text = listed(Format::Table, 0).await;
        assert!(text.starts_with("NAME "), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[tokio::test]
    async fn a_list_stops_at_its_limit() {
        let page = Page::default();
        let mut output = Output::new(Format::Table, false, Box::new(page.clone()));
        let endless = futures::stream::repeat_with(|| Ok(samples::cluster_summary()));
        output.list(endless, Some(2)).await.unwrap();
        assert_eq!(String::from_utf8(page.0.take()).unwrap().lines().count(), 3);
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_closed_pipe_ends_a_list_quietly() {
        let mut output = Output::new(Format::Json, false, Box::new(Closed));
        let endless = futures::stream::repeat_with(|| Ok(samples::cluster_summary()));
        assert!(matches!(output.list(endless, None).await, Err(Failure::ReaderGone)));
    }
}
