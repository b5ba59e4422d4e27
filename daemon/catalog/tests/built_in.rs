//! The built-in templates, as users get them.

#![allow(clippy::expect_used, reason = "a test that cannot go on says why by panicking")]

use std::collections::BTreeMap;

use muster_catalog::Catalog;
use muster_protocol::SecretString;
use muster_protocol::model::catalog::{ParameterKind, TemplateInfo};
use muster_protocol::model::service::{Exposure, ServiceMode, ServiceSpec};

type Values = BTreeMap<String, SecretString>;

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretString::new(*value))).collect()
}

/// What the template cannot be without: passwords that somebody needs to know.
fn required(template: &TemplateInfo) -> Values {
    let required = template.parameters.iter().filter(|parameter| parameter.required);
    required.map(|parameter| (parameter.name.clone(), SecretString::new("pass word"))).collect()
}

fn render(template: &str, name: &str, pairs: &[(&str, &str)]) -> Vec<ServiceSpec> {
    let name = Some(name.parse().expect("name"));
    Catalog::load(None).render(template, name, &values(pairs)).expect(template)
}

fn secret_values(services: &[ServiceSpec]) -> Vec<&str> {
    let secrets = services.iter().flat_map(|service| &service.secrets);
    let values = secrets.map(|secret| secret.value.as_ref().expect("a value at creation").expose());
    values.map(|value| std::str::from_utf8(value).expect("a text")).collect()
}

#[test]
fn every_built_in_is_usable_and_renders_with_what_it_requires() {
    let catalog = Catalog::load(None);
    let listing = catalog.list();
    assert_eq!(listing.broken, []);
    let names: Vec<_> = listing.templates.iter().map(|template| template.name.as_str()).collect();
    let expected = ["batch-job", "hello", "nats", "nginx", "postgres", "prometheus", "redis", "registry", "wordpress"];
    assert_eq!(names, expected);
    for template in &listing.templates {
        let services = catalog.render(template.name.as_str(), None, &required(template)).expect("renders");
        assert_eq!(services.len(), template.services.len(), "{}", template.name);
        let main = services.last().expect("a main service");
        assert_eq!(main.name, template.name);
        assert_eq!(Some(&main.image), template.services.get(""));
    }
}

#[test]
fn the_image_of_every_service_can_come_from_a_mirror() {
    let catalog = Catalog::load(None);
    for template in catalog.list().templates {
        let images = template.parameters.iter().filter(|parameter| parameter.name.ends_with("image"));
        let mirrored = images
            .map(|parameter| {
                let official = parameter.default.as_deref().expect("an official image");
                (parameter.name.clone(), SecretString::new(format!("mirror.example/{official}")))
            })
            .chain(required(&template))
            .collect();
        for service in catalog.render(template.name.as_str(), None, &mirrored).expect("renders") {
            assert!(service.image.starts_with("mirror.example/"), "{}: {}", template.name, service.image);
        }
    }
}

#[test]
fn services_of_a_template_find_each_other_by_name_and_share_a_password_made_once() {
    let services = render("wordpress", "blog", &[]);
    let [db, wordpress] = services.as_slice() else { panic!("two services") };
    assert_eq!((db.name.as_str(), wordpress.name.as_str()), ("blog-db", "blog"));
    assert_eq!(wordpress.env["WORDPRESS_DB_HOST"], db.name.as_str());
    let passwords = secret_values(&services);
    assert_eq!(passwords[0], passwords[1]);
    assert_eq!(passwords[0].len(), 32);
    let others = render("wordpress", "blog", &[]);
    assert_ne!(secret_values(&others)[0], passwords[0], "each rendering makes its own");
}

#[test]
fn given_secrets_reach_secret_files_and_nothing_that_people_read() {
    let catalog = Catalog::load(None);
    for template in catalog.list().templates {
        let secrets: Values = (template.parameters.iter())
            .filter(|parameter| parameter.kind == ParameterKind::Secret)
            .map(|parameter| (parameter.name.clone(), SecretString::new("Marker-4711")))
            .collect();
        let services = catalog.render(template.name.as_str(), None, &secrets).expect("renders");
        let arrived = secret_values(&services).iter().filter(|value| value.contains("Marker-4711")).count();
        assert!(arrived >= secrets.len(), "{}", template.name);
        let json = serde_json::to_string(&services).expect("JSON");
        let debug = format!("{services:?}");
        assert!(!json.contains("4711") && !debug.contains("4711"), "{}", template.name);
    }
}

#[test]
fn values_arrive_with_their_types() {
    let job = &render("batch-job", "job", &[("cpu", "250m"), ("memory", "64Mi"), ("completions", "3")])[0];
    assert_eq!(job.mode, ServiceMode::Job);
    assert_eq!(job.replicas, 3);
    assert_eq!(job.resources.cpu_limit.map(|cpu| cpu.0), Some(250));
    assert_eq!(job.resources.memory_limit.map(|memory| memory.0), Some(64 << 20));
    let hello = &render("hello", "hi", &[("published", "9000"), ("greeting", "8080")])[0];
    assert_eq!(hello.ports[0].published, Some(9000));
    assert_eq!(hello.ports[0].exposure, Exposure::Host);
    assert_eq!(hello.env["GREETING"], "8080");
}

#[test]
fn the_form_of_a_parameter_is_shown_before_a_value_is_refused_for_it() {
    let postgres = Catalog::load(None).show("postgres").expect("there");
    let user = postgres.parameters.iter().find(|parameter| parameter.name == "user").expect("there");
    assert!(user.description.ends_with("; of the form `[a-z_][a-z0-9_]{0,62}`"), "{}", user.description);
}

#[test]
fn an_optional_machine_makes_a_constraint_only_if_it_is_given() {
    assert!(render("postgres", "db", &[("password", "pass word")])[0].constraints.is_empty());
    let pinned = &render("postgres", "db", &[("password", "pass word"), ("machine", "worker-2")])[0];
    assert_eq!(pinned.constraints[0].to_string(), "host==worker-2");
}

#[test]
fn data_of_two_services_from_one_template_is_kept_apart() {
    let volume = |name: &str| render("redis", name, &[("password", "pass word")])[0].mounts[0].source.clone();
    assert_eq!(volume("a").as_deref(), Some("a-data"));
    assert_eq!(volume("b").as_deref(), Some("b-data"));
}
