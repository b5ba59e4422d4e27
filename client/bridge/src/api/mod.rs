//! The Common Gateway API over HTTP: one file a noun.

pub mod access;
pub mod accounts;
pub mod answer;
pub mod audit;
pub mod caller;
pub mod catalog;
pub mod clusters;
pub mod containers;
pub mod daemon;
pub mod duplex;
pub mod events;
pub mod hosts;
pub mod logs;
pub mod operations;
pub mod responses;
pub mod services;
pub mod session;
pub mod stream;
pub mod tokens;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Everything under `/v1` that needs a caller.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(clusters::list, clusters::create))
        .routes(routes!(clusters::info, clusters::delete))
        .routes(routes!(clusters::spec))
        .routes(routes!(clusters::plan))
        .routes(routes!(clusters::scale))
        .routes(routes!(clusters::retry))
        .routes(routes!(clusters::upgrade))
        .routes(routes!(clusters::renew))
        .routes(routes!(access::access))
        .routes(routes!(services::list, services::create))
        .routes(routes!(services::info, services::delete))
        .routes(routes!(services::spec, services::update))
        .routes(routes!(services::scale))
        .routes(routes!(services::refresh))
        .routes(routes!(services::logs))
        .routes(routes!(duplex::exec))
        .routes(routes!(duplex::forward))
        .routes(routes!(services::list_all))
        .routes(routes!(hosts::list))
        .routes(routes!(hosts::info))
        .routes(routes!(containers::list))
        .routes(routes!(containers::info))
        .routes(routes!(catalog::list))
        .routes(routes!(catalog::show))
        .routes(routes!(operations::list))
        .routes(routes!(operations::info))
        .routes(routes!(operations::cancel))
        .routes(routes!(events::list))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::put, accounts::remove))
        .routes(routes!(accounts::check))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::create, tokens::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(daemon::doctor))
        .routes(routes!(daemon::version))
        .routes(routes!(daemon::whoami))
}
