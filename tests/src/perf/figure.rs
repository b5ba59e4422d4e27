//! A figure, and how figures are shown and kept.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// One figure, as it stands in `perf.json`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// What came out.
    pub value: f64,
    /// In what it is measured.
    pub unit: &'static str,
    /// The same of the baseline, where there is one.
    pub baseline: Option<f64>,
    /// Value by baseline.
    pub ratio: Option<f64>,
    /// What it should be, in words; none where a figure only explains others.
    pub target: Option<String>,
    /// Whether it is as it should be; none without a target.
    pub ok: Option<bool>,
}

impl Figure {
    /// A figure without baseline and target.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, baseline: None, ratio: None, target: None, ok: None }
    }

    /// Beside this baseline.
    #[must_use]
    pub fn beside(mut self, baseline: f64) -> Self {
        self.baseline = Some(baseline);
        self.ratio = (baseline != 0.0).then(|| self.value / baseline);
        self
    }

    /// The value should be at most this.
    #[must_use]
    pub fn at_most(mut self, limit: f64) -> Self {
        self.target = Some(format!("<= {} {}", short(limit), self.unit));
        self.ok = Some(self.value <= limit);
        self
    }

    /// The value should be less than this.
    #[must_use]
    pub fn less_than(mut self, limit: f64) -> Self {
        self.target = Some(format!("< {} {}", short(limit), self.unit));
        self.ok = Some(self.value < limit);
        self
    }

    /// The value should be at least this part of the baseline.
    #[must_use]
    pub fn ratio_at_least(mut self, limit: f64) -> Self {
        self.target = Some(format!(">= {limit:.2} x baseline"));
        self.ok = Some(self.ratio.is_some_and(|ratio| ratio >= limit));
        self
    }

    /// The value should be at most so many times the baseline.
    #[must_use]
    pub fn ratio_at_most(mut self, limit: f64) -> Self {
        self.target = Some(format!("<= {limit:.2} x baseline"));
        self.ok = Some(self.ratio.is_some_and(|ratio| ratio <= limit));
        self
    }
}

/// Figures as a table for people.
pub fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0).max("figure".len());
    let mut text = format!(
        "{:width$}  {:>10} {:<10}  {:>10}  {:>6}  {:<18}  ok\n",
        "figure", "value", "unit", "baseline", "ratio", "target"
    );
    for figure in figures {
        let Figure { name, value, unit, baseline, ratio, target, ok } = figure;
        let value = short(*value);
        let baseline = baseline.map_or_else(|| "-".to_owned(), short);
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let target = target.as_deref().unwrap_or("-");
        let ok = match ok {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:width$}  {value:>10} {unit:<10}  {baseline:>10}  {ratio:>6}  {target:<18}  {ok}");
    }
    text
}

/// Figures as a file for programs: a list of objects.
pub fn write(figures: &[Figure], path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

/// Three digits that count, or all before the point.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = if value.abs() >= 100.0 || value.fract() == 0.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_judged_on_the_value_or_on_the_ratio() {
        assert_eq!(Figure::new("rate", 60.0, "1/s").beside(100.0).ratio_at_least(0.5).ok, Some(true));
        assert_eq!(Figure::new("rate", 40.0, "1/s").beside(100.0).ratio_at_least(0.5).ok, Some(false));
        assert_eq!(Figure::new("time", 1.2, "s").beside(1.0).ratio_at_most(1.15).ok, Some(false));
        assert_eq!(Figure::new("memory", 400.0, "MB").at_most(400.0).ok, Some(true));
        assert_eq!(Figure::new("load", 1.0, "%").less_than(1.0).ok, Some(false));
        assert_eq!(Figure::new("load", 1.0, "%").ok, None);
    }

    #[test]
    fn a_ratio_without_a_baseline_is_never_as_it_should_be() {
        assert_eq!(Figure::new("rate", 60.0, "1/s").ratio_at_least(0.5).ok, Some(false));
        assert_eq!(Figure::new("rate", 60.0, "1/s").beside(0.0).ratio_at_least(0.5).ok, Some(false));
    }

    #[test]
    fn the_file_has_every_field_of_every_figure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("perf.json");
        write(&[Figure::new("memory", 31.5, "MB").at_most(40.0), Figure::new("peak", 60.0, "MB")], &path).unwrap();
        let read: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(
            read[0],
            serde_json::json!({"name": "memory", "value": 31.5, "unit": "MB", "baseline": null, "ratio": null,
                "target": "<= 40 MB", "ok": true})
        );
        assert_eq!(read[1]["ok"], serde_json::Value::Null);
    }
}
