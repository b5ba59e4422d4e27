//! What marks tell a daemon that has lost its store, at a real listing of everything of an account.

use std::collections::BTreeSet;

use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::ledger::{InfraKey, ResourceKey};
use muster_protocol::InstanceId;

use super::support::{World, cluster, make_all, remove_all};

/// A gateway's attachment, a route and rules are properties of what is listed.
const PROPERTIES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn marks_tell_of_every_installation_what_it_has_and_how_its_clusters_were_asked_for() {
    let Some(world) =
        World::start("marks_tell_of_every_installation_what_it_has_and_how_its_clusters_were_asked_for").await
    else {
        return;
    };
    let driver = world.driver();
    let ours = cluster(1, 2);
    let of_another = ClusterContext { instance: InstanceId::from_u128(8), ..cluster(2, 0) };
    let (made, made_by_another) =
        (make_all(&world, &driver, &ours).await, make_all(&world, &driver, &of_another).await);
    world.start_somebodys_instance().await;

    // A driver of a daemon that knows nothing.
    let marked = world.driver().list_marked().await.unwrap();
    assert_eq!(marked.len(), made.len() + made_by_another.len() - 2 * PROPERTIES, "{marked:#?}");
    for (context, made) in [(&ours, &made), (&of_another, &made_by_another)] {
        let of_cluster: Vec<_> = marked.iter().filter(|one| one.owned.cluster == context.cluster).collect();
        assert_eq!(of_cluster.len(), made.len() - PROPERTIES);
        assert!(of_cluster.iter().all(|one| one.instance == context.instance), "{of_cluster:#?}");
        assert!(of_cluster.iter().all(|one| one.cluster_name.as_ref() == Some(context.name())));
        assert!(of_cluster.iter().all(|one| one.spec.as_ref() == Some(&context.spec)), "{of_cluster:#?}");
        let listed: BTreeSet<(ResourceKey, &str)> =
            of_cluster.iter().map(|one| (one.owned.key.clone().unwrap(), one.owned.present.id.as_str())).collect();
        let machines = made.iter().filter(|(key, _)| key.machine().is_some());
        for (key, present) in machines {
            assert!(listed.contains(&(ResourceKey::Infra(InfraKey::clone(key)), present.id.as_str())), "{key}");
        }
    }
    remove_all(&driver, &of_another, &made_by_another).await;
    remove_all(&driver, &ours, &made).await;
    assert_eq!(world.driver().list_marked().await.unwrap(), []);
}
