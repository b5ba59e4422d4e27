//! The state directory is lost, at rest and in the middle of a create, and `musterd recover` makes another one from owner marks.

use std::path::{Path, PathBuf};

use muster_engine::ledger::ResourceKey;
use muster_engine::sim::{CallKind, Fault, SimOptions, SimWorld};
use muster_protocol::model::account::AccountSpec;
use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, Infrastructure};
use muster_protocol::request::ServiceSource;
use muster_protocol::{ClusterId, ErrorCode, InstanceId};
use musterd::config::Config;
use musterd::recover::{RecoverError, Report, Verdict, Wanted, recover};
use musterd::upkeep::{backup, restore};
use tempfile::TempDir;

use crate::support::{TestDaemon, kinds, name, places, service, spec, succeed, until};

const STRANGER: InstanceId = InstanceId::from_u128(0x99);

/// What is left when the state directory is gone.
struct Lost {
    instance: InstanceId,
    world: SimWorld,
    config: Config,
}

async fn lose_state(daemon: TestDaemon) -> Lost {
    let TestDaemon { folder, world, config, daemon, .. } = daemon;
    let instance = daemon.instance();
    daemon.shutdown().await;
    drop(folder);
    Lost { instance, world, config }
}

impl Lost {
    async fn recover_in(&self, folder: &TempDir, instance: InstanceId, perform: bool) -> Result<Report, RecoverError> {
        let wanted = Wanted { instance: Some(instance), perform };
        recover(&self.config, &places(folder), kinds(&self.config, &places(folder), &self.world), wanted).await
    }

    /// A daemon on a new state directory that was recovered.
    async fn recovered(self) -> TestDaemon {
        let folder = tempfile::tempdir().unwrap();
        self.recover_in(&folder, self.instance, true).await.unwrap();
        TestDaemon::on(folder, self.config, self.world).await
    }
}

async fn becomes(daemon: &TestDaemon, cluster: &str, phase: ClusterPhase) {
    let client = daemon.client().await;
    until(&format!("{cluster} is {phase}"), async || {
        client.cluster_info(&name(cluster)).await.is_ok_and(|info| info.summary.phase == phase)
    })
    .await;
}

async fn delete(daemon: &TestDaemon, cluster: &str) {
    let client = daemon.client().await;
    succeed(&client, client.cluster_delete(&name(cluster), None).await.unwrap()).await;
}

fn resources(daemon: &TestDaemon, cluster: ClusterId) -> Vec<(ResourceKey, String)> {
    daemon.world.resources(daemon.daemon.instance(), cluster)
}

#[tokio::test]
async fn with_the_state_lost_at_rest_clusters_come_back_and_leave_nothing_when_they_are_deleted() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let source = ServiceSource::Spec(Box::new(service("web")));
    succeed(&client, client.service_create(&name("demo"), source.clone(), None).await.unwrap()).await;
    let id = client.cluster_info(&name("demo")).await.unwrap().summary.id;
    let before = resources(&daemon, id);
    let foreign = daemon.world.seed_foreign(id, Some((STRANGER, id)), "machine/worker-9".parse().unwrap());

    let daemon = lose_state(daemon).await.recovered().await;
    becomes(&daemon, "demo", ClusterPhase::Ready).await;
    assert_eq!(resources(&daemon, id), before, "the same machines");
    let client = daemon.client().await;
    let info = client.cluster_info(&name("demo")).await.unwrap();
    assert_eq!((info.summary.id, info.spec.workers), (id, 2));
    succeed(&client, client.service_create(&name("demo"), source, None).await.unwrap()).await;
    delete(&daemon, "demo").await;
    let audit = daemon.world.audit(daemon.daemon.instance(), &[]);
    assert!(audit.orphans.is_empty() && audit.wrong_deletes.is_empty() && audit.duplicates.is_empty(), "{audit}");
    assert!(daemon.world.lose(id, &foreign), "what is another installation's stays");
}

