//! Whether the engine is fit for machines, and for a certain cluster.

use bollard::models::SystemInfo;
use muster_engine::desired::Desired;
use muster_engine::failure::Failure;
use muster_engine::finding;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::{ClusterSpec, MachineShape};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{ErrorCode, Timestamp};

use crate::docker_error::{failure, status};
use crate::{LocalDriver, capabilities, host_limits, kernel};

/// systemd, sshd and a Docker Engine need about 100 MiB; below this a machine boots into being killed.
const LEAST_MEMORY: Bytes = Bytes(256 << 20);
/// The engine's own minimum.
const LEAST_CPU: CpuMillis = CpuMillis(10);
/// Private cgroup namespaces came with it (Docker Engine 20.10).
const LEAST_API: (u32, u32) = (1, 41);

impl LocalDriver {
    pub(crate) async fn findings(&self) -> Vec<Finding> {
        let engine = self.check_engine().await;
        let reachable = engine.is_ok();
        let mut findings = vec![
            finding("docker engine", engine),
            finding("capabilities", check_capabilities()),
            finding("host limits", host_limits::check()),
            finding("kernel", kernel::check()),
        ];
        if reachable {
            findings.push(finding("machine image", self.check_image(None).await));
        }
        findings
    }

    pub(crate) async fn refuse_what_cannot_be(&self, spec: &ClusterSpec) -> Result<(), Failure> {
        let info = self.docker()?.info().await.map_err(|error| failure("ask the Docker Engine", error))?;
        check_capabilities()?;
        let machines = Desired { generation: 1, spec: spec.clone(), absent: false }.machines().count();
        host_limits::refuse_too_many(machines as u64)?;
        let cluster = spec.machine.image.as_deref();
        refuse_shape(&spec.machine, &info)?;
        self.check_image(cluster).await?;
        for pool in &spec.pools {
            refuse_shape(&pool.shape, &info)?;
            self.check_image(pool.shape.image.as_deref().or(cluster)).await?;
        }
        Ok(())
    }

    async fn check_engine(&self) -> Result<String, Failure> {
        let version = self.docker()?.version().await.map_err(|error| failure("ask the Docker Engine", error))?;
        let (engine, api) = (version.version.unwrap_or_default(), version.api_version.unwrap_or_default());
        if api_number(&api).is_none_or(|number| number < LEAST_API) {
            let message = format!("Docker Engine {engine} is too old (API {api})");
            return Err(Failure::not_applied(ErrorCode::Unsupported, message)
                .permanent()
                .with_remedy("install Docker Engine 20.10 or newer"));
        }
        Ok(format!("Docker Engine {engine}, API {api}"))
    }

    async fn check_image(&self, asked: Option<&str>) -> Result<String, Failure> {
        let image = self.image(asked);
        match self.docker()?.inspect_image(image).await {
            Ok(_) => Ok(format!("{image} is there")),
            Err(error) => {
                let missing = status(&error) == Some(404);
                let failure = failure("look for the machine image", error);
                Err(if missing { failure.permanent() } else { failure })
            }
        }
    }
}

fn check_capabilities() -> Result<String, Failure> {
    let has = capabilities::of_host()?;
    let missing = capabilities::missing(&has);
    if missing.is_empty() {
        return Ok(format!("machines get {} capabilities", has.len()));
    }
    let message = format!("this host lacks {}, which machines need", missing.join(", "));
    Err(Failure::not_applied(ErrorCode::Unsupported, message)
        .permanent()
        .with_remedy("run the Docker Engine on a host of its own, or in a privileged container"))
}

fn refuse_shape(shape: &MachineShape, host: &SystemInfo) -> Result<(), Failure> {
    let refuse =
        |code, message: String, remedy: &str| Err(Failure::not_applied(code, message).permanent().with_remedy(remedy));
    if shape.disk.is_some() {
        let message = "local machines do not support `machine.disk`: they share the host's disk".to_owned();
        return refuse(ErrorCode::Unsupported, message, "leave `machine.disk` out");
    }
    if let Some(memory) = shape.memory {
        let host_memory = Bytes(host.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(u64::MAX));
        if memory < LEAST_MEMORY {
            let message = format!("machine.memory {memory} is too little for a machine");
            return refuse(ErrorCode::InvalidArgument, message, "give at least 256Mi");
        }
        if memory > host_memory {
            let message = format!("machine.memory {memory} is more than this host has");
            return refuse(ErrorCode::Quota, message, "give less, or leave `machine.memory` out");
        }
    }
    if let Some(cpu) = shape.cpu {
        let host_cpu = CpuMillis(host.ncpu.and_then(|cores| u64::try_from(cores).ok()).map_or(u64::MAX, |n| n * 1000));
        if cpu < LEAST_CPU {
            let message = format!("machine.cpu {cpu} is too little for a machine");
            return refuse(ErrorCode::InvalidArgument, message, "give at least 10m");
        }
        if cpu > host_cpu {
            let message = format!("machine.cpu {cpu} is more than this host's {host_cpu}");
            return refuse(ErrorCode::Quota, message, "give less, or leave `machine.cpu` out");
        }
    }
    Ok(())
}

fn api_number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn finding(subject: &str, result: Result<String, Failure>) -> Finding {
    finding::finding(subject, result, Timestamp::of_system_clock())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(shape: MachineShape) -> Option<ErrorCode> {
        let host = SystemInfo { mem_total: Some(8 << 30), ncpu: Some(2), ..Default::default() };
        refuse_shape(&shape, &host).err().map(|failure| failure.code)
    }

    #[test]
    fn a_shape_is_refused_for_what_the_host_cannot_give() {
        let shape = MachineShape::default;
        assert_eq!(refusal(shape()), None);
        assert_eq!(refusal(MachineShape { disk: Some(Bytes(1 << 30)), ..shape() }), Some(ErrorCode::Unsupported));
        assert_eq!(refusal(MachineShape { memory: Some(Bytes(1 << 30)), ..shape() }), None);
        assert_eq!(refusal(MachineShape { memory: Some(Bytes(9 << 30)), ..shape() }), Some(ErrorCode::Quota));
        assert_eq!(refusal(MachineShape { memory: Some(Bytes(1 << 20)), ..shape() }), Some(ErrorCode::InvalidArgument));
        assert_eq!(refusal(MachineShape { cpu: Some(CpuMillis(2000)), ..shape() }), None);
        assert_eq!(refusal(MachineShape { cpu: Some(CpuMillis(2001)), ..shape() }), Some(ErrorCode::Quota));
        assert_eq!(refusal(MachineShape { cpu: Some(CpuMillis(9)), ..shape() }), Some(ErrorCode::InvalidArgument));
    }

    #[test]
    fn api_versions_compare_as_numbers() {
        assert!(api_number("1.41") >= Some(LEAST_API));
        assert!(api_number("1.9") < Some(LEAST_API));
        assert_eq!(api_number("new"), None);
    }
}
