//! Streams from the daemon to a caller: server-sent events, or one JSON value a line.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, future, stream};
use muster_client::{ClientError, ItemStream};
use serde::Serialize;

use crate::app::StreamPlace;
use crate::problem::Problem;

/// So often a silent stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// A stream, and the caller's place for it.
pub struct Stream<T> {
    items: ItemStream<T>,
    place: StreamPlace,
}

impl<T: Send + 'static> Stream<T> {
    /// Together. The client's streams may not be asked again behind their end, and this one may.
    pub fn new(items: ItemStream<T>, place: StreamPlace) -> Self {
        Self { items: items.fuse().boxed(), place }
    }

    /// The next item.
    pub async fn next(&mut self) -> Option<Result<T, ClientError>> {
        self.items.next().await
    }

    /// Passes over items for which this is not so.
    #[must_use]
    pub fn filter(self, mut keep: impl FnMut(&T) -> bool + Send + 'static) -> Self {
        let passes =
            move |item: &Result<T, ClientError>| future::ready(item.as_ref().is_ok_and(&mut keep) || item.is_err());
        Self { items: self.items.filter(passes).boxed(), place: self.place }
    }

    /// Waits for the first item, so that a refusal is an answer of its own and not the end of a stream.
    async fn first(mut self) -> Result<Self, Problem> {
        match self.items.next().await {
            Some(Err(refused)) => Err(refused.into()),
            first => {
                let items = stream::iter(first).chain(self.items).fuse().boxed();
                Ok(Self { items, place: self.place })
            }
        }
    }
}

impl<T: Serialize + Send + 'static> Stream<T> {
    /// As server-sent events: `name` is the kind of each, `id` is where a caller that comes again goes on behind it. The stream
    /// ends with an event `end`, or `problem` if it broke.
    pub fn as_events(self, name: &'static str, mut id: impl FnMut(&T) -> Option<String> + Send + 'static) -> Response {
        let Self { items, place } = self;
        let ends = stream::once(future::ready(None));
        let events = items.map(Some).chain(ends).scan(false, move |is_over, item| {
            let _kept = &place;
            if *is_over {
                return future::ready(None);
            }
            let event = match item {
                Some(Ok(item)) => event(name, &item, id(&item)),
                Some(Err(error)) => {
                    *is_over = true;
                    event("problem", &Problem::from(error), None)
                }
                None => Sse::default().event("end").data("{}"),
            };
            future::ready(Some(Ok::<_, Infallible>(event)))
        });
        let sse = axum::response::sse::Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE));
        let mut response = sse.into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        response
    }

    /// As one JSON value a line. A stream that breaks ends without the end of the body, so that nobody takes it for whole.
    ///
    /// # Errors
    /// If the first item is a refusal.
    pub async fn as_lines(self) -> Result<Response, Problem> {
        let Self { items, place } = self.first().await?;
        let lines = items.map(move |item| {
            let _kept = &place;
            let mut line = serde_json::to_vec(&item?).map_err(std::io::Error::other)?;
            line.push(b'\n');
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(line)
        });
        let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
        Ok((headers, Body::from_stream(lines)).into_response())
    }
}

fn event<T: Serialize>(name: &str, item: &T, id: Option<String>) -> Sse {
    let event = Sse::default().event(name);
    let event = id.map_or_else(|| event.clone(), |id| event.clone().id(id));
    event.json_data(item).unwrap_or_else(|_| Sse::default().event("problem").data("{}"))
}
