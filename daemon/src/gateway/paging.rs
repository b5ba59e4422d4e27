//! Lists a page at a time. The place to go on from is opaque to clients: the last item's key, encoded.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use muster_engine::state::ClusterState;
use muster_protocol::codec::{self, MAX_FRAME_BYTES};
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{ClusterId, Error, Name};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::roles::Caller;
use crate::board::Board;

/// Bytes that the items of a page may take: a quarter of the frame is left for the rest.
const MAX_PAGE_BYTES: usize = MAX_FRAME_BYTES / 4 * 3;

/// Clusters looked at in one go while a page of what is in them is made.
const CLUSTERS_AT_ONCE: usize = 64;

/// Where a list of things in clusters goes on: the cluster, and the thing's key in it.
pub type Place<K> = (Name, ClusterId, K);

/// How many items are wanted.
pub fn limit(request: &PageRequest) -> usize {
    let limit = request.limit.filter(|limit| *limit > 0).unwrap_or(PageRequest::DEFAULT_LIMIT);
    limit.min(PageRequest::MAX_LIMIT) as usize
}

/// Behind which key to go on.
pub fn place<K: DeserializeOwned>(request: &PageRequest) -> Result<Option<K>, Error> {
    let Some(after) = &request.after else { return Ok(None) };
    let bytes = BASE64.decode(after).ok();
    let key = bytes.and_then(|bytes| codec::decode(&bytes).ok());
    let unknown = || {
        Error::invalid("page.after", "this is not where a page ended")
            .with_remedy("give the `next` of the page before, unchanged, for the same list")
    };
    key.ok_or_else(unknown).map(Some)
}

/// A page of these items, which are in order and may be more than fit. `key` is behind what the next page goes on.
pub fn page<T: Serialize, K: Serialize>(
    items: impl IntoIterator<Item = T>,
    limit: usize,
    key: impl Fn(&T) -> K,
) -> Result<Page<T>, Error> {
    let mut page = Page { items: Vec::new(), next: None };
    let mut bytes = 0;
    for item in items {
        let size = codec::encode(&item).map_err(|error| unencodable(&error))?.len();
        let is_full = page.items.len() == limit || (!page.items.is_empty() && bytes + size > MAX_PAGE_BYTES);
        if is_full {
            if let Some(last) = page.items.last() {
                page.next = Some(BASE64.encode(codec::encode(&key(last)).map_err(|error| unencodable(&error))?));
            }
            break;
        }
        bytes += size;
        page.items.push(item);
    }
    Ok(page)
}

/// A page of things that are in clusters: of one cluster or of all that the caller may see, by cluster and then by key.
pub fn page_of_clusters<T: Serialize, K>(
    board: &Board,
    caller: &Caller,
    cluster: Option<&Name>,
    request: &PageRequest,
    things_in: impl Fn(&ClusterState) -> Vec<T>,
    key: impl Fn(&T) -> Place<K>,
) -> Result<Page<T>, Error>
where
    K: Serialize + DeserializeOwned + Ord,
{
    let limit = limit(request);
    let after = place::<Place<K>>(request)?;
    let sorted = |state: &ClusterState| {
        let mut things = things_in(state);
        things.sort_by_cached_key(&key);
        things.retain(|thing| after.as_ref().is_none_or(|after| key(thing) > *after));
        things
    };
    if let Some(name) = cluster {
        return page(sorted(&board.cluster(name)?.state), limit, &key);
    }
    let mut things = Vec::new();
    let mut behind = after.as_ref().map(|(name, id, _)| (name.clone(), *id));
    if let Some(pinned) =
        behind.as_ref().filter(|(name, _)| caller.sees(name)).and_then(|(_, id)| board.cluster_by_id(*id))
    {
        things.extend(sorted(&pinned.state));
    }
    while things.len() <= limit {
        let clusters = board.page(behind.as_ref(), CLUSTERS_AT_ONCE, |name| caller.sees(name));
        let Some(last) = clusters.last() else { break };
        behind = Some((last.state.desired().spec.name.clone(), last.state.id()));
        for pinned in &clusters {
            things.extend(sorted(&pinned.state));
        }
    }
    page(things, limit, key)
}

fn unencodable(error: &codec::EncodeError) -> Error {
    Error::new(muster_protocol::ErrorCode::Internal, format!("an item of the list cannot be sent: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_pages(items: &[String], limit: u32) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        let mut request = PageRequest { limit: Some(limit), after: None };
        loop {
            let after: Option<String> = place(&request).unwrap();
            let rest = items.iter().filter(|item| after.as_ref().is_none_or(|after| *item > after)).cloned();
            let page = page(rest, super::limit(&request), String::clone).unwrap();
            pages.push(page.items);
            match page.next {
                Some(next) => request.after = Some(next),
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_have_every_item_once_and_the_last_one_has_no_next() {
        let items: Vec<String> = (0..10).map(|number| format!("item-{number}")).collect();
        let pages = all_pages(&items, 4);
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(pages.concat(), items);
        assert_eq!(all_pages(&items, 5).len(), 2);
        assert_eq!(all_pages(&[], 5), [Vec::<String>::new()]);
    }

    #[test]
    fn a_page_ends_before_it_outgrows_a_frame() {
        let items: Vec<String> = (0..10).map(|number| format!("{number}{}", "x".repeat(1 << 20))).collect();
        let pages = all_pages(&items, 100);
        assert!(pages.iter().all(|page| codec::encode(page).is_ok()));
        assert_eq!(pages.concat(), items);
    }

    #[test]
    fn limits_are_kept_within_bounds() {
        let limit_of = |limit: Option<u32>| super::limit(&PageRequest { limit, after: None });
        assert_eq!(limit_of(None), 100);
        assert_eq!(limit_of(Some(0)), 100);
        assert_eq!(limit_of(Some(u32::MAX)), 1000);
    }

    #[test]
    fn a_token_that_was_made_up_is_refused() {
        for after in ["", "nonsense!", "AAAA", "____________"] {
            let request = PageRequest { limit: None, after: Some(after.to_owned()) };
            let error = place::<(Name, ClusterId)>(&request).unwrap_err();
            assert_eq!(error.details["field"], "page.after");
        }
    }
}
