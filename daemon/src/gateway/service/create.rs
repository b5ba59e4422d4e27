//! createOrchestratorService: one service, or all services of a template.

use muster_protocol::request::ServiceSource;
use muster_protocol::{Error, Name, Response};

use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::context::Context;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Creates services, all or none.
pub async fn create(
    context: &Context,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    source: ServiceSource,
) -> Result<Response, Error> {
    let wish = match source {
        ServiceSource::Spec(spec) => Wish::CreateServices { specs: vec![*spec], template: None },
        ServiceSource::Template { template, name, values } => {
            let catalog = context.shelf.catalog().await;
            let version = catalog.show(template.as_str())?.version;
            let specs = catalog.render(template.as_str(), name, &values)?;
            Wish::CreateServices { specs, template: Some(format!("{template}@{version}")) }
        }
    };
    ask::for_change(context, caller, keyed, cluster, wish).await
}
