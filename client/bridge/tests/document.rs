//! `docs/reference/openapi.json`: the description of the API, made from the code.
//!
//! Write it again with `MUSTER_WRITE_REFERENCE=1 cargo test -p muster-bridge --test document`.

#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

use std::collections::BTreeMap;
use std::{env, fs};

use muster_bridge::openapi::document;
use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");

/// The ten operations of the paper, and where each is.
const OF_THE_PAPER: [(&str, &str, &str); 10] = [
    ("createOrchestrator", "post", "/v1/orchestrators"),
    ("deleteOrchestrator", "delete", "/v1/orchestrators/{name}"),
    ("getOrchestratorInfo", "get", "/v1/orchestrators/{name}"),
    ("createOrchestratorService", "post", "/v1/orchestrators/{name}/services"),
    ("deleteOrchestratorService", "delete", "/v1/orchestrators/{name}/services/{service}"),
    ("getOrchestratorsServiceInfo", "get", "/v1/orchestrators/{name}/services"),
    ("getHostInfoById", "get", "/v1/hosts/{id}"),
    ("getCatalogTemplateData", "get", "/v1/catalog/templates/{template}"),
    ("getContainerServiceInfo", "get", "/v1/orchestrators/{name}/services/{service}"),
    ("getContainerInfo", "get", "/v1/containers/{id}"),
];

fn described() -> Value {
    serde_json::from_str(&document().unwrap()).unwrap()
}

/// Each operation with its id.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("responses").is_some() {
                all.push((path.clone(), method.clone(), operation.clone()));
            }
        }
    }
    all
}

#[test]
fn the_committed_description_is_current() {
    let now = document().unwrap();
    if env::var_os("MUSTER_WRITE_REFERENCE").is_some() {
        fs::write(PATH, &now).unwrap();
    }
    let committed = fs::read_to_string(PATH).unwrap();
    assert!(committed == now, "docs/reference/openapi.json is not current; see the head of this test");
}

#[test]
fn the_operations_of_the_paper_carry_their_names() {
    let document = described();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for (id, method, path) in OF_THE_PAPER {
        assert_eq!(document["paths"][path][method]["operationId"], id, "{method} {path}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_a_tag_and_the_form_of_its_refusals() {
    let document = described();
    let mut seen = BTreeMap::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert_eq!(seen.insert(id.clone(), path), None, "{id} is there twice");
        assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{id}");
        for status in ["400", "401", "403", "429", "503"] {
            let content = &operation["responses"][status]["content"];
            assert!(content.get("application/problem+json").is_some(), "{method} {id} {status}");
        }
    }
    assert!(seen.len() >= 28, "{}", seen.len());
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = described();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
