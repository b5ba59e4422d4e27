//! What the description of the API says of answers that many operations have.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder};

use crate::problem::PROBLEM_JSON;

/// The answers to a change: its operation, or a refusal.
pub struct Changed;

/// The answers to a change that may be planned instead of made.
pub struct ChangedOrPlanned;

impl IntoResponses for Changed {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        change("OperationInfo", "The operation at its end.")
    }
}

impl IntoResponses for ChangedOrPlanned {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        change("PlanOrOperation", "With `dryRun` the plan; with `Prefer: wait` the operation at its end.")
    }
}

/// What is answered at once, with the schema of what is answered later or instead.
fn change(ended: &str, meaning: &str) -> BTreeMap<String, RefOr<Response>> {
    let json = |schema: &str| ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let location = HeaderBuilder::new().description(Some("The operation.")).build();
    let accepted = ResponseBuilder::new()
        .description("The wish is on disk; the operation makes it so.")
        .content("application/json", json("OperationInfo"))
        .header("Location", location);
    let ended = ResponseBuilder::new().description(meaning).content("application/json", json(ended));
    let mut responses = Problems::responses();
    responses.extend([("200".to_owned(), ended.build().into()), ("202".to_owned(), accepted.build().into())]);
    responses
}

/// The refusals that every operation may have, for the description of the API.
pub struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let statuses = [
            ("400", "The request is wrong; `field` says where."),
            ("401", "No token, or one that is unknown, revoked or has ended."),
            ("403", "The caller's role does not allow it."),
            ("404", "There is no such thing."),
            ("408", "The body did not come in time."),
            ("409", "It contradicts the present state, or the name is taken."),
            ("412", "`If-Match` is not the present ETag."),
            ("413", "The body is too large."),
            ("415", "The body is not JSON."),
            (
                "422",
                "The orchestrator or infrastructure cannot do it, or the idempotency key came with another request.",
            ),
            ("429", "Too many requests; `Retry-After` says how long to wait."),
            ("500", "A mistake in Muster."),
            ("502", "The infrastructure or orchestrator refused, or daemon and bridge do not understand each other."),
            ("503", "The daemon cannot be reached."),
            ("504", "It took too long."),
        ];
        let described = statuses.into_iter().fold(ResponsesBuilder::new(), |all, (status, meaning)| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let mut response = ResponseBuilder::new().description(meaning).content(PROBLEM_JSON, content);
            if status == "429" || status == "503" {
                let seconds = HeaderBuilder::new().description(Some("Seconds to wait."));
                response = response.header("Retry-After", seconds.build());
            }
            all.response(status, response.build())
        });
        described.build().responses
    }
}
