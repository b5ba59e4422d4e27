//! The machine image as hosts with an image registry make it: by its Dockerfile. All other tests use that of `cargo xtask
//! image`, made from the same files.
//!
//! Covers: createOrchestrator.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use muster_protocol::model::cluster::{ClusterInfo, Tally};
use muster_protocol::model::operation::OperationInfo;
use muster_tests::images::docker::docker;

use crate::lab::with_lab;

const IMAGE: &str = "muster-test/machine:dockerfile";

/// Builds it on the plain machine image in the place of Debian's, which only a registry has: that one knows the host's
/// way to Debian's packages, and its own packages are there again.
async fn build() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/drivers/local/image");
    let folder = folder.to_str().context("the checkout's path is not UTF-8")?;
    let began = Instant::now();
    let base = "BASE=muster/machine-plain:bookworm";
    docker(&["build", "--force-rm", "--build-arg", base, "--tag", IMAGE, folder]).await?;
    println!("the machine image is built after {:.1} s", began.elapsed().as_secs_f32());
    Ok(())
}

#[tokio::test]
async fn machines_of_the_dockerfile_become_a_swarm() -> Result<()> {
    with_lab("machines_of_the_dockerfile_become_a_swarm", &[], async |lab| {
        build().await?;
        let file = lab.daemon.folder().join("cluster.yaml");
        let spec = format!(
            "name: built\norchestrator: swarm\ninfrastructure: local\ncontrolPlanes: 1\nworkers: 1\nmachine:\n  image: {IMAGE}\n"
        );
        std::fs::write(&file, spec).context("cannot write the cluster's file")?;
        let file = file.to_str().context("the folder's path is not UTF-8")?;
        let _: OperationInfo = lab.cli().json(&["cluster", "create", "-f", file, "--wait"]).await?;
        let info: ClusterInfo = lab.cli().json(&["cluster", "info", "built"]).await?;
        assert_eq!(info.summary.workers, Tally { ready: 1, wanted: 1 });
        let machine = lab.host("built", "worker-1").await?.provider_id.context("the worker is not there")?;
        assert_eq!(docker(&["inspect", "--format", "{{.Config.Image}}", &machine]).await?, IMAGE);
        lab.delete("built").await?;
        Ok(())
    })
    .await
}
