//! Whether the network of a cluster's services has an address left. Without one swarm keeps a copy waiting, and says nothing.

use bollard::models::TaskState;

use super::tasks::SeenTask;
use crate::services::NETWORK;

/// The addresses of a network of this prefix that copies can have: not its own, its broadcast's and its gateway's.
const OF_NOBODY: u32 = 3;

/// `the network \`muster\` has no address left: 250 copies and 3 machines have all of its 253`, if that is so.
pub(super) fn used_up(tasks: &[SeenTask], machines: usize) -> Option<String> {
    let with_address = || tasks.iter().filter(|task| !task.has_ended()).filter_map(SeenTask::address_with_length);
    let (_, length) = with_address().next()?.split_once('/')?;
    let all = 32_u32.checked_sub(length.parse().ok()?).and_then(|bits| 1_u32.checked_shl(bits))?;
    let all = all.checked_sub(OF_NOBODY)?;
    // Each machine has an address of the network too, as soon as a copy runs there.
    let copies = with_address().count();
    let is_used_up = u32::try_from(copies + machines).unwrap_or(u32::MAX) >= all;
    is_used_up.then(|| {
        format!("the network `{NETWORK}` has no address left: {copies} copies and {machines} machines have its {all}")
    })
}

/// Whether the copy waits for an address.
pub(super) fn is_waiting(task: &SeenTask) -> bool {
    task.is_wanted() && task.state() == TaskState::NEW && task.address_with_length().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(state: &str, address: Option<String>) -> SeenTask {
        let network = json!({ "Spec": { "Name": NETWORK } });
        let attached = address.map(|address| json!([{ "Network": network, "Addresses": [address] }]));
        let status = json!({ "State": state });
        serde_json::from_value(json!({ "Status": status, "DesiredState": "running", "NetworksAttachments": attached }))
            .unwrap()
    }

    #[test]
    fn a_network_is_used_up_when_copies_and_machines_have_all_of_it() {
        let mut tasks: Vec<SeenTask> = (2..13).map(|last| task("running", Some(format!("10.0.1.{last}/28")))).collect();
        assert_eq!(used_up(&tasks, 1), None, "11 copies and 1 machine have 12 of 13");
        let words = used_up(&tasks, 2).unwrap();
        assert!(words.ends_with("11 copies and 2 machines have its 13"), "{words}");
        tasks.push(task("complete", Some("10.0.1.14/28".to_owned())));
        assert!(used_up(&tasks, 1).is_none(), "one that has ended has none any more");
        assert!(used_up(&[], 3).is_none());
    }

    #[test]
    fn a_copy_waits_for_an_address_while_it_is_new() {
        assert!(is_waiting(&task("new", None)));
        assert!(!is_waiting(&task("pending", Some("10.0.1.4/24".to_owned()))));
    }
}
