//! `conformance --orchestrator …` and `conformance --infrastructure …`: runs the suite on one of them, with the count as the
//! last line.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use muster_client::protocol::model::cluster::{Infrastructure, Orchestrator};
use muster_tests_conformance::column::Column;
use muster_tests_conformance::page;
use muster_tests_conformance::run::{Which, run};
use muster_tests_conformance::stage::Stage;

/// The same cases for every orchestrator and infrastructure, over the public client library only.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Only cases about this, or with this in their name
    #[arg(long)]
    only: Option<String>,
    /// Write what was seen into the documentation
    #[arg(long)]
    write_docs: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// All cases, on `sim`, `swarm` or `kubernetes`
    #[arg(long)]
    orchestrator: Option<Orchestrator>,
    /// The cases about machines, on `sim`, or a Swarm on `local`, `ec2` or `hosts`
    #[arg(long)]
    infrastructure: Option<Infrastructure>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its report is its purpose")]
async fn main() -> Result<ExitCode> {
    let Arguments { place, only, write_docs } = Arguments::parse();
    let (stage, column, all) = match (place.orchestrator, place.infrastructure) {
        (_, Some(infrastructure)) => {
            let column = Column::Infrastructure(infrastructure);
            (Stage::at(infrastructure).await?, column, Which::OfInfrastructure)
        }
        (orchestrator, None) => {
            let orchestrator = orchestrator.unwrap_or(Orchestrator::Sim);
            (Stage::of(orchestrator).await?, Column::Orchestrator(orchestrator), Which::All)
        }
    };
    let which = only.as_deref().map_or(all, Which::Only);
    let (ended, totals) = run(&stage, which, |end| println!("{end}")).await;
    if write_docs {
        page::write(column, &ended)?;
    }
    println!("{totals}");
    Ok(if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
