//! A health check, as Kubernetes' probes.
//!
//! A copy starts until its check passes for the first time (`startupProbe`); failures in the start period do not count.
//! Later a check that fails `retries` times in a row ends the container, which is then started again (`livenessProbe`).
//! A container is ready from its first pass on. Kubernetes counts in seconds, so times are rounded up.

use k8s_openapi::api::core::v1::{ExecAction, HTTPGetAction, Probe as KubernetesProbe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use muster_protocol::model::service::{HealthCheck, Probe};

use super::container::literal;
use super::seconds;

/// Both probes of a check.
#[derive(Default)]
pub(super) struct Probes {
    pub(super) startup: Option<KubernetesProbe>,
    pub(super) liveness: Option<KubernetesProbe>,
}

pub(super) fn probes(check: &HealthCheck) -> Probes {
    let interval = check.interval_ms.div_ceil(1000).max(1) * 1000;
    let retries = i32::try_from(check.retries).unwrap_or(i32::MAX);
    let in_start_period = i32::try_from(check.start_period_ms.div_ceil(interval)).unwrap_or(i32::MAX);
    let probe = |failures: i32| {
        let mut probe = KubernetesProbe {
            period_seconds: Some(seconds(check.interval_ms)),
            timeout_seconds: Some(seconds(check.timeout_ms)),
            failure_threshold: Some(failures),
            ..Default::default()
        };
        ask(&mut probe, &check.probe);
        Some(probe)
    };
    Probes { startup: probe(retries.saturating_add(in_start_period)), liveness: probe(retries) }
}

fn ask(probe: &mut KubernetesProbe, asked: &Probe) {
    match asked {
        Probe::Command(command) => {
            let command = command.iter().map(|word| literal(word)).collect();
            probe.exec = Some(ExecAction { command: Some(command) });
        }
        Probe::Http { port, path } => {
            let (path, port) = (Some(path.clone()), IntOrString::Int((*port).into()));
            probe.http_get = Some(HTTPGetAction { path, port, ..Default::default() });
        }
        Probe::Tcp(port) => {
            probe.tcp_socket = Some(TCPSocketAction { port: IntOrString::Int((*port).into()), host: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interval_ms: u64, start_period_ms: u64) -> HealthCheck {
        HealthCheck { probe: Probe::Tcp(80), interval_ms, timeout_ms: 400, retries: 3, start_period_ms }
    }

    #[test]
    fn failures_in_the_start_period_come_on_top() {
        let probes = probes(&check(2_000, 9_000));
        assert_eq!(probes.startup.unwrap().failure_threshold, Some(3 + 5));
        assert_eq!(probes.liveness.unwrap().failure_threshold, Some(3));
    }

    #[test]
    fn times_are_whole_seconds_and_never_shorter_than_asked_for() {
        let liveness = probes(&check(1_500, 0)).liveness.unwrap();
        assert_eq!((liveness.period_seconds, liveness.timeout_seconds), (Some(2), Some(1)));
    }
}
