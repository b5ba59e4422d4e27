//! The cluster that is there, and those that are refused.

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use muster_client::ClientError;
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::cluster::{ClusterPhase, ClusterSpec, ClusterSummary, Infrastructure, Tally};
use muster_client::protocol::model::host::Role;
use muster_client::protocol::model::plan::{Plan, PlanChange};
use muster_client::protocol::page::PageRequest;

use crate::case::Cases;
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("clusters")
        .case("a cluster that was created is ready with all its machines", created_is_ready)
        .case("the info of a cluster shows what was asked for", info_shows_what_was_asked)
        .case("a ready cluster waits for nothing and has no cause", ready_waits_for_nothing)
        .case("the info of a cluster says where its orchestrator answers and in which version", says_where_and_version)
        .case("a cluster is listed on one page only", listed_once)
        .case("a cluster that is not there is not found", unknown_cluster)
        .case("an even number of control planes is refused", even_control_planes)
        .case("more workers than can be are refused", too_many_workers)
        .case("a name that is taken is refused", taken_name)
        .case("an option that nobody knows is refused by its name", unknown_option)
        .case("a label of Muster's own on a cluster is refused", reserved_label)
        .case("two pools of one name are refused", two_pools_of_one_name)
        .case("an orchestrator that does not go with the infrastructure is refused", odd_pair)
        .case("the plan of a new cluster names every machine and makes none", plan_of_a_create)
        .case("the plan of more workers names the new ones only", plan_of_a_scale)
        .case("the plan of a deletion removes every machine", plan_of_a_delete)
        .case("there is no plan for a cluster that is as it should be", plan_of_nothing)
        .case("a cluster that is well can be told to try again", retry_of_a_well_cluster)
        .case("the same numbers of machines again change nothing", scale_to_the_same)
        .case("a version that is not offered is refused before anything changes", upgrade_to_no_version)
        .case("one key asked for twice is one operation", same_key_twice)
        .case("one key for two changes is refused", same_key_for_another)
}

async fn summary(world: &World) -> Result<ClusterSummary> {
    Ok(world.client.cluster_info(&world.cluster).await?.summary)
}

async fn created_is_ready(world: World) -> Result<()> {
    let summary = summary(&world).await?;
    ensure!(summary.phase == ClusterPhase::Ready, "{summary:?}");
    ensure!(summary.control_planes == Tally { ready: 1, wanted: 1 }, "{summary:?}");
    ensure!(summary.workers == Tally { ready: 2, wanted: 2 }, "{summary:?}");
    Ok(())
}

async fn info_shows_what_was_asked(world: World) -> Result<()> {
    let spec = world.client.cluster_info(&world.cluster).await?.spec;
    ensure!((spec.orchestrator, spec.infrastructure) == (world.orchestrator, world.infrastructure), "{spec:?}");
    ensure!((spec.control_planes, spec.workers) == (1, 2), "{spec:?}");
    ensure!(spec.labels.get("purpose").map(String::as_str) == Some("conformance"), "{spec:?}");
    Ok(())
}

async fn ready_waits_for_nothing(world: World) -> Result<()> {
    // Services of other cases come and go; what is the cluster's own stands still.
    let info = world.client.cluster_info(&world.cluster).await?;
    let own = info.steps.iter().filter(|step| !step.name.contains("service/"));
    ensure!(own.clone().count() == 0, "{:?}", own.collect::<Vec<_>>());
    let causes = info.causes.iter().filter(|cause| !cause.step.contains("service/"));
    ensure!(causes.clone().count() == 0, "{:?}", causes.collect::<Vec<_>>());
    ensure!(info.leftovers.is_empty() && info.observed_at.is_some(), "{info:?}");
    Ok(())
}

async fn says_where_and_version(world: World) -> Result<()> {
    let info = world.client.cluster_info(&world.cluster).await?;
    ensure!(info.version.as_ref().is_some_and(|version| !version.is_empty()), "{info:?}");
    ensure!(!info.endpoints.is_empty(), "{info:?}");
    Ok(())
}

