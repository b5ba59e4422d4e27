//! The clients of EC2's API and of its load balancers'.

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};

use crate::options::{AssumedRole, Ec2Options};

/// The name under which requests are signed in AWS's own logs of a role.
const SESSION: &str = "muster";

/// The clients of one account.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) ec2: aws_sdk_ec2::Client,
    /// Elastic Load Balancing, version 2: an API of its own, with the same credentials.
    pub(crate) elb: aws_sdk_elasticloadbalancingv2::Client,
}

/// Clients for this account. Nothing is asked yet; a role or the chain of credentials is at the first request.
pub(crate) async fn clients(options: &Ec2Options) -> Clients {
    let shared = shared_config(options).await;
    let mut config = shared
        .clone()
        .into_builder()
        // The driver counts, waits and repeats itself: only it knows which calls may be repeated.
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(options.habits.request_limit / 4)
                .operation_timeout(options.habits.request_limit)
                .build(),
        );
    if let Some(role) = &options.credentials.role {
        let provider = assumed(role, &options.region, &shared).await;
        config = config.credentials_provider(SharedCredentialsProvider::new(provider));
    }
    // The credentials of a role come from AWS all the same.
    if let Some(endpoint) = &options.endpoint {
        config = config.endpoint_url(endpoint);
    }
    let config = config.build();
    Clients { ec2: aws_sdk_ec2::Client::new(&config), elb: aws_sdk_elasticloadbalancingv2::Client::new(&config) }
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
