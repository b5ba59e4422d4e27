//! What a cluster gets at a healthy EC2, and that nothing of it is left.

use muster_engine::driver::{Driver, Needs};
use muster_engine::ledger::{Facts, InfraKey};
use muster_engine::observed::Power;
use muster_protocol::ErrorCode;
use muster_tests::ec2::account::{everything, instances};

use super::support::{World, cluster, make, make_all, needs, order, refused, remove_all};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_seen_and_removed_and_leaves_the_account_as_it_was() {
    let Some(world) = World::start("a_cluster_is_made_seen_and_removed_and_leaves_the_account_as_it_was").await else {
        return;
    };
    let before = everything(&world.moto).await.unwrap();
    let (driver, cluster) = (world.driver(), cluster(1, 2));
    driver.preflight(&cluster.spec, &|| 0).await.unwrap();
    assert_eq!(everything(&world.moto).await.unwrap(), before, "a preflight makes nothing");

    let made = make_all(&world, &driver, &cluster).await;
    assert_eq!(made.len(), needs(&driver, &cluster).len());
    let machine = InfraKey::for_machine("worker-1".parse().unwrap());
    let Facts::Machine(access) = &made[&machine].facts else { panic!("{:?}", made[&machine]) };
    assert!(access.address.starts_with("127.77.0.") && access.private_address == access.address, "{access:?}");
    assert_eq!(access.host_key, world.sshd.public_key().trim());
    assert_eq!(access.ssh_user, "admin");

    let seen = driver.observe(&cluster).await.unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|one| one.power == Some(Power::Running) && one.addresses.is_some()), "{seen:?}");
    let owned = driver.list_owned(cluster.instance, Some(cluster.cluster)).await.unwrap();
    // The gateway's attachment, the route and the rules are properties of what is listed.
    assert_eq!(owned.len(), made.len() - 3, "{owned:?}");
    for (key, present) in &made {
        assert_eq!(driver.look_up(&cluster, key).await.unwrap().as_ref(), Some(present), "{key}");
    }

    remove_all(&driver, &cluster, &made).await;
    assert_eq!(everything(&world.moto).await.unwrap(), before);
    assert_eq!(driver.list_owned(cluster.instance, None).await.unwrap(), []);
    for key in made.keys() {
        assert_eq!(driver.look_up(&cluster, key).await.unwrap(), None, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_found_and_not_made_again() {
    let Some(world) = World::start("what_is_there_already_is_found_and_not_made_again").await else { return };
    let (driver, cluster) = (world.driver(), cluster(1, 1));
    let made = make_all(&world, &driver, &cluster).await;
    let there = everything(&world.moto).await.unwrap();
    // Another life of the daemon knows nothing of the first.
    let driver = world.driver();
    for (key, present) in &made {
        assert_eq!(&make(&world, &driver, &cluster, key, &made).await, present, "{key}");
    }
    assert_eq!(everything(&world.moto).await.unwrap(), there);
    remove_all(&driver, &cluster, &made).await;
    // Removing what is gone is a success.
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_and_somebodys_instance_share_an_account_and_never_touch_each_other() {
    let Some(world) =
        World::start("two_clusters_and_somebodys_instance_share_an_account_and_never_touch_each_other").await
    else {
        return;
    };
    world.start_somebodys_instance().await;
    let before = everything(&world.moto).await.unwrap();
    let driver = world.driver();
    let (one, other) = (cluster(1, 1), cluster(2, 1));
    let made_by_one = make_all(&world, &driver, &one).await;
    let after_one = everything(&world.moto).await.unwrap();
    let made_by_other = make_all(&world, &driver, &other).await;
    assert_eq!(driver.observe(&one).await.unwrap().len(), 2);
    assert_eq!(instances(&world.moto).await.unwrap().len(), 5);
    remove_all(&driver, &other, &made_by_other).await;
    assert_eq!(everything(&world.moto).await.unwrap(), after_one);
    remove_all(&driver, &one, &made_by_one).await;
    assert_eq!(everything(&world.moto).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_changed_are_brought_up_to_date_and_somebodys_own_are_taken_back() {
    let Some(world) = World::start("rules_that_changed_are_brought_up_to_date_and_somebodys_own_are_taken_back").await
    else {
        return;
    };
    let (driver, cluster) = (world.driver(), cluster(1, 0));
    let made = make_all(&world, &driver, &cluster).await;
    let rules: InfraKey = "security-rules/nodes".parse().unwrap();
    let group = made[&rules].id.clone();
    let open = [
        ("Action", "AuthorizeSecurityGroupIngress"),
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "1"),
        ("IpPermissions.1.ToPort", "65535"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    ];
    world.moto.call(&open).await.unwrap();
    assert_eq!(driver.look_up(&cluster, &rules).await.unwrap(), None);
    make(&world, &driver, &cluster, &rules, &made).await;
    assert!(driver.look_up(&cluster, &rules).await.unwrap().is_some());

    let wider = world.driver_with(&[("allowedCidrs", "127.0.0.1/32,192.0.2.0/24")]);
    let input = |driver| needs(driver, &cluster).into_iter().find(|need| need.key == rules).unwrap().input;
    assert_ne!(input(&driver), input(&wider));
    make(&world, &wider, &cluster, &rules, &made).await;
    let listed = world.moto.call(&[("Action", "DescribeSecurityGroups"), ("GroupId.1", &group)]).await.unwrap();
    assert!(listed.contains("192.0.2.0/24") && !listed.contains("65535"), "{listed}");
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_in_a_given_network_leave_it_as_it_was() {
    let Some(world) = World::start("machines_in_a_given_network_leave_it_as_it_was").await else { return };
    let id = |answer: String, name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let vpc = world.moto.call(&[("Action", "CreateVpc"), ("CidrBlock", "127.78.0.0/16")]).await.unwrap();
    let vpc = id(vpc, "vpcId");
    let mut subnets = Vec::new();
    for (zone, cidr) in [("eu-central-1a", "127.78.0.0/24"), ("eu-central-1b", "127.78.1.0/24")] {
        let call = [("Action", "CreateSubnet"), ("VpcId", &vpc), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
        subnets.push(id(world.moto.call(&call).await.unwrap(), "subnetId"));
    }
    let before = everything(&world.moto).await.unwrap();
    let driver = world.driver_with(&[("vpcId", &vpc), ("subnetIds", &subnets.join(","))]);
    let cluster = cluster(1, 2);
    driver.preflight(&cluster.spec, &|| 0).await.unwrap();
    let made = make_all(&world, &driver, &cluster).await;
    let address = |machine: &str| match &made[&InfraKey::for_machine(machine.parse().unwrap())].facts {
        Facts::Machine(access) => access.private_address.clone(),
        other @ (Facts::None | Facts::Service { .. } | Facts::Other(_)) => panic!("{other:?}"),
    };
    assert!(address("worker-1").starts_with("127.78.0."), "{}", address("worker-1"));
    assert!(address("worker-2").starts_with("127.78.1."), "machines go around the zones: {}", address("worker-2"));
    remove_all(&driver, &cluster, &made).await;
    assert_eq!(everything(&world.moto).await.unwrap(), before);

    let elsewhere = world.driver_with(&[("vpcId", "vpc-00000000"), ("subnetIds", &subnets.join(","))]);
    assert!(refused(elsewhere.preflight(&cluster.spec, &|| 0).await).message.contains("is not in the VPC"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_stopped_starts_again_with_its_key() {
    let Some(world) = World::start("a_machine_that_was_stopped_starts_again_with_its_key").await else { return };
    let (driver, cluster) = (world.driver(), cluster(1, 0));
    let made = make_all(&world, &driver, &cluster).await;
    let key = InfraKey::for_machine("control-plane-1".parse().unwrap());
    let id = made[&key].id.as_str();
    world.moto.call(&[("Action", "StopInstances"), ("InstanceId.1", id)]).await.unwrap();
    tokio::time::sleep(driver.listing_lag()).await;
    assert_eq!(driver.observe(&cluster).await.unwrap()[0].power, Some(Power::Stopped));
    assert_eq!(driver.start(&cluster, &key, id).await.unwrap(), made[&key]);
    // Somebody ends it: it is no machine any more, and its successor is another.
    world.moto.call(&[("Action", "TerminateInstances"), ("InstanceId.1", id)]).await.unwrap();
    tokio::time::sleep(driver.listing_lag()).await;
    assert_eq!(driver.observe(&cluster).await.unwrap(), []);
    assert_eq!(driver.look_up(&cluster, &key).await.unwrap(), None);
    // The token of the first is used up, which EC2 says; the next attempt has another.
    let again = refused(driver.create(&cluster, &order(&cluster, &key, &made, 0)).await);
    assert_eq!(again.provider_code.as_deref(), Some("IdempotentInstanceTerminated"));
    assert_eq!(again.code, ErrorCode::Conflict);
    let successor = make(&world, &driver, &cluster, &key, &made).await;
    assert_ne!(successor.id, id);
    let mut all = made.clone();
    all.insert(key, successor);
    remove_all(&driver, &cluster, &all).await;
    assert!(
        driver.needs(&muster_engine::desired::Desired { generation: 2, spec: cluster.spec, absent: true }).is_empty()
    );
}
