//! The description of the API, made from the code.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, SecurityRequirement};
use utoipa::{Modify, OpenApi as _};

use crate::api;
use crate::app::App;
use crate::auth::gate::cookie_name;
use crate::problem::Problem;
use crate::schema;

#[derive(utoipa::OpenApi)]
#[openapi(
    tags(
        (name = "clusters", description = "Clusters of container orchestrators."),
        (name = "services", description = "What runs on them, in orchestrator-neutral form."),
        (name = "hosts", description = "The machines of clusters."),
        (name = "containers", description = "The running copies of services."),
        (name = "catalog", description = "Templates of services."),
        (name = "operations", description = "The records of changes that were asked for."),
        (name = "events", description = "The durable log of what happened."),
        (name = "accounts", description = "Accounts at infrastructures."),
        (name = "tokens", description = "What remote callers show."),
        (name = "audit", description = "Who asked for which change, and what came of it."),
        (name = "daemon", description = "The daemon and the caller."),
    ),
    components(schemas(Problem, schema::PlanOrOperation)),
    modifiers(&Frame)
)]
struct Described;

struct Frame;

impl Modify for Frame {
    fn modify(&self, api: &mut OpenApi) {
        let about = "The Common Gateway API of Muster over HTTP. Every change answers with an operation; follow it at its \
            `Location`, or wait for its end with `Prefer: wait=N`. Refusals are problem details (RFC 9457) with Muster's \
            stable codes. Every answer carries `X-Request-Id`, the caller's or one of the bridge's.";
        api.info = InfoBuilder::new()
            .title("Muster")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some(about))
            .license(Some(utoipa::openapi::License::new(env!("CARGO_PKG_LICENSE"))))
            .build();
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("mst_NAME_SECRET").build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookie_name(true))));
        components.add_security_scheme("session", cookie);
        let none: [&str; 0] = [];
        api.security = Some(vec![SecurityRequirement::new("token", none), SecurityRequirement::new("session", none)]);
    }
}

/// The routes that need a caller, and the description of them.
pub fn routes() -> (Router<App>, OpenApi) {
    let (router, mut described) = api::routes().split_for_parts();
    let mut api = Described::openapi();
    api.merge(std::mem::take(&mut described));
    (router, api)
}

/// The description as text: what `docs/reference/openapi.json` holds.
///
/// # Errors
/// If it is no JSON, which would be a mistake in its generator.
pub fn document() -> serde_json::Result<String> {
    let (_, api) = routes();
    let mut text = serde_json::to_string_pretty(&api)?;
    text.push('\n');
    Ok(text)
}

/// Serves it.
pub fn answer(document: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/vnd.oai.openapi+json;version=3.1")], document).into_response()
}
