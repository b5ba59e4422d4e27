use muster_protocol::{ClusterId, InstanceId};

use super::*;

fn preparer(defaults: &[(&str, &str)]) -> KubernetesPreparer {
    let defaults = defaults.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    KubernetesPreparer::new(defaults, Duration::from_secs(1))
}

fn peer(name: &str, role: Role, address: &str) -> Peer {
    Peer { machine: name.parse().unwrap(), role, private_address: address.to_owned() }
}

#[test]
fn the_recipe_changes_with_options_and_the_peers_with_control_planes_only() {
    let spec = fixtures::spec();
    let base = preparer(&[]).offered(&spec);
    assert_eq!(base.version.as_deref(), Some("1.36.3"));
    assert_eq!(preparer(&[]).offered(&spec), base);
    assert_ne!(preparer(&[("imageRepository", "mirror.lan")]).offered(&spec), base);

    let plane = peer("control-plane-1", Role::ControlPlane, "10.0.0.2");
    let peers = |peers: &[Peer]| preparer(&[]).peers(&spec, Role::Worker, peers, None);
    let alone = peers(std::slice::from_ref(&plane));
    assert_eq!(peers(&[plane.clone(), peer("worker-1", Role::Worker, "10.0.0.3")]), alone);
    let both = [plane.clone(), peer("control-plane-2", Role::ControlPlane, "10.0.0.4")];
    assert_ne!(peers(&both), alone);
    // With one address for all of them, they may come and go.
    let behind = |peers: &[Peer], endpoint| preparer(&[]).peers(&spec, Role::Worker, peers, Some(endpoint));
    assert_eq!(behind(&both, "nlb.example:6443"), behind(&[plane], "nlb.example:6443"));
    assert_ne!(behind(&both, "nlb.example:6443"), behind(&both, "other.example:6443"));
}

#[test]
fn kubeadms_configuration_of_a_control_plane_is_what_it_was_tried_with() {
    let preparer = preparer(&[("imageRepository", "10.0.0.1:5000"), ("insecureRegistries", "10.0.0.1:5000")]);
    let spec = fixtures::spec();
    let material = preparer.material(&spec).unwrap();
    let cluster = ClusterContext {
        instance: InstanceId::generate(),
        cluster: ClusterId::generate(),
        spec: spec.clone(),
        material,
    };
    let lines = "container=yes\ncgroup=1\nbounding-set=0000003ffeffffff\nconntrack-limit=fixed\nname-server=127.0.0.11";
    let facts = Facts::read(&lines.lines().map(str::to_owned).collect::<Vec<_>>());
    let options = preparer.read(&spec).unwrap();
    let name = "control-plane-1".parse().unwrap();
    let machine = ConfiguredMachine {
        cluster: &cluster,
        name: &name,
        role: Role::ControlPlane,
        address: "10.0.0.2",
        endpoint: None,
        facts: &facts,
        options: &options,
    };
    let files = machine_files(&machine, &[], "authority").unwrap();
    let text = |name: &str| {
        let file = files.iter().find(|file| file.path.ends_with(name)).unwrap();
        String::from_utf8(file.content.to_vec()).unwrap()
    };
    let golden = format!(
        "== init.yaml\n{}== join.yaml\n{}== kubelet patch\n{}\n",
        text("init.yaml"),
        text("join.yaml"),
        text("kubeletconfiguration0+merge.json")
    );
    let (cluster_id, instance) = (cluster.cluster.to_string(), cluster.instance.to_string());
    insta::assert_snapshot!(golden.replace(&cluster_id, "CLUSTER").replace(&instance, "INSTANCE"));
    assert!(text("containerd.toml").contains("restrict_oom_score_adj = true"));
    assert!(text("/certs.d/10.0.0.1:5000/hosts.toml").contains("http://10.0.0.1:5000"));
    // No secret is among the files of a preparation.
    assert!(files.iter().all(|file| !String::from_utf8_lossy(&file.content).contains("PRIVATE KEY")));
}

#[test]
fn a_machine_behind_the_infrastructures_balancer_names_that_and_has_none_of_its_own() {
    let (preparer, spec) = (preparer(&[]), fixtures::spec());
    let material = preparer.material(&spec).unwrap();
    let (instance, cluster) = (InstanceId::generate(), ClusterId::generate());
    let cluster = ClusterContext { instance, cluster, spec: spec.clone(), material };
    let (facts, options) = (Facts::default(), preparer.read(&spec).unwrap());
    let name = "control-plane-1".parse().unwrap();
    let machine = ConfiguredMachine {
        cluster: &cluster,
        name: &name,
        role: Role::ControlPlane,
        address: "10.0.0.2",
        endpoint: Some("muster-1.elb.eu-central-1.amazonaws.com:6443"),
        facts: &facts,
        options: &options,
    };
    let files = machine_files(&machine, &[peer("control-plane-1", Role::ControlPlane, "10.0.0.2")], "ca").unwrap();
    let text = |name: &str| {
        let file = files.iter().find(|file| file.path.ends_with(name))?;
        Some(String::from_utf8(file.content.to_vec()).unwrap())
    };
    assert_eq!(text("/endpoint").as_deref(), Some("muster-1.elb.eu-central-1.amazonaws.com:6443"));
    assert_eq!((text("/balancer.cfg"), text("/muster-balancer.wanted")), (None, None));
    let init = text("/init.yaml").unwrap();
    assert!(init.contains(r#""controlPlaneEndpoint": "muster-1.elb.eu-central-1.amazonaws.com:6443""#), "{init}");
    assert!(init.contains("\"muster-1.elb.eu-central-1.amazonaws.com\"\n"), "its certificate names it: {init}");
    // kubeadm adds the machine's own address.
    assert!(init.contains(SERVER_NAME) && init.contains("\"127.0.0.1\""), "{init}");
}
