//! What operators may do on the machines themselves. A path of a machine that a service binds, and the image that a machine is
//! made of, give whoever chooses them the machine; with infrastructure `local` a machine is as good as its host. So both are for
//! administrators, but for what the configuration allows.

use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::service::{Mount, MountKind, ServiceSpec};
use muster_protocol::{Error, ErrorCode};

use super::roles::{Caller, Role};

/// What operators may use beside what is theirs anyhow.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Paths of machines; what lies below them may be bound too.
    pub bind: Vec<String>,
    /// Machine images; a `*` at the end stands for anything.
    pub images: Vec<String>,
}

impl Policy {
    /// Refuses services that bind what the caller may not. What the template allows that they come from, and what the
    /// present version of the service binds already, somebody has allowed before.
    pub fn check_service(
        &self,
        caller: &Caller,
        spec: &ServiceSpec,
        granted: &[String],
        present: Option<&ServiceSpec>,
    ) -> Result<(), Error> {
        if caller.role >= Some(Role::Admin) {
            return Ok(());
        }
        let is_present = |mount: &Mount| present.is_some_and(|present| present.mounts.contains(mount));
        let bound = spec.mounts.iter().filter(|mount| mount.kind == MountKind::Bind && !is_present(mount));
        for path in bound.filter_map(|mount| mount.source.as_deref()) {
            if !self.bind.iter().chain(granted).any(|allowed| is_below(path, allowed)) {
                let message = format!("path `{path}` of a machine may be bound by administrators only");
                let remedy = "use a volume, ask an administrator, or have the path added to `[policy] bind` of the daemon's configuration";
                return Err(denied("mounts.source", message).with_remedy(remedy));
            }
        }
        Ok(())
    }

    /// Refuses a cluster whose machines are made of an image that the caller may not choose.
    pub fn check_cluster(&self, caller: &Caller, spec: &ClusterSpec) -> Result<(), Error> {
        if caller.role >= Some(Role::Admin) {
            return Ok(());
        }
        let pools = spec.pools.iter().map(|pool| ("pools.shape.image", pool.shape.image.as_deref()));
        let all = pools.chain([("machine.image", spec.machine.image.as_deref())]);
        for (field, image) in all.filter_map(|(field, image)| Some((field, image?))) {
            if !self.images.iter().any(|allowed| matches(image, allowed)) {
                let message = format!("machine image `{image}` may be chosen by administrators only");
                let remedy = "leave the image out, ask an administrator, or have the image added to `[policy] images` of the daemon's configuration";
                return Err(denied(field, message).with_remedy(remedy));
            }
        }
        Ok(())
    }
}

fn denied(field: &str, message: String) -> Error {
    Error::new(ErrorCode::PermissionDenied, message).with_detail("field", field)
}

/// Whether a path is this folder or lies below it. One that leads upwards lies nowhere.
fn is_below(path: &str, folder: &str) -> bool {
    let leads_up = path.split('/').any(|part| part == "..");
    let folder = folder.trim_end_matches('/');
    let rest = path.strip_prefix(folder);
    !leads_up && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn matches(image: &str, allowed: &str) -> bool {
    allowed.strip_suffix('*').map_or(image == allowed, |beginning| image.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use muster_protocol::Principal;
    use muster_protocol::model::cluster::{Infrastructure, Orchestrator};

    use super::*;

    fn caller(role: Role) -> Caller {
        Caller::new(Principal::user("anna"), 1000, Some(role))
    }

    fn binding(path: &str) -> ServiceSpec {
        let mut spec: ServiceSpec = toml::from_str("name = \"web\"\nimage = \"app:1\"").unwrap();
        spec.mounts.push(Mount {
            kind: MountKind::Bind,
            source: Some(path.to_owned()),
            target: "/data".to_owned(),
            read_only: true,
        });
        spec
    }

    fn policy() -> Policy {
        Policy { bind: vec!["/srv/".to_owned()], images: vec!["acme/machine:*".to_owned()] }
    }

    #[test]
    fn operators_bind_what_is_allowed_granted_or_bound_already_and_administrators_anything() {
        let refusal = |path: &str, granted: &[String], present: Option<&ServiceSpec>| {
            policy().check_service(&caller(Role::Operator), &binding(path), granted, present).err()
        };
        assert_eq!(refusal("/srv", &[], None), None);
        assert_eq!(refusal("/srv/www", &[], None), None);
        for path in ["/", "/srv2", "/srv/../etc", "/etc"] {
            let error = refusal(path, &[], None).unwrap();
            assert_eq!(
                (error.code, &*error.details["field"]),
                (ErrorCode::PermissionDenied, "mounts.source"),
                "{path}"
            );
            assert_eq!(policy().check_service(&caller(Role::Admin), &binding(path), &[], None), Ok(()));
        }
        assert_eq!(refusal("/etc/ssl", &["/etc/ssl".to_owned()], None), None);
        assert_eq!(refusal("/etc", &[], Some(&binding("/etc"))), None);
        assert!(refusal("/etc", &[], Some(&binding("/"))).is_some());
    }

    #[test]
    fn operators_choose_allowed_machine_images_only() {
        let mut spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Swarm, Infrastructure::Local);
        assert_eq!(policy().check_cluster(&caller(Role::Operator), &spec), Ok(()));
        spec.machine.image = Some("acme/machine:12".to_owned());
        assert_eq!(policy().check_cluster(&caller(Role::Operator), &spec), Ok(()));
        spec.machine.image = Some("evil:1".to_owned());
        let error = policy().check_cluster(&caller(Role::Operator), &spec).unwrap_err();
        assert_eq!(error.details["field"], "machine.image");
        assert_eq!(policy().check_cluster(&caller(Role::Admin), &spec), Ok(()));
    }
}
