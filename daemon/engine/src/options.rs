//! Options of clusters and machine pools: settings of one orchestrator or infrastructure. The kind says which it knows.

use std::collections::BTreeMap;

use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{Error, nearest};

/// One option that a kind knows.
#[derive(Clone, Copy, Debug)]
pub struct KnownOption {
    /// Its name, as in `options.<name>`.
    pub name: &'static str,
    /// What it is for, for error messages and the reference.
    pub about: &'static str,
    /// Whether a machine pool can have a value of its own.
    pub per_pool: bool,
    /// Refuses a value, and says why.
    pub check: fn(&str) -> Result<(), String>,
}

/// Checks the options of a cluster and of its pools against those that its orchestrator and infrastructure know. An
/// option that neither knows is refused by its field, with the known ones in the remedy.
pub fn check(spec: &ClusterSpec, known: &[KnownOption]) -> Result<(), Error> {
    check_values("options", spec, &spec.options, known)?;
    let of_pools: Vec<KnownOption> = known.iter().copied().filter(|option| option.per_pool).collect();
    for pool in &spec.pools {
        check_values(&format!("pools.{}.options", pool.name), spec, &pool.options, &of_pools)?;
    }
    Ok(())
}

/// Refuses labels of pools, for orchestrators whose machines get none from Muster.
pub fn refuse_pool_labels(spec: &ClusterSpec) -> Result<(), Error> {
    match spec.pools.iter().find(|pool| !pool.labels.is_empty()) {
        Some(pool) => Err(Error::unsupported(&format!("pools.{}.labels", pool.name), spec.orchestrator)
            .with_remedy("leave the labels out, and label the machines at the orchestrator")),
        None => Ok(()),
    }
}

fn check_values(
    field: &str,
    spec: &ClusterSpec,
    options: &BTreeMap<String, String>,
    known: &[KnownOption],
) -> Result<(), Error> {
    for (name, value) in options {
        let field = format!("{field}.{name}");
        let Some(option) = known.iter().find(|option| option.name == name) else {
            let kinds = format!("{} on {}", spec.orchestrator, spec.infrastructure);
            return Err(Error::unsupported(&field, kinds).with_remedy(remedy(name, known)));
        };
        (option.check)(value).map_err(|why| {
            Error::invalid(&field, format!("`{value}` cannot be the option `{name}`: {why}"))
                .with_remedy(format!("`{name}` is {}", option.about))
        })?;
    }
    Ok(())
}

fn remedy(name: &str, known: &[KnownOption]) -> String {
    if known.is_empty() {
        return "leave it out: there are no options here".to_owned();
    }
    let names: Vec<&str> = known.iter().map(|option| option.name).collect();
    let meant = nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    format!("{}known here: {}", meant.unwrap_or_default(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::cluster::{Infrastructure, Orchestrator, Pool};
    use muster_protocol::model::host::Role;

    use super::*;

    const KNOWN: [KnownOption; 2] = [
        KnownOption { name: "podCidr", about: "the range of pod addresses", per_pool: false, check: |_| Ok(()) },
        KnownOption {
            name: "instanceType",
            about: "the size of the machines",
            per_pool: true,
            check: |value| if value.contains('.') { Ok(()) } else { Err("it has no dot".to_owned()) },
        },
    ];

    fn spec(options: &[(&str, &str)], of_pool: &[(&str, &str)]) -> ClusterSpec {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let pool = Pool { options: owned(of_pool), ..Pool::new("gpu".parse().unwrap(), Role::Worker, 1) };
        let blank = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Sim, Infrastructure::Sim);
        ClusterSpec { options: owned(options), pools: vec![pool], ..blank }
    }

    #[test]
    fn options_that_nobody_knows_are_refused_by_field_and_the_known_ones_are_named() {
        check(&spec(&[("podCidr", "10.0.0.0/16")], &[("instanceType", "t3.micro")]), &KNOWN).unwrap();
        let refused = |spec, known| {
            let error = check(&spec, known).unwrap_err();
            (error.details["field"].clone(), error.remedy.unwrap())
        };
        let (field, remedy) = refused(spec(&[("podCidre", "x")], &[]), &KNOWN);
        assert_eq!(field, "options.podCidre");
        assert_eq!(remedy, "did you mean `podCidr`? known here: podCidr, instanceType");
        let (field, remedy) = refused(spec(&[], &[("podCidr", "x")]), &KNOWN);
        assert_eq!((field.as_str(), remedy.as_str()), ("pools.gpu.options.podCidr", "known here: instanceType"));
        let (field, _) = refused(spec(&[("instanceType", "big")], &[]), &KNOWN);
        assert_eq!(field, "options.instanceType");
        let (_, remedy) = refused(spec(&[("a", "b")], &[]), &[]);
        assert_eq!(remedy, "leave it out: there are no options here");
    }
}
