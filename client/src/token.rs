//! Calls about tokens, which remote callers show to the HTTP bridge.

use muster_protocol::model::token::{NewToken, TokenInfo, TokenSpec};
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{Name, Request, Response};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// Makes a token. The answer is the only one that has it.
    pub async fn token_create(&self, spec: TokenSpec) -> Result<NewToken, ClientError> {
        let Response::NewToken(token) = self.request(Request::TokenCreate { spec }).await? else {
            return Err(ClientError::unexpected("a new token"));
        };
        Ok(*token)
    }

    /// One page of the tokens, by name; never the tokens themselves.
    pub async fn token_list(&self, page: PageRequest) -> Result<Page<TokenInfo>, ClientError> {
        let Response::Tokens(page) = self.request(Request::TokenList { page }).await? else {
            return Err(ClientError::unexpected("tokens"));
        };
        Ok(page)
    }

    /// All tokens, by name, page after page as they are taken.
    pub fn tokens(&self) -> ItemStream<TokenInfo> {
        self.all_pages(|client, page| async move { client.token_list(page).await })
    }

    /// Takes a token off the list: it grants nothing any more.
    pub async fn token_revoke(&self, token: &Name) -> Result<(), ClientError> {
        let Response::Done = self.request(Request::TokenRevoke { token: token.clone() }).await? else {
            return Err(ClientError::unexpected("that it is done"));
        };
        Ok(())
    }
}
