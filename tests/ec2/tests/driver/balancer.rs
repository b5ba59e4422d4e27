//! The network load balancer of a Kubernetes cluster's control planes, from the call that makes it to an account without it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use muster_engine::desired::Desired;
use muster_engine::driver::{Driver, Needs};
use muster_engine::ledger::{Facts, InfraKey, ResourceKey};
use muster_protocol::ErrorCode;
use muster_tests::ec2::account::{balancers, everything, targets_of};
use muster_tests::ec2::{Fault, Moto, Rule};

use super::support::{
    BALANCER, Made, World, cluster, kubernetes, make, make_all, needs, order, refused, remove, remove_all,
};

const WORDS: [&str; 4] =
    ["load-balancer/control-plane", "target-group/control-plane", "listener/control-plane", "endpoint/control-plane"];
/// The gateway's attachment, the route, the rules, the listener and the endpoint are properties of what is listed.
const PROPERTIES: usize = 5;

fn key(word: &str) -> InfraKey {
    word.parse().unwrap()
}

/// The private addresses of these machines.
fn addresses(made: &Made, machines: &[&str]) -> BTreeSet<String> {
    let access = |machine: &&str| match &made[&InfraKey::for_machine(machine.parse().unwrap())].facts {
        Facts::Machine(access) => access.private_address.clone(),
        other @ (Facts::None | Facts::Service { .. } | Facts::Other(_)) => panic!("{machine}: {other:?}"),
    };
    machines.iter().map(access).collect()
}

async fn targets(world: &World, made: &Made) -> BTreeSet<String> {
    targets_of(&world.moto, &made[&key("target-group/control-plane")].id).await.unwrap()
}

