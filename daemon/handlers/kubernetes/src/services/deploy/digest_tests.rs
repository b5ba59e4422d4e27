//! What the tag of an image meant when its service was submitted, and when that is asked again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::Deployment;
use muster_engine::login::RegistryLogin;
use muster_protocol::ServiceId;
use muster_protocol::model::service::ServiceSpec;

use super::*;
use crate::fixtures::{cluster, plain};
use crate::marks::IMAGE;

const FIRST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// Registries that say the same of every image, and count how often they are asked.
struct Saying(Result<&'static str, &'static str>, AtomicUsize);

impl Saying {
    fn new(answer: Result<&'static str, &'static str>) -> Self {
        Self(answer, AtomicUsize::new(0))
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Registries for Saying {
    async fn digest(&self, _: &str, _: Option<&RegistryLogin>) -> Result<String, String> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.map(str::to_owned).map_err(str::to_owned)
    }
}

fn order(spec: ServiceSpec) -> ServiceOrder {
    ServiceOrder {
        id: ServiceId::from_u128(3),
        generation: 1,
        spec,
        secrets_version: 0,
        digest: None,
        refresh: false,
        login: None,
    }
}

async fn submitted(registries: &Saying, order: &ServiceOrder, found: &[FoundWorkload]) -> Deployment {
    answered(registries, order, found).await.unwrap()
}

async fn answered(registries: &Saying, order: &ServiceOrder, found: &[FoundWorkload]) -> Result<Deployment, Failure> {
    let objects = match as_it_runs(&cluster(), order, found, &HostPorts::default()) {
        Some(objects) => objects,
        None => {
            let findings = find_out(registries, order, HostPorts::default(), &Plan::default()).await?;
            translate::objects(&cluster(), order, &findings)
        }
    };
    let Workload::Deployment(one) = objects.workload else { panic!("{objects:?}") };
    Ok(*one)
}

fn present(one: Deployment) -> FoundWorkload {
    FoundWorkload::new(Kind::Deployment, one.metadata, one.spec.map(|spec| spec.template))
}

fn image(one: &Deployment) -> &str {
    let pod = one.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    pod.containers[0].image.as_deref().unwrap()
}

#[tokio::test]
async fn a_tag_is_resolved_once_and_every_copy_has_the_digest() {
    let registries = Saying::new(Ok(FIRST));
    let one = submitted(&registries, &order(plain()), &[]).await;
    assert_eq!((image(&one), registries.asked()), (format!("nginx:1@{FIRST}").as_str(), 1));
    let template = one.spec.unwrap().template.metadata.unwrap();
    assert_eq!(template.annotations.unwrap()[IMAGE], "nginx:1", "it is shown as it was asked for");
}

#[tokio::test]
async fn without_an_answer_the_tag_is_submitted_and_the_reason_is_on_the_workload() {
    let one = submitted(&Saying::new(Err("no route")), &order(plain()), &[]).await;
    assert_eq!(image(&one), "nginx:1");
    assert_eq!(marks::annotation(&one.metadata, UNANSWERED_IMAGE).unwrap(), "no route");
    assert_eq!(one.spec.unwrap().template.metadata.unwrap().annotations, None, "no copy is replaced for it");
}

#[tokio::test]
async fn copies_that_stay_go_on_with_what_they_run() {
    let more = order(ServiceSpec { replicas: 3, ..plain() });
    for answer in [Ok(FIRST), Err("no route")] {
        let one = submitted(&Saying::new(answer), &order(plain()), &[]).await;
        let (runs, why) = (image(&one).to_owned(), one.metadata.annotations.clone());
        let later = Saying::new(Ok(SECOND));
        let scaled = submitted(&later, &more, &[present(one)]).await;
        assert_eq!((image(&scaled), later.asked()), (runs.as_str(), 0));
        assert_eq!(scaled.metadata.annotations, why);
    }
}

#[tokio::test]
async fn copies_that_are_replaced_anyhow_run_what_the_tag_means_now() {
    let one = submitted(&Saying::new(Ok(FIRST)), &order(plain()), &[]).await;
    let changed = order(ServiceSpec { env: BTreeMap::from([("A".to_owned(), "1".to_owned())]), ..plain() });
    let later = submitted(&Saying::new(Ok(SECOND)), &changed, &[present(one)]).await;
    assert_eq!(image(&later), format!("nginx:1@{SECOND}"));
}

#[tokio::test]
async fn the_digest_of_an_earlier_submission_of_the_same_version_stays() {
    let registries = Saying::new(Ok(SECOND));
    let again = ServiceOrder { digest: Some(FIRST.to_owned()), ..order(plain()) };
    assert_eq!(image(&submitted(&registries, &again, &[]).await), format!("nginx:1@{FIRST}"));
    let named = order(ServiceSpec { image: format!("nginx@{FIRST}"), ..plain() });
    assert_eq!(image(&submitted(&registries, &named, &[]).await), format!("nginx@{FIRST}"));
    assert_eq!(registries.asked(), 0);
}

#[tokio::test]
async fn an_image_that_is_named_by_its_digest_is_no_other_with_the_digest_that_was_seen() {
    let named = order(ServiceSpec { image: format!("nginx@{FIRST}"), ..plain() });
    let registries = Saying::new(Err("not asked"));
    let first = submitted(&registries, &named, &[]).await;
    let again = submitted(&registries, &ServiceOrder { digest: Some(FIRST.to_owned()), ..named }, &[]).await;
    assert_eq!(first.spec, again.spec);
}

#[tokio::test]
async fn a_refresh_asks_although_every_copy_could_stay() {
    let refresh = ServiceOrder { refresh: true, ..order(plain()) };
    for before in [Ok(FIRST), Err("no route")] {
        let one = submitted(&Saying::new(before), &order(plain()), &[]).await;
        let later = Saying::new(Ok(SECOND));
        let refreshed = submitted(&later, &refresh, &[present(one)]).await;
        assert_eq!((image(&refreshed), later.asked()), (format!("nginx:1@{SECOND}").as_str(), 1));
    }
    let one = submitted(&Saying::new(Ok(FIRST)), &order(plain()), &[]).await;
    let template = one.spec.clone().unwrap().template;
    let same = submitted(&Saying::new(Ok(FIRST)), &refresh, &[present(one)]).await;
    assert_eq!(same.spec.unwrap().template, template, "it means the same, so no copy is replaced");
}

#[tokio::test]
async fn a_refresh_without_an_answer_fails_and_changes_nothing() {
    let one = submitted(&Saying::new(Ok(FIRST)), &order(plain()), &[]).await;
    let refresh = ServiceOrder { refresh: true, ..order(plain()) };
    let failed = answered(&Saying::new(Err("no route")), &refresh, &[present(one)]).await.unwrap_err();
    assert!(failed.message.contains("nginx:1") && failed.message.contains("no route"), "{failed}");
    assert_eq!(failed.retry, muster_protocol::Retry::Never);
}
