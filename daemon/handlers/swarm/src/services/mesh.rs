//! The ingress mesh, which answers at a port of every machine, and what it needs of them.

use muster_engine::observed::OrchestratorView;
use muster_material::labels::IPVS;
use muster_protocol::Error;
use muster_protocol::model::service::{Exposure, ServiceSpec};

/// Refuses an ingress port on machines of which one is known to have no IPVS: there the mesh lists the port and nothing
/// answers at it.
pub(crate) fn validate(service: &ServiceSpec, seen: &OrchestratorView) -> Result<(), Error> {
    if !service.ports.iter().any(|port| port.exposure == Exposure::Ingress) {
        return Ok(());
    }
    let lacks_it = seen.nodes.iter().find(|(_, node)| node.labels.get(IPVS).is_some_and(|has| has == "no"));
    let Some((machine, _)) = lacks_it else { return Ok(()) };
    Err(Error::unsupported("ports.exposure", format!("the kernel of {machine} has no IPVS, so Swarm's ingress mesh"))
        .with_remedy(
            "publish the port with `exposure: host`, or give the machines a kernel with the module `ip_vs` and adopt the \
             recipe again with `muster cluster upgrade`",
        ))
}

#[cfg(test)]
mod tests {
    use muster_engine::observed::ObservedNode;
    use muster_protocol::model::host::Role;
    use muster_protocol::{ErrorCode, Name};
    use serde_json::json;

    use super::*;

    fn service(exposure: &str) -> ServiceSpec {
        let ports = json!([{ "port": 80, "exposure": exposure, "published": 8090 }]);
        serde_json::from_value(json!({ "name": "web", "image": "nginx:1", "ports": ports })).unwrap()
    }

    fn seen(labels: &[(&str, &str)]) -> OrchestratorView {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let node = ObservedNode {
            id: "n".to_owned(),
            role: Role::Worker,
            ready: true,
            version: None,
            cpu: None,
            memory: None,
            labels,
            message: None,
        };
        let name: Name = "worker-1".parse().unwrap();
        OrchestratorView { nodes: [(name, node)].into(), ..OrchestratorView::default() }
    }

    #[test]
    fn an_ingress_port_is_refused_by_field_where_a_machine_has_no_ipvs() {
        let refusal = validate(&service("ingress"), &seen(&[(IPVS, "no")])).unwrap_err();
        assert_eq!((refusal.code, refusal.details["field"].as_str()), (ErrorCode::Unsupported, "ports.exposure"));
        assert!(refusal.message.contains("worker-1"), "{refusal}");
    }

    #[test]
    fn it_is_taken_where_it_works_and_where_nobody_knows() {
        assert!(validate(&service("ingress"), &seen(&[(IPVS, "yes")])).is_ok());
        assert!(validate(&service("ingress"), &seen(&[])).is_ok());
        assert!(validate(&service("host"), &seen(&[(IPVS, "no")])).is_ok());
    }
}
