//! What `account check` and a preflight say.

use muster_engine::driver::Driver;
use muster_protocol::{ErrorCode, Retry};
use muster_tests::ec2::{Fault, Rule};

use super::support::{World, cluster, make_all, refused, remove_all};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_account_is_found_good_in_everything() {
    let Some(world) = World::start("a_good_account_is_found_good_in_everything").await else { return };
    let before = muster_tests::ec2::account::everything(&world.moto).await.unwrap();
    let findings = world.driver().check().await;
    for finding in &findings {
        assert!(finding.ok, "{finding:?}");
    }
    let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(
        subjects,
        ["credentials and region", "permissions", "defaults", "machine type", "machine image", "quota"]
    );
    assert_eq!(muster_tests::ec2::account::everything(&world.moto).await.unwrap(), before, "a check makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lacks_is_said_exactly() {
    let Some(world) = World::start("what_lacks_is_said_exactly").await else { return };
    let cluster = cluster(1, 1);
    let preflight = |defaults: &'static [(&'static str, &'static str)]| {
        let (driver, spec) = (world.driver_with(defaults), cluster.spec.clone());
        async move { refused(driver.preflight(&spec, &|| 0).await) }
    };
    let failure = preflight(&[("instanceType", "q9.nano")]).await;
    assert_eq!(failure.message, "eu-central-1 has no machines of type q9.nano");
    let failure = preflight(&[("zones", "eu-central-1a,eu-central-1z")]).await;
    assert_eq!(failure.message, "the zone eu-central-1z has no machines of type t3.medium");
    let failure = preflight(&[("imageId", ""), ("imageOwner", "123456789012"), ("imageName", "nothing-*")]).await;
    assert!(failure.message.starts_with("account 123456789012 publishes no image `nothing-*`"), "{failure}");
    let failure = preflight(&[("allowedCidrs", "")]).await;
    assert!(failure.message.contains("`allowedCidrs`"), "{failure}");

    let denied = Fault::Refused(403, "UnauthorizedOperation", "You are not authorized to perform this operation.");
    for action in ["CreateVpc", "RunInstances"] {
        world.proxy.fault(Rule::once(action, denied.clone()));
    }
    let failure = preflight(&[]).await;
    assert_eq!(failure.code, ErrorCode::Credentials);
    assert_eq!(failure.message, "the account may not ec2:CreateVpc, ec2:RunInstances");
    assert_eq!(failure.provider_code.as_deref(), Some("UnauthorizedOperation"));

    let wrong = Fault::Refused(401, "AuthFailure", "AWS was not able to validate the provided access credentials");
    world.proxy.fault(Rule::often("DescribeAvailabilityZones", wrong, 10));
    let findings = world.driver().check().await;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].cause.as_ref().unwrap().code, ErrorCode::Credentials);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_and_what_others_were_promised_counts_for_the_quota() {
    let Some(world) = World::start("what_runs_and_what_others_were_promised_counts_for_the_quota").await else {
        return;
    };
    // moto's accounts may run 20 instances.
    let (driver, cluster) = (world.driver(), cluster(1, 1));
    let made = make_all(&world, &driver, &cluster).await;
    driver.preflight(&cluster.spec, &|| 16).await.unwrap();
    let failure = refused(driver.preflight(&cluster.spec, &|| 17).await);
    assert_eq!((failure.code, failure.retry), (ErrorCode::Quota, Retry::Later));
    assert_eq!(
        failure.message,
        "the account may run 20 instances: 2 run, 17 are promised to other clusters, and this cluster has 2 machines"
    );
    remove_all(&driver, &cluster, &made).await;
    driver.preflight(&cluster.spec, &|| 17).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_image_of_a_publisher_is_used() {
    let Some(world) = World::start("the_newest_image_of_a_publisher_is_used").await else { return };
    world.moto.register_image("other-1").await.unwrap();
    let driver =
        world.driver_with(&[("imageId", ""), ("imageOwner", "123456789012"), ("imageName", "debian-12-{arch}-*")]);
    let findings = driver.check().await;
    let image = findings.iter().find(|finding| finding.subject == "machine image").unwrap();
    assert_eq!(image.message, format!("debian-12-amd64-20260101-1 ({})", world.image));
}
