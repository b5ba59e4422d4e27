//! Sessions of the page: a token is exchanged for a cookie that no script can read.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_protocol::model::token::AccessRole;
use muster_protocol::{Name, SecretString, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::answer;
use crate::app::App;
use crate::auth::gate::{cookie, cookie_name};
use crate::extract::Json;
use crate::problem::Problem;

/// A token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    token: SecretString,
}

/// A session as the page sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionInfo {
    owner: Name,
    role: AccessRole,
    expires: Timestamp,
    /// What a change must repeat in `X-CSRF-Token`.
    csrf: String,
}

/// `POST /session`: begins a session.
///
/// # Errors
/// If the token is not good, or too many were not.
pub async fn begin(
    State(app): State<App>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Json(login): Json<Login>,
) -> Result<Response, Problem> {
    let (ip, at, now) = (address.ip(), Instant::now(), Timestamp::of_system_clock());
    if app.by_address.take(ip, at).is_err() {
        return Err(Problem::too_many("too many requests from this address"));
    }
    let Some(grant) = app.tokens.resolve(&app.daemon, &login.token).await? else {
        return Err(match app.refused.take(ip, at) {
            Ok(()) => Problem::unauthenticated("this token is unknown, revoked or has ended"),
            Err(_) => Problem::too_many("too many refused tokens from this address"),
        });
    };
    let (cookie, session) = app.sessions.begin(login.token, grant.expires_at, now);
    info!(token = %grant.name, %ip, "a session of the page begins");
    let shown = SessionInfo { owner: grant.name, role: grant.role, expires: session.expires, csrf: session.csrf };
    let mut response = answer::json(&shown, None)?;
    let seconds = session.expires.since(now).as_secs();
    set_cookie(&app, &mut response, &format!("{cookie}; Max-Age={seconds}"));
    Ok(response)
}

/// `GET /session`: the session of the cookie, for a page that was loaded again.
///
/// # Errors
/// If there is none.
pub async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let none = || Problem::unauthenticated("there is no session");
    let now = Timestamp::of_system_clock();
    let cookie = cookie(&headers, cookie_name(app.config.tls.is_some())).ok_or_else(none)?;
    let session = app.sessions.find(cookie, now).ok_or_else(none)?;
    let grant = app.tokens.resolve(&app.daemon, &session.token).await?.ok_or_else(none)?;
    let shown = SessionInfo { owner: grant.name, role: grant.role, expires: session.expires, csrf: session.csrf };
    answer::json(&shown, None)
}

/// `DELETE /session`: ends it. `SameSite=Strict` keeps other sites from doing so.
pub async fn end(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(cookie) = cookie(&headers, cookie_name(app.config.tls.is_some())) {
        app.sessions.end(cookie);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &mut response, "; Max-Age=0");
    response
}

fn set_cookie(app: &App, response: &mut Response, value: &str) {
    let is_tls = app.config.tls.is_some();
    let secure = if is_tls { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(is_tls));
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}
