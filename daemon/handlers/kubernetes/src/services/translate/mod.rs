//! From the neutral form to Kubernetes' objects. Pure: the same order gives the same objects at any time.
//!
//! ```text
//!   ServiceSpec ─┬─ workload     Deployment, DaemonSet or Job, with the pod's template
//!                ├─ files        ConfigMap and Secret, named by content and version
//!                ├─ login        Secret with the login at the image's registry
//!                └─ exposure     Service `NAME` inside, Service `NAME-ingress-…` outside
//! ```

mod container;
mod exposure;
mod files;
mod health;
mod login;
mod placement;
mod pod;
mod rollout;
mod workload;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use muster_engine::context::ClusterContext;
use muster_engine::handler::ServiceOrder;

pub(crate) use files::{SecretPlan, VOLUMES};

use super::findings::Findings;
use crate::marks::{self, TEMPLATE};

/// Everything that a service is in a cluster.
#[derive(Debug)]
pub(crate) struct Objects {
    /// What runs its copies.
    pub(crate) workload: Workload,
    /// Its configuration files, if it has any.
    pub(crate) files: Option<ConfigMap>,
    /// Its secrets, if it has any.
    pub(crate) secrets: Option<SecretPlan>,
    /// The login at its image's registry, if there is one.
    pub(crate) login: Option<SecretPlan>,
    /// How it is reached by the cluster's services under its name.
    pub(crate) inside: Service,
    /// How it is reached from outside on every machine, if it is.
    pub(crate) outside: Option<Service>,
}

impl Objects {
    /// The name of the template of its pods: the same if no copy would be replaced.
    pub(crate) fn template(&self) -> Option<&String> {
        let template = match &self.workload {
            Workload::Deployment(one) => one.spec.as_ref().map(|spec| &spec.template),
            Workload::DaemonSet(one) => one.spec.as_ref().map(|spec| &spec.template),
            Workload::Job(one) => one.spec.as_ref().map(|spec| &spec.template),
        };
        marks::label(template?.metadata.as_ref()?, TEMPLATE)
    }
}

/// What runs a service's copies.
#[derive(Debug)]
pub(crate) enum Workload {
    /// A number of copies.
    Deployment(Box<Deployment>),
    /// A copy on every node.
    DaemonSet(Box<DaemonSet>),
    /// Copies that end.
    Job(Box<Job>),
}

/// The objects of one order, with what was found out for it.
pub(crate) fn objects(cluster: &ClusterContext, order: &ServiceOrder, findings: &Findings) -> Objects {
    let files = files::config_map(cluster, order);
    let secrets = files::secrets(cluster, order);
    let template = pod::template(cluster, order, findings);
    Objects {
        workload: workload::workload(cluster, order, findings, template),
        files,
        secrets,
        login: login::secret(cluster, order),
        inside: exposure::inside(cluster, order),
        outside: exposure::outside(cluster, order),
    }
}

/// Milliseconds as whole seconds, never less than was asked for.
fn seconds(milliseconds: u64) -> i32 {
    i32::try_from(milliseconds.div_ceil(1000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
