//! The container of a service's copies.

use bollard::models::{
    HealthConfig, Mount as SwarmMount, MountType, MountVolumeOptions, TaskSpecContainerSpec,
    TaskSpecContainerSpecConfigs, TaskSpecContainerSpecFile, TaskSpecContainerSpecFile1, TaskSpecContainerSpecSecrets,
};
use muster_engine::context::ClusterContext;
use muster_engine::ledger::ResourceKey;
use muster_protocol::model::service::{HealthCheck, Mount, MountKind, Probe, ServiceSpec};

use super::{References, list, nanoseconds};
use crate::marks::{self, HEALTH_CHECK, Labels};

/// Files belong to root and can be read by every user of the container, because images run as many users.
const FILE_MODE: u32 = 0o444;

/// What runs in each copy: the part of the spec of which a change replaces every copy.
pub(super) fn container(
    cluster: &ClusterContext,
    spec: &ServiceSpec,
    references: &References,
) -> TaskSpecContainerSpec {
    TaskSpecContainerSpec {
        image: Some(spec.image.clone()),
        labels: Some(labels(cluster, spec)),
        command: list(&spec.command),
        args: list(&spec.args),
        env: list(&spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()),
        mounts: list(&spec.mounts.iter().map(|one| mount(cluster, one)).collect::<Vec<_>>()),
        health_check: spec.health.as_ref().and_then(health),
        secrets: list(&secrets(spec, references)),
        configs: list(&configs(references)),
        ..Default::default()
    }
}

/// Only what stays as it is from one generation to the next: a change here replaces every copy.
fn labels(cluster: &ClusterContext, spec: &ServiceSpec) -> Labels {
    let mut labels = marks::of(cluster, &ResourceKey::Service(spec.name.clone()));
    if spec.health.is_some() {
        labels.insert(HEALTH_CHECK.to_owned(), "yes".to_owned());
    }
    labels
}

fn secrets(spec: &ServiceSpec, references: &References) -> Vec<TaskSpecContainerSpecSecrets> {
    let with_reference =
        spec.secrets.iter().filter_map(|secret| Some((secret.target(), references.secrets.get(&secret.name)?)));
    with_reference
        .map(|(path, reference)| TaskSpecContainerSpecSecrets {
            file: Some(TaskSpecContainerSpecFile {
                name: Some(path),
                uid: Some("0".to_owned()),
                gid: Some("0".to_owned()),
                mode: Some(FILE_MODE),
            }),
            secret_id: Some(reference.id.clone()),
            secret_name: Some(reference.name.clone()),
        })
        .collect()
}

fn configs(references: &References) -> Vec<TaskSpecContainerSpecConfigs> {
    let files = references.files.iter();
    files
        .map(|(path, reference)| TaskSpecContainerSpecConfigs {
            file: Some(TaskSpecContainerSpecFile1 {
                name: Some(path.clone()),
                uid: Some("0".to_owned()),
                gid: Some("0".to_owned()),
                mode: Some(FILE_MODE),
            }),
            config_id: Some(reference.id.clone()),
            config_name: Some(reference.name.clone()),
            ..Default::default()
        })
        .collect()
}

fn mount(cluster: &ClusterContext, mount: &Mount) -> SwarmMount {
    let (typ, volume_options) = match mount.kind {
        MountKind::Volume => {
            let labels = Some(marks::of_cluster(cluster));
            (MountType::VOLUME, Some(MountVolumeOptions { labels, ..Default::default() }))
        }
        MountKind::Bind => (MountType::BIND, None),
        MountKind::Tmpfs => (MountType::TMPFS, None),
    };
    SwarmMount {
        target: Some(mount.target.clone()),
        source: mount.source.clone(),
        typ: Some(typ),
        read_only: Some(mount.read_only),
        volume_options,
        ..Default::default()
    }
}

/// None for the probes that swarm does not have; [`mod@crate::services::validate`] refuses those before.
fn health(check: &HealthCheck) -> Option<HealthConfig> {
    let command = match &check.probe {
        Probe::Command(command) => command,
        Probe::Http { .. } | Probe::Tcp(_) => return None,
    };
    let test = std::iter::once("CMD".to_owned()).chain(command.iter().cloned()).collect();
    Some(HealthConfig {
        test: Some(test),
        interval: Some(nanoseconds(check.interval_ms)),
        timeout: Some(nanoseconds(check.timeout_ms)),
        retries: Some(i64::from(check.retries)),
        start_period: Some(nanoseconds(check.start_period_ms)),
        ..Default::default()
    })
}
