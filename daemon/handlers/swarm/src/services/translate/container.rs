//! The container of a service's copies.

use std::collections::BTreeMap;

use bollard::models::{
    HealthConfig, Mount as SwarmMount, MountType, MountVolumeOptions, TaskSpecContainerSpec,
    TaskSpecContainerSpecConfigs, TaskSpecContainerSpecFile, TaskSpecContainerSpecFile1, TaskSpecContainerSpecSecrets,
};
use muster_engine::context::ClusterContext;
use muster_engine::ledger::ResourceKey;
use muster_protocol::model::service::{ConfigFile, Health, Mount, MountKind, Probe, ServiceSpec};

use super::{References, list, nanoseconds};
use crate::marks::{self, HEALTH_CHECK, IMAGE, Labels};
use crate::services::digest;

/// What runs in each copy: the part of the spec of which a change replaces every copy.
pub(super) fn container(
    cluster: &ClusterContext,
    spec: &ServiceSpec,
    references: &References,
) -> TaskSpecContainerSpec {
    TaskSpecContainerSpec {
        image: Some(digest::pinned(&spec.image, references.digest.as_deref())),
        labels: Some(labels(cluster, spec, references)),
        command: list(&spec.command),
        args: list(&spec.args),
        env: list(&spec.env.iter().map(|(name, value)| literal(&format!("{name}={value}"))).collect::<Vec<_>>()),
        user: spec.user.clone(),
        init: spec.init.then_some(true),
        stop_signal: spec.stop_signal.clone(),
        stop_grace_period: stop_grace(spec.stop_grace_ms),
        mounts: list(&spec.mounts.iter().map(|one| mount(cluster, one)).collect::<Vec<_>>()),
        health_check: spec.health.as_ref().and_then(health),
        secrets: list(&secrets(spec, references)),
        configs: list(&configs(spec, references)),
        ..Default::default()
    }
}

/// A text that the engine's templates give back as it is. The engine expands `{{…}}` in variables and mounts of services;
/// nothing is expanded that nobody asked to expand.
fn literal(text: &str) -> String {
    text.replace("{{", r#"{{"{{"}}"#)
}

/// Only what stays as it is from one generation to the next: a change here replaces every copy.
fn labels(cluster: &ClusterContext, spec: &ServiceSpec, references: &References) -> Labels {
    let mut labels = marks::of(cluster, &ResourceKey::Service(spec.name.clone()));
    if spec.health_check().is_some() {
        labels.insert(HEALTH_CHECK.to_owned(), "yes".to_owned());
    }
    if references.digest.is_some() {
        labels.insert(IMAGE.to_owned(), spec.image.clone());
    }
    labels
}

fn secrets(spec: &ServiceSpec, references: &References) -> Vec<TaskSpecContainerSpecSecrets> {
    let with_reference = spec.secrets.iter().filter_map(|secret| Some((secret, references.secrets.get(&secret.name)?)));
    with_reference
        .map(|(secret, reference)| TaskSpecContainerSpecSecrets {
            file: Some(TaskSpecContainerSpecFile {
                name: Some(secret.target()),
                uid: Some(secret.uid.to_string()),
                gid: Some(secret.gid.to_string()),
                mode: Some(secret.mode.0),
            }),
            secret_id: Some(reference.id.clone()),
            secret_name: Some(reference.name.clone()),
        })
        .collect()
}

/// By their paths, so that their order in the service is no change of it.
fn configs(spec: &ServiceSpec, references: &References) -> Vec<TaskSpecContainerSpecConfigs> {
    let by_path: BTreeMap<&str, &ConfigFile> = spec.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let with_reference = by_path.into_values().filter_map(|file| Some((file, references.files.get(&file.path)?)));
    with_reference
        .map(|(file, reference)| TaskSpecContainerSpecConfigs {
            file: Some(TaskSpecContainerSpecFile1 {
                name: Some(file.path.clone()),
                uid: Some(file.uid.to_string()),
                gid: Some(file.gid.to_string()),
                mode: Some(file.mode.0),
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
        target: Some(literal(&mount.target)),
        source: mount.source.as_deref().map(literal),
        typ: Some(typ),
        read_only: Some(mount.read_only),
        volume_options,
        ..Default::default()
    }
}

/// The engine counts in seconds, so the time is rounded up. The default is the engine's own and left out: services that
/// were submitted before it could be said are not changed by it.
fn stop_grace(milliseconds: u64) -> Option<i64> {
    (milliseconds != ServiceSpec::STOP_GRACE_MS).then(|| nanoseconds(milliseconds.div_ceil(1000) * 1000))
}

/// None for the probes that swarm does not have; [`mod@crate::services::validate`] refuses those before.
fn health(health: &Health) -> Option<HealthConfig> {
    let Health::Check(check) = health else {
        return Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() });
    };
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
