//! How a running operation is shown on standard error: one living line on a terminal, else a line a change.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use muster_protocol::model::operation::OperationInfo;

/// Often enough to look alive, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(120);

/// A running operation on standard error.
pub enum Progress {
    /// One line that lives.
    Bar(ProgressBar),
    /// A line a change; holds the last one.
    Lines(String),
}

impl Progress {
    /// A living line on a terminal, else plain lines.
    pub fn new(on_terminal: bool, styled: bool) -> Self {
        if !on_terminal {
            return Self::Lines(String::new());
        }
        let template = if styled {
            "{spinner:.cyan} {prefix:.bold} {bar:20.cyan} {pos}/{len} {elapsed:.dim} {wide_msg}"
        } else {
            "{spinner} {prefix} {bar:20} {pos}/{len} {elapsed} {wide_msg}"
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style.progress_chars("━╸─"));
        bar.enable_steady_tick(TICK);
        Self::Bar(bar)
    }

    /// Shows how it stands now.
    pub fn show(&mut self, operation: &OperationInfo) {
        match self {
            Self::Bar(bar) => {
                bar.set_prefix(operation.cluster.to_string());
                bar.set_length(u64::from(operation.steps_total));
                bar.set_position(u64::from(operation.steps_done));
                bar.set_message(words(operation));
            }
            Self::Lines(last) => {
                let line = line(operation);
                if *last != line {
                    // Whether somebody reads along does not matter to the operation.
                    let _nobody_reads = writeln!(io::stderr(), "{line}");
                    *last = line;
                }
            }
        }
    }

    /// Takes the living line away.
    pub fn finish(&self) {
        match self {
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines(_) => {}
        }
    }
}

fn line(operation: &OperationInfo) -> String {
    let OperationInfo { cluster, steps_done, steps_total, .. } = operation;
    format!("{cluster}: {steps_done}/{steps_total} {}", words(operation)).trim_end().to_owned()
}

fn words(operation: &OperationInfo) -> String {
    match &operation.cause {
        Some(cause) if operation.message.is_empty() => format!("trouble: {cause}"),
        Some(cause) => format!("{} (trouble: {cause})", operation.message),
        None => operation.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::ErrorCode;

    use super::*;
    use crate::cli::samples;

    #[test]
    fn a_line_has_steps_message_and_trouble() {
        let mut operation = samples::operation();
        assert_eq!(line(&operation), "demo: 3/12 preparing machines");
        operation.cause = Some(samples::cause(ErrorCode::Preparation));
        assert_eq!(
            line(&operation),
            "demo: 3/12 preparing machines (trouble: prepare machine/worker-1: apt-get ended with 100 (preparation))"
        );
    }
}
