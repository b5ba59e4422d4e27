//! A registry on this host, as far as tags go: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>, and
//! <https://distribution.github.io/distribution/spec/auth/token/> for its logins.

use std::sync::{Arc, Mutex};

use muster_protocol::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// `ci:guess me`, as RFC 7617 has it.
const BASIC: &str = "authorization: Basic Y2k6Z3Vlc3MgbWU=";

/// What was asked, one text a request.
type Asked = Arc<Mutex<Vec<String>>>;

/// A server that answers as `answer` says: status with further headers, and body.
async fn serve(answer: impl Fn(&str, &str) -> (String, String) + Send + 'static) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, own) = (Asked::default(), address.clone());
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = peer.read(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let (head, body) = answer(&text, &own);
            heard.lock().unwrap().push(text);
            let length = body.len();
            let whole = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            peer.write_all(whole.as_bytes()).await.unwrap();
        }
    });
    (address, asked)
}

fn found() -> (String, String) {
    (format!("200 OK\r\nDocker-Content-Digest: {DIGEST}"), String::new())
}

fn login(registry: &str) -> RegistryLogin {
    let (registry, user) = (registry.to_owned(), "ci".to_owned());
    RegistryLogin { registry, user, password: SecretString::new("guess me") }
}

#[tokio::test]
async fn a_tag_means_the_digest_that_its_registry_says() {
    let (address, asked) = serve(|request, _| match request.split(' ').nth(1) {
        Some("/v2/team/web/manifests/1") => found(),
        _ => ("200 OK".to_owned(), String::new()),
    })
    .await;
    let registries = AskedRegistries::new(vec![address.clone()]);
    assert_eq!(registries.ask(&format!("{address}/team/web:1"), None).await.unwrap(), DIGEST);
    let asked = asked.lock().unwrap();
    let manifest = asked.iter().find(|request| request.contains("/manifests/")).unwrap();
    // The index of all processors counts, as kubelets take it.
    assert!(manifest.contains("application/vnd.oci.image.index.v1+json"), "{manifest}");
}

#[tokio::test]
async fn a_login_is_shown_to_the_service_that_the_registry_names_and_its_token_to_the_registry() {
    let (address, _) = serve(|request, own| {
        let challenge =
            format!("401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{own}/token\",service=\"r\"");
        if request.contains("/token?") {
            let is_known = request.contains(BASIC) && request.contains("scope=repository%3Aweb%3Apull");
            let status = if is_known { "200 OK" } else { "401 Unauthorized" };
            return (status.to_owned(), r#"{"token":"ticket"}"#.to_owned());
        }
        if request.contains("authorization: Bearer ticket") { found() } else { (challenge, String::new()) }
    })
    .await;
    let registries = AskedRegistries::new(vec![address.clone()]);
    let image = format!("{address}/web:1");
    assert_eq!(registries.ask(&image, Some(&login(&address))).await.unwrap(), DIGEST);
    let why = registries.ask(&image, None).await.unwrap_err();
    assert!(why.contains(&format!("no login is configured for {address}")), "{why}");
}

#[tokio::test]
async fn what_a_server_says_beside_its_code_is_not_passed_on() {
    let (address, _) = serve(|request, _| {
        let refused = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"inner words"}]}"#;
        let is_list = request.contains("/manifests/");
        if is_list { ("404 Not Found".to_owned(), refused.to_owned()) } else { ("200 OK".to_owned(), String::new()) }
    })
    .await;
    let why = AskedRegistries::new(vec![address.clone()]).ask(&format!("{address}/web:1"), None).await.unwrap_err();
    assert!(why.contains("ManifestUnknown") && !why.contains("inner words"), "{why}");
    let (address, _) = serve(|_, _| ("500 Internal Server Error".to_owned(), "inner words".to_owned())).await;
    let why = AskedRegistries::new(vec![address.clone()]).ask(&format!("{address}/web:1"), None).await.unwrap_err();
    assert!(why.contains("500") && !why.contains("inner words"), "{why}");
}

#[tokio::test]
async fn a_registry_on_a_gateway_that_is_not_known_here_is_told_no_login() {
    let (address, asked) = serve(|_, _| found()).await;
    let port = address.rsplit_once(':').unwrap().1;
    let registries = AskedRegistries::new(vec![format!("{{gateway}}:{port}")]);
    assert_eq!(registries.ask(&format!("{address}/web:1"), Some(&login(&address))).await.unwrap(), DIGEST);
    assert!(asked.lock().unwrap().iter().all(|request| !request.to_lowercase().contains("authorization")));
    // Any other is asked over TLS only, which this one does not speak.
    let other = AskedRegistries::new(vec!["{gateway}:1".to_owned(), "registry.lan".to_owned()]);
    let why = other.ask(&format!("{address}/web:1"), None).await.unwrap_err();
    assert!(why.starts_with("its registry cannot be asked"), "{why}");
}

#[tokio::test]
async fn a_registry_that_is_silent_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let registries = AskedRegistries::new(vec![address.clone()]);
    let image = format!("{address}/web:1");
    let asked = tokio::spawn(async move { registries.ask_in_time(&image, None).await });
    let (_peer, _) = listener.accept().await.unwrap();
    tokio::time::pause();
    let why = asked.await.unwrap().unwrap_err();
    assert_eq!(why, "its registry did not answer within 5 s");
}

#[tokio::test]
async fn a_registry_that_is_another_one_on_each_machine_is_not_asked_here() {
    for image in ["localhost/web:1", "localhost:5000/web:1", "127.0.0.1:5000/web:1", "127.3.2.1:80/web"] {
        let why = AskedRegistries::new(Vec::new()).digest(image, None).await.unwrap_err();
        assert!(why.contains("another registry on each machine"), "{image}: {why}");
    }
    assert!(!is_on_each_machine("registry.lan:5000") && !is_on_each_machine("docker.io"));
}

#[test]
fn an_image_is_pinned_once() {
    assert_eq!(pinned("web:1", Some(DIGEST)), format!("web:1@{DIGEST}"));
    assert_eq!(pinned("web:1", None), "web:1");
    let by_digest = format!("web@{DIGEST}");
    assert_eq!(pinned(&by_digest, Some("sha256:other")), by_digest);
}

#[test]
fn only_a_digest_becomes_part_of_a_name() {
    assert!(is_digest(DIGEST));
    for text in ["", "sha256:", "sha256:12", &format!("{DIGEST}/x"), &DIGEST.replace("sha256", "md5")] {
        assert!(!is_digest(text), "{text}");
    }
}
