//! What a request is about: for the audit trail, and for callers who may see some clusters only.

use crate::model::plan::PlanChange;
use crate::request::ServiceSource;
use crate::{Name, Request};

/// What a request is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject<'a> {
    /// The kind of thing.
    pub noun: &'static str,
    /// The cluster that it is about or in, if the request names one.
    pub cluster: Option<&'a Name>,
    /// The name of the thing, unless it is the cluster.
    pub name: Option<String>,
}

impl<'a> Subject<'a> {
    const fn all(noun: &'static str) -> Self {
        Self { noun, cluster: None, name: None }
    }

    fn cluster(cluster: &'a Name) -> Self {
        Self { noun: "cluster", cluster: Some(cluster), name: None }
    }

    fn service(cluster: &'a Name, service: &Name) -> Self {
        Self { noun: "service", cluster: Some(cluster), name: Some(service.to_string()) }
    }

    fn named(noun: &'static str, name: impl ToString) -> Self {
        Self { noun, cluster: None, name: Some(name.to_string()) }
    }

    fn within(noun: &'static str, cluster: Option<&'a Name>) -> Self {
        Self { noun, cluster, name: None }
    }
}

/// What a caller reaches with a request, if it may see some clusters only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// What all callers share: they may ask for it.
    Shared,
    /// The cluster that the request names, or of a list those that the caller may see.
    Clusters,
    /// The host as a whole, its accounts, tokens and audit trail: they may not ask for it.
    Host,
}

impl Request {
    /// What a caller reaches with it.
    pub const fn reach(&self) -> Reach {
        match self {
            Self::Whoami | Self::CatalogList | Self::CatalogShow { .. } | Self::TokenResolve { .. } => Reach::Shared,
            Self::ClusterCreate { .. }
            | Self::ClusterDelete { .. }
            | Self::ClusterInfo { .. }
            | Self::ClusterList { .. }
            | Self::ClusterPlan { .. }
            | Self::ClusterScale { .. }
            | Self::ClusterRetry { .. }
            | Self::ClusterUpgrade { .. }
            | Self::ClusterRenew { .. }
            | Self::ClusterAccess { .. }
            | Self::ServiceCreate { .. }
            | Self::ServiceDelete { .. }
            | Self::ServiceInfo { .. }
            | Self::ServiceList { .. }
            | Self::ServiceUpdate { .. }
            | Self::ServiceScale { .. }
            | Self::ServiceRefresh { .. }
            | Self::ServiceLogs { .. }
            | Self::ServicePortForward { .. }
            | Self::ContainerExec { .. }
            | Self::HostInfo { .. }
            | Self::HostList { .. }
            | Self::ContainerInfo { .. }
            | Self::ContainerList { .. }
            | Self::OperationInfo { .. }
            | Self::OperationList { .. }
            | Self::OperationWatch { .. }
            | Self::OperationCancel { .. }
            | Self::Events { .. } => Reach::Clusters,
            Self::AccountAdd { .. }
            | Self::AccountCheck { .. }
            | Self::AccountList
            | Self::AccountRemove { .. }
            | Self::AuditList { .. }
            | Self::AuditVerify
            | Self::TokenCreate { .. }
            | Self::TokenList { .. }
            | Self::TokenRevoke { .. }
            | Self::Doctor
            | Self::Metrics => Reach::Host,
        }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::ClusterCreate { spec, .. } => Subject::cluster(&spec.name),
            Self::ClusterPlan { change } => Subject::cluster(planned(change)),
            Self::ClusterDelete { cluster, .. }
            | Self::ClusterInfo { cluster }
            | Self::ClusterScale { cluster, .. }
            | Self::ClusterRetry { cluster, .. }
            | Self::ClusterUpgrade { cluster, .. }
            | Self::ClusterRenew { cluster, .. }
            | Self::ClusterAccess { cluster, .. } => Subject::cluster(cluster),
            Self::ClusterList { .. } => Subject::all("cluster"),
            Self::ServiceCreate { cluster, source, .. } => {
                let name = match source {
                    ServiceSource::Spec(spec) => &spec.name,
                    ServiceSource::Template { template, name, .. } => name.as_ref().unwrap_or(template),
                };
                Subject::service(cluster, name)
            }
            Self::ServiceUpdate { cluster, spec, .. } => Subject::service(cluster, &spec.name),
            Self::ServiceDelete { cluster, service, .. }
            | Self::ServiceInfo { cluster, service }
            | Self::ServiceScale { cluster, service, .. }
            | Self::ServiceRefresh { cluster, service, .. }
            | Self::ServiceLogs { cluster, service, .. }
            | Self::ServicePortForward { cluster, service, .. } => Subject::service(cluster, service),
            Self::ContainerExec { cluster, service, .. } => {
                Subject { noun: "container", ..Subject::service(cluster, service) }
            }
            Self::ServiceList { cluster, .. } => Subject::within("service", cluster.as_ref()),
            Self::HostList { cluster, .. } => Subject::within("host", cluster.as_ref()),
            Self::ContainerList { cluster, .. } => Subject::within("container", cluster.as_ref()),
            Self::OperationList { cluster, .. } => Subject::within("operation", cluster.as_ref()),
            Self::Events { cluster, .. } => Subject::within("event", cluster.as_ref()),
            Self::HostInfo { id } => Subject::named("host", id),
            Self::ContainerInfo { id } => Subject::named("container", id),
            Self::OperationInfo { id } | Self::OperationWatch { id } | Self::OperationCancel { id } => {
                Subject::named("operation", id)
            }
            Self::CatalogList => Subject::all("template"),
            Self::CatalogShow { template } => Subject::named("template", template),
            Self::AccountAdd { spec } => Subject::named("account", &spec.name),
            Self::AccountCheck { account } | Self::AccountRemove { account } => Subject::named("account", account),
            Self::AccountList => Subject::all("account"),
            Self::AuditList { .. } | Self::AuditVerify => Subject::all("audit"),
            Self::TokenCreate { spec } => Subject::named("token", &spec.name),
            Self::TokenRevoke { token } => Subject::named("token", token),
            Self::TokenList { .. } | Self::TokenResolve { .. } => Subject::all("token"),
            Self::Doctor | Self::Whoami | Self::Metrics => Subject::all("daemon"),
        }
    }
}

fn planned(change: &PlanChange) -> &Name {
    match change {
        PlanChange::Create(spec) => &spec.name,
        PlanChange::Scale { cluster, .. }
        | PlanChange::Delete { cluster }
        | PlanChange::Current { cluster }
        | PlanChange::Upgrade { cluster, .. }
        | PlanChange::Renew { cluster } => cluster,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_about_a_thing_in_a_cluster_names_both() {
        let (cluster, service): (Name, Name) = ("demo".parse().unwrap(), "web".parse().unwrap());
        let exec = Request::ContainerExec {
            cluster: cluster.clone(),
            service,
            container: None,
            command: vec!["sh".to_owned()],
            tty: false,
        };
        let subject = exec.subject();
        assert_eq!(
            (subject.noun, subject.cluster, subject.name.as_deref()),
            ("container", Some(&cluster), Some("web"))
        );
        let plan = Request::ClusterPlan { change: PlanChange::Delete { cluster: cluster.clone() } };
        assert_eq!(plan.subject(), Subject::cluster(&cluster));
    }
}