#[tokio::test]
async fn with_the_state_lost_in_the_middle_of_a_create_the_cluster_is_completed_or_deleted() {
    for delete_at_once in [false, true] {
        let daemon = TestDaemon::with(|config| config.limits.drain_ms = 10).await;
        let worker: ResourceKey = "machine/worker-1".parse().unwrap();
        daemon.world.inject(move |call| {
            let hangs = call.kind == CallKind::Create && call.key.as_ref() == Some(&worker);
            hangs.then_some(Fault::Hang { applied: true })
        });
        let client = daemon.client().await;
        client.cluster_create(spec("demo"), None).await.unwrap();
        let id = client.cluster_info(&name("demo")).await.unwrap().summary.id;
        until("all machines are there", async || resources(&daemon, id).len() == 4).await;

        let lost = lose_state(daemon).await;
        lost.world.clear_faults();
        let daemon = lost.recovered().await;
        if !delete_at_once {
            becomes(&daemon, "demo", ClusterPhase::Ready).await;
            assert_eq!(resources(&daemon, id).len(), 4);
        }
        delete(&daemon, "demo").await;
        let audit = daemon.world.audit(daemon.daemon.instance(), &[]);
        assert!(audit.orphans.is_empty() && audit.wrong_deletes.is_empty() && audit.duplicates.is_empty(), "{audit}");
    }
}

#[tokio::test]
async fn nothing_is_written_unless_it_is_asked_for_and_what_is_done_twice_is_done_once() {
    let daemon = TestDaemon::start().await;
    daemon.with_cluster("demo").await;
    let lost = lose_state(daemon).await;
    let folder = tempfile::tempdir().unwrap();
    let at = places(&folder);
    let listed =
        recover(&lost.config, &at, kinds(&lost.config, &at, &lost.world), Wanted { instance: None, perform: false });
    let listed = listed.await.unwrap().to_string();
    assert!(listed.contains(&format!("installation {}", lost.instance)) && listed.contains("cluster demo"), "{listed}");

    let shown = lost.recover_in(&folder, lost.instance, false).await.unwrap();
    assert_eq!(shown.recovered(), 1);
    let text = shown.to_string();
    assert!(text.contains("machine/worker-2") && text.contains("nothing was changed"), "{text}");
    // Shown again, it is still to be done: the first time wrote nothing.
    assert_eq!(lost.recover_in(&folder, lost.instance, true).await.unwrap().recovered(), 1);
    let again = lost.recover_in(&folder, lost.instance, true).await.unwrap();
    assert!(again.recovered() == 0 && matches!(again.clusters[0].verdict, Verdict::Known), "{again}");

    let none = lost.recover_in(&tempfile::tempdir().unwrap(), STRANGER, true).await.unwrap_err();
    assert!(matches!(none, RecoverError::NothingFound(_)), "{none}");
}

#[tokio::test]
async fn a_store_that_is_another_installations_is_refused() {
    let daemon = TestDaemon::start().await;
    daemon.with_cluster("demo").await;
    let lost = lose_state(daemon).await;
    let other = TestDaemon::start().await;
    other.with_cluster("mine").await;
    let running = lost.recover_in(&other.folder, lost.instance, true).await.unwrap_err();
    assert!(matches!(running, RecoverError::Open(_)), "the daemon runs: {running}");
    let TestDaemon { folder, world, config, daemon, .. } = other;
    daemon.shutdown().await;
    let refused = lost.recover_in(&folder, lost.instance, true).await.unwrap_err();
    assert!(matches!(refused, RecoverError::OtherInstallation { .. }), "{refused}");
    let other = TestDaemon::on(folder, config, world).await;
    becomes(&other, "mine", ClusterPhase::Ready).await;
}

