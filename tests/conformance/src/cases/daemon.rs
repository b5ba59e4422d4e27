//! The daemon itself.

use anyhow::{Result, ensure};
use futures::future::try_join_all;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("daemon")
        .case("it tells a caller who it is", tells_a_caller_who_it_is)
        .case("the doctor says of everything that is not well what helps", doctor_says_what_helps)
        .case("many questions at once on one connection are all answered", many_questions)
}

async fn tells_a_caller_who_it_is(world: World) -> Result<()> {
    let whoami = world.client.whoami().await?;
    ensure!(whoami.role == "admin", "who started it is no admin: {whoami:?}");
    ensure!(!whoami.daemon_version.is_empty(), "{whoami:?}");
    Ok(())
}

async fn doctor_says_what_helps(world: World) -> Result<()> {
    let findings = world.client.doctor().await?;
    ensure!(!findings.is_empty(), "it has looked at nothing");
    for finding in findings.into_iter().filter(|finding| !finding.ok) {
        let remedy = finding.cause.as_ref().and_then(|cause| cause.remedy.as_ref());
        ensure!(remedy.is_some(), "no remedy: {finding:?}");
    }
    Ok(())
}

async fn many_questions(world: World) -> Result<()> {
    let questions = (0..50).map(|_| world.client.cluster_info(&world.cluster));
    let answers = try_join_all(questions).await?;
    ensure!(answers.iter().all(|info| info.summary.name == world.cluster), "an answer to another question");
    Ok(())
}
