//! Calls about the daemon itself.

use muster_protocol::model::account::Finding;
use muster_protocol::response::Whoami;
use muster_protocol::{Request, Response};

use crate::{Client, ClientError};

impl Client {
    /// Looks at everything that Muster needs.
    pub async fn doctor(&self) -> Result<Vec<Finding>, ClientError> {
        let Response::Doctor(findings) = self.request(Request::Doctor).await? else {
            return Err(ClientError::unexpected("findings"));
        };
        Ok(findings)
    }

    /// Who the caller is to the daemon, and who the daemon is.
    pub async fn whoami(&self) -> Result<Whoami, ClientError> {
        let Response::Whoami(whoami) = self.request(Request::Whoami).await? else {
            return Err(ClientError::unexpected("who is who"));
        };
        Ok(whoami)
    }
}