#[tokio::test]
async fn accounts_that_were_added_anew_before_are_asked_and_their_clusters_have_them_again() {
    let account = || AccountSpec {
        name: name("lab"),
        infrastructure: Infrastructure::Sim,
        endpoint: None,
        credentials: Default::default(),
        defaults: Default::default(),
    };
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    client.account_add(account()).await.unwrap();
    let spec = ClusterSpec { account: Some(name("lab")), ..spec("demo") };
    succeed(&client, client.cluster_create(spec, None).await.unwrap()).await;
    let lost = lose_state(daemon).await;

    // A new daemon is another installation until it is recovered.
    let fresh = TestDaemon::on(tempfile::tempdir().unwrap(), lost.config.clone(), lost.world.clone()).await;
    fresh.client().await.account_add(account()).await.unwrap();
    let TestDaemon { folder, daemon, .. } = fresh;
    assert_ne!(daemon.instance(), lost.instance);
    daemon.shutdown().await;
    lost.recover_in(&folder, lost.instance, true).await.unwrap();
    let daemon = TestDaemon::on(folder, lost.config, lost.world).await;
    assert_eq!(daemon.daemon.instance(), lost.instance);
    becomes(&daemon, "demo", ClusterPhase::Ready).await;
    let client = daemon.client().await;
    assert_eq!(client.cluster_info(&name("demo")).await.unwrap().spec.account, Some(name("lab")));
    delete(&daemon, "demo").await;
}

#[tokio::test]
async fn a_cluster_that_can_have_no_new_keys_is_listed_for_removal_and_can_only_be_deleted() {
    let daemon = TestDaemon::in_world(SimOptions { gives_keys_anew: false, ..SimOptions::default() }).await;
    daemon.with_cluster("demo").await;
    let lost = lose_state(daemon).await;
    let shown = lost.recover_in(&tempfile::tempdir().unwrap(), lost.instance, false).await.unwrap().to_string();
    assert!(shown.contains("listed for removal") && shown.contains("muster cluster delete demo"), "{shown}");
    let daemon = lost.recovered().await;
    let client = daemon.client().await;
    until("it was looked at", async || {
        let info = client.cluster_info(&name("demo")).await.unwrap();
        info.summary.phase == ClusterPhase::Degraded && !info.causes.is_empty()
    })
    .await;
    let cause = client.cluster_info(&name("demo")).await.unwrap().causes.remove(0);
    assert_eq!(cause.code, ErrorCode::Credentials);
    assert!(cause.remedy.unwrap().contains("muster cluster delete demo"));
    delete(&daemon, "demo").await;
    let audit = daemon.world.audit(daemon.daemon.instance(), &[]);
    assert!(audit.orphans.is_empty() && audit.wrong_deletes.is_empty(), "{audit}");
}

/// A daemon of which this copy is put back.
async fn put_back(daemon: TestDaemon, copy: &Path) -> (TempDir, Lost) {
    let TestDaemon { folder, world, config, daemon, .. } = daemon;
    let instance = daemon.instance();
    daemon.shutdown().await;
    restore(&config, &places(&folder), copy.to_owned(), true).await.unwrap();
    (folder, Lost { instance, world, config })
}

/// The daemon again, and a copy of its store.
async fn copied(daemon: TestDaemon) -> (TestDaemon, PathBuf) {
    let TestDaemon { folder, world, config, daemon, .. } = daemon;
    daemon.shutdown().await;
    let copy = folder.path().join("muster.backup");
    backup(&config, &places(&folder), &copy).await.unwrap();
    (TestDaemon::on(folder, config, world).await, copy)
}

