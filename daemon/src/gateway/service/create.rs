//! createOrchestratorService: one service, or all services of a template.

use muster_protocol::request::ServiceSource;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::cluster::intent::Wish;
use crate::gateway::ask;
use crate::gateway::idempotency::Keyed;
use crate::gateway::roles::Caller;

/// Creates services, all or none.
pub async fn create(
    app: &App,
    caller: &Caller,
    keyed: Option<Keyed>,
    cluster: &Name,
    source: ServiceSource,
) -> Result<Response, Error> {
    let wish = match source {
        ServiceSource::Spec(spec) => {
            app.policy.check_service(caller, &spec, &[], None)?;
            Wish::CreateServices { specs: vec![*spec], template: None }
        }
        ServiceSource::Template { template, name, values } => {
            let catalog = app.shelf.catalog().await;
            let version = catalog.show(template.as_str())?.version;
            let specs = catalog.render(template.as_str(), name, &values)?;
            let granted = catalog.granted_binds(template.as_str());
            for spec in &specs {
                app.policy.check_service(caller, spec, granted, None)?;
            }
            Wish::CreateServices { specs, template: Some(format!("{template}@{version}")) }
        }
    };
    ask::for_change(app, caller, keyed, cluster, wish).await
}
