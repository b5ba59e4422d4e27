//! What images bring with them. A service that says nothing of health is judged by its image's own check, so people must
//! see that there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_engine::member::Member;
use muster_engine::observed::{ObservedContainer, OrchestratorView};
use muster_protocol::Name;
use muster_protocol::model::container::ContainerPhase;

use crate::connect::Engine;
use crate::managers::Managers;

/// How long a machine may take to say it: a look at the cluster waits for the answer.
const LIMIT: Duration = Duration::from_secs(2);

/// The health checks of images, by the name that their containers have of them: a digest mostly, so what was learnt once
/// stays so.
#[derive(Default)]
pub(crate) struct Images(Mutex<BTreeMap<String, Option<String>>>);

impl Images {
    /// Tells for each service how its image checks its own health. An image that is not known yet is asked for where a copy
    /// runs, one in each look.
    pub(crate) async fn tell_health(&self, managers: &Managers, members: &[Member], view: &mut OrchestratorView) {
        let running: Vec<ObservedContainer> =
            view.containers.iter().filter(|copy| copy.phase == ContainerPhase::Running).cloned().collect();
        self.learn(managers, members, &running).await;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use: BTreeSet<&str> = running.iter().map(|copy| copy.image.as_str()).collect();
        known.retain(|image, _| in_use.contains(image.as_str()));
        for copy in &running {
            let Some(service) = view.services.get_mut(&copy.service) else { continue };
            service.image_health = known.get(&copy.image).cloned().flatten();
        }
    }

    async fn learn(&self, managers: &Managers, members: &[Member], running: &[ObservedContainer]) {
        let is_known = |image: &String| self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(image);
        let Some(copy) = running.iter().find(|copy| copy.machine.is_some() && !is_known(&copy.image)) else { return };
        let Some(engine) = copy.machine.as_ref().and_then(|machine| engine_of(managers, members, machine)) else {
            return;
        };
        // A machine that does not answer is asked in the next look.
        let Ok(Some(health)) = tokio::time::timeout(LIMIT, health_of(&engine, &copy.image)).await else { return };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(copy.image.clone(), health);
    }
}

fn engine_of(managers: &Managers, members: &[Member], machine: &Name) -> Option<Engine> {
    managers.engine(members.iter().find(|member| member.machine == *machine)?).ok()
}

/// The image's own health check, if the engine has the image: `CMD-SHELL curl -f http://localhost/`.
async fn health_of(engine: &Engine, image: &str) -> Option<Option<String>> {
    let inspected = engine.api().inspect_image(image).await.ok()?;
    let test = inspected.config.and_then(|config| config.healthcheck?.test).unwrap_or_default();
    let is_none = test.first().is_none_or(|kind| kind == "NONE");
    Some((!is_none).then(|| test.join(" ")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use muster_engine::observed::ObservedService;
    use muster_protocol::model::host::Role;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::cluster;
    use crate::scripted::{self, Heard, Scripted, member};

    fn view(image: &str) -> OrchestratorView {
        let name: Name = "web".parse().unwrap();
        let copy = ObservedContainer {
            id: "c".to_owned(),
            name: "web.1".to_owned(),
            service: name.clone(),
            machine: Some("worker-1".parse().unwrap()),
            phase: ContainerPhase::Running,
            healthy: None,
            address: None,
            image: image.to_owned(),
            since: None,
            exit_code: None,
            message: None,
        };
        let services = [(name, ObservedService::default())].into();
        OrchestratorView { services, containers: vec![copy], ..OrchestratorView::default() }
    }

    /// What is told after two looks, and how often the engine was asked.
    async fn told(healthcheck: Value) -> (Option<String>, usize) {
        let (engine, heard) = scripted::engine(move |request: &str, _: &Heard| match request {
            "GET /images/web:1/json" => (200, json!({ "Config": { "Healthcheck": healthcheck } })),
            _ => (404, json!({ "message": "no such image" })),
        })
        .await;
        let one = member("worker-1", Role::Worker, "a");
        let scripted = Scripted(HashMap::from([("a".to_owned(), engine)]));
        let managers = Managers::new(Arc::new(cluster()), Arc::new(scripted));
        let images = Images::default();
        let mut last = None;
        for _ in 0..2 {
            let mut view = view("web:1");
            images.tell_health(&managers, std::slice::from_ref(&one), &mut view).await;
            last = view.services.into_values().next().unwrap().image_health;
        }
        (last, heard.count())
    }

    #[tokio::test]
    async fn an_images_own_check_is_told_and_asked_for_once() {
        let check = json!({ "Test": ["CMD-SHELL", "curl -f http://localhost/"] });
        assert_eq!(told(check).await, (Some("CMD-SHELL curl -f http://localhost/".to_owned()), 1));
    }

    #[tokio::test]
    async fn an_image_without_one_has_none() {
        for check in [Value::Null, json!({ "Test": [] }), json!({ "Test": ["NONE"] })] {
            assert_eq!(told(check).await, (None, 1));
        }
    }
}
