//! Fields of a service, seen from inside its containers.

use muster_engine::handler::Handler as _;
use muster_protocol::SecretBytes;
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::service::{
    ConfigFile, Exposure, HealthCheck, Mount, MountKind, Port, Probe, Resources, SecretFile, ServiceSpec,
};
use muster_protocol::quantity::{Bytes, CpuMillis};

use crate::{Scene, order};

pub(crate) async fn every_text_arrives_byte_for_byte(scene: Scene) {
    let texts =
        ["$(HOME)", "$$(HOME)", "a$b$", "{{.Node.Hostname}}", "ä €\ttab", "two\nlines", "\"quoted\" 'single' \\"];
    let env = texts.iter().enumerate().map(|(place, text)| (format!("TEXT_{place}"), (*text).to_owned()));
    let key = "-----BEGIN\nkey $(HOME)\n\n";
    let mut spec = ServiceSpec {
        env: env.collect(),
        args: std::iter::once("sh").chain(texts).map(str::to_owned).collect(),
        secrets: vec![SecretFile {
            path: Some("/etc/keys/id".into()),
            ..SecretFile::new("key".parse().unwrap(), Some(SecretBytes::new(key)))
        }],
        files: vec![ConfigFile::new("/etc/conf.d/a.conf", key)],
        ..scene.service("texts", "for one in \"$@\"; do printf '%s\\0' \"$one\"; done > /tmp/args; exec sleep 1000")
    };
    let health = HealthCheck {
        probe: Probe::Command(vec![
            "/bin/sh".into(),
            "-c".into(),
            "[ \"$TEXT_0\" = '$(HOME)' ] && [ -s /tmp/args ]".into(),
        ]),
        interval_ms: 1_000,
        timeout_ms: 2_000,
        retries: 3,
        start_period_ms: 10_000,
    };
    spec.health = Some(health.into());
    let name = spec.name.clone();
    scene.deploy(&order(spec)).await;
    let view = scene.ready(&name, 1, 1).await;
    let container = view.containers.iter().find(|one| one.service == name).unwrap();
    assert_eq!((container.phase, container.healthy), (ContainerPhase::Running, Some(true)));
    let (printed, _) = scene.run(&name, "cat /tmp/args").await;
    assert_eq!(printed.split_terminator('\0').collect::<Vec<_>>(), texts);
    for (place, text) in texts.iter().enumerate() {
        let (printed, _) = scene.run(&name, &format!("printf %s \"$TEXT_{place}\"")).await;
        assert_eq!(printed, *text);
    }
    assert_eq!(scene.run(&name, "cat /etc/keys/id").await.0, key);
    assert_eq!(scene.run(&name, "cat /etc/conf.d/a.conf").await.0, key);
    assert_eq!(scene.run(&name, "stat -Lc %a:%u /etc/keys/id").await.0, "444:0\n");
    let (printed, _) =
        scene.run(&name, "env | grep -v -e ^TEXT_ -e ^KUBERNETES_ | cut -d= -f1 | sort | tr '\\n' ' '").await;
    assert!(!printed.contains("_PORT") && !printed.contains("_SERVICE"), "no variables of other services: {printed}");
    let (printed, _) = scene.run(&name, "ls /var/run/secrets/kubernetes.io 2>&1").await;
    assert!(printed.contains("No such file"), "no way into the API: {printed}");
    scene.remove(&name).await;
}

