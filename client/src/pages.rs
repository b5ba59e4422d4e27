//! Lists that come in pages, as one stream.

use futures::{StreamExt, stream};
use muster_protocol::page::{Page, PageRequest};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// Every item of a list: asks for a page when the one before is used up.
    pub(crate) fn all_pages<T, F, A>(&self, ask: F) -> ItemStream<T>
    where
        T: Send + 'static,
        F: Fn(Client, PageRequest) -> A + Send + 'static,
        A: Future<Output = Result<Page<T>, ClientError>> + Send + 'static,
    {
        let client = self.clone();
        let pages = stream::try_unfold(Some(PageRequest::default()), move |request| {
            let page = request.map(|request| ask(client.clone(), request));
            async move {
                let Some(page) = page else { return Ok(None) };
                let Page { items, next } = page.await?;
                let request = next.map(|next| PageRequest { limit: None, after: Some(next) });
                Ok::<_, ClientError>(Some((items, request)))
            }
        });
        pages
            .flat_map(|page| match page {
                Ok(items) => stream::iter(items.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            })
            .boxed()
    }
}
