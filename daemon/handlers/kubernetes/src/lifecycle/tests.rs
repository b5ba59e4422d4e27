use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use muster_engine::context::Material;
use muster_engine::ledger::MachineAccess;
use muster_engine::machine::{MachineRun, RunOutput};
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::{ClusterId, InstanceId, SecretString};

use super::*;

/// Machines that answer as they are told, call by call.
#[derive(Default)]
struct ScriptedMachines {
    answers: Mutex<VecDeque<Result<Vec<&'static str>, Failure>>>,
    calls: Mutex<Vec<(String, MachineRun)>>,
}

#[async_trait]
impl Machines for ScriptedMachines {
    async fn run(&self, access: &MachineAccess, step: &MachineRun) -> Result<RunOutput, Failure> {
        self.calls.lock().unwrap().push((access.address.clone(), step.clone()));
        let answer = self.answers.lock().unwrap().pop_front().expect("an answer for every call");
        answer.map(|lines| RunOutput { lines: lines.into_iter().map(str::to_owned).collect() })
    }
}

impl ScriptedMachines {
    /// Where and what, without the random end of the steps' names.
    fn seen(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|(at, step)| format!("{at} {}", step.name.rsplit_once('-').unwrap().0)).collect()
    }
}

fn lifecycle(answers: Vec<Result<Vec<&'static str>, Failure>>) -> (Lifecycle, Arc<ScriptedMachines>) {
    let mut material = Material::default();
    for part in ["ca", "etcd-ca", "front-proxy-ca"] {
        material.0.insert(format!("kubernetes-{part}.crt"), SecretString::new("certificate"));
        material.0.insert(format!("kubernetes-{part}.key"), SecretString::new("key"));
    }
    material.0.insert("kubernetes-sa.pub".to_owned(), SecretString::new("public"));
    material.0.insert("kubernetes-sa.key".to_owned(), SecretString::new("key"));
    let spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Kubernetes, Infrastructure::Local);
    let cluster = ClusterContext { instance: InstanceId::generate(), cluster: ClusterId::generate(), spec, material };
    let machines = Arc::new(ScriptedMachines { answers: Mutex::new(answers.into()), ..ScriptedMachines::default() });
    (Lifecycle::new(Arc::new(cluster), Arc::clone(&machines) as Arc<dyn Machines>), machines)
}

fn member(name: &str, role: Role) -> Member {
    let access = MachineAccess {
        address: name.to_owned(),
        private_address: name.to_owned(),
        ssh_port: 22,
        ssh_user: "root".into(),
        host_key: String::new(),
    };
    Member { machine: name.parse().unwrap(), role, access, node_id: None }
}

fn three() -> Vec<Member> {
    vec![member("cp-1", Role::ControlPlane), member("cp-2", Role::ControlPlane), member("w-1", Role::Worker)]
}

/// The step has ended badly.
fn failed(code: ErrorCode) -> Failure {
    Failure::not_applied(code, "it did not work")
}

#[tokio::test]
async fn a_join_goes_through_any_control_plane_that_serves_and_its_token_is_taken_back() {
    let (lifecycle, machines) = lifecycle(vec![
        Ok(vec!["state=clean"]),
        Ok(vec!["state=clean"]),
        Err(failed(ErrorCode::Unreachable)),
        Ok(vec![]),
        Ok(vec!["[kubelet-start] …", "id=abc"]),
        Ok(vec![]),
    ]);
    let members = three();
    let joined = lifecycle.join(&members, &members[2]).await.unwrap();
    assert_eq!(joined.id, "abc");
    let expected = ["w-1 ask-look", "w-1 settle", "cp-1 ask-token", "cp-2 ask-token", "w-1 join", "cp-2 ask-revoke"];
    assert_eq!(machines.seen(), expected);
    // The token is in files that only root reads, and nowhere else.
    let calls = machines.calls.lock().unwrap();
    let secret = String::from_utf8(calls[3].1.files[0].content.to_vec()).unwrap();
    let secret = secret.split("\"token-secret\":\"").nth(1).unwrap().split('"').next().unwrap();
    for (_, step) in calls.iter() {
        assert!(!step.script.contains(secret) && step.variables.iter().all(|(_, value)| !value.contains(secret)));
        assert!(step.files.iter().all(|file| file.mode == 0o600));
    }
}

