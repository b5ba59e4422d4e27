//! `muster events`: the durable, numbered log of what happened.

use clap::Args;
use muster_client::EventQuery;
use muster_protocol::Name;
use muster_protocol::model::event::Event;

use super::context::Context;
use super::failure::Result;

/// The arguments.
#[derive(Debug, Args)]
pub struct Events {
    /// Only those behind the event of this number
    #[arg(long, value_name = "CURSOR")]
    pub since: Option<u64>,
    /// Go on with new ones as they happen
    #[arg(short, long)]
    pub follow: bool,
    /// Only those about this cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Option<Name>,
}

impl Events {
    /// Prints each as it comes.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { since, follow, cluster } = self;
        let client = context.client().await?;
        let events = client.events(EventQuery { since, cluster, follow });
        context.output.items(events, line).await
    }
}

/// Columns have fixed widths, because the widest of what is still to come is not known.
fn line(event: &Event) -> String {
    let about = match (&event.cluster, &event.service) {
        (Some(cluster), Some(service)) => format!("{cluster}/{service}"),
        (Some(cluster), None) => cluster.to_string(),
        (None, Some(service)) => service.to_string(),
        (None, None) => "-".to_owned(),
    };
    let mut line = format!("{:<7} {}  {:<17}  {about:<16}  {}", event.number, event.at, event.kind, event.message);
    if let Some(who) = &event.who {
        line.push_str(&format!(" (by {who})"));
    }
    if let Some(cause) = &event.cause {
        line.push_str(&format!(" [{cause}]"));
    }
    line.trim_end().replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn an_event_is_one_line() {
        insta::assert_snapshot!(line(&samples::event()));
    }
}
