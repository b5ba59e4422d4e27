//! The addresses of a cluster's networks, and the size of their packets.

use muster_engine::handler::Handler as _;
use muster_protocol::model::host::Role::{ControlPlane, Worker};

use crate::orders::{order, service};
use crate::skip::docker_is_wanted;
use crate::{Scene, insist, spec};

#[tokio::test(flavor = "multi_thread")]
async fn networks_have_the_addresses_and_the_packets_that_the_cluster_asks_for() {
    if !docker_is_wanted("networks_have_the_addresses_and_the_packets_that_the_cluster_asks_for") {
        return;
    }
    let mut spec = spec("networks");
    spec.options = [("addressPools", "10.77.0.0/16"), ("mtu", "1400")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let scene = Scene::formed_of(spec, &[("manager-1", ControlPlane), ("worker-1", Worker)]).await;
    scene.machines.load_busybox();
    let of_mesh = |what: &str| {
        scene.machines.run("manager-1", &format!("docker network inspect ingress --format '{{{{json {what}}}}}'"))
    };
    assert!(of_mesh(".Options").contains(r#""com.docker.network.driver.mtu":"1400""#), "{}", of_mesh(".Options"));
    assert!(of_mesh(".IPAM.Config").contains("10.77."), "{}", of_mesh(".IPAM.Config"));
    // Formed again, as after a crash: the mesh that fits is left as it is.
    let before = of_mesh(".Id");
    insist(async || scene.handler.form(&scene.members()[0]).await).await;
    assert_eq!(of_mesh(".Id"), before);

    let order = order(service("web", "trap 'exit 0' TERM; sleep 1000 & wait"));
    let name = order.spec.name.clone();
    insist(async || scene.handler.deploy(scene.members(), &order).await).await;
    let view = scene.ready(&name, 1, 1).await;
    let copy = view.containers.iter().find(|copy| copy.service == name && copy.machine.is_some()).unwrap();
    let machine = copy.machine.clone().unwrap();
    let devices = scene.in_container(&machine, &name, "cat /sys/class/net/eth0/mtu; cat /proc/net/fib_trie");
    // What a packet needs to travel between machines is taken off.
    assert_eq!(devices.lines().next(), Some("1350"), "{devices}");
    assert!(devices.contains("10.77."), "{devices}");
}
