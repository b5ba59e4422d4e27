//! listTokens: all tokens, by name; never the tokens themselves.

use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::gateway::paging;

/// A page of tokens.
pub fn list(app: &App, request: &PageRequest) -> Result<Response, Error> {
    let (limit, after) = (paging::limit(request), paging::place::<Name>(request)?);
    let tokens = app.tokens.all().into_iter().filter(|token| after.as_ref().is_none_or(|after| token.name > *after));
    let infos = tokens.map(|token| token.info());
    Ok(Response::Tokens(paging::page(infos, limit, |info| info.name.clone())?))
}
