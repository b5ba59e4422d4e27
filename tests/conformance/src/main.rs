//! `conformance --orchestrator …`: runs the suite on one orchestrator, with the count as the last line.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use muster_client::protocol::model::cluster::Orchestrator;
use muster_tests_conformance::run::run;
use muster_tests_conformance::stage::Stage;

/// The same cases for every orchestrator, over the public client library only.
#[derive(Parser)]
struct Arguments {
    /// `sim`, `swarm` or `kubernetes`
    #[arg(long)]
    orchestrator: Orchestrator,
    /// Only cases about this, or with this in their name
    #[arg(long)]
    only: Option<String>,
    /// Write what was seen into the documentation
    #[arg(long)]
    write_docs: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its report is its purpose")]
async fn main() -> Result<ExitCode> {
    let Arguments { orchestrator, only, write_docs } = Arguments::parse();
    let stage = Stage::of(orchestrator).await?;
    let (ended, totals) = run(&stage, only.as_deref(), |end| println!("{end}")).await;
    if write_docs {
        muster_tests_conformance::page::write(orchestrator, &ended)?;
    }
    println!("{totals}");
    Ok(if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
