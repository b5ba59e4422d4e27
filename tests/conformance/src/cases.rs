//! All cases, a file a noun of the gateway or a field of a service.

mod accounts;
mod args;
mod by_hand;
mod catalog;
mod clusters;
mod command;
mod constraints;
mod containers;
mod daemon;
mod env;
mod events;
mod exec;
mod files;
mod health;
mod hosts;
mod image;
mod infrastructure;
mod labels;
mod logs;
mod machines;
mod mode;
mod mounts;
mod operations;
mod port_forward;
mod ports;
mod processes;
mod replicas;
mod resources;
mod secrets;
mod services;
mod update;

use crate::case::{Case, Cases};

/// Every case, in the order of the table in the documentation.
pub fn all() -> Vec<Case> {
    let files: [fn() -> Cases; 31] = [
        daemon::cases,
        catalog::cases,
        accounts::cases,
        clusters::cases,
        hosts::cases,
        services::cases,
        containers::cases,
        operations::cases,
        events::cases,
        logs::cases,
        exec::cases,
        port_forward::cases,
        image::cases,
        command::cases,
        args::cases,
        env::cases,
        secrets::cases,
        files::cases,
        processes::cases,
        mode::cases,
        replicas::cases,
        resources::cases,
        ports::cases,
        mounts::cases,
        health::cases,
        constraints::cases,
        update::cases,
        labels::cases,
        infrastructure::cases,
        // The last of all removes the cluster.
        by_hand::cases,
        machines::cases,
    ];
    files.into_iter().flat_map(|cases| cases()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_client::protocol::model::cluster::Orchestrator;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for case in all() {
            assert!(names.insert(case.name), "two cases are named `{}`", case.name);
        }
    }

    #[test]
    fn there_are_as_many_as_promised() {
        let count = |orchestrator| all().iter().filter(|case| case.is_for(orchestrator)).count();
        assert!(count(Orchestrator::Sim) >= 100);
        assert!(count(Orchestrator::Swarm) >= 120);
        assert!(count(Orchestrator::Kubernetes) >= 120);
    }
}
