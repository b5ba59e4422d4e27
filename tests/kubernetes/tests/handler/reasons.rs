//! What the situations of `services-tried.md` are told as. All at once, as they need nothing but time.

use std::time::{Duration, Instant};

use muster_engine::handler::Handler as _;
use muster_protocol::model::service::{Exposure, HealthCheck, Mount, MountKind, Port, Probe, Resources, ServiceSpec};
use muster_protocol::quantity::Bytes;

use crate::{Scene, order};

pub(crate) async fn a_service_that_does_not_run_says_why_in_the_clusters_own_words(scene: Scene) {
    let check = |probe| HealthCheck { probe, interval_ms: 1_000, timeout_ms: 1_000, retries: 30, start_period_ms: 0 };
    let kept = Resources { memory_reservation: Some(Bytes(900 << 30)), ..Default::default() };
    let little = Resources { memory_limit: Some(Bytes(16 << 20)), ..Default::default() };
    let sleep = "exec sleep 1000";
    let taken = Port { port: 80, protocol: Default::default(), exposure: Exposure::Host, published: Some(8093) };
    let file =
        Mount { kind: MountKind::Bind, source: Some("/etc/hostname/x".into()), target: "/x".into(), read_only: true };
    let registry = scene.image.split('/').next().unwrap().to_owned();
    let situations: Vec<(ServiceSpec, Vec<&str>)> = vec![
        (
            ServiceSpec { image: format!("{registry}/nobody/has:1"), ..scene.service("pull", sleep) },
            vec!["cannot be pulled", "not found"],
        ),
        (
            ServiceSpec { image: "127.0.0.1:9/no/registry:1".into(), ..scene.service("registry", sleep) },
            vec!["cannot be pulled", "connection refused"],
        ),
        (scene.service("crash", "echo sorry; exit 3"), vec!["exit code 3", "its last words: sorry"]),
        (
            ServiceSpec { command: vec!["/no/such/program".into()], ..scene.service("program", sleep) },
            vec!["/no/such/program"],
        ),
        (
            ServiceSpec { constraints: vec!["label.disk==nobody".parse().unwrap()], ..scene.service("label", sleep) },
            vec!["no machine can run a copy", "0/", "node affinity"],
        ),
        (
            ServiceSpec { resources: kept, ..scene.service("room", sleep) },
            vec!["no machine can run a copy", "Insufficient memory"],
        ),
        (
            ServiceSpec {
                resources: little,
                ..scene.service("memory", "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done")
            },
            vec!["more memory than its limit of 16Mi", "OOMKilled"],
        ),
        (
            ServiceSpec { health: Some(check(Probe::Tcp(81)).into()), ..scene.service("check", sleep) },
            vec!["the health check fails", "connection refused"],
        ),
        (ServiceSpec { ports: vec![taken], replicas: 9, ..scene.service("port", sleep) }, vec!["free ports", "8093"]),
        (ServiceSpec { mounts: vec![file], ..scene.service("mount", sleep) }, vec!["/etc/hostname/x"]),
    ];
    let began = Instant::now();
    for (spec, _) in &situations {
        scene.handler.validate(spec).unwrap();
        scene.deploy(&order(spec.clone())).await;
    }
    let submitted = began.elapsed();
    for (spec, words) in &situations {
        let began = Instant::now();
        let seen = scene.trouble(&spec.name, words).await;
        let said = seen.trouble.unwrap().words;
        println!("{} (+{:?}): {said}", spec.name, began.elapsed());
        for words in words {
            assert!(said.contains(words), "{}: `{words}` is not in `{said}`", spec.name);
        }
    }
    println!("{} services in {submitted:?}, all reasons after {:?}", situations.len(), began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(240));
    for (spec, _) in &situations {
        scene.remove(&spec.name).await;
    }
    assert_eq!(scene.left(), "");
}
