//! Whether the package repository of a cluster that is asked for answers, and has its version: asked before anything is made.
//!
//! It is the daemon that asks here, and the machines that install. Where only they reach the repository, the option
//! `repositoryCheck` = `none` leaves it to them.

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::HeaderValue;
use hyper::http::uri::Authority;
use hyper::{Request, StatusCode, Uri, header};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use muster_engine::login::{self, RegistryLogin};
use muster_protocol::Error;

use super::options::{KubernetesOptions, RepositoryKey, invalid, option};
use super::signer;

/// How long the repository may take, redirections and all.
const LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Projects serve their files from elsewhere.
const MOST_REDIRECTIONS: usize = 5;
/// More than any index of packages has.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Asks the repository for its index and its key. One on the machines' own gateway is not asked: each has another.
pub(super) async fn check(options: &KubernetesOptions, login: Option<RegistryLogin>) -> Result<(), Error> {
    if options.names_gateway() {
        return Ok(());
    }
    let repository = &options.package_repository;
    let asked = tokio::time::timeout(LIMIT, ask(options, login)).await;
    asked.unwrap_or_else(|_| Err(unanswered(repository, &format!("no answer after {} s", LIMIT.as_secs()))))
}

async fn ask(options: &KubernetesOptions, login: Option<RegistryLogin>) -> Result<(), Error> {
    let repository = &options.package_repository;
    let fetch = Fetch::new(login).map_err(|why| unanswered(repository, &why))?;
    let release = fetch.get(&format!("{repository}InRelease")).await.map_err(|why| unanswered(repository, &why))?;
    let Some(release) = release else {
        let message = format!("{repository} is no apt repository: it has no `InRelease`");
        return Err(invalid(option::PACKAGE_REPOSITORY, message).with_remedy(
            "give the URL of a flat repository, such as https://pkgs.k8s.io/core:/stable:/v{minor}/deb/",
        ));
    };
    // A mirror may have it in packed form only. Then the machines find out.
    if let Some(index) =
        fetch.get(&format!("{repository}Packages")).await.map_err(|why| unanswered(repository, &why))?
    {
        has_version(repository, &index, &options.version.to_string())?;
    }
    let wrong_key = |message: String| {
        Err(invalid(option::PACKAGE_REPOSITORY_KEY, message)
            .with_remedy("give the URL of the key that signs the repository, or its text"))
    };
    let key = match &options.package_repository_key {
        RepositoryKey::Armoured(key) => key.clone(),
        RepositoryKey::Url(url) => match fetch.get(url).await.map_err(|why| unanswered(url, &why))? {
            Some(key) if key.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----") => key,
            Some(_) | None => return wrong_key(format!("{url} is no armoured public key")),
        },
    };
    if !signer::may_have_signed(&key, &release) {
        return wrong_key(format!("the key does not fit: another one has signed {repository}InRelease"));
    }
    Ok(())
}

fn unanswered(url: &str, why: &str) -> Error {
    invalid(option::PACKAGE_REPOSITORY, format!("{url} does not answer: {why}")).with_remedy(
        "mend the URL or the repository; if only the machines reach it, say `repositoryCheck` = `none` in the options",
    )
}

/// Refuses a version whose kubeadm is not in the index.
fn has_version(repository: &str, index: &str, version: &str) -> Result<(), Error> {
    let paragraphs = index.split("\n\n").filter(|text| text.lines().any(|line| line == "Package: kubeadm"));
    let offered: Vec<&str> = paragraphs
        .filter_map(|text| text.lines().find_map(|line| line.strip_prefix("Version: ")))
        .filter_map(|version| version.split('-').next())
        .collect();
    if offered.contains(&version) {
        return Ok(());
    }
    let message = match offered.as_slice() {
        [] => format!("{repository} has no package `kubeadm`"),
        offered => format!("{repository} has no kubeadm {version}, but {}", offered.join(", ")),
    };
    Err(Error::invalid("version", message)
        .with_remedy("ask for a version that it has, or bring the repository up to date"))
}

/// A client for a few small files.
struct Fetch {
    client: Client<hyper_rustls::HttpsConnector<HttpConnector>, Empty<Bytes>>,
    login: Option<RegistryLogin>,
}

