//! What every command that changes something shares: its flags, and what is said once the wish is on disk.

use clap::Args;
use muster_client::Client;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::request::IdempotencyKey;

use super::context::Context;
use super::failure::Result;
use super::{table, wait};

/// The flags of every command that changes something.
#[derive(Debug, Default, Args)]
pub struct Change {
    /// Wait until the operation ends, and end with its result. Ctrl-C leaves it running
    #[arg(long)]
    pub wait: bool,
    /// Makes asking twice safe: the same key with the same request is the same operation for a day
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<IdempotencyKey>,
}

impl Change {
    /// Says what was begun or, with `--wait`, how it ended.
    pub async fn conclude(&self, context: &mut Context, client: &Client, operation: OperationInfo) -> Result<()> {
        if self.wait {
            return wait::until_end(context, client, operation).await;
        }
        let id = operation.id;
        context.output.said(&operation, || format!("{} begun as operation {id}", title(&operation)))?;
        context.hint(&format!("follow it with `muster operation watch {id}`"));
        Ok(())
    }
}

/// What was asked for, and of what: `cluster-create of demo`, `service-create of web on demo`.
pub fn title(operation: &OperationInfo) -> String {
    let OperationInfo { kind, cluster, services, .. } = operation;
    match services.as_slice() {
        [] => format!("{kind} of {cluster}"),
        services => format!("{kind} of {} on {cluster}", table::joined(services)),
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::operation::OperationKind;

    use super::*;
    use crate::cli::samples;

    #[test]
    fn an_operation_is_called_by_what_it_does_to_what() {
        let mut operation = samples::operation();
        assert_eq!(title(&operation), "cluster-create of demo");
        operation.kind = OperationKind::ServiceCreate;
        operation.services = vec!["web-db".parse().unwrap(), "web".parse().unwrap()];
        assert_eq!(title(&operation), "service-create of web-db,web on demo");
    }
}
