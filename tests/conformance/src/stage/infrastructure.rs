//! The stages of the suite's infrastructure half: a Swarm on machines of each infrastructure, or the simulated twin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_client::protocol::SecretString;
use muster_client::protocol::model::account::AccountSpec;
use muster_client::protocol::model::cluster::Infrastructure;
use muster_tests::ec2::cloud::Cloud;
use muster_tests::machine_container::MACHINE_IMAGE;
use muster_tests_hosts::lab::Lab;

use super::Stage;
use crate::machines::Machines;

/// Hosts of the lab: three for the cluster that all cases share, and the rest for what comes beside it or in place of a host,
/// also while a case that ended before still has some that are being left.
const HOSTS: usize = 8;

impl Stage {
    /// The stage of an infrastructure.
    ///
    /// # Errors
    /// If there is none, or it cannot be set up.
    pub async fn at(infrastructure: Infrastructure) -> Result<Self> {
        match infrastructure {
            Infrastructure::Sim => Self::sim().await,
            Infrastructure::Local => Self::swarm().await,
            Infrastructure::Ec2 => Self::swarm_on_ec2().await,
            Infrastructure::Hosts => Self::swarm_on_hosts().await,
            Infrastructure::ClouditVm | Infrastructure::ClouditBaremetal | Infrastructure::Unknown(_) => {
                bail!("there is no stage at `{infrastructure}`")
            }
        }
    }

    async fn swarm_on_ec2() -> Result<Self> {
        let cloud = Arc::new(Cloud::start().await?);
        let key = SecretString::new("tests");
        let account = AccountSpec {
            endpoint: Some(cloud.endpoint()),
            credentials: ["accessKeyId", "secretAccessKey"].map(|name| (name.to_owned(), key.clone())).into(),
            defaults: cloud.defaults(),
            ..account(Infrastructure::Ec2)?
        };
        let beside = AccountSpec {
            name: "beside".parse().context("cannot name the account")?,
            defaults: cloud.defaults_beside(),
            ..account.clone()
        };
        Self::swarm_at(account, beside, Machines::Cloud(cloud)).await
    }

    async fn swarm_on_hosts() -> Result<Self> {
        let mut lab = Lab::start().await?;
        for number in 1..=HOSTS {
            lab.boot(&format!("host-{number}"), MACHINE_IMAGE).await?;
        }
        let hosts = lab.hosts().iter();
        let account = AccountSpec {
            credentials: [("sshKey".to_owned(), SecretString::new(lab.private_key()))].into(),
            defaults: hosts
                .map(|host| (format!("host.{}", host.name), format!("{},hostKey={}", host.address, host.fingerprint)))
                .collect(),
            ..account(Infrastructure::Hosts)?
        };
        Self::swarm_at(account.clone(), account, Machines::Lab(Arc::new(lab))).await
    }

    async fn swarm_at(account: AccountSpec, beside: AccountSpec, machines: Machines) -> Result<Self> {
        let stage = Self {
            infrastructure: account.infrastructure,
            machines,
            account: Some(account),
            account_beside: Some(beside),
            // Machines that are lost or come back are noticed later than those of this host's engine.
            patience: Duration::from_secs(150),
            ..Self::swarm_without_cluster().await?
        };
        stage.make_cluster().await
    }
}

fn account(infrastructure: Infrastructure) -> Result<AccountSpec> {
    Ok(AccountSpec {
        name: "conformance".parse().context("cannot name the account")?,
        infrastructure,
        endpoint: None,
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    })
}
