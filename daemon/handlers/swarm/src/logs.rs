//! A service's output, from all its copies on all machines.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_protocol::model::service::{LogLine, LogSource};
use muster_protocol::{ErrorCode, Name, Timestamp};

use crate::connect::Engine;
use crate::failures::Answer as _;
use crate::membership::nodes;
use crate::observe::{container_name, tasks};
use crate::services;

/// Where the engine says which task a line is from.
const TASK_DETAIL: &str = "com.docker.swarm.task.id";

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
    let lines = futures::stream::try_unfold((raw.boxed(), names), async |(mut raw, mut names)| {
        let Some(chunk) = raw.try_next().await? else { return Ok(None) };
        let mut line = line(chunk);
        line.name = names.of(&line.container).await;
        Ok(Some((line, (raw, names))))
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

/// One line, as the engine writes it: time, details, text.
fn line(chunk: LogOutput) -> LogLine {
    let (source, bytes) = match chunk {
        LogOutput::StdErr { message } => (LogSource::Stderr, message),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            (LogSource::Stdout, message)
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let (at, rest) = match text.split_once(' ') {
        Some((first, rest)) => match first.parse::<Timestamp>() {
            Ok(at) => (Some(at), rest),
            Err(_) => (None, text),
        },
        None => (None, text),
    };
    let (container, text) = match rest.split_once(' ') {
        Some((details, text)) => match task_in(details) {
            Some(task) => (task, text),
            None => (String::new(), rest),
        },
        None => (task_in(rest).unwrap_or_default(), if task_in(rest).is_some() { "" } else { rest }),
    };
    LogLine { container, name: String::new(), source, at, text: text.to_owned() }
}

fn task_in(details: &str) -> Option<String> {
    let mut pairs = details.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == TASK_DETAIL).map(|(_, id)| id.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> LogLine {
        line(LogOutput::StdErr { message: text.to_owned().into() })
    }

    #[test]
    fn a_line_has_its_time_its_container_and_its_text() {
        let seen = read(
            "2026-11-23T14:00:00.123456789Z com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=t1 hello  world\r\n",
        );
        assert_eq!(seen.at, Some("2026-11-23T14:00:00.123Z".parse().unwrap()));
        assert_eq!((seen.container.as_str(), seen.text.as_str()), ("t1", "hello  world"));
        assert_eq!(seen.source, LogSource::Stderr);
    }

    #[test]
    fn an_empty_line_stays_a_line() {
        let seen = read("2026-11-23T14:00:00Z com.docker.swarm.task.id=t1 \n");
        assert_eq!((seen.container.as_str(), seen.text.as_str()), ("t1", ""));
    }

    #[test]
    fn what_cannot_be_parsed_is_shown_as_it_is() {
        let seen = read("error from daemon in stream\n");
        assert_eq!((seen.at, seen.text.as_str()), (None, "error from daemon in stream"));
    }
}
