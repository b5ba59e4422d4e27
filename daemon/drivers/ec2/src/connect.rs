//! The client of EC2's API.

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{Builder, Credentials};

use crate::options::{AssumedRole, Ec2Options};

/// The name under which requests are signed in AWS's own logs of a role.
const SESSION: &str = "muster";

/// A client for this account. Nothing is asked of EC2 yet; a role or the chain of credentials is at the first request.
pub(crate) async fn client(options: &Ec2Options) -> Client {
    let shared = shared_config(options).await;
    let mut config = Builder::from(&shared)
        // The driver counts, waits and repeats itself: only it knows which calls may be repeated.
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(options.habits.request_limit / 4)
                .operation_timeout(options.habits.request_limit)
                .build(),
        );
    if let Some(endpoint) = &options.endpoint {
        config = config.endpoint_url(endpoint);
    }
    if let Some(role) = &options.credentials.role {
        config = config.credentials_provider(assumed(role, &options.region, &shared).await);
    }
    Client::from_conf(config.build())
}

async fn shared_config(options: &Ec2Options) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(options.region.clone()));
    if let Some(profile) = &options.credentials.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(keys) = &options.credentials.keys {
        let session_token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
        loader =
            loader.credentials_provider(Credentials::new(&keys.id, keys.secret.expose(), session_token, None, SESSION));
    }
    loader.load().await
}

async fn assumed(role: &AssumedRole, region: &str, shared: &SdkConfig) -> AssumeRoleProvider {
    let mut builder = AssumeRoleProvider::builder(&role.arn)
        .session_name(SESSION)
        .region(Region::new(region.to_owned()))
        .configure(shared);
    if let Some(external_id) = &role.external_id {
        builder = builder.external_id(external_id);
    }
    builder.build().await
}
