//! HTTP as a caller of the bridge uses it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longer than anything that a test asks for; an answer that is not there by then hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A caller of one server.
#[derive(Clone)]
pub struct Http {
    base: String,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    headers: HeaderMap,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Method and path, for messages.
    pub line: String,
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// If it is not that.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("{} answered {}", self.line, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The same answer, if its status is this.
    ///
    /// # Errors
    /// If it is another.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{} was answered with {}: {}", self.line, self.status, self.text());
        Ok(self)
    }

    /// The problem that it tells, with this status and code.
    ///
    /// # Errors
    /// If it tells another, or none.
    pub fn problem(&self, status: u16, code: &str) -> Result<Value> {
        let media = self.header("content-type");
        ensure!(media == "application/problem+json", "{}: {} is {media}: {}", self.line, self.status, self.text());
        let problem: Value = self.json()?;
        let told = (self.status, problem["code"].as_str().unwrap_or_default());
        ensure!(told == (status, code), "{} was answered with {told:?}: {problem}", self.line);
        ensure!(problem["status"] == status, "the problem says another status: {problem}");
        Ok(problem)
    }
}

impl Http {
    /// A caller without a token. With TLS by this configuration, if the address is `https:`.
    pub fn new(base: &str, tls: Option<rustls::ClientConfig>) -> Self {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = tls.unwrap_or_else(|| {
            #[expect(clippy::expect_used, reason = "the versions are those of the provider itself")]
            let builder = rustls::ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()
                .expect("the provider has its own versions");
            builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
        });
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { base: base.to_owned(), client, headers: HeaderMap::new() }
    }

    /// The same with one more header in each request.
    ///
    /// # Errors
    /// If it cannot be a header.
    pub fn with(&self, name: &str, value: &str) -> Result<Self> {
        let mut other = self.clone();
        let name: HeaderName = name.parse().with_context(|| format!("{name} is no header"))?;
        other.headers.insert(name, HeaderValue::from_str(value).context("not a header's value")?);
        Ok(other)
    }

    /// The same with this token.
    ///
    /// # Errors
    /// If it cannot stand in a header.
    pub fn with_token(&self, token: &str) -> Result<Self> {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Where it calls.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Makes a request.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Result<Answer> {
        let bytes = body.as_ref().map(|body| Bytes::from(body.to_string()));
        let media = body.map(|_| "application/json");
        self.send_bytes(method, path, media, bytes.unwrap_or_default()).await
    }

    /// The same with any body.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send_bytes(&self, method: &str, path: &str, media: Option<&str>, body: Bytes) -> Result<Answer> {
        let line = format!("{method} {path}");
        let answered = async {
            let response = self.begin(method, path, media, body).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.with_context(|| format!("{line}: the answer broke off"))?.to_bytes();
            Ok(Answer { line: line.clone(), status: parts.status.as_u16(), headers: parts.headers, body })
        };
        tokio::time::timeout(LIMIT, answered).await.with_context(|| format!("{line} was not answered"))?
    }

    async fn begin(&self, method: &str, path: &str, media: Option<&str>, body: Bytes) -> Result<Response<Incoming>> {
        let method: Method = method.parse().with_context(|| format!("{method} is no method"))?;
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.base)).body(Full::new(body))?;
        request.headers_mut().extend(self.headers.clone());
        if let Some(media) = media {
            request.headers_mut().insert("content-type", HeaderValue::from_str(media)?);
        }
        self.client.request(request).await.with_context(|| format!("no answer from {}{path}", self.base))
    }

    /// Reads something.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, None).await
    }

    /// Sends something.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send("POST", path, Some(body)).await
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    /// If it is not one.
    pub async fn events(&self, path: &str) -> Result<EventStream> {
        let caller = self.with("accept", "text/event-stream")?;
        let response = caller.begin("GET", path, None, Bytes::new()).await?;
        let media = response.headers().get("content-type").and_then(|media| media.to_str().ok()).unwrap_or_default();
        if media != "text/event-stream" {
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            bail!("GET {path} was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(EventStream { body: response.into_body(), text: String::new() })
    }
}

/// A server-sent event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SentEvent {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its data.
    pub data: String,
}

impl SentEvent {
    /// The data as JSON.
    ///
    /// # Errors
    /// If it is not that.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.data).with_context(|| format!("not as it should be: {}", self.data))
    }
}

/// A stream of server-sent events.
pub struct EventStream {
    body: Incoming,
    text: String,
}

impl EventStream {
    /// The next event; none at the end of the stream. Comments are passed over.
    ///
    /// # Errors
    /// If it does not come in time, or the stream breaks.
    pub async fn next(&mut self) -> Result<Option<SentEvent>> {
        loop {
            while let Some(at) = self.text.find("\n\n") {
                let block: String = self.text.drain(..at + 2).collect();
                let event = parse(&block);
                if !event.data.is_empty() {
                    return Ok(Some(event));
                }
            }
            let frame = tokio::time::timeout(LIMIT, self.body.frame()).await.context("no event came")?;
            match frame {
                None => return Ok(None),
                Some(frame) => {
                    let data = frame.context("the stream broke")?.into_data().unwrap_or_default();
                    self.text.push_str(&String::from_utf8_lossy(&data));
                }
            }
        }
    }
}

fn parse(block: &str) -> SentEvent {
    let mut event = SentEvent::default();
    for line in block.lines() {
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut event.id),
            "event" => value.clone_into(&mut event.kind),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
    event
}
