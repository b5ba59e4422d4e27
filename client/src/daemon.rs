//! Calls about the daemon itself.

use muster_protocol::model::account::Finding;
use muster_protocol::request::Whoami;
use muster_protocol::{Request, Response};

use crate::{Client, ClientError};

impl Client {
    /// Looks at everything that Muster needs.
    pub async fn doctor(&self) -> Result<Vec<Finding>, ClientError> {
        match self.request(Request::Doctor).await? {
            Response::Doctor(findings) => Ok(findings),
            other => Err(ClientError::unexpected("findings", &other)),
        }
    }

    /// Who the caller is to the daemon, and who the daemon is.
    pub async fn whoami(&self) -> Result<Whoami, ClientError> {
        match self.request(Request::Whoami).await? {
            Response::Whoami(whoami) => Ok(whoami),
            other => Err(ClientError::unexpected("who is who", &other)),
        }
    }
}