#[tokio::test]
async fn the_token_is_taken_back_when_the_join_fails_and_the_cause_is_kept() {
    let (lifecycle, machines) = lifecycle(vec![
        Ok(vec!["state=clean"]),
        Ok(vec!["state=clean"]),
        Ok(vec![]),
        Err(failed(ErrorCode::Preparation)),
        Ok(vec![]),
    ]);
    let members = three();
    let failure = lifecycle.join(&members, &members[2]).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::Orchestrator);
    assert_eq!(failure.message, "w-1: it did not work");
    assert_eq!(failure.certainty, muster_engine::failure::Certainty::MaybeApplied);
    assert_eq!(machines.seen().last().unwrap(), "cp-1 ask-revoke");
}

#[tokio::test]
async fn a_step_whose_end_was_not_seen_is_found_again_by_its_name() {
    let (lifecycle, machines) = lifecycle(vec![
        Err(failed(ErrorCode::Unreachable).in_doubt()),
        Err(failed(ErrorCode::Preparation)),
        Ok(vec!["id=abc"]),
    ]);
    let first = member("cp-1", Role::ControlPlane);
    assert!(lifecycle.form(&first).await.is_err());
    assert!(lifecycle.form(&first).await.is_err());
    assert_eq!(lifecycle.form(&first).await.unwrap().id, "abc");
    let calls = machines.calls.lock().unwrap();
    let names: Vec<&str> = calls.iter().map(|(_, step)| step.name.as_str()).collect();
    assert_eq!(names[0], names[1]);
    assert_ne!(names[1], names[2]);
}

#[tokio::test]
async fn a_lost_control_plane_is_forgotten_by_one_that_stays() {
    let (lifecycle, machines) =
        lifecycle(vec![Ok(vec!["node=cp-1 id=abc address=10.0.0.2", "member=8e9e05c52164694d"]), Ok(vec![])]);
    let others = &three()[1..];
    lifecycle.remove_node(others, "abc", None).await.unwrap();
    assert_eq!(machines.seen(), ["cp-2 ask-find", "cp-2 forget"]);
    let calls = machines.calls.lock().unwrap();
    let variables = &calls[1].1.variables;
    assert!(variables.contains(&("NODE".to_owned(), "cp-1".to_owned())), "{variables:?}");
    assert!(variables.contains(&("ADDRESS".to_owned(), "10.0.0.2".to_owned())), "{variables:?}");
}

#[tokio::test]
async fn a_control_planes_broken_off_join_leaves_no_vote_behind() {
    let (lifecycle, machines) = lifecycle(vec![
        Ok(vec!["state=remains"]),
        Ok(vec!["state=clean"]),
        Ok(vec!["member=8e9e05c52164694d"]),
        Ok(vec![]),
        Ok(vec!["state=clean"]),
    ]);
    let members = three();
    assert_eq!(lifecycle.look_up_node(&members, &members[1]).await.unwrap(), None);
    assert_eq!(machines.seen(), ["cp-2 ask-look", "cp-2 settle", "cp-1 ask-find", "cp-1 forget", "cp-2 ask-look"]);
}

#[test]
fn members_of_etcd_are_read_with_and_without_a_name() {
    let read = |line| EtcdMember::read(line).unwrap();
    let voter = read("member=8e9e05c52164694d name=cp-1 learner=no healthy=yes");
    assert_eq!((voter.name.as_str(), voter.learner, voter.healthy), ("cp-1", false, true));
    let unstarted = read("member=8e9e05c52164694d name= learner=yes healthy=no");
    assert_eq!((unstarted.name.as_str(), unstarted.learner, unstarted.healthy), ("", true, false));
}
