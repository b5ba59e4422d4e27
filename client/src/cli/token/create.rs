//! `muster token create NAME --role ROLE`

use std::time::Duration;

use clap::Args;
use muster_protocol::Name;
use muster_protocol::model::token::{AccessRole, NewToken, TokenInfo, TokenSpec};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::cli::{kinds, moment};

/// The arguments.
#[derive(Debug, Args)]
#[command(
    after_help = "Standard output has the token and nothing else. It is shown this once: the daemon keeps only a hash.\n\
    What is done with it is done by `token:NAME`."
)]
pub struct Create {
    /// The token's name, for example that of its holder
    pub name: Name,
    /// What its holder may do
    #[arg(long, value_parser = kinds::roles(), value_name = "ROLE")]
    pub role: AccessRole,
    /// A cluster that its holder may see and change; can be given several times. All, if not given
    #[arg(long = "cluster", value_name = "NAME")]
    pub clusters: Vec<Name>,
    /// How long it holds, for example 12h or 90d; ten years at most
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = moment::duration)]
    pub expires: Duration,
}

/// The one form in which a token is shown to programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    token: &'a str,
    info: &'a TokenInfo,
}

impl Create {
    /// Asks for it.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, role, clusters, expires } = self;
        let spec = TokenSpec { name, role, clusters, lifetime_seconds: expires.as_secs() };
        let NewToken { token, info } = context.client().await?.token_create(spec).await?;
        context.output.said(&Shown { token: token.expose(), info: &info }, || token.expose().to_owned())?;
        context.hint(&format!("{} holds until {}; it is shown this once", info.name, info.expires_at));
        Ok(())
    }
}