/// Somebody else's balancer and target group, of names as ours have.
async fn make_somebodys(moto: &Moto, subnet: &str, vpc: &str) {
    let balancer = [("Action", "CreateLoadBalancer"), ("Name", "muster-of-others"), ("Type", "network")];
    moto.call_balancers(&[&balancer[..], &[("Subnets.member.1", subnet)]].concat()).await.unwrap();
    let group = [("Action", "CreateTargetGroup"), ("Name", "muster-of-others"), ("Protocol", "TCP"), ("Port", "6443")];
    moto.call_balancers(&[&group[..], &[("TargetType", "ip"), ("VpcId", vpc)]].concat()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_leads_to_all_control_planes_and_goes_with_its_cluster() {
    let name = "a_load_balancer_leads_to_all_control_planes_and_goes_with_its_cluster";
    let Some(world) = World::start(name).await else { return };
    let before = everything(&world.moto).await.unwrap();
    let (driver, cluster) = (world.driver(), kubernetes(1, 3, 1));
    driver.preflight(&cluster.spec, &|| 0).await.unwrap();
    assert_eq!(everything(&world.moto).await.unwrap(), before, "a preflight makes nothing");
    let made = make_all(&world, &driver, &cluster).await;

    let [balancer] = &balancers(&world.moto).await.unwrap()[..] else { panic!("there should be one") };
    let control_planes = ["control-plane-1", "control-plane-2", "control-plane-3"];
    assert_eq!(balancer.targets, BTreeMap::from([(6443, addresses(&made, &control_planes))]));
    let endpoint = &made[&key("endpoint/control-plane")];
    assert_eq!(endpoint.endpoint(), Some(format!("{}:6443", balancer.dns_name).as_str()));
    let desired = Desired { generation: 1, spec: cluster.spec.clone(), absent: false };
    assert_eq!(driver.endpoint(&desired), Some(key("endpoint/control-plane")));
    let described = world.moto.call_balancers(&[("Action", "DescribeLoadBalancers")]).await.unwrap();
    for text in ["<Type>network</Type>", "<Scheme>internal</Scheme>", &made[&key("security-group/nodes")].id] {
        assert!(described.contains(text), "{text} in {described}");
    }
    let described = world.moto.call_balancers(&[("Action", "DescribeTargetGroups")]).await.unwrap();
    for text in
        ["<TargetType>ip</TargetType>", "<HealthCheckPath>/readyz</HealthCheckPath>", "<Protocol>TCP</Protocol>"]
    {
        assert!(described.contains(text), "{text} in {described}");
    }
    let group = made[&key("target-group/control-plane")].id.as_str();
    let asked = [("Action", "DescribeTargetGroupAttributes"), ("TargetGroupArn", group)];
    let attributes = world.moto.call_balancers(&asked).await.unwrap();
    assert!(attributes.contains("<Key>preserve_client_ip.enabled</Key><Value>false</Value>"), "{attributes}");

    let owned = driver.list_owned(cluster.instance, Some(cluster.cluster)).await.unwrap();
    assert_eq!(owned.len(), made.len() - PROPERTIES, "{owned:#?}");
    let marked = world.driver().list_marked().await.unwrap();
    for word in &WORDS[..2] {
        let of_key = |found: &Option<ResourceKey>| *found == Some(ResourceKey::Infra(key(word)));
        let listed = marked.iter().find(|one| of_key(&one.owned.key)).unwrap();
        assert_eq!(
            (listed.owned.present.id.as_str(), listed.instance),
            (made[&key(word)].id.as_str(), cluster.instance)
        );
    }
    for (key, present) in &made {
        assert_eq!(driver.look_up(&cluster, key).await.unwrap().as_ref(), Some(present), "{key}");
    }
    remove_all(&driver, &cluster, &made).await;
    assert_eq!(everything(&world.moto).await.unwrap(), before);
    for word in WORDS {
        assert_eq!(driver.look_up(&cluster, &key(word)).await.unwrap(), None, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_balancer_follows_the_control_planes_up_and_down() {
    let Some(world) = World::start("the_load_balancer_follows_the_control_planes_up_and_down").await else { return };
    let (driver, one, three) = (world.driver(), kubernetes(1, 1, 1), kubernetes(1, 3, 1));
    let mut made = make_all(&world, &driver, &one).await;
    assert_eq!(targets(&world, &made).await, addresses(&made, &["control-plane-1"]));
    let endpoint = key("endpoint/control-plane");
    let input = |cluster| needs(&driver, cluster).into_iter().find(|need| need.key == endpoint).unwrap().input;
    assert_ne!(input(&one), input(&three), "the planner sees that it is to be brought up to date");
    assert_eq!(input(&three), input(&kubernetes(1, 3, 4)), "workers are nobody's concern");

    // What is there already is only brought up to date.
    let before = made.clone();
    for need in needs(&driver, &three) {
        let present = make(&world, &driver, &three, &need.key, &made).await;
        made.insert(need.key, present);
    }
    assert_eq!(made[&endpoint], before[&endpoint]);
    assert_eq!(
        targets(&world, &made).await,
        addresses(&made, &["control-plane-1", "control-plane-2", "control-plane-3"])
    );

    // They are taken out while their machines are still there.
    let stays =
        |key: &InfraKey| !["control-plane-2", "control-plane-3"].iter().any(|name| key.to_string().ends_with(name));
    let known: Made =
        made.iter().filter(|(key, _)| stays(key)).map(|(key, there)| (key.clone(), there.clone())).collect();
    make(&world, &driver, &one, &endpoint, &known).await;
    assert_eq!(targets(&world, &made).await, addresses(&made, &["control-plane-1"]));
    // Two run to whom it does not lead: what is in doubt about it is not settled.
    assert_eq!(driver.look_up(&one, &endpoint).await.unwrap(), None);
    remove_all(&driver, &three, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_a_load_balancer_it_is_made_once_and_removed_whole() {
    let faults = [
        Fault::LostAnswer,
        Fault::CutAnswer,
        Fault::LostRequest,
        Fault::DoneWithTrouble,
        Fault::Late(Duration::from_millis(300)),
        Fault::TROUBLE,
        Fault::THROTTLED,
    ];
    let runs = join_all(faults.map(|fault| tokio::spawn(every_change_with(fault)))).await;
    let runs: usize = runs.into_iter().map(|runs| runs.unwrap()).sum();
    println!("{runs} runs, each with one fault: 0 orphans, 0 duplicates");
}

/// As for the changes of every cluster: one cluster's life after the other, each with this fault in one change.
async fn every_change_with(fault: Fault) -> usize {
    let name = "whatever_goes_wrong_with_a_load_balancer_it_is_made_once_and_removed_whole";
    let Some(world) = World::start(name).await else { return 0 };
    let before = everything(&world.moto).await.unwrap();
    let changes = [
        "CreateLoadBalancer",
        "CreateTargetGroup",
        "CreateListener",
        "ModifyTargetGroupAttributes",
        "RegisterTargets",
        "DeleteListener",
        "DeleteLoadBalancer",
        "DeleteTargetGroup",
    ];
    let mut runs = 0;
    for action in changes {
        runs += 1;
        let told = format!("{action} with {fault:?}");
        world.proxy.fault(Rule::once(action, fault.clone()));
        let (driver, cluster) = (world.driver(), kubernetes(runs as u128, 1, 0));
        let made = make_all(&world, &driver, &cluster).await;
        let owned = driver.list_owned(cluster.instance, None).await.unwrap();
        assert_eq!(owned.len(), made.len() - PROPERTIES, "{told}: {owned:?}");
        assert_eq!(targets(&world, &made).await, addresses(&made, &["control-plane-1"]), "{told}");
        remove_all(&driver, &cluster, &made).await;
        assert_eq!(everything(&world.moto).await.unwrap(), before, "{told}");
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_made_load_balancer_is_found_and_removed_by_whoever_knows_nothing_of_it() {
    let name = "a_half_made_load_balancer_is_found_and_removed_by_whoever_knows_nothing_of_it";
    let Some(world) = World::start(name).await else { return };
    let before = everything(&world.moto).await.unwrap();
    // The daemon ends after each of the parts in turn.
    for (number, last) in (1..).zip(WORDS) {
        let cluster = kubernetes(number, 1, 0);
        let mut made = Made::new();
        {
            let driver = world.driver();
            for need in needs(&driver, &cluster) {
                let present = make(&world, &driver, &cluster, &need.key, &made).await;
                made.insert(need.key.clone(), present);
                if need.key == key(last) {
                    break;
                }
            }
        }
        assert_eq!(made.keys().filter(|key| WORDS.contains(&key.to_string().as_str())).count(), number as usize);
        // Another finds by the marks alone what there is to remove.
        let driver = world.driver();
        let owned = driver.list_owned(cluster.instance, None).await.unwrap();
        let found: Made = owned
            .into_iter()
            .filter_map(|owned| Some((owned.key.as_ref()?.infra()?.clone(), owned.present.clone())))
            .collect();
        assert!(found.contains_key(&key(WORDS[0])), "{found:#?}");
        // It does not know what stands on what: as the planner, it tries all of them and what was refused again.
        let mut left: Vec<_> = found.into_iter().collect();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !left.is_empty() {
            let mut refused = Vec::new();
            for (key, present) in left {
                if let Err(failure) = driver.remove(&cluster, &key, &present.id).await {
                    assert!(Instant::now() < deadline, "{key} is not removed: {failure:?}");
                    refused.push((key, present));
                }
            }
            left = refused;
        }
        assert_eq!(everything(&world.moto).await.unwrap(), before, "after {last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_is_gone_when_its_network_interfaces_are_also_for_a_second_try() {
    let name = "a_load_balancer_is_gone_when_its_network_interfaces_are_also_for_a_second_try";
    let Some(world) = World::start(name).await else { return };
    let (driver, cluster) = (world.driver(), kubernetes(1, 1, 0));
    let made = make_all(&world, &driver, &cluster).await;
    let balancer = key("load-balancer/control-plane");
    let arn = made[&balancer].id.as_str();
    // moto gives a balancer none. AWS names the balancer in the description of each, and takes them away by itself.
    let description = format!("ELB {}", arn.split_once("loadbalancer/").unwrap().1);
    let asked = [("Action", "CreateNetworkInterface"), ("SubnetId", &made[&key("subnet/any")].id)];
    let answer = world.moto.call(&[&asked[..], &[("Description", &description)]].concat()).await.unwrap();
    let interface = answer.split_once("<networkInterfaceId>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let waits = async || {
        let removed = driver.remove(&cluster, &balancer, arn);
        tokio::time::timeout(Duration::from_millis(500), removed).await.is_err()
    };
    assert!(waits().await, "the first try ends before the interface is gone");
    assert!(balancers(&world.moto).await.unwrap().is_empty());
    assert!(waits().await, "the second try ends before the interface is gone");
    world.moto.call(&[("Action", "DeleteNetworkInterface"), ("NetworkInterfaceId", &interface)]).await.unwrap();
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_is_made_anew_takes_the_place_of_the_one_before_it() {
    let name = "a_control_plane_that_is_made_anew_takes_the_place_of_the_one_before_it";
    let Some(world) = World::start(name).await else { return };
    let (driver, cluster) = (world.driver(), kubernetes(1, 3, 0));
    let mut made = make_all(&world, &driver, &cluster).await;
    let lost = InfraKey::for_machine("control-plane-2".parse().unwrap());
    let address_before = addresses(&made, &["control-plane-2"]);
    remove(&driver, &cluster, &lost, &made[&lost].id).await;
    let mut known = made.clone();
    known.remove(&lost);
    let present = make(&world, &driver, &cluster, &lost, &known).await;
    made.insert(lost, present);
    let endpoint = key("endpoint/control-plane");
    let again = make(&world, &driver, &cluster, &endpoint, &made).await;
    assert_eq!(again, made[&endpoint], "its address stays");
    let there = targets(&world, &made).await;
    assert_eq!(there, addresses(&made, &["control-plane-1", "control-plane-2", "control-plane-3"]));
    assert!(addresses(&made, &["control-plane-2"]) == address_before || there.is_disjoint(&address_before));
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_load_balancers_is_named_before_a_cluster_is_made_and_when_one_meets_it() {
    let name = "the_limit_of_load_balancers_is_named_before_a_cluster_is_made_and_when_one_meets_it";
    let Some(world) = World::start(name).await else { return };
    let (driver, cluster) = (world.driver(), kubernetes(1, 1, 0));
    // The first is refused at once, as if others had been faster than the preflight.
    let full = Fault::Refused(400, "TooManyLoadBalancers", "The maximum number of load balancers has been reached.");
    world.proxy.fault(Rule::once("CreateLoadBalancer", full));
    let mut made = Made::new();
    for need in needs(&driver, &cluster) {
        if need.key == key(WORDS[0]) {
            break;
        }
        let present = make(&world, &driver, &cluster, &need.key, &made).await;
        made.insert(need.key, present);
    }
    let failure = refused(driver.create(&cluster, &order(&cluster, &key(WORDS[0]), &made, 0)).await);
    assert_eq!((failure.code, failure.provider_code.as_deref()), (ErrorCode::Quota, Some("TooManyLoadBalancers")));
    assert!(failure.remedy.unwrap().contains("Service Quotas"));

    // With as many as the account may have, the next cluster is refused before anything is made.
    let subnet = made[&key("subnet/any")].id.as_str();
    let most = 20;
    for number in 0..most {
        let name = format!("of-others-{number}");
        let balancer = [("Action", "CreateLoadBalancer"), ("Name", name.as_str()), ("Type", "network")];
        world.moto.call_balancers(&[&balancer[..], &[("Subnets.member.1", subnet)]].concat()).await.unwrap();
    }
    let failure = refused(driver.preflight(&cluster.spec, &|| 0).await);
    assert_eq!(failure.code, ErrorCode::Quota);
    assert_eq!(failure.message, "the account may have 20 network load balancers, and has them");
    let findings = world.driver_with(&[BALANCER]).check().await;
    let finding = findings.iter().find(|finding| finding.subject == "load balancers").unwrap();
    assert!(!finding.ok && finding.message.contains("may have 20"), "{finding:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_without_our_tags_is_neither_used_nor_removed() {
    let Some(world) = World::start("a_load_balancer_without_our_tags_is_neither_used_nor_removed").await else {
        return;
    };
    let (driver, cluster) = (world.driver(), kubernetes(1, 1, 0));
    let made = make_all(&world, &driver, &cluster).await;
    make_somebodys(&world.moto, &made[&key("subnet/any")].id, &made[&key("vpc")].id).await;
    let owned = driver.list_owned(cluster.instance, None).await.unwrap();
    assert_eq!(owned.len(), made.len() - PROPERTIES, "{owned:#?}");
    assert_eq!(world.driver().list_marked().await.unwrap().len(), owned.len());

    // Ours, after somebody has taken its marks away: it is somebody's, and has the name that only ours may have.
    let balancer = key("load-balancer/control-plane");
    let arn = made[&balancer].id.as_str();
    let without =
        [("Action", "RemoveTags"), ("ResourceArns.member.1", arn), ("TagKeys.member.1", "io.muster.instance")];
    world.moto.call_balancers(&without).await.unwrap();
    assert_eq!(driver.look_up(&cluster, &balancer).await.unwrap(), None);
    // As another try asks for it: EC2 tells a balancer with other settings from the one of the first call.
    let mut other = cluster.clone();
    other.spec.name = "renamed".parse().unwrap();
    let failure = refused(driver.create(&other, &order(&other, &balancer, &made, 0)).await);
    assert_eq!(failure.code, ErrorCode::Conflict, "{failure:?}");
    tokio::time::sleep(driver.listing_lag()).await;
    driver.remove(&cluster, &balancer, arn).await.unwrap();
    let there: Vec<String> = balancers(&world.moto).await.unwrap().into_iter().map(|one| one.arn).collect();
    assert!(there.len() == 2 && there.iter().any(|one| one == arn), "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_permissions_for_load_balancers_is_told_so_and_has_clusters_without() {
    let name = "an_account_without_permissions_for_load_balancers_is_told_so_and_has_clusters_without";
    let Some(world) = World::start(name).await else { return };
    let findings = world.driver_with(&[BALANCER]).check().await;
    let finding = findings.iter().find(|finding| finding.subject == "load balancers").unwrap();
    assert_eq!((finding.ok, finding.message.as_str()), (true, "0 of 20 network load balancers"));

    let denied = Fault::Refused(403, "AccessDenied", "User is not authorized to perform this action");
    for action in ["DescribeLoadBalancers", "DescribeTargetGroups", "DescribeAccountLimits"] {
        world.proxy.fault(Rule::often(action, denied.clone(), u32::MAX));
    }
    let failure = refused(world.driver().preflight(&kubernetes(1, 1, 0).spec, &|| 0).await);
    assert_eq!(failure.code, ErrorCode::Credentials);
    let findings = world.driver_with(&[BALANCER]).check().await;
    assert!(findings.iter().any(|finding| finding.subject == "load balancers" && !finding.ok), "{findings:#?}");

    // One that wants none does not need them.
    let (driver, cluster) = (world.driver(), cluster(1, 1));
    driver.preflight(&cluster.spec, &|| 0).await.unwrap();
    let made = make_all(&world, &driver, &cluster).await;
    assert!(!driver.list_owned(cluster.instance, None).await.unwrap().is_empty());
    remove_all(&driver, &cluster, &made).await;
    assert_eq!(driver.list_marked().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_load_balancer_for_a_swarm_is_refused_by_its_field() {
    let Some(world) = World::start("a_network_load_balancer_for_a_swarm_is_refused_by_its_field").await else { return };
    let mut swarm = cluster(1, 1);
    swarm.spec.options = [(BALANCER.0.to_owned(), BALANCER.1.to_owned())].into();
    let failure = refused(world.driver().preflight(&swarm.spec, &|| 0).await);
    assert_eq!(
        (failure.code, failure.field.as_deref()),
        (ErrorCode::Unsupported, Some("options.controlPlaneEndpoint"))
    );
    assert!(failure.remedy.unwrap().contains("`machines`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_a_clusters_life_is_allowed_by_the_policy_of_the_documentation() {
    let name = "every_call_of_a_clusters_life_is_allowed_by_the_policy_of_the_documentation";
    let Some(world) = World::start(name).await else { return };
    let (driver, one, three) = (world.driver(), kubernetes(1, 1, 0), kubernetes(1, 3, 0));
    driver.preflight(&three.spec, &|| 0).await.unwrap();
    let made = make_all(&world, &driver, &three).await;
    let known = made.iter().filter(|(key, _)| !key.to_string().ends_with("-3"));
    let known: Made = known.map(|(key, there)| (key.clone(), there.clone())).collect();
    make(&world, &driver, &one, &key("endpoint/control-plane"), &known).await;
    driver.list_marked().await.unwrap();
    remove_all(&driver, &three, &made).await;

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/infrastructure/ec2.md");
    let page = std::fs::read_to_string(page).unwrap();
    let policy = page.split_once("```json").unwrap().1.split_once("```").unwrap().0;
    let is_allowed =
        |call: &str| ["ec2", "elasticloadbalancing"].iter().any(|api| policy.contains(&format!("\"{api}:{call}\"")));
    let calls = world.proxy.take_calls();
    assert!(calls.contains_key("DeregisterTargets") && calls.contains_key("RunInstances"), "{calls:?}");
    let missing: Vec<&String> = calls.keys().filter(|call| !is_allowed(call)).collect();
    assert!(missing.is_empty(), "the policy lacks {missing:?}");
}
