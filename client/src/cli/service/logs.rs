//! `muster service logs NAME --cluster C`: the output of all copies of a service.

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::service::LogLine;

use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::cli::table::or_dash;

/// The arguments.
#[derive(Debug, Args)]
pub struct Logs {
    /// The service
    pub name: Name,
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
    /// Go on with new lines as they come
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last so many lines of each container [default: all]
    #[arg(long, value_name = "N")]
    pub tail: Option<u32>,
    /// Show when each line was written
    #[arg(long)]
    pub timestamps: bool,
}

impl Logs {
    /// Prints each line as it comes.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, cluster, follow, tail, timestamps } = self;
        let client = context.client().await?;
        let lines = client.service_logs(&cluster, &name, follow, tail);
        context.output.items(lines, |line| text(line, timestamps)).await
    }
}

/// The copy's name before each line, because copies take turns.
fn text(line: &LogLine, timestamps: bool) -> String {
    let name = if line.name.is_empty() { &line.container } else { &line.name };
    if timestamps { format!("{} {name} | {}", or_dash(line.at), line.text) } else { format!("{name} | {}", line.text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn a_line_says_whose_it_is() {
        assert_eq!(text(&samples::log_line(), false), "web.1 | GET / 200");
        assert_eq!(text(&samples::log_line(), true), "2025-11-23T12:12:20.123Z web.1 | GET / 200");
    }
}
