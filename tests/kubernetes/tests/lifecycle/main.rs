//! Real clusters on local machines: prepared, formed, joined, changed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it saw")]

use std::time::Duration;

use muster_engine::recipe::MachineStep;
use muster_protocol::model::host::Role;
use muster_tests_kubernetes::{LocalCluster, with_cluster};

#[tokio::test(flavor = "multi_thread")]
async fn one_control_plane_and_two_workers_become_ready_and_everything_may_be_done_again() {
    with_cluster(
        "one_control_plane_and_two_workers_become_ready_and_everything_may_be_done_again",
        (1, 2),
        false,
        &[],
        |cluster| async move {
            cluster.bring_up().await;
            assert_eq!(cluster.nodes_ready("control-plane-1").await, ["control-plane-1", "worker-1", "worker-2"]);
            cluster.pods_run("control-plane-1").await;
            // A service's name is resolved and answered across machines, and so is a name outside the cluster.
            cluster.dns_answers("worker-1").await;

            // Everything again: nothing changes.
            let before =
                cluster.run("control-plane-1", "kubectl get nodes -o jsonpath='{.items[*].metadata.uid}'").await;
            let first = cluster.member("control-plane-1");
            let formed = cluster.lifecycle.form(&first).await.unwrap();
            assert_eq!(cluster.lifecycle.look_up_cluster(&first).await.unwrap(), Some(formed));
            cluster.prepare_all().await;
            for member in cluster.members() {
                let joined = cluster.lifecycle.join(cluster.members(), member).await.unwrap();
                assert_eq!(cluster.lifecycle.look_up_node(cluster.members(), member).await.unwrap(), Some(joined));
            }
            let after =
                cluster.run("control-plane-1", "kubectl get nodes -o jsonpath='{.items[*].metadata.uid}'").await;
            assert_eq!(before, after);
            assert_eq!(
                cluster
                    .run(
                        "control-plane-1",
                        "kubectl -n kube-system get secret --field-selector type=bootstrap.kubernetes.io/token -o name"
                    )
                    .await,
                ""
            );

            // A worker that is taken out is clean, and comes back as a new node.
            let worker = cluster.member("worker-2");
            let id = cluster.lifecycle.look_up_node(cluster.members(), &worker).await.unwrap().unwrap().id;
            cluster.lifecycle.remove_node(cluster.members(), &id, Some(&worker)).await.unwrap();
            cluster.lifecycle.remove_node(cluster.members(), &id, Some(&worker)).await.unwrap();
            assert_eq!(cluster.lifecycle.look_up_node(cluster.members(), &worker).await.unwrap(), None);
            let again = cluster.lifecycle.join(cluster.members(), &worker).await.unwrap();
            assert_ne!(again.id, id);
            cluster.nodes_ready("control-plane-1").await;

            // Certificates, also one that no control plane takes any more.
            cluster.run("worker-2", "echo broken > /var/lib/kubelet/pki/kubelet-client-current.pem").await;
            for name in ["control-plane-1", "worker-2"] {
                cluster.step(&cluster.member(name), MachineStep::Renew).await;
            }
            cluster.run("worker-2", "kubectl --kubeconfig /etc/kubernetes/kubelet.conf get node worker-2").await;
            cluster.nodes_ready("control-plane-1").await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_control_planes_survive_the_loss_of_one_which_is_then_replaced() {
    with_cluster(
        "three_control_planes_survive_the_loss_of_one_which_is_then_replaced",
        (3, 2),
        false,
        &[],
        |mut cluster: LocalCluster| async move {
            cluster.bring_up().await;
            cluster.nodes_ready("control-plane-1").await;
            cluster.etcd_until(|etcd| etcd.len() == 3 && etcd.iter().all(|one| one.healthy && !one.learner)).await;

            let lost = cluster.member("control-plane-1");
            let id = cluster.lifecycle.look_up_node(cluster.members(), &lost).await.unwrap().unwrap().id;
            cluster.lose("control-plane-1").await;
            cluster.insist("worker-1", "kubectl --kubeconfig /etc/kubernetes/kubelet.conf get node worker-1").await;
            cluster.etcd_until(|etcd| etcd.iter().any(|one| one.name == "control-plane-1" && !one.healthy)).await;
            cluster.persist("remove", || cluster.lifecycle.remove_node(cluster.members(), &id, None)).await;
            cluster.etcd_until(|etcd| etcd.len() == 2).await;

            // One of the same name takes its place.
            cluster.create("control-plane-1", Role::ControlPlane).await;
            cluster.prepare_all().await;
            let new = cluster.member("control-plane-1");
            let joined = cluster.persist("join", || cluster.lifecycle.join(cluster.members(), &new)).await;
            assert_ne!(joined.id, id);
            cluster.nodes_ready("control-plane-2").await;
            cluster.etcd_until(|etcd| etcd.len() == 3 && etcd.iter().all(|one| one.healthy)).await;

            // A live one is taken out in order.
            let goes = cluster.member("control-plane-3");
            let id = cluster.lifecycle.look_up_node(cluster.members(), &goes).await.unwrap().unwrap().id;
            cluster.persist("remove", || cluster.lifecycle.remove_node(cluster.members(), &id, Some(&goes))).await;
            cluster.etcd_until(|etcd| etcd.len() == 2).await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_was_broken_off_is_done_again_on_a_plain_machine() {
    with_cluster(
        "an_init_that_was_broken_off_is_done_again_on_a_plain_machine",
        (1, 0),
        true,
        &[],
        |cluster| async move {
            cluster.prepare_all().await;
            let first = cluster.member("control-plane-1");
            // The machine loses everything that runs as soon as etcd's data is there.
            let broken = tokio::join!(
                cluster.lifecycle.form(&first),
                cluster.insist(
                    "control-plane-1",
                    "[ -e /etc/kubernetes/manifests/etcd.yaml ] && systemctl kill -s KILL 'muster-*-form-*'"
                ),
            );
            assert!(broken.0.is_err());
            assert_eq!(cluster.lifecycle.look_up_cluster(&first).await.unwrap(), None);
            cluster.lifecycle.form(&first).await.unwrap();
            assert_eq!(cluster.nodes_ready("control-plane-1").await, ["control-plane-1"]);
            cluster.pods_run("control-plane-1").await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_to_the_next_minor_version_machine_by_machine() {
    with_cluster(
        "a_cluster_goes_to_the_next_minor_version_machine_by_machine",
        (1, 1),
        false,
        &[],
        |mut cluster: LocalCluster| async move {
            cluster.set_version("1.35");
            cluster.bring_up().await;
            cluster.nodes_ready("control-plane-1").await;
            cluster.set_version("1.36");
            for name in ["control-plane-1", "worker-1"] {
                let began = std::time::Instant::now();
                cluster.step(&cluster.member(name), MachineStep::Upgrade).await;
                println!("upgraded {name} in {:.1} s", began.elapsed().as_secs_f64());
                // Done again, it finds that it is done.
                cluster.step(&cluster.member(name), MachineStep::Upgrade).await;
            }
            let version = cluster.version();
            let versions = cluster.run_until(
                "control-plane-1",
                "kubectl get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'",
                |seen| seen == format!("v{version} v{version}"),
            );
            tokio::time::timeout(Duration::from_secs(120), versions).await.unwrap();
            cluster.nodes_ready("control-plane-1").await;
            cluster.pods_run("control-plane-1").await;
        },
    )
    .await;
}
