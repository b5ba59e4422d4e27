//! Streams that go on where they were when the connection is lost, where that is possible.

use futures::{Stream, stream};
use muster_protocol::{Request, StreamItem};

use crate::call::CallError;
use crate::passing::{is_of_daemon, is_passing, may_pass};
use crate::patience::Patience;
use crate::pending::{Lost, StreamEvent};
use crate::subscription::Subscription;
use crate::{Client, ClientError};

/// Where a stream is, and how to ask for the rest of it.
pub(crate) trait Resume: Send + 'static {
    type Item: Send;

    /// Asks for what has not been seen yet.
    fn request(&self) -> Request;

    /// Takes what came; none if it was seen before.
    fn accept(&mut self, item: StreamItem) -> Result<Option<Self::Item>, ClientError>;

    /// Whether nothing more can come, so that a lost connection does not matter.
    fn is_complete(&self) -> bool {
        false
    }

    /// Whether asking again brings exactly what has not been seen yet.
    fn can_resume(&self) -> bool {
        true
    }
}

/// A stream whose items have no order that the daemon knows: it can be asked for again only before the first one.
pub(crate) struct UntilLost {
    pub(crate) request: Request,
    pub(crate) has_begun: bool,
}

impl Resume for UntilLost {
    type Item = StreamItem;

    fn request(&self) -> Request {
        self.request.clone()
    }

    fn accept(&mut self, item: StreamItem) -> Result<Option<StreamItem>, ClientError> {
        self.has_begun = true;
        Ok(Some(item))
    }

    fn can_resume(&self) -> bool {
        !self.has_begun
    }
}

struct Watch<R> {
    client: Client,
    resume: R,
    subscription: Option<Subscription>,
    patience: Patience,
    is_over: bool,
}

impl Client {
    /// A stream that is asked for again whenever the connection is lost, for as long as the client is patient.
    pub(crate) fn watch<R: Resume>(&self, resume: R) -> impl Stream<Item = Result<R::Item, ClientError>> + use<R> {
        let patience = self.patience();
        let watch = Watch { client: self.clone(), resume, subscription: None, patience, is_over: false };
        stream::unfold(watch, |mut watch| async {
            if watch.is_over {
                return None;
            }
            let item = watch.next().await.transpose()?;
            watch.is_over = item.is_err();
            Some((item, watch))
        })
    }
}

impl<R: Resume> Watch<R> {
    async fn next(&mut self) -> Result<Option<R::Item>, ClientError> {
        loop {
            match self.event().await {
                Ok(StreamEvent::Item(item)) => {
                    self.patience.restore();
                    if let Some(item) = self.resume.accept(item)? {
                        return Ok(Some(item));
                    }
                }
                Ok(StreamEvent::End(Ok(()))) => return Ok(None),
                Ok(StreamEvent::End(Err(error))) if is_passing(&error) => {
                    self.again_after(ClientError::Remote(error)).await?;
                }
                Ok(StreamEvent::End(Err(error))) => return Err(error.into()),
                Err(_) if self.resume.is_complete() => return Ok(None),
                Err(error) => self.again_after(error).await?,
            }
        }
    }

    /// The next event of the present subscription, or of a new one.
    async fn event(&mut self) -> Result<StreamEvent, ClientError> {
        let subscription = match &mut self.subscription {
            Some(subscription) => subscription,
            none => {
                let connection = self.client.connection().await?;
                self.patience.connected();
                let subscribed =
                    connection.subscribe(self.client.asker(), self.resume.request(), self.client.window()).await;
                none.insert(subscribed.map_err(unsubscribed)?)
            }
        };
        subscription.next().await.map_err(|lost| lost.into_error(false))
    }

    /// Gives the present subscription up, and returns when it is time to ask again.
    async fn again_after(&mut self, error: ClientError) -> Result<(), ClientError> {
        let is_of_cluster = matches!(&error, ClientError::Remote(error) if !is_of_daemon(error));
        if let Some(subscription) = self.subscription.take()
            && !is_of_cluster
        {
            self.client.discard(subscription.connection()).await;
        }
        if may_pass(&error) && self.resume.can_resume() && self.patience.pause().await { Ok(()) } else { Err(error) }
    }
}

/// A stream changes nothing, so it does not matter whether the daemon saw the request.
pub(crate) fn unsubscribed(error: CallError) -> ClientError {
    match error {
        CallError::NotSent(lost) | CallError::Unanswered(lost) => Lost::into_error(lost, false),
        CallError::Unsendable(error) => error,
    }
}
