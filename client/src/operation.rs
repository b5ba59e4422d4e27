//! Calls about operations, the records of changes that were asked for.

use futures::{StreamExt, TryStreamExt};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{Name, OperationId, Request, Response, StreamItem};

use crate::watch::Resume;
use crate::{Client, ClientError, ItemStream};

impl Client {
    /// One operation as it is now.
    pub async fn operation_info(&self, id: OperationId) -> Result<OperationInfo, ClientError> {
        self.change(Request::OperationInfo { id }).await
    }

    /// One page of the operations on one cluster, or of all, newest first.
    pub async fn operation_list(
        &self,
        cluster: Option<&Name>,
        page: PageRequest,
    ) -> Result<Page<OperationInfo>, ClientError> {
        let Response::Operations(page) =
            self.request(Request::OperationList { cluster: cluster.cloned(), page }).await?
        else {
            return Err(ClientError::unexpected("operations"));
        };
        Ok(page)
    }

    /// All operations on one cluster, or of all, newest first, page after page as they are taken.
    pub fn operations(&self, cluster: Option<&Name>) -> ItemStream<OperationInfo> {
        let cluster = cluster.cloned();
        self.all_pages(move |client, page| {
            let cluster = cluster.clone();
            async move { client.operation_list(cluster.as_ref(), page).await }
        })
    }

    /// An operation now and at each change; ends after the operation has ended. Survives lost connections.
    pub fn operation_watch(&self, id: OperationId) -> ItemStream<OperationInfo> {
        self.watch(OperationWatch { id, last: None }).boxed()
    }

    /// Ends an operation; what was asked for before it is restored. Answers with the operation.
    pub async fn operation_cancel(&self, id: OperationId) -> Result<OperationInfo, ClientError> {
        self.change(Request::OperationCancel { id }).await
    }

    /// Waits until an operation has ended, however it ends: see its phase and cause. Survives lost connections.
    /// Dropping the future leaves the operation running.
    pub async fn wait(&self, id: OperationId) -> Result<OperationInfo, ClientError> {
        let mut changes = self.operation_watch(id);
        while let Some(operation) = changes.try_next().await? {
            if operation.phase.is_ended() {
                return Ok(operation);
            }
        }
        let message = "it ended the watch of an operation that has not ended".to_owned();
        Err(ClientError::Protocol { message })
    }

    /// Makes a request that is answered with an operation.
    pub(crate) async fn change(&self, request: Request) -> Result<OperationInfo, ClientError> {
        let Response::Operation(operation) = self.request(request).await? else {
            return Err(ClientError::unexpected("an operation"));
        };
        Ok(operation)
    }
}

/// Asked anew, the daemon begins with the operation as it is: what was seen already is left out.
struct OperationWatch {
    id: OperationId,
    last: Option<OperationInfo>,
}

impl Resume for OperationWatch {
    type Item = OperationInfo;

    fn request(&self) -> Request {
        Request::OperationWatch { id: self.id }
    }

    fn accept(&mut self, item: StreamItem) -> Result<Option<OperationInfo>, ClientError> {
        let StreamItem::Operation(operation) = item else {
            return Err(ClientError::unexpected("an operation"));
        };
        if self.last.as_ref() == Some(&operation) {
            return Ok(None);
        }
        self.last = Some(operation.clone());
        Ok(Some(operation))
    }

    fn is_complete(&self) -> bool {
        self.last.as_ref().is_some_and(|operation| operation.phase.is_ended())
    }
}
