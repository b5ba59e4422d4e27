//! The name of a task template: two tasks have the same one if swarm would not replace one by the other.

use bollard::models::{EndpointSpec, TaskSpec};
use sha2::{Digest as _, Sha256};

use crate::marks::TEMPLATE;

/// The template, labelled with its name. Ports are not in the template, but a change of them replaces tasks as well.
pub(super) fn named(mut task: TaskSpec, endpoint: &EndpointSpec) -> TaskSpec {
    let name = name(&task, endpoint);
    let container = task.container_spec.get_or_insert_default();
    container.labels.get_or_insert_default().insert(TEMPLATE.to_owned(), name);
    task
}

fn name(task: &TaskSpec, endpoint: &EndpointSpec) -> String {
    let mut plain = task.clone();
    // Maps have no order, and these two say nothing that is not the same for all tasks of the service.
    if let Some(container) = &mut plain.container_spec {
        container.labels = None;
        for mount in container.mounts.iter_mut().flatten() {
            mount.volume_options = None;
        }
    }
    // Cannot fail: what is left are texts, numbers and lists.
    let text = serde_json::to_vec(&(plain, endpoint)).unwrap_or_default();
    Sha256::digest(&text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
