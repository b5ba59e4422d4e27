//! The gate before everything that needs a caller: limits, token or session, CSRF. What a token grants, the daemon says.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use muster_protocol::{SecretString, Timestamp};
use tracing::{info, warn};

use super::random::{hash_of, is_same};
use super::{Credential, Principal};
use crate::app::App;
use crate::problem::Problem;

/// The header that repeats a session's word.
pub const CSRF_HEADER: &str = "x-csrf-token";
/// The session's cookie where there is TLS: such a name is refused by browsers unless it is `Secure` and for this host only.
const SECURE_COOKIE: &str = "__Host-muster";
/// The same without TLS, on loopback.
const PLAIN_COOKIE: &str = "muster-session";

/// The name of the session's cookie.
pub const fn cookie_name(is_tls: bool) -> &'static str {
    if is_tls { SECURE_COOKIE } else { PLAIN_COOKIE }
}

/// Lets a request through with its [`Principal`], or refuses it.
pub async fn gate(
    State(app): State<App>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&app, address, request.method(), request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal.clone());
            let mut response = next.run(request).await;
            // For the log line of the request.
            response.extensions_mut().insert(principal);
            response
        }
        Err(refusal) => refusal,
    }
}

async fn admit(app: &App, address: SocketAddr, method: &Method, headers: &HeaderMap) -> Result<Principal, Response> {
    let (ip, at) = (address.ip(), Instant::now());
    if let Err(wait) = app.by_address.take(ip, at) {
        return Err(slow_down("too many requests from this address", wait));
    }
    let principal = match identify(app, ip, headers).await {
        Ok(principal) => principal,
        // The daemon could not be asked.
        Err(problem) if problem.status != StatusCode::UNAUTHORIZED => return Err(problem.into_response()),
        // Whoever guesses is slowed down; a good token from the same address is still let in, so nobody can lock others out.
        Err(problem) => {
            return Err(match app.refused.take(ip, at) {
                Ok(()) => problem.into_response(),
                Err(wait) => slow_down("too many refused tokens from this address", wait),
            });
        }
    };
    if let Err(wait) = app.by_token.take(principal.grant.name.clone(), at) {
        return Err(slow_down("too many requests with this token", wait));
    }
    if let Credential::Session { csrf } = &principal.by
        && !is_same_site(method, headers, csrf)
    {
        warn!(token = %principal.grant.name, %ip, "a request with a session's cookie came without its CSRF token");
        let refusal = Problem::forbidden("a change with the page's cookie needs its CSRF token");
        return Err(refusal.with_remedy("send the header X-CSRF-Token, or use a bearer token").into_response());
    }
    Ok(principal)
}

async fn identify(app: &App, address: IpAddr, headers: &HeaderMap) -> Result<Principal, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(bearer);
        let token = token.ok_or_else(|| Problem::unauthenticated("the Authorization header has no bearer token"))?;
        let grant = app.tokens.resolve(&app.daemon, &SecretString::new(token)).await?;
        let grant = grant.ok_or_else(|| Problem::unauthenticated("this token is unknown, revoked or has ended"))?;
        return Ok(Principal { grant, by: Credential::Token, address });
    }
    let is_tls = app.config.tls.is_some();
    let Some(cookie) = cookie(headers, cookie_name(is_tls)) else {
        return Err(Problem::unauthenticated("a token is needed"));
    };
    let ended = || Problem::unauthenticated("the session has ended");
    let session = app.sessions.find(cookie, Timestamp::of_system_clock()).ok_or_else(ended)?;
    let Some(grant) = app.tokens.resolve(&app.daemon, &session.token).await? else {
        app.sessions.end(cookie);
        info!("a session ended because its token did");
        return Err(ended());
    };
    Ok(Principal { grant, by: Credential::Session { csrf: session.csrf }, address })
}

/// The token of an `Authorization` header.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    { pairs }.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Whether a request with a session's cookie comes from the page itself. A read changes nothing, and what it answers cannot
/// be read by other sites; a change must repeat the session's word, which other sites cannot know.
fn is_same_site(method: &Method, headers: &HeaderMap, csrf: &str) -> bool {
    if headers.contains_key(header::UPGRADE) {
        // A browser sends no header of ours with a WebSocket, but always says from which page it comes.
        return is_own_origin(headers);
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let given = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    is_same(&hash_of(given), &hash_of(csrf))
}

fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else { return false };
    origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host))
}

fn slow_down(what: &str, wait: Duration) -> Response {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let mut response = Problem::too_many(what).into_response();
    if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_a_change_must_repeat_the_word_of_its_session() {
        assert!(is_same_site(&Method::GET, &headers(&[]), "word"));
        assert!(!is_same_site(&Method::POST, &headers(&[]), "word"));
        assert!(!is_same_site(&Method::DELETE, &headers(&[("x-csrf-token", "other")]), "word"));
        assert!(is_same_site(&Method::PUT, &headers(&[("x-csrf-token", "word")]), "word"));
    }

    #[test]
    fn a_websocket_with_a_cookie_must_come_from_the_own_page() {
        let of = |origin| headers(&[("upgrade", "websocket"), ("host", "m:1"), ("origin", origin)]);
        assert!(is_same_site(&Method::GET, &of("https://m:1"), "word"));
        assert!(!is_same_site(&Method::GET, &of("https://evil"), "word"));
    }

    #[test]
    fn cookies_and_bearers_are_found() {
        let headers = headers(&[("cookie", "a=1; muster-session=x~y"), ("cookie", "b=2")]);
        assert_eq!(cookie(&headers, "muster-session"), Some("x~y"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "c"), None);
        assert_eq!(bearer("bearer mst_a_b"), Some("mst_a_b"));
        assert_eq!(bearer("Basic eDp5"), None);
    }
}
