//! How a change is rolled out.

use k8s_openapi::api::apps::v1::{
    DaemonSetUpdateStrategy, DeploymentStrategy, RollingUpdateDaemonSet, RollingUpdateDeployment,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use muster_protocol::model::service::{UpdateOrder, UpdatePolicy};

const ROLLING: &str = "RollingUpdate";

/// How many copies may be too few, and how many too many, while a change is under way.
struct RolloutSlack {
    unavailable: IntOrString,
    surge: IntOrString,
}

fn room(policy: &UpdatePolicy) -> RolloutSlack {
    let at_once = match policy.parallelism {
        0 => IntOrString::String("100%".to_owned()),
        copies => IntOrString::Int(i32::try_from(copies).unwrap_or(i32::MAX)),
    };
    let none = IntOrString::Int(0);
    match policy.order {
        UpdateOrder::StopFirst => RolloutSlack { unavailable: at_once, surge: none },
        UpdateOrder::StartFirst => RolloutSlack { unavailable: none, surge: at_once },
    }
}

pub(super) fn of_deployment(policy: &UpdatePolicy) -> DeploymentStrategy {
    let room = room(policy);
    let rolling = RollingUpdateDeployment { max_unavailable: Some(room.unavailable), max_surge: Some(room.surge) };
    DeploymentStrategy { type_: Some(ROLLING.to_owned()), rolling_update: Some(rolling) }
}

pub(super) fn of_daemon_set(policy: &UpdatePolicy) -> DaemonSetUpdateStrategy {
    let room = room(policy);
    let rolling = RollingUpdateDaemonSet { max_unavailable: Some(room.unavailable), max_surge: Some(room.surge) };
    DaemonSetUpdateStrategy { type_: Some(ROLLING.to_owned()), rolling_update: Some(rolling) }
}