pub(crate) async fn mounts_limits_and_labels_hold(scene: Scene) {
    let mount = |kind, source: Option<&str>, target: &str, read_only| Mount {
        kind,
        source: source.map(str::to_owned),
        target: target.to_owned(),
        read_only,
    };
    let volume = format!("data-{}", scene.name("v"));
    let machine = scene.handler.observe(&[]).await.unwrap().nodes.keys().next_back().unwrap().clone();
    let spec = ServiceSpec {
        resources: Resources {
            cpu_limit: Some(CpuMillis(500)),
            memory_limit: Some(Bytes(64 << 20)),
            cpu_reservation: Some(CpuMillis(10)),
            memory_reservation: None,
        },
        mounts: vec![
            mount(MountKind::Volume, Some(&volume), "/data", false),
            mount(MountKind::Bind, Some("/etc"), "/machine", true),
            mount(MountKind::Tmpfs, None, "/scratch", false),
        ],
        constraints: vec![format!("host=={machine}").parse().unwrap()],
        labels: [("team".to_owned(), "red".to_owned()), ("note".to_owned(), "red and blue".to_owned())].into(),
        ..scene.service("mounts", "exec sleep 1000")
    };
    let name = spec.name.clone();
    let mut order = order(spec);
    scene.deploy(&order).await;
    let view = scene.ready(&name, 1, 1).await;
    assert_eq!(view.containers.iter().find(|one| one.service == name).unwrap().machine.as_ref(), Some(&machine));
    assert_eq!(
        scene
            .run(&name, "echo kept > /data/x; test -f /machine/hostname && ! touch /machine/y 2>/dev/null; echo $?")
            .await
            .0,
        "0\n"
    );
    assert!(scene.run(&name, "grep ' /scratch ' /proc/mounts").await.0.starts_with("tmpfs"));
    let limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
    assert_eq!(scene.run(&name, limit).await.0, "67108864\n");
    assert_eq!(
        scene.kubectl(&["get", "deployment", "-l", "team=red", "-o", "jsonpath={.items[*].metadata.annotations.note}"]),
        "red and blue"
    );
    let requests = "jsonpath={.spec.template.spec.containers[0].resources.requests.memory}";
    assert_eq!(scene.kubectl(&["get", "deployment", name.as_str(), "-o", requests]), "0");

    // A change makes a new copy, and the volume is as it was.
    order.generation = 2;
    order.spec.env = [("X".to_owned(), "1".to_owned())].into();
    scene.deploy(&order).await;
    scene.ready(&name, 2, 1).await;
    assert_eq!(scene.run(&name, "cat /data/x").await.0, "kept\n");
    scene.remove(&name).await;
}

pub(crate) async fn what_others_made_stays_as_it_is(scene: Scene) {
    let spec = scene.service("others", "exec sleep 1000");
    let name = spec.name.clone();
    // The namespace is there with the first service.
    let first = order(scene.service("first", "exec sleep 1000"));
    scene.deploy(&first).await;
    scene.kubectl(&["create", "deployment", name.as_str(), "--image", &scene.image, "--", "sleep", "1000"]);
    let failure = scene.handler.deploy(&[], &order(spec)).await.unwrap_err();
    assert_eq!(failure.code, muster_protocol::ErrorCode::Conflict, "{failure}");
    assert_eq!(scene.handler.look_up_service(&[], &name).await.unwrap(), None);
    scene.handler.remove_service(&[], &name).await.unwrap();
    let commands = "jsonpath={.spec.template.spec.containers[0].command[0]}";
    assert_eq!(scene.kubectl(&["get", "deployment", name.as_str(), "-o", commands]), "sleep");
    assert!(!scene.handler.observe(&[]).await.unwrap().services.contains_key(&name));
    scene.kubectl(&["delete", "deployment", name.as_str()]);
    scene.remove(&first.spec.name).await;
}

pub(crate) async fn a_check_that_begins_to_fail_has_the_copy_started_again(scene: Scene) {
    let health = HealthCheck {
        probe: Probe::Http { port: 80, path: "/well".into() },
        interval_ms: 1_000,
        timeout_ms: 1_000,
        retries: 2,
        start_period_ms: 5_000,
    };
    let spec = ServiceSpec {
        health: Some(health.into()),
        ports: vec![Port { port: 80, protocol: Default::default(), exposure: Exposure::Cluster, published: None }],
        ..scene.service("well", "mkdir -p /www; sleep 2; touch /www/well; exec httpd -f -p 80 -h /www")
    };
    let name = spec.name.clone();
    scene.deploy(&order(spec)).await;
    scene.ready(&name, 1, 1).await;
    scene.run(&name, "rm /www/well").await;
    scene
        .observe_until("the copy to be started again", |view| {
            view.containers.iter().any(|one| one.service == name && one.phase == ContainerPhase::Starting)
        })
        .await;
    scene.ready(&name, 1, 1).await;
    let restarts = "jsonpath={.items[0].status.containerStatuses[0].restartCount}";
    assert_ne!(scene.kubectl(&["get", "pods", "-l", &format!("io.muster.service={name}"), "-o", restarts]), "0");
    scene.remove(&name).await;
}
