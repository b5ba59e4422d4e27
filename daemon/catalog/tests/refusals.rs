//! What a user reads who gave something wrong.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why by panicking")]

use std::collections::BTreeMap;

use muster_catalog::Catalog;
use muster_protocol::{Error, ErrorCode, SecretString};

fn refusal(template: &str, name: &str, pairs: &[(&str, &str)]) -> Error {
    let name = Some(name.parse().expect("name"));
    let values: BTreeMap<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretString::new(*value))).collect();
    Catalog::load(None).render(template, name, &values).expect_err("must be refused")
}

#[test]
fn an_unknown_parameter_is_refused_with_the_nearest_name() {
    let error = refusal("nginx", "web", &[("repliacs", "2")]);
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert_eq!(error.message, "template `nginx` has no parameter `repliacs`");
    assert_eq!(error.remedy.as_deref(), Some("did you mean `replicas`?"));
    assert_eq!(error.details["field"], "repliacs");
}

#[test]
fn an_unknown_parameter_like_no_other_is_refused_with_all_names() {
    let error = refusal("batch-job", "job", &[("xyzzy", "2")]);
    assert_eq!(error.remedy.as_deref(), Some("it has: image, script, completions, cpu, memory"));
}

#[test]
fn a_value_of_the_wrong_type_or_out_of_range_is_refused_with_the_limit() {
    let cases = [
        ("replicas", "many", "parameter `replicas`: `many` is not a whole number"),
        ("replicas", "1001", "parameter `replicas`: `1001` is more than the maximum, 1000"),
        ("published", "0", "parameter `published`: `0` is less than the minimum, 1"),
        ("memory", "1Mi", "parameter `memory`: `1Mi` is less than the minimum, 16Mi"),
    ];
    for (parameter, value, message) in cases {
        assert_eq!(refusal("nginx", "web", &[(parameter, value)]).message, message);
    }
}

#[test]
fn a_value_that_makes_an_impossible_service_is_refused_with_the_service() {
    let error = refusal("nginx", "web", &[("image", "not an image")]);
    assert_eq!(error.message, "services.main: `not an image` is not an image reference");
    assert!(refusal("hello", "hi", &[("greeting", "a\0b")]).message.contains("NUL"));
}

#[test]
fn a_server_whose_password_nobody_would_know_is_refused_with_how_to_give_one() {
    for template in ["nats", "postgres", "redis"] {
        let error = refusal(template, "mine", &[]);
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert_eq!(error.message, "parameter `password` is missing");
        assert!(error.remedy.is_some_and(|remedy| remedy.starts_with("give it with `--set password=@FILE`: ")));
    }
}

#[test]
fn a_refused_secret_is_in_no_part_of_the_error() {
    let error = refusal("redis", "cache", &[("password", "hunter2\nrequirepass x")]);
    assert_eq!(error.details["field"], "password");
    assert!(
        error.remedy.as_ref().is_some_and(|remedy| remedy.contains(r#"`[^"\\\x00-\x1f\x7f]{1,512}`"#)),
        "{error:?}"
    );
    let all = format!("{error:?}{error}{}", serde_json::to_string(&error).expect("JSON"));
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn a_name_too_long_for_the_helpers_suffix_is_refused_with_the_length_that_fits() {
    let error = refusal("wordpress", &"a".repeat(38), &[]);
    assert_eq!(error.details["field"], "name");
    assert_eq!(error.remedy.as_deref(), Some("choose a name of at most 37 characters"));
}

#[test]
fn an_unknown_template_is_refused_with_the_nearest_name() {
    let catalog = Catalog::load(None);
    let error = catalog.show("postgress").expect_err("unknown");
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(error.remedy.as_deref(), Some("did you mean `postgres`?"));
    let error = catalog.show("xyzzy").expect_err("unknown");
    assert_eq!(error.remedy.as_deref(), Some("see what there is with `muster catalog list`"));
}
