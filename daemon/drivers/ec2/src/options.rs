//! What an account says: where EC2 answers, who asks, and how the driver behaves.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, SecretString};

/// One account at EC2 in one region.
#[derive(Clone, PartialEq, Debug)]
pub struct Ec2Options {
    /// The region, for example `eu-central-1`.
    pub region: String,
    /// Where the API answers, if not at AWS.
    pub endpoint: Option<String>,
    /// Who asks.
    pub credentials: Ec2Credentials,
    /// Defaults of the clusters that use the account, by the names of the clusters' own options.
    pub defaults: BTreeMap<String, String>,
    /// How the driver behaves.
    pub habits: Habits,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ec2Credentials {
    /// Fixed keys. Without them the SDK's chain is asked: environment, profile, instance role.
    pub keys: Option<StaticKeys>,
    /// The profile of the shared configuration that the chain uses.
    pub profile: Option<String>,
    /// The role that is assumed with these credentials.
    pub role: Option<AssumedRole>,
}

/// Fixed keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticKeys {
    /// The access key's id.
    pub id: String,
    /// The access key's secret.
    pub secret: SecretString,
    /// The session's token, for temporary keys.
    pub session_token: Option<SecretString>,
}

/// A role of IAM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssumedRole {
    /// Its ARN.
    pub arn: String,
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
}

/// Spans that depend on how fast the cloud is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Habits {
    /// How long what was made may be missing from listings.
    pub listing_lag: Duration,
    /// How long a new machine may take until its SSH server answers, and a new load balancer until it is set up.
    pub boot_limit: Duration,
    /// How long a terminated machine may take until it is gone.
    pub termination_limit: Duration,
    /// How often a machine is looked at meanwhile.
    pub poll: Duration,
    /// For how long one listing of the account serves all its clusters.
    pub listing_kept: Duration,
    /// How long one request may take.
    pub request_limit: Duration,
    /// So many calls that only ask, while EC2 does not ask for patience.
    pub reads_per_second: f64,
    /// So many calls that change something.
    pub changes_per_second: f64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            listing_lag: Duration::from_secs(120),
            boot_limit: Duration::from_secs(240),
            termination_limit: Duration::from_secs(240),
            poll: Duration::from_secs(3),
            listing_kept: Duration::from_secs(2),
            request_limit: Duration::from_secs(30),
            // Half of what AWS documents for accounts without limits of their own: the account has other users.
            reads_per_second: 10.0,
            changes_per_second: 2.5,
        }
    }
}

const REGION: &str = "region";
const PROFILE: &str = "profile";
const ROLE: &str = "roleArn";
const EXTERNAL_ID: &str = "externalId";
const LISTING_LAG: &str = "listingLagSeconds";
const KEY_ID: &str = "accessKeyId";
const SECRET: &str = "secretAccessKey";
const SESSION_TOKEN: &str = "sessionToken";

impl Ec2Options {
    /// Reads an account: its endpoint, its credentials and its defaults.
    pub fn of_account(
        endpoint: Option<String>,
        credentials: &BTreeMap<String, SecretString>,
        defaults: &BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let mut defaults = defaults.clone();
        let region = defaults.remove(REGION).filter(|region| !region.is_empty()).ok_or_else(|| {
            invalid("an account at EC2 needs a region")
                .with_remedy("add the account with `--default region=eu-central-1`")
        })?;
        if let Some(unknown) = credentials.keys().find(|name| ![KEY_ID, SECRET, SESSION_TOKEN].contains(&name.as_str()))
        {
            let message = format!("an account at EC2 has no credential `{unknown}`");
            return Err(invalid(message)
                .with_field(format!("credentials.{unknown}"))
                .with_remedy(format!("credentials: {KEY_ID}, {SECRET}, {SESSION_TOKEN}")));
        }
        let keys = match (credentials.get(KEY_ID), credentials.get(SECRET)) {
            (Some(id), Some(secret)) => Some(StaticKeys {
                id: id.expose().to_owned(),
                secret: secret.clone(),
                session_token: credentials.get(SESSION_TOKEN).cloned(),
            }),
            (None, None) if !credentials.contains_key(SESSION_TOKEN) => None,
            (Some(_) | None, Some(_) | None) => {
                let message = format!("`{KEY_ID}` and `{SECRET}` go together");
                return Err(invalid(message)
                    .with_field("credentials")
                    .with_remedy("give both, or none to use the daemon's own credentials"));
            }
        };
        let external_id = defaults.remove(EXTERNAL_ID);
        let role = defaults.remove(ROLE).map(|arn| AssumedRole { arn, external_id });
        let mut habits = Habits::default();
        if let Some(seconds) = defaults.remove(LISTING_LAG) {
            let seconds = seconds.parse().map_err(|_| invalid(format!("`{LISTING_LAG}` cannot be `{seconds}`")))?;
            habits.listing_lag = Duration::from_secs(seconds);
        }
        let credentials = Ec2Credentials { keys, profile: defaults.remove(PROFILE), role };
        Ok(Self { region, endpoint, credentials, defaults, habits })
    }
}

/// What the user has to put right.
pub(crate) fn invalid(message: impl Into<String>) -> Failure {
    Failure::not_applied(ErrorCode::InvalidArgument, message).permanent()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(names: &[&str]) -> BTreeMap<String, SecretString> {
        names.iter().map(|name| ((*name).to_owned(), SecretString::new("x"))).collect()
    }

    fn defaults(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_the_accounts_own_is_no_default_of_its_clusters() {
        let given = defaults(&[("region", "eu-central-1"), ("roleArn", "arn:x"), ("instanceType", "t3.large")]);
        let options = Ec2Options::of_account(None, &secrets(&["accessKeyId", "secretAccessKey"]), &given).unwrap();
        assert_eq!(options.region, "eu-central-1");
        assert_eq!(options.credentials.role.unwrap().arn, "arn:x");
        assert_eq!(options.defaults, defaults(&[("instanceType", "t3.large")]));
    }

    #[test]
    fn an_account_without_a_region_or_with_half_a_key_is_refused() {
        let region = defaults(&[("region", "eu-central-1")]);
        let refused = |names: &[&str], defaults: &BTreeMap<String, String>| {
            Ec2Options::of_account(None, &secrets(names), defaults).unwrap_err().message
        };
        assert_eq!(refused(&[], &BTreeMap::new()), "an account at EC2 needs a region");
        for half in [&["accessKeyId"][..], &["secretAccessKey"], &["sessionToken"]] {
            assert!(refused(half, &region).contains("go together"), "{half:?}");
        }
        assert!(refused(&["password"], &region).contains("`password`"));
    }
}