impl Fetch {
    fn new(login: Option<RegistryLogin>) -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        // What cannot be read of the host's list is missing from it, and a server that needs it is not trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), login })
    }

    /// The login is told to its own host alone, wherever a redirection leads.
    fn login_at(&self, uri: &Uri) -> Option<&RegistryLogin> {
        let host = uri.authority().map(Authority::as_str);
        self.login.as_ref().filter(|login| Some(login.registry.as_str()) == host)
    }

    fn request(&self, uri: &Uri) -> Result<Request<Empty<Bytes>>, String> {
        let mut request = Request::get(uri.clone());
        if let Some(login) = self.login_at(uri) {
            request = request.header(header::AUTHORIZATION, basic(login)?);
        }
        request.body(Empty::new()).map_err(|error| error.to_string())
    }

    /// The text at this URL; none if there is no such file.
    async fn get(&self, url: &str) -> Result<Option<String>, String> {
        let mut uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
        for _ in 0..=MOST_REDIRECTIONS {
            let answer = self.client.request(self.request(&uri)?).await.map_err(|error| chain(&error))?;
            let status = answer.status();
            if status.is_redirection() {
                let to = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
                uri = moved(&uri, to).ok_or_else(|| format!("it answers {status} and does not say where to go"))?;
                continue;
            }
            if status == StatusCode::UNAUTHORIZED {
                let host = uri.authority().map_or("its host", Authority::as_str);
                return Err(login::explained(
                    "authentication required (401)",
                    &format!("{host}/"),
                    self.login_at(&uri).is_some(),
                ));
            }
            if status == StatusCode::NOT_FOUND || status == StatusCode::FORBIDDEN {
                return Ok(None);
            }
            if status != StatusCode::OK {
                return Err(format!("it answers {status}"));
            }
            let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| format!("its answer breaks off: {error}"))?.to_bytes();
            return Ok(Some(String::from_utf8_lossy(&body).into_owned()));
        }
        Err(format!("it redirects more than {MOST_REDIRECTIONS} times"))
    }
}