async fn listed_once(world: World) -> Result<()> {
    let mut page = PageRequest { limit: Some(1), after: None };
    let mut seen = 0;
    loop {
        let answer = world.client.cluster_list(page).await?;
        ensure!(answer.items.len() <= 1, "a page has more than was asked for");
        seen += answer.items.iter().filter(|cluster| cluster.name == world.cluster).count();
        let Some(next) = answer.next else { break };
        page = PageRequest { limit: Some(1), after: Some(next) };
    }
    ensure!(seen == 1, "it is listed {seen} times");
    Ok(())
}

async fn unknown_cluster(world: World) -> Result<()> {
    let name = world.name("nobody")?;
    refused(world.client.cluster_info(&name).await, ErrorCode::NotFound, "cluster")?;
    refused(world.client.cluster_delete(&name, None).await, ErrorCode::NotFound, "cluster")?;
    refused(world.client.cluster_scale(&name, None, Some(3), None).await, ErrorCode::NotFound, "cluster")?;
    refused(world.client.cluster_retry(&name, None).await, ErrorCode::NotFound, "cluster")?;
    refused(world.client.cluster_renew(&name, None).await, ErrorCode::NotFound, "cluster")?;
    refused(world.client.cluster_upgrade(&name, None, None).await, ErrorCode::NotFound, "cluster")?;
    Ok(())
}

/// That a cluster like the shared one with this change is refused by this field, and not made.
async fn refuses(world: &World, field: &str, change: impl FnOnce(&mut ClusterSpec)) -> Result<()> {
    let mut spec = world.cluster_like_this("other")?;
    change(&mut spec);
    let name = spec.name.clone();
    refused(world.client.cluster_create(spec, None).await, ErrorCode::InvalidArgument, field)?;
    not_there(world, &name).await
}

async fn not_there(world: &World, name: &muster_client::protocol::Name) -> Result<()> {
    let clusters: Vec<ClusterSummary> = world.client.clusters().try_collect().await?;
    ensure!(clusters.iter().all(|cluster| cluster.name != *name), "it was made");
    Ok(())
}

async fn even_control_planes(world: World) -> Result<()> {
    for count in [0, 2, 4, 9] {
        refuses(&world, "controlPlanes", |spec| spec.control_planes = count).await?;
    }
    Ok(())
}

async fn too_many_workers(world: World) -> Result<()> {
    refuses(&world, "workers", |spec| spec.workers = ClusterSpec::MAX_WORKERS + 1).await
}

async fn taken_name(world: World) -> Result<()> {
    let mut spec = world.cluster_like_this("other")?;
    spec.name = world.cluster.clone();
    let asked = world.client.cluster_create(spec, None).await;
    let error = asked.err().context("a second cluster of the same name")?;
    ensure!(error.code() == ErrorCode::AlreadyExists, "{error}");
    Ok(())
}

async fn unknown_option(world: World) -> Result<()> {
    let mut spec = world.cluster_like_this("other")?;
    spec.options.insert("colour".to_owned(), "red".to_owned());
    let name = spec.name.clone();
    refused(world.client.cluster_create(spec, None).await, ErrorCode::Unsupported, "options.colour")?;
    not_there(&world, &name).await
}

async fn reserved_label(world: World) -> Result<()> {
    refuses(&world, "labels", |spec| {
        spec.labels.insert("io.muster.mine".to_owned(), "x".to_owned());
    })
    .await
}

async fn two_pools_of_one_name(world: World) -> Result<()> {
    let pool = muster_client::protocol::model::cluster::Pool::new("big".parse()?, Role::Worker, 1);
    refuses(&world, "pools.big", |spec| spec.pools = vec![pool.clone(), pool]).await
}

async fn odd_pair(world: World) -> Result<()> {
    let mut spec = world.cluster_like_this("other")?;
    spec.infrastructure =
        if world.infrastructure == Infrastructure::Sim { Infrastructure::Local } else { Infrastructure::Sim };
    let name = spec.name.clone();
    refused(world.client.cluster_create(spec, None).await, ErrorCode::Unsupported, "orchestrator")?;
    not_there(&world, &name).await
}

