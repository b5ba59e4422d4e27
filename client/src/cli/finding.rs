//! Findings, of `doctor` and of account checks: what was looked at, and what to do about what is wrong.

use muster_protocol::model::account::Finding;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, Result};
use super::table::{self, Cell, Tone};

/// Prints `thing`, or its findings for people, and fails if one of them is not as it should be.
pub fn print<T: Serialize>(context: &mut Context, thing: &T, findings: &[Finding]) -> Result<()> {
    let styled = context.output.styled;
    context.output.said(thing, || text(findings, styled))?;
    if findings.iter().all(|finding| finding.ok) { Ok(()) } else { Err(Failure::Said(Exit::Failed)) }
}

fn text(findings: &[Finding], styled: bool) -> String {
    let cells = findings.iter().map(|finding| {
        let verdict = if finding.ok { Cell::toned("ok", Tone::Good) } else { Cell::toned("WRONG", Tone::Bad) };
        vec![verdict, Cell::from(&finding.subject), Cell::from(&finding.message)]
    });
    let mut lines: Vec<String> = table::of_cells(None, cells, styled).lines().map(str::to_owned).collect();
    let wrong: Vec<&Finding> = findings.iter().filter(|finding| !finding.ok).collect();
    for finding in &wrong {
        lines.push(format!("\n{}:", finding.subject));
        if let Some(cause) = &finding.cause {
            lines.push(format!("  cause: {cause}"));
            lines.extend(cause.remedy.iter().map(|remedy| format!("  remedy: {remedy}")));
        } else {
            lines.push(format!("  {}", finding.message));
        }
    }
    lines.push(match wrong.len() {
        0 => "\nall is well".to_owned(),
        1 => "\n1 thing is wrong".to_owned(),
        count => format!("\n{count} things are wrong"),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn what_is_wrong_comes_with_its_remedy() {
        insta::assert_snapshot!(text(&samples::findings(), false));
    }
}
