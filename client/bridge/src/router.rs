//! Which path is answered by what.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use muster_protocol::{Request, Response as Answer};

use crate::api::caller::{Caller, unexpected};
use crate::api::session;
use crate::app::App;
use crate::auth::gate;
use crate::problem::Problem;
use crate::{frame, openapi, page};

/// Everything that the bridge answers.
///
/// # Errors
/// If the API's description is no JSON.
pub fn router(app: App) -> serde_json::Result<Router> {
    let (api, described) = openapi::routes();
    // For as long as the process runs, and the same for all requests.
    let document: &'static str = String::leak(serde_json::to_string(&described)?);
    let guarded = api.route("/metrics", get(metrics)).layer(middleware::from_fn_with_state(app.clone(), gate::gate));
    let mut open = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/v1/openapi.json", get(async move || openapi::answer(document)));
    if app.config.page.enabled {
        open =
            open.route("/session", post(session::begin).get(session::show).delete(session::end)).merge(page::routes());
    }
    Ok(guarded
        .merge(open)
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(app.config.limits.body_bytes))
        .layer(middleware::from_fn(frame::frame))
        .with_state(app))
}

async fn unknown() -> Problem {
    let problem = Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path");
    problem.with_remedy("/v1/openapi.json lists all paths")
}

/// Whether the bridge can do its work: the daemon answers.
async fn ready(State(app): State<App>) -> Response {
    let limit = std::time::Duration::from_secs(5);
    match tokio::time::timeout(limit, app.daemon.ask(None, Request::Whoami)).await {
        Ok(Ok(_)) => "ready\n".into_response(),
        Ok(Err(error)) => Problem::from(error).into_response(),
        Err(_) => Problem::timed_out("the daemon did not answer in time").into_response(),
    }
}

/// The bridge's metrics and the daemon's, for a caller that may look.
async fn metrics(caller: Caller) -> Result<Response, Problem> {
    let mut text = caller.app.metrics.render();
    match caller.ask(Request::Metrics).await {
        Ok(Answer::Text(of_daemon)) => text.push_str(&of_daemon),
        Ok(_) => return Err(unexpected("metrics")),
        Err(problem) if problem.status == StatusCode::FORBIDDEN => return Err(problem),
        // A daemon that is away is what its metrics are watched for: the bridge's own say so.
        Err(problem) => text.push_str(&format!("# no metrics of the daemon: {}\n", problem.detail)),
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