async fn plan(world: &World, change: PlanChange) -> Result<Plan, ClientError> {
    world.client.cluster_plan(change).await
}

fn count(plan: &Plan, step: &str) -> usize {
    plan.steps.iter().filter(|planned| planned.name.starts_with(step)).count()
}

async fn plan_of_a_create(world: World) -> Result<()> {
    let mut spec = world.cluster_like_this("other")?;
    (spec.control_planes, spec.workers) = (3, 2);
    let name = spec.name.clone();
    let plan = plan(&world, PlanChange::Create(spec)).await?;
    ensure!(count(&plan, "create machine/") == 5, "{plan:#?}");
    ensure!(count(&plan, "prepare machine/") == 5 && count(&plan, "form orchestrator") == 1, "{plan:#?}");
    not_there(&world, &name).await
}

async fn plan_of_a_scale(world: World) -> Result<()> {
    let change = PlanChange::Scale { cluster: world.cluster.clone(), control_planes: None, workers: Some(4) };
    let plan = plan(&world, change).await?;
    ensure!(count(&plan, "create machine/worker-3") == 1 && count(&plan, "create machine/") == 2, "{plan:#?}");
    ensure!(summary(&world).await?.workers.wanted == 2, "the plan was performed");
    Ok(())
}

async fn plan_of_a_delete(world: World) -> Result<()> {
    let plan = plan(&world, PlanChange::Delete { cluster: world.cluster.clone() }).await?;
    ensure!(count(&plan, "remove machine/") == 3, "{plan:#?}");
    Ok(())
}

async fn plan_of_nothing(world: World) -> Result<()> {
    let plan = plan(&world, PlanChange::Current { cluster: world.cluster.clone() }).await?;
    ensure!(count(&plan, "") == plan.steps.iter().filter(|step| step.name.contains("service/")).count(), "{plan:#?}");
    Ok(())
}

async fn retry_of_a_well_cluster(world: World) -> Result<()> {
    let asked = world.client.cluster_retry(&world.cluster, None).await?;
    succeeded(world.client.wait(asked.id).await?)?;
    Ok(())
}

async fn scale_to_the_same(world: World) -> Result<()> {
    let before = world.client.cluster_info(&world.cluster).await?.generation;
    let asked = world.client.cluster_scale(&world.cluster, Some(1), Some(2), None).await?;
    succeeded(world.client.wait(asked.id).await?)?;
    let after = world.client.cluster_info(&world.cluster).await?.generation;
    ensure!(before == after, "generation {before} became {after}");
    Ok(())
}

async fn upgrade_to_no_version(world: World) -> Result<()> {
    let before = world.client.cluster_info(&world.cluster).await?.generation;
    let asked = world.client.cluster_upgrade(&world.cluster, Some("no-version".to_owned()), None).await;
    let error = asked.err().context("it is accepted")?;
    let ClientError::Remote(error) = error else { return Err(error.into()) };
    ensure!([ErrorCode::InvalidArgument, ErrorCode::Unsupported].contains(&error.code), "{error:?}");
    ensure!(error.details.get("field").map(String::as_str) == Some("version"), "{error:?}");
    ensure!(world.client.cluster_info(&world.cluster).await?.generation == before, "it was changed");
    Ok(())
}

async fn same_key_twice(world: World) -> Result<()> {
    let key = Some(format!("conformance-{}", world.number));
    let first = world.client.cluster_retry(&world.cluster, key.clone()).await?;
    let second = world.client.cluster_retry(&world.cluster, key).await?;
    ensure!(first.id == second.id, "two operations");
    Ok(())
}

async fn same_key_for_another(world: World) -> Result<()> {
    let key = Some(format!("conformance-{}", world.number));
    world.client.cluster_retry(&world.cluster, key.clone()).await?;
    let other = world.client.cluster_scale(&world.cluster, None, Some(2), key).await;
    let error = other.err().context("the key is taken for another change")?;
    ensure!(error.code() == ErrorCode::IdempotencyMismatch, "{error}");
    Ok(())
}
