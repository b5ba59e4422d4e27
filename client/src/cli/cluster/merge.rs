//! Adding one kubeconfig to another, as `kubectl` would read both.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use muster_protocol::{Error, ErrorCode};
use serde_json::{Value, json};

use crate::cli::failure::Result;

/// The lists of a kubeconfig. Their entries have names.
const LISTS: [&str; 3] = ["clusters", "users", "contexts"];

/// What the file says with the entries of `given` added, and the given context as the current one. Entries of the same name
/// that Muster wrote before are replaced; those of others are not.
pub fn merge(path: &Path, given: &str) -> Result<String> {
    let present = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == ErrorKind::NotFound => String::new(),
        Err(problem) => return Err(unusable(path, problem).into()),
    };
    let mut merged = match serde_saphyr::from_str(&present).map_err(|problem| unusable(path, problem))? {
        Value::Null => json!({ "apiVersion": "v1", "kind": "Config", "preferences": {} }),
        config @ Value::Object(_) => config,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(unusable(path, "it is no map").into());
        }
    };
    let given: Value = serde_saphyr::from_str(given).map_err(|problem| unusable(Path::new("the answer"), problem))?;
    refuse_foreign(path, &merged, &given)?;
    for list in LISTS {
        let mut entries: Vec<Value> = entries(&merged, list).to_vec();
        for new in self::entries(&given, list) {
            match entries.iter_mut().find(|entry| entry["name"] == new["name"]) {
                Some(old) => *old = new.clone(),
                None => entries.push(new.clone()),
            }
        }
        merged[list] = Value::Array(entries);
    }
    merged["current-context"] = given["current-context"].clone();
    Ok(serde_saphyr::to_string(&merged).map_err(|problem| unusable(path, problem))?)
}

/// A cluster or context of the same name that leads elsewhere is somebody's who would miss it.
fn refuse_foreign(path: &Path, present: &Value, given: &Value) -> Result<()> {
    let marks = |config: &Value, name: &Value| {
        let clusters = entries(config, "clusters").iter().find(|entry| entry["name"] == *name);
        clusters.map(|entry| entry["cluster"]["tls-server-name"].clone())
    };
    for cluster in entries(given, "clusters") {
        let name = &cluster["name"];
        let is_foreign_cluster = marks(present, name).is_some_and(|mark| Some(mark) != marks(given, name));
        let leads_elsewhere = |entry: &Value| entry["name"] == *name && entry["context"]["cluster"] != *name;
        if is_foreign_cluster || entries(present, "contexts").iter().any(leads_elsewhere) {
            let message = format!("{} has a cluster or context {name} that is not of Muster", path.display());
            return Err(Error::new(ErrorCode::Conflict, message)
                .with_remedy("write another file with --file, and use it with `kubectl --kubeconfig`")
                .into());
        }
    }
    Ok(())
}

fn entries<'a>(config: &'a Value, list: &str) -> &'a [Value] {
    config.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn unusable(path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::invalid("merge", format!("the kubeconfig {} cannot be used", path.display()))
        .with_detail("cause", problem)
        .with_remedy("mend it, or write another file with --file")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "apiVersion: v1
kind: Config
clusters: [{name: demo, cluster: {server: 'https://10.0.0.2:6443', tls-server-name: muster-control-plane}}]
users: [{name: 'demo/muster:user:anna', user: {client-key-data: bmV3}}]
contexts: [{name: demo, context: {cluster: demo, user: 'demo/muster:user:anna'}}]
current-context: demo
";

    fn merged(present: Option<&str>) -> Result<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        if let Some(present) = present {
            fs::write(&path, present).unwrap();
        }
        let text = merge(&path, GIVEN)?;
        Ok(serde_saphyr::from_str(&text).unwrap())
    }

    #[test]
    fn an_empty_or_missing_kubeconfig_becomes_the_given_one() {
        let nothing_in_it = "apiVersion: v1\nkind: Config\nclusters: null\nusers: []\n";
        for present in [None, Some(""), Some(nothing_in_it)] {
            let merged = merged(present).unwrap();
            assert_eq!(merged["current-context"], "demo");
            assert_eq!(merged["kind"], "Config");
            assert_eq!(LISTS.map(|list| entries(&merged, list).len()), [1, 1, 1], "{merged}");
        }
    }

    #[test]
    fn others_entries_stay_as_they_are_and_ours_are_replaced() {
        let present = "kind: Config
current-context: other
clusters:
- {name: other, cluster: {server: 'https://other'}}
- {name: demo, cluster: {server: 'https://old', tls-server-name: muster-control-plane}}
users:
- name: other
  user: {exec: {command: aws, env: [{name: A, value: '1'}, {name: B, value: 'true'}, {name: C, value: 'null'}]}}
contexts: [{name: other, context: {cluster: other, user: other}}]
";
        let merged = merged(Some(present)).unwrap();
        let environment = &merged["users"][0]["user"]["exec"]["env"];
        assert_eq!(
            environment,
            &json!([{"name": "A", "value": "1"}, {"name": "B", "value": "true"}, {"name": "C", "value": "null"}])
        );
        assert_eq!(merged["clusters"][0]["cluster"]["server"], "https://other");
        assert_eq!(merged["clusters"][1]["cluster"]["server"], "https://10.0.0.2:6443");
        assert_eq!(LISTS.map(|list| entries(&merged, list).len()), [2, 2, 2]);
    }

    #[test]
    fn a_cluster_or_context_of_the_same_name_that_is_not_of_muster_is_not_replaced() {
        let cluster = "clusters: [{name: demo, cluster: {server: 'https://other'}}]\n";
        let context = "contexts: [{name: demo, context: {cluster: prod, user: me}}]\n";
        for present in [cluster, context] {
            let text = format!("{:?}", merged(Some(present)).unwrap_err());
            assert!(text.contains("not of Muster"), "{text}");
        }
        assert!(merged(Some("- a list\n")).is_err());
    }
}
