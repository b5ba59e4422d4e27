//! What runs a service's copies, by its mode.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use muster_engine::context::ClusterContext;
use muster_engine::handler::ServiceOrder;
use muster_protocol::model::service::ServiceMode;

use super::{Workload, rollout, seconds};
use crate::marks::{self, PLACED_VOLUMES, SECRETS_VERSION, UNANSWERED_IMAGE};
use crate::services::findings::Findings;
use crate::services::volumes;

/// How often a copy of a job that failed is started again.
const JOB_RETRIES: i32 = 3;
/// How many earlier versions Kubernetes keeps. Going back is Muster's own doing, so one is enough to look at.
const HISTORY: i32 = 1;

pub(super) fn workload(
    cluster: &ClusterContext,
    order: &ServiceOrder,
    findings: &Findings,
    template: PodTemplateSpec,
) -> Workload {
    let spec = &order.spec;
    let copies = i32::try_from(spec.replicas).unwrap_or(i32::MAX);
    let selector =
        LabelSelector { match_labels: Some(marks::of_service(cluster, &spec.name)), match_expressions: None };
    let hold = seconds(spec.update.delay_ms);
    match spec.mode {
        ServiceMode::Replicated => Workload::Deployment(Box::new(Deployment {
            metadata: metadata(cluster, order, findings, spec.name.as_str()),
            spec: Some(DeploymentSpec {
                replicas: Some(copies),
                selector,
                template,
                strategy: Some(rollout::of_deployment(&spec.update)),
                min_ready_seconds: Some(hold),
                // Kubernetes only notes that the time has passed; it must be longer than the hold.
                progress_deadline_seconds: Some(seconds(spec.update.deadline_ms).max(hold.saturating_add(1))),
                revision_history_limit: Some(HISTORY),
                ..Default::default()
            }),
            status: None,
        })),
        ServiceMode::Global => Workload::DaemonSet(Box::new(DaemonSet {
            metadata: metadata(cluster, order, findings, spec.name.as_str()),
            spec: Some(DaemonSetSpec {
                selector,
                template,
                update_strategy: Some(rollout::of_daemon_set(&spec.update)),
                min_ready_seconds: Some(hold),
                revision_history_limit: Some(HISTORY),
            }),
            status: None,
        })),
        ServiceMode::Job => Workload::Job(Box::new(Job {
            metadata: metadata(cluster, order, findings, &job_name(order)),
            spec: Some(JobSpec {
                completions: Some(copies),
                parallelism: Some(copies),
                completion_mode: Some("Indexed".to_owned()),
                backoff_limit_per_index: Some(JOB_RETRIES),
                template,
                ..Default::default()
            }),
            status: None,
        })),
    }
}

/// A job cannot be changed, so each generation is a job of its own.
fn job_name(order: &ServiceOrder) -> String {
    format!("{}-{}", order.spec.name, order.generation)
}

/// Beside our marks, the user's labels: as labels where Kubernetes takes their values, else as annotations.
fn metadata(cluster: &ClusterContext, order: &ServiceOrder, findings: &Findings, name: &str) -> ObjectMeta {
    let mut metadata = marks::metadata(cluster, order, name);
    let labels = metadata.labels.get_or_insert_default();
    labels.insert(SECRETS_VERSION.to_owned(), order.secrets_version.to_string());
    for (name, value) in &order.spec.labels {
        if crate::labels::is_value(value) {
            labels.insert(name.clone(), value.clone());
        } else {
            metadata.annotations.get_or_insert_default().insert(name.clone(), value.clone());
        }
    }
    if let Some(placed) = &findings.placed {
        metadata.annotations.get_or_insert_default().insert(PLACED_VOLUMES.to_owned(), volumes::note(placed));
    }
    if let Some(why) = &findings.unanswered {
        metadata.annotations.get_or_insert_default().insert(UNANSWERED_IMAGE.to_owned(), why.clone());
    }
    metadata
}
