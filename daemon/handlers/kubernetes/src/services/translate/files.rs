//! What stands in the file systems of a service's copies: secrets, configuration files, volumes.
//!
//! A secret's or file's object is never changed in place: a file that is mounted alone does not follow its object, and a
//! copy must run with what it was started with. So the object's name says which version it is, and a new version
//! replaces the copies.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, EmptyDirVolumeSource, HostPathVolumeSource, KeyToPath, Secret,
    SecretVolumeSource, Volume, VolumeMount,
};
use muster_engine::context::ClusterContext;
use muster_engine::handler::ServiceOrder;
use muster_protocol::Name;
use muster_protocol::model::service::{FileMode, MountKind, ServiceSpec};

use crate::digest::digest;
use crate::marks::{self, SECRETS_VERSION};

/// Where volumes stand on each machine.
pub(crate) const VOLUMES: &str = "/var/lib/muster/volumes";

const SECRETS: &str = "secrets";
const FILES: &str = "files";

/// A service's secrets, of which values may be missing: then the object that is there already has them.
pub(crate) struct SecretPlan {
    /// The object, with the values that are known.
    pub(crate) object: Secret,
    /// The secrets whose values the order leaves out.
    pub(crate) missing: Vec<Name>,
}

impl std::fmt::Debug for SecretPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretPlan").field("name", &self.object.metadata.name).finish_non_exhaustive()
    }
}

pub(super) fn secrets(cluster: &ClusterContext, order: &ServiceOrder) -> Option<SecretPlan> {
    if order.spec.secrets.is_empty() {
        return None;
    }
    let mut metadata = marks::metadata(cluster, order, &secret_name(order));
    metadata.labels.get_or_insert_default().insert(SECRETS_VERSION.to_owned(), order.secrets_version.to_string());
    without_generation(&mut metadata);
    let (mut data, mut missing) = (BTreeMap::new(), Vec::new());
    for secret in &order.spec.secrets {
        match &secret.value {
            Some(value) => {
                data.insert(secret.name.to_string(), ByteString(value.expose().to_vec()));
            }
            None => missing.push(secret.name.clone()),
        }
    }
    let object = Secret { metadata, data: Some(data), immutable: Some(true), ..Default::default() };
    Some(SecretPlan { object, missing })
}

pub(super) fn config_map(cluster: &ClusterContext, order: &ServiceOrder) -> Option<ConfigMap> {
    if order.spec.files.is_empty() {
        return None;
    }
    let mut metadata = marks::metadata(cluster, order, &config_name(order));
    without_generation(&mut metadata);
    // Kubernetes keeps text and bytes apart; both become files alike.
    let (mut data, mut binary_data) = (BTreeMap::new(), BTreeMap::new());
    for (place, file) in order.spec.files.iter().enumerate() {
        match file.content.text() {
            Some(text) => {
                data.insert(file_key(place), text.to_owned());
            }
            None => {
                binary_data.insert(file_key(place), ByteString(file.content.bytes().to_vec()));
            }
        }
    }
    let binary_data = (!binary_data.is_empty()).then_some(binary_data);
    Some(ConfigMap { metadata, data: Some(data), binary_data, immutable: Some(true) })
}

/// Several generations share an object whose content did not change.
fn without_generation(metadata: &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) {
    if let Some(labels) = &mut metadata.labels {
        labels.remove(muster_engine::context::mark::GENERATION);
    }
}

fn secret_name(order: &ServiceOrder) -> String {
    format!("{}.{}.secrets.{}", order.spec.name, order.id.short(), order.secrets_version)
}

fn config_name(order: &ServiceOrder) -> String {
    let contents = order.spec.files.iter().map(|file| file.content.bytes());
    format!("{}.{}.files.{}", order.spec.name, order.id.short(), &digest(contents)[..12])
}

fn file_key(place: usize) -> String {
    format!("file-{place}")
}

/// The pod's volumes: one for all secrets, one for all files, one for each mount.
pub(super) fn volumes(order: &ServiceOrder) -> Vec<Volume> {
    let mut volumes = Vec::new();
    if !order.spec.secrets.is_empty() {
        let source = SecretVolumeSource {
            secret_name: Some(secret_name(order)),
            default_mode: Some(bits(FileMode::default())),
            items: modes(order.spec.secrets.iter().map(|secret| (secret.name.to_string(), secret.mode))),
            ..Default::default()
        };
        volumes.push(Volume { name: SECRETS.to_owned(), secret: Some(source), ..Default::default() });
    }
    if !order.spec.files.is_empty() {
        let files = order.spec.files.iter().enumerate();
        let source = ConfigMapVolumeSource {
            name: config_name(order),
            default_mode: Some(bits(FileMode::default())),
            items: modes(files.map(|(place, file)| (file_key(place), file.mode))),
            ..Default::default()
        };
        volumes.push(Volume { name: FILES.to_owned(), config_map: Some(source), ..Default::default() });
    }
    for (place, mount) in order.spec.mounts.iter().enumerate() {
        let source = mount.source.clone().unwrap_or_default();
        let mut volume = Volume { name: mount_name(place), ..Default::default() };
        let on_machine = |path: String, kind: &str| HostPathVolumeSource { path, type_: Some(kind.to_owned()) };
        match mount.kind {
            MountKind::Volume => {
                volume.host_path = Some(on_machine(format!("{VOLUMES}/{source}"), "DirectoryOrCreate"));
            }
            MountKind::Bind => volume.host_path = Some(on_machine(source, "")),
            MountKind::Tmpfs => {
                let medium = Some("Memory".to_owned());
                volume.empty_dir = Some(EmptyDirVolumeSource { medium, size_limit: None });
            }
        }
        volumes.push(volume);
    }
    volumes
}

/// Which key has which mode; none if all have the default one.
fn modes(keys: impl Iterator<Item = (String, FileMode)>) -> Option<Vec<KeyToPath>> {
    let all: Vec<(String, FileMode)> = keys.collect();
    if all.iter().all(|(_, mode)| *mode == FileMode::default()) {
        return None;
    }
    let item = |(key, mode): (String, FileMode)| KeyToPath { path: key.clone(), key, mode: Some(bits(mode)) };
    Some(all.into_iter().map(item).collect())
}

fn bits(mode: FileMode) -> i32 {
    i32::try_from(mode.0).unwrap_or(0)
}

fn mount_name(place: usize) -> String {
    format!("mount-{place}")
}

/// Where the container finds them.
pub(super) fn mounts(spec: &ServiceSpec) -> Vec<VolumeMount> {
    let file = |volume: &str, key: String, path: String| VolumeMount {
        name: volume.to_owned(),
        mount_path: path,
        sub_path: Some(key),
        read_only: Some(true),
        ..Default::default()
    };
    let secrets = spec.secrets.iter().map(|secret| file(SECRETS, secret.name.to_string(), secret.target()));
    let files = spec.files.iter().enumerate().map(|(place, one)| file(FILES, file_key(place), one.path.clone()));
    let mounts = spec.mounts.iter().enumerate().map(|(place, mount)| VolumeMount {
        name: mount_name(place),
        mount_path: mount.target.clone(),
        read_only: mount.read_only.then_some(true),
        ..Default::default()
    });
    secrets.chain(files).chain(mounts).collect()
}