#[tokio::test]
async fn after_an_older_copy_was_restored_what_came_later_is_added_and_nothing_else_is_changed() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("early").await;
    let source = ServiceSource::Spec(Box::new(service("web")));
    succeed(&client, client.service_create(&name("early"), source, None).await.unwrap()).await;
    let (daemon, copy) = copied(daemon).await;
    daemon.with_cluster("late").await;
    let (folder, lost) = put_back(daemon, &copy).await;

    let report = lost.recover_in(&folder, lost.instance, true).await.unwrap();
    let verdicts: Vec<_> = report.clusters.iter().map(|cluster| &cluster.verdict).collect();
    assert!(matches!(verdicts[..], [Verdict::Known, Verdict::Rebuilt(_)]), "{report}");
    let daemon = TestDaemon::on(folder, lost.config, lost.world).await;
    becomes(&daemon, "late", ClusterPhase::Ready).await;
    daemon.client().await.service_info(&name("early"), &name("web")).await.unwrap();
    delete(&daemon, "late").await;
    delete(&daemon, "early").await;
    let audit = daemon.world.audit(daemon.daemon.instance(), &[]);
    assert!(audit.orphans.is_empty() && audit.wrong_deletes.is_empty() && audit.duplicates.is_empty(), "{audit}");
}

#[tokio::test]
async fn of_two_clusters_with_one_name_the_newer_one_has_it_and_the_other_comes_when_that_is_deleted() {
    let (daemon, copy) = copied(TestDaemon::start().await).await;
    daemon.with_cluster("demo").await;
    let (folder, Lost { world, config, .. }) = put_back(daemon, &copy).await;
    let daemon = TestDaemon::on(folder, config, world).await;
    let client = daemon.with_cluster("demo").await;
    let newer = client.cluster_info(&name("demo")).await.unwrap().summary.id;
    let (folder, lost) = put_back(daemon, &copy).await;

    let report = lost.recover_in(&folder, lost.instance, true).await.unwrap();
    let [older, second] = &report.clusters[..] else { panic!("{report}") };
    assert!(matches!(&older.verdict, Verdict::LeftAlone(why) if why.contains("has the name demo")), "{report}");
    assert!(second.id == newer && matches!(second.verdict, Verdict::Rebuilt(_)), "{report}");
    let daemon = TestDaemon::on(folder, lost.config.clone(), lost.world.clone()).await;
    delete(&daemon, "demo").await;
    let TestDaemon { folder, daemon, .. } = daemon;
    daemon.shutdown().await;
    assert_eq!(lost.recover_in(&folder, lost.instance, true).await.unwrap().recovered(), 1);
    let daemon = TestDaemon::on(folder, lost.config, lost.world).await;
    becomes(&daemon, "demo", ClusterPhase::Ready).await;
}

#[tokio::test]
async fn what_cannot_be_told_is_left_alone_and_the_reason_is_said() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let newer = client.cluster_info(&name("demo")).await.unwrap().summary.id;
    let (instance, older) = (daemon.daemon.instance(), ClusterId::from_u128(1));
    // Marks of earlier releases do not say what the cluster was.
    let old = daemon.world.seed_foreign(older, Some((instance, older)), "machine/worker-1".parse().unwrap());
    let lost = lose_state(daemon).await;
    let report = lost.recover_in(&tempfile::tempdir().unwrap(), instance, true).await.unwrap();
    let verdict = |id: ClusterId| &report.clusters.iter().find(|cluster| cluster.id == id).unwrap().verdict;
    assert!(matches!(verdict(newer), Verdict::Rebuilt(_)), "{report}");
    let Verdict::LeftAlone(why) = verdict(older) else { panic!("{report}") };
    assert!(why.contains("earlier releases") && report.to_string().contains(why), "{report}");
    assert!(lost.world.lose(older, &old), "it is there");

    // A daemon that lost its records has made another cluster of the name meanwhile.
    let daemon = TestDaemon::on(tempfile::tempdir().unwrap(), lost.config.clone(), lost.world.clone()).await;
    daemon.with_cluster("demo").await;
    let TestDaemon { folder, daemon, .. } = daemon;
    let other = daemon.instance();
    daemon.shutdown().await;
    let refused = lost.recover_in(&folder, lost.instance, true).await.unwrap_err();
    assert!(matches!(refused, RecoverError::OtherInstallation { present } if present == other), "{refused}");
}