/// The value of an `Authorization` header. Source: RFC 7617.
fn basic(login: &RegistryLogin) -> Result<HeaderValue, String> {
    let text = BASE64_STANDARD.encode(format!("{}:{}", login.user, login.password.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {text}")).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a redirection leads: never from TLS to none.
fn moved(from: &Uri, to: Option<&str>) -> Option<Uri> {
    let to = to?;
    let to: Uri = if to.starts_with('/') {
        format!("{}://{}{to}", from.scheme_str()?, from.authority()?).parse().ok()?
    } else {
        to.parse().ok()?
    };
    let is_safe = from.scheme_str() != Some("https") || to.scheme_str() == Some("https");
    Some(to).filter(|to| is_safe && to.authority().is_some())
}

/// An error with its causes: the outermost says no more than that connecting failed.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_protocol::SecretString;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const INDEX: &str = "Package: kubeadm\nVersion: 1.36.3-1.1\n\nPackage: kubelet\nVersion: 1.36.9-1.1\n";

    /// A server of these files, at most one request a connection. What it does not have is 404.
    async fn serve(files: &'static [(&'static str, &'static str)]) -> String {
        serve_for(files, "").await
    }

    /// The same for requests that have this line.
    async fn serve_for(files: &'static [(&'static str, &'static str)], line: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                let mut request = [0; 2048];
                let length = peer.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default();
                if !text.contains(line) {
                    let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    peer.write_all(refusal.as_bytes()).await.unwrap();
                    continue;
                }
                let answer = match files.iter().find(|(file, _)| *file == path) {
                    Some((_, text)) if text.starts_with('/') => format!(
                        "HTTP/1.1 302 Found\r\nLocation: {text}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    ),
                    Some((_, text)) => {
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
                    }
                    None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
                };
                peer.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}/deb/")
    }

    fn options(repository: &str) -> KubernetesOptions {
        options_with_key(repository, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n…")
    }

    fn options_with_key(repository: &str, key: &str) -> KubernetesOptions {
        let given = [(option::PACKAGE_REPOSITORY, repository), (option::PACKAGE_REPOSITORY_KEY, key)];
        let given: BTreeMap<_, _> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        KubernetesOptions::read(&crate::kubernetes::fixtures::spec(), &given).unwrap()
    }

    async fn field_of(repository: &str) -> (String, String) {
        let refusal = check(&options(repository), None).await.unwrap_err();
        assert!(refusal.remedy.is_some(), "{refusal}");
        (refusal.details["field"].clone(), refusal.message)
    }

    #[tokio::test]
    async fn a_repository_with_the_version_passes_also_behind_a_redirection_and_without_a_plain_index() {
        for files in [
            &[("/deb/InRelease", "Hash: SHA256"), ("/deb/Packages", INDEX)][..],
            &[("/deb/InRelease", "/moved"), ("/moved", "Hash: SHA256"), ("/deb/Packages", INDEX)],
            &[("/deb/InRelease", "Hash: SHA256")],
        ] {
            let repository = serve(files).await;
            check(&options(&repository), None).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_repository_that_is_none_or_lacks_the_version_is_refused_by_its_field() {
        let (field, message) = field_of(&serve(&[]).await).await;
        assert_eq!(field, "options.packageRepository");
        assert!(message.contains("InRelease"), "{message}");
        const OLDER: &[(&str, &str)] =
            &[("/deb/InRelease", "x"), ("/deb/Packages", "Package: kubeadm\nVersion: 1.36.1-1.1\n")];
        let (field, message) = field_of(&serve(OLDER).await).await;
        assert_eq!(field, "version");
        assert!(message.contains("1.36.3") && message.contains("1.36.1"), "{message}");
        let (field, message) = field_of(&serve(&[("/deb/InRelease", "/deb/InRelease")]).await).await;
        assert_eq!(field, "options.packageRepository");
        assert!(message.contains("redirects"), "{message}");
    }

    #[tokio::test]
    async fn a_key_that_does_not_fit_is_refused_by_its_field() {
        const FILES: &[(&str, &str)] = &[("/deb/InRelease", include_str!("signer/one.InRelease"))];
        let repository = serve(FILES).await;
        check(&options_with_key(&repository, include_str!("signer/one.asc")), None).await.unwrap();
        let refusal = check(&options_with_key(&repository, include_str!("signer/two.asc")), None).await.unwrap_err();
        assert_eq!(refusal.details["field"], "options.packageRepositoryKey");
        assert!(refusal.message.contains("does not fit"), "{refusal}");
    }

    #[tokio::test]
    async fn a_repository_that_does_not_answer_is_refused_and_one_on_each_machines_gateway_is_not_asked() {
        let nobody = "http://127.0.0.1:1/deb/";
        let (field, message) = field_of(nobody).await;
        assert_eq!(field, "options.packageRepository");
        assert!(message.contains("does not answer"), "{message}");
        check(&options("http://{gateway}:1/deb/"), None).await.unwrap();
    }

    #[test]
    fn a_redirection_never_leads_from_tls_to_none() {
        let from: Uri = "https://a/x".parse().unwrap();
        assert_eq!(moved(&from, Some("/y")).unwrap(), "https://a/y");
        assert_eq!(moved(&from, Some("https://b/y")).unwrap(), "https://b/y");
        assert_eq!(moved(&from, Some("http://b/y")), None);
        assert_eq!(moved(&from, Some("y")), None);
        assert_eq!(moved(&from, None), None);
    }

    #[tokio::test]
    async fn a_repository_that_wants_a_login_is_asked_with_the_one_for_its_host() {
        let files = &[("/deb/InRelease", include_str!("signer/one.InRelease")), ("/deb/Packages", INDEX)];
        // `ci:guess me`, as RFC 7617 has it.
        let repository = serve_for(files, "authorization: Basic Y2k6Z3Vlc3MgbWU=\r\n").await;
        let options = options_with_key(&repository, include_str!("signer/one.asc"));
        let host = super::super::logins::host_of(&repository).unwrap().to_owned();
        let login = |registry: &str| RegistryLogin {
            registry: registry.to_owned(),
            user: "ci".to_owned(),
            password: SecretString::new("guess me"),
        };
        check(&options, Some(login(&host))).await.unwrap();
        for login in [None, Some(login("other.lan"))] {
            let refusal = check(&options, login).await.unwrap_err();
            assert!(
                refusal.message.contains("no login is configured") && !refusal.message.contains("guess me"),
                "{refusal}"
            );
        }
    }
}
