//! Events: the durable, numbered log of what happened.

use axum::http::{HeaderMap, HeaderName};
use axum::response::Response as HttpResponse;
use muster_client::EventQuery;
use muster_protocol::model::event::Event;
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{Name, Request};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer;
use super::caller::Caller;
use super::responses::Problems;
use super::stream::Stream;
use crate::extract::{Fields, Query, wants_events};
use crate::hub::newest;
use crate::problem::Problem;
use crate::schema;

/// The number of the last event that a follower has.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Those behind the event of this number, or behind the `latest`; from the oldest that is kept, if left out.
    #[param(value_type = Option<String>, required = false, pattern = "^([0-9]{1,19}|latest)$", example = "latest")]
    since: Option<Since>,
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only these fields of each, with commas between.
    #[param(value_type = Option<String>, required = false, example = "number,message")]
    fields: Option<Fields>,
    /// Only those about this cluster.
    #[param(value_type = Option<String>, required = false)]
    cluster: Option<Name>,
    /// Go on with new ones. Only as server-sent events, which do so unless it is `false`.
    #[param(required = false)]
    follow: Option<bool>,
}

/// Events in their order: a page, or with `Accept: text/event-stream` as they come. An event's number is its id, so
/// `Last-Event-ID` goes on behind it without gap or repeat.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listEvents", tag = "events", params(EventsQuery),
    responses(
        (status = 200, description = "Events. `next` is the number to go on from with `since`; so is the header \
            `Last-Event-ID`, also on the last page.", content(
            (answer::List<schema::Event> = "application/json"),
            (String = "text/event-stream"),
        )),
        Problems
    )
)]
pub async fn list(
    caller: Caller,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<HttpResponse, Problem> {
    let EventsQuery { since, limit, fields, cluster, follow } = query;
    let since = match since {
        None => None,
        Some(Since::Number(number)) => Some(number),
        Some(Since::Latest) => Some(newest(&caller.app).await?),
    };
    let is_stream = wants_events(&headers);
    if follow == Some(true) && !is_stream {
        let problem = Problem::invalid("follow", "events are followed as server-sent events only");
        return Err(problem.with_remedy("send `Accept: text/event-stream`"));
    }
    if is_stream {
        let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok());
        let since = last.or(since);
        let events = match follow.unwrap_or(true) {
            true => caller.follow(since, cluster).await?,
            false => events(&caller, EventQuery { since, cluster, follow: false }).await?,
        };
        return Ok(events.as_events("event", |event| Some(event.number.to_string())));
    }
    let PageRequest { limit, after: _ } = crate::extract::query::page(limit, None)?;
    let limit = limit.unwrap_or(PageRequest::DEFAULT_LIMIT) as usize;
    let mut found = events(&caller, EventQuery { since, cluster, follow: false }).await?;
    let mut page = Page { items: Vec::new(), next: None };
    while let Some(event) = found.next().await {
        let event = event?;
        if page.items.len() == limit {
            page.next = page.items.last().map(|last: &Event| last.number.to_string());
            break;
        }
        page.items.push(event);
    }
    let last = page.items.last().map(|last| last.number).or(since);
    let mut response = answer::list(&page, fields.as_ref())?;
    if let Some(last) = last {
        response.headers_mut().insert(LAST_EVENT_ID, last.into());
    }
    Ok(response)
}

/// Behind which event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
enum Since {
    Number(u64),
    Latest,
}

impl TryFrom<String> for Since {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        text.parse().map(Self::Number).map_err(|_| "since is the number of an event, or `latest`")
    }
}

async fn events(caller: &Caller, query: EventQuery) -> Result<Stream<Event>, Problem> {
    let EventQuery { since, cluster, follow } = query.clone();
    caller.stream(&Request::Events { since, cluster, follow }, |client| client.events(query)).await
}
