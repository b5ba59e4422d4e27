use std::sync::atomic::{AtomicUsize, Ordering};

use muster_engine::handler::Handler as _;
use serde_json::json;

use super::*;
use crate::scripted::{self, member};

const VERSION: &str = "GET /version";

fn version() -> serde_json::Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "",
    })
}

#[tokio::test]
async fn a_cluster_in_which_nothing_happens_is_asked_for_no_lists() {
    let (client, asked) = scripted::client(|request| (request == VERSION).then(|| (200, version())));
    let handler = scripted::handler([("control-plane-1", client)]);
    let news = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&news);
    handler.on_change(Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let members = [member("control-plane-1")];
    let first = handler.observe(&members).await.unwrap();
    assert_eq!(first.version.as_deref(), Some("v1.36.3"));
    assert!(news.load(Ordering::Relaxed) > 0, "the first lists are news");
    let lists = asked.lists();
    assert_eq!(lists, 8, "one a kind");
    for _ in 0..20 {
        assert_eq!(handler.observe(&members).await.unwrap(), first);
    }
    assert_eq!(asked.lists(), lists);
}

#[tokio::test(start_paused = true)]
async fn a_look_does_not_answer_from_what_is_not_watched_any_more() {
    let (client, _) = scripted::client(|request| match request {
        VERSION => Some((200, version())),
        "GET /api/v1/nodes" => Some((403, scripted::status(403, "not yours"))),
        _ => None,
    });
    let handler = scripted::handler([("control-plane-1", client)]);
    let failure = handler.observe(&[member("control-plane-1")]).await.unwrap_err();
    assert!(failure.message.contains("nodes") && failure.message.contains("not yours"), "{failure}");
}

#[test]
fn what_only_says_that_a_node_lives_is_no_news() {
    let node = |version: &str, heartbeat: &str, ready: &str| {
        let mut node: Node = serde_json::from_value(json!({
            "metadata": { "name": "n", "uid": "n1", "resourceVersion": version },
            "status": { "conditions": [{ "type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat }] },
        }))
        .unwrap();
        trim_node(&mut node);
        Event::Apply(node)
    };
    let mut news = News::default();
    assert!(news.is_new(&node("10", "2026-11-23T14:00:00Z", "True")));
    assert!(!news.is_new(&node("11", "2026-11-23T14:05:00Z", "True")));
    assert!(news.is_new(&node("12", "2026-11-23T14:05:01Z", "False")));
}
