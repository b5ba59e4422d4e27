//! Machine steps as units on a real machine (`MUSTER_TEST_DOCKER=1`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends at the first surprise, and says what it saw")]

mod support;

use std::time::Duration;

use muster_engine::machine::{MachineFile, MachineRun, Machines as _};
use muster_protocol::ErrorCode;
use muster_provision::machines::SshMachines;
use support::{Lab, access, with_cluster};

fn step(name: &str, script: &str) -> MachineRun {
    MachineRun {
        name: name.to_owned(),
        script: script.to_owned(),
        variables: Vec::new(),
        files: Vec::new(),
        limit: Duration::from_secs(60),
    }
}

fn machines(lab: &Lab) -> SshMachines {
    SshMachines::new(&lab.cluster, Duration::from_secs(60)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_caller_goes_away_runs_once_and_is_found_by_its_name() {
    with_cluster("a_step_whose_caller_goes_away_runs_once_and_is_found_by_its_name", true, |lab| async move {
        lab.create_network().await;
        let machine = access(&lab.create_machine("worker-1").await);
        let machines = machines(&lab);

        // The step ends only when the test says so, and notes every time that it began.
        let script =
            "echo $$ >> /root/begun; while [ ! -e /root/go ]; do sleep 0.1; done; echo \"$WORD\"; cat /root/file";
        let mut long = step("prepare-1", script);
        long.variables.push(("WORD".to_owned(), "it's done".to_owned()));
        let file = MachineFile { path: "/root/file".to_owned(), mode: 0o600, content: b"content\n".to_vec().into() };
        long.files.push(file);
        let look = |name: &str, script: &str| {
            let (look, machine, machines) = (step(name, script), machine.clone(), &machines);
            async move { machines.run(&machine, &look).await.unwrap().lines }
        };
        let has_begun = step("ask-begun", "while [ ! -s /root/begun ]; do sleep 0.1; done");
        tokio::select! {
            ended = machines.run(&machine, &long) => panic!("{ended:?}"),
            begun = machines.run(&machine, &has_begun) => { begun.unwrap(); }
        }
        // The caller is gone, its step is not; two more callers watch the same one.
        let (one, other, _) = tokio::join!(
            machines.run(&machine, &long),
            machines.run(&machine, &long),
            look("ask-go", "sleep 1; touch /root/go"),
        );
        assert_eq!(one.unwrap().lines, ["it's done", "content"]);
        assert_eq!(other.unwrap().lines, ["it's done", "content"]);
        // After its end the result is still known.
        assert_eq!(machines.run(&machine, &long).await.unwrap().lines, ["it's done", "content"]);
        assert_eq!(look("ask-count", "wc -l < /root/begun; stat -c %a /root/file").await, ["1", "600"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_or_takes_too_long_says_so_with_its_last_line() {
    with_cluster("a_step_that_fails_or_takes_too_long_says_so_with_its_last_line", true, |lab| async move {
        lab.create_network().await;
        let machine = access(&lab.create_machine("worker-1").await);
        let machines = machines(&lab);
        let failure = machines.run(&machine, &step("fails", "echo the cause >&2; exit 7")).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::Preparation);
        assert_eq!(failure.message, "`fails` ended with exit code 7: the cause");
        // Its result stays with its name.
        assert_eq!(machines.run(&machine, &step("fails", "exit 7")).await.unwrap_err(), failure);

        let endless = MachineRun { limit: Duration::from_secs(1), ..step("endless", "echo waiting; sleep 300") };
        let failure = machines.run(&machine, &endless).await.unwrap_err();
        assert_eq!(failure.message, "`endless` did not end within 1 s");
        let left = machines.run(&machine, &step("ask-left", "pgrep -f 'sleep 30[0]' || echo none")).await.unwrap();
        assert_eq!(left.lines, ["none"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_steps_of_a_machine_run_one_after_the_other() {
    with_cluster("two_steps_of_a_machine_run_one_after_the_other", true, |lab| async move {
        lab.create_network().await;
        let machine = access(&lab.create_machine("worker-1").await);
        let machines = machines(&lab);
        let script = "mkdir /root/alone; sleep 1; rmdir /root/alone; echo ok";
        let (one, other) = (step("prepare-1", script), step("prepare-2", script));
        let (one, other) = tokio::join!(machines.run(&machine, &one), machines.run(&machine, &other));
        assert_eq!(one.unwrap().lines, ["ok"]);
        assert_eq!(other.unwrap().lines, ["ok"]);
    })
    .await;
}
