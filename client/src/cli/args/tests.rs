use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> std::result::Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_tree_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_documented_command_line_is_understood() {
    let id = "0199d8a5-0000-7000-8000-000000000007";
    for line in [
        "muster cluster create demo --orchestrator swarm --infrastructure local --control-planes 1 --workers 2 --plan",
        "muster cluster create demo --orchestrator swarm --infrastructure local --wait --idempotency-key k",
        "muster cluster create -f cluster.yaml --wait",
        "muster cluster create -f - --workers 3",
        "muster cluster list -o json",
        "muster cluster info demo",
        "muster cluster scale demo --workers 4",
        "muster cluster delete demo --wait",
        "muster cluster plan demo",
        "muster cluster plan demo --workers 3 --control-planes 3",
        "muster cluster plan demo --delete",
        "muster cluster plan -f cluster.yaml",
        "muster cluster retry demo",
        "muster cluster upgrade demo --version 1.36 --plan",
        "muster cluster renew demo --wait",
        "muster service create --cluster c --template nginx --set replicas=2 --wait",
        "muster service create --cluster c -f service.yaml --wait",
        "muster service list --cluster c",
        "muster service info web --cluster c",
        "muster service update --cluster c -f service.yaml",
        "muster service update web --cluster c --image nginx:1.27",
        "muster service scale web --cluster c --replicas 3",
        "muster service refresh web --cluster c",
        "muster service logs web --cluster c -f --tail 10",
        "muster service delete web --cluster c",
        "muster host list",
        &format!("muster host info {id}"),
        "muster container list --cluster c --service web",
        "muster container info x7k2v9",
        "muster catalog list",
        "muster catalog show nginx",
        "muster operation list",
        &format!("muster operation info {id}"),
        &format!("muster operation watch {id}"),
        &format!("muster operation cancel {id}"),
        "muster events --since 41 --follow --cluster demo",
        "muster account add home --infrastructure local",
        "muster account list",
        "muster account check home",
        "muster account remove home",
        "muster doctor",
        "muster whoami",
        "muster version",
        "muster completion bash",
        "muster exit-codes",
        "muster --socket /tmp/s -o yaml --no-color cluster list",
    ] {
        if let Err(error) = parse(line) {
            panic!("{line}\n{error}");
        }
    }
}

#[test]
fn command_lines_that_make_no_sense_are_refused() {
    for line in [
        "muster",
        "muster cluster create demo",
        "muster cluster create --orchestrator swarm --infrastructure local",
        "muster cluster create Demo --orchestrator swarm --infrastructure local",
        "muster cluster create demo --orchestrator swarn --infrastructure local",
        "muster cluster create demo --orchestrator swarm --infrastructure local --workers -1",
        "muster cluster create demo --orchestrator swarm --infrastructure local --label nokey",
        "muster cluster scale demo",
        "muster cluster plan",
        "muster cluster plan demo --delete --workers 2",
        "muster service create --template nginx",
        "muster service scale web --cluster c",
        "muster service update --cluster c",
        "muster service update web --cluster c -f service.yaml",
        "muster service update --cluster c -f service.yaml --image nginx",
        "muster host info worker-1",
        "muster account add home",
        "muster cluster list -o xml",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}
