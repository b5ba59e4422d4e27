//! A service's output, from all its copies on all machines.

mod lines;

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard::query_parameters::LogsOptions;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_protocol::model::service::LogLine;
use muster_protocol::{ErrorCode, Name};

use crate::connect::Engine;
use crate::failures::Answer as _;
use crate::membership::nodes;
use crate::observe::{container_name, tasks};
use crate::services;
use lines::Lines;

/// The service's output: the last `tail` lines of each container, then new ones as they come if `follow`.
pub(crate) async fn logs(
    cluster: &Arc<ClusterContext>,
    manager: &Engine,
    service: &Name,
    follow: bool,
    tail: Option<u32>,
) -> Result<BoxStream<'static, Result<LogLine, Failure>>, Failure> {
    let found = services::find_ours(cluster, manager, service).await?;
    let id = found.and_then(|service| service.id).ok_or_else(|| {
        Failure::not_applied(ErrorCode::NotFound, format!("the swarm has no service `{service}` of this cluster"))
            .permanent()
    })?;
    let mut names = Names {
        cluster: Arc::clone(cluster),
        manager: manager.clone(),
        service: service.clone(),
        service_id: id.clone(),
        known: BTreeMap::new(),
    };
    names.refresh().await?;
    let options = LogsOptions {
        follow,
        stdout: true,
        stderr: true,
        timestamps: true,
        tail: tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
        ..Default::default()
    };
    let raw =
        with_details(manager).service_logs(&id, Some(options)).map(|chunk| chunk.reading("read the service's output"));
    let lines =
        futures::stream::try_unfold((raw.boxed(), Lines::default(), names), async |(mut raw, mut lines, mut names)| {
            loop {
                let next = match raw.try_next().await? {
                    Some(chunk) => lines.take(chunk),
                    // What has no end is a line, too.
                    None => match lines.rest() {
                        Some(line) => Some(line),
                        None => return Ok(None),
                    },
                };
                if let Some(mut line) = next {
                    line.name = names.of(&line.container).await;
                    return Ok(Some((line, (raw, lines, names))));
                }
            }
        });
    Ok(lines.boxed())
}

/// The typed API has no way to ask for details, so the request is completed on its way out.
fn with_details(manager: &Engine) -> bollard::Docker {
    manager.api().clone().with_request_modifier(|mut request| {
        let separator = if request.uri().query().is_some() { '&' } else { '?' };
        // A URI with one more parameter is a URI; if it were not, lines would lack their container's name.
        if let Ok(uri) = format!("{}{separator}details=true", request.uri()).parse() {
            *request.uri_mut() = uri;
        }
        request
    })
}

/// The names of a service's containers. A copy that is new since the last look makes it look again.
struct Names {
    cluster: Arc<ClusterContext>,
    manager: Engine,
    service: Name,
    service_id: String,
    known: BTreeMap<String, String>,
}

impl Names {
    /// The container's name; its id, if it cannot be found out.
    async fn of(&mut self, container: &str) -> String {
        if !container.is_empty() && !self.known.contains_key(container) {
            // The line itself matters more than the name beside it.
            if let Err(failure) = self.refresh().await {
                tracing::debug!(%failure, "a container's name stays unknown");
            }
            self.known.entry(container.to_owned()).or_insert_with(|| container.to_owned());
        }
        self.known.get(container).cloned().unwrap_or_default()
    }

    async fn refresh(&mut self) -> Result<(), Failure> {
        let (nodes, tasks) = tokio::try_join!(nodes::list(&self.manager), tasks::list(&self.manager))?;
        for task in tasks.iter().filter(|task| task.service_id() == self.service_id) {
            let node = nodes.iter().find(|node| Some(nodes::id(node)) == task.node_id());
            let machine = node.and_then(|node| nodes::machine_of(&self.cluster, node));
            let name = container_name(&self.service, task.place(), machine.as_ref());
            self.known.insert(task.id().to_owned(), name);
        }
        Ok(())
    }
}
