//! Who calls: tokens, and sessions of the page. What each may do is the daemon's to say.

pub mod gate;
pub mod random;
pub mod session;
pub mod tokens;

use std::net::IpAddr;

use muster_protocol::model::token::TokenInfo;

/// The caller of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// What its token grants.
    pub grant: TokenInfo,
    /// How it showed that.
    pub by: Credential,
    /// Where it asks from.
    pub address: IpAddr,
}

/// How a caller shows who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    /// A bearer token.
    Token,
    /// The cookie of the page, with the word that a request which changes something must repeat.
    Session {
        /// That word.
        csrf: String,
    },
}
