//! Whether an account can do what Muster needs, and whether a cluster could be made. Everything that lacks is said.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{AccountAttributeName, Filter, Subnet, Tag};
use muster_engine::desired::Desired;
use muster_engine::driver::Promised;
use muster_engine::failure::Failure;
use muster_engine::finding;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ErrorCode, Timestamp};

use crate::Ec2Driver;
use crate::failure::classify;
use crate::image::ChosenImage;
use crate::limiter::Class;
use crate::listing::PAGE;
use crate::mark::filter;
use crate::network::sorted;
use crate::options::invalid;
use crate::settings::{CANONICAL, ControlPlaneEndpoint, Settings};

impl Ec2Driver {
    /// What `account check` shows.
    pub(crate) async fn findings(&self) -> Vec<Finding> {
        let zones = self.zones().await;
        let reachable = zones.is_ok();
        let zones = zones.map(|zones| format!("{}: {}", self.options.region, zones.join(", ")));
        let mut findings = vec![finding("credentials and region", zones)];
        if !reachable {
            return findings;
        }
        findings.push(finding("permissions", self.permissions().await));
        let settings = Settings::of_account(&self.options.defaults);
        findings.push(finding("defaults", settings.as_ref().map(|_| "well-formed".to_owned()).map_err(Clone::clone)));
        if let Ok(settings) = settings {
            let kind = settings.type_for(&Default::default()).unwrap_or_default().to_owned();
            let zones = self.zones_with(&kind).await.map(|zones| format!("{kind} in {}", zones.join(", ")));
            findings.push(finding("machine type", zones));
            let image = self.image(&settings, &kind).await.map(|image| format!("{} ({})", image.name, image.id));
            findings.push(finding("machine image", image));
            if !settings.subnet_ids.is_empty() {
                let free = self.free_addresses(&settings).await;
                findings.push(finding("subnets", free.map(|free| format!("{free} free addresses"))));
            }
            if settings.endpoint == ControlPlaneEndpoint::NetworkLoadBalancer {
                findings.push(finding("load balancers", self.room_for_balancer().await));
            }
        }
        findings.push(finding("quota", self.quota().await));
        findings
    }

    /// Refuses what could not be made, before anything is.
    pub(crate) async fn refuse_what_cannot_be(
        &self,
        spec: &ClusterSpec,
        promised: Promised<'_>,
    ) -> Result<(), Failure> {
        let settings = Settings::of(&self.options.defaults, spec)?;
        let desired = Desired { generation: 1, spec: spec.clone(), absent: false };
        let machines = desired.machines().count();
        self.refuse_what_no_zone_has(&settings, &desired).await?;
        if !settings.subnet_ids.is_empty() {
            let free = self.free_addresses(&settings).await?;
            if free < machines {
                let message = format!("the subnets have {free} free addresses for {machines} machines");
                return Err(Failure::not_applied(ErrorCode::Quota, message)
                    .permanent()
                    .with_remedy("give larger subnets, or more of them"));
            }
        }
        self.refuse_more_than_the_quota(machines, promised).await?;
        if settings.has_balancer(spec.orchestrator) {
            self.room_for_balancer().await?;
        }
        self.refuse_without_permission(&settings).await
    }

    /// What runs already counts, whoever it belongs to, and so does what other clusters were promised.
    async fn refuse_more_than_the_quota(&self, machines: usize, promised: Promised<'_>) -> Result<(), Failure> {
        let Some(most) = self.most_instances().await? else { return Ok(()) };
        let (running, promised) = (self.running_instances().await?, promised());
        if running + promised + machines <= most {
            return Ok(());
        }
        let message = format!(
            "the account may run {most} instances: {running} run, {promised} are promised to other clusters, and this cluster \
             has {machines} machines"
        );
        let failure = Failure::not_applied(ErrorCode::Quota, message);
        // What others have may become free, the quota does not grow by itself.
        let failure = if machines > most { failure.permanent() } else { failure };
        Err(failure.with_remedy("raise the quota of the account in AWS Service Quotas, or delete what is not needed"))
    }

    /// How many instances of the account are not stopped, whoever they belong to.
    async fn running_instances(&self) -> Result<usize, Failure> {
        let states = ["pending", "running", "stopping", "shutting-down"].map(str::to_owned).to_vec();
        let state = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
        let (mut count, mut next) = (0, None);
        loop {
            let page = self
                .read("count the account's instances", |ec2| {
                    let page = ec2.describe_instances().filters(state.clone()).max_results(PAGE);
                    page.set_next_token(next.clone()).send()
                })
                .await?;
            count += page.reservations().iter().map(|reservation| reservation.instances().len()).sum::<usize>();
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(count);
            }
        }
    }

    /// Looks at the machines' types and images, once for each that differs.
    async fn refuse_what_no_zone_has(&self, settings: &Settings, desired: &Desired) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        for (machine, _) in desired.machines() {
            let of_machine = Settings::of_machine(&self.options.defaults, &desired.spec, &machine)?;
            let kind = of_machine.type_for(&desired.shape_of(&machine))?.to_owned();
            if seen.insert(kind.clone()) {
                let zones = self.zones_with(&kind).await?;
                let wrong = settings.zones.iter().find(|zone| !zones.iter().any(|has| has == zone.as_str()));
                if let Some(wrong) = wrong {
                    let message = format!("the zone {wrong} has no machines of type {kind}");
                    return Err(invalid(message).with_remedy(format!("zones that have: {}", zones.join(", "))));
                }
            }
            refuse_wrong_user(&of_machine, &self.image(&of_machine, &kind).await?)?;
        }
        Ok(())
    }

    async fn zones(&self) -> Result<Vec<String>, Failure> {
        let listed = self
            .read("ask for the region's zones", |ec2| {
                ec2.describe_availability_zones().filters(filter("state", "available")).send()
            })
            .await?;
        Ok(sorted(listed.availability_zones().iter().filter_map(|zone| zone.zone_name())))
    }

    async fn zones_with(&self, kind: &str) -> Result<Vec<String>, Failure> {
        let zones = self.zones_of_type(kind).await?;
        if zones.is_empty() {
            let message = format!("{} has no machines of type {kind}", self.options.region);
            return Err(invalid(message).with_remedy("choose another `instanceType`"));
        }
        Ok(zones)
    }

    /// The free addresses of given subnets. One that is not in the given VPC is refused.
    async fn free_addresses(&self, settings: &Settings) -> Result<usize, Failure> {
        let ids = settings.subnet_ids.clone();
        let listed = self
            .read("look at the subnets", |ec2| ec2.describe_subnets().set_subnet_ids(Some(ids.clone())).send())
            .await
            .map_err(|error| if error.is_not_found() { error.failure.permanent() } else { error.failure })?;
        let elsewhere = listed.subnets().iter().find(|subnet| subnet.vpc_id() != settings.vpc_id.as_deref());
        if let Some(subnet) = elsewhere.and_then(Subnet::subnet_id) {
            return Err(invalid(format!("the subnet {subnet} is not in the VPC that `vpcId` names")));
        }
        let free = listed.subnets().iter().filter_map(Subnet::available_ip_address_count);
        Ok(free.filter_map(|free| usize::try_from(free).ok()).sum())
    }

    async fn quota(&self) -> Result<String, Failure> {
        Ok(self.most_instances().await?.map_or_else(
            || "EC2 does not say it; a create that meets it says so".to_owned(),
            |most| format!("{most} instances"),
        ))
    }

    /// How many instances the account may run, where the API says it. Newer accounts count processors, which only
    /// Service Quotas knows.
    async fn most_instances(&self) -> Result<Option<usize>, Failure> {
        let listed = self
            .read("ask for the account's limits", |ec2| {
                ec2.describe_account_attributes().attribute_names(AccountAttributeName::from("max-instances")).send()
            })
            .await;
        // Clouds that are compatible need not know it.
        let Ok(listed) = listed else { return Ok(None) };
        let limit = listed.account_attributes().iter().find(|one| one.attribute_name() == Some("max-instances"));
        let value = limit.and_then(|limit| limit.attribute_values().first()).and_then(|value| value.attribute_value());
        Ok(value.and_then(|value| value.parse().ok()))
    }

    /// What the account may do, as EC2's own trials say.
    async fn permissions(&self) -> Result<String, Failure> {
        let trials = self.trials(true).await;
        judge(&trials)?;
        Ok(format!("{} kinds of change are allowed", trials.len()))
    }

    async fn refuse_without_permission(&self, settings: &Settings) -> Result<(), Failure> {
        judge(&self.trials(settings.vpc_id.is_none()).await)
    }

    /// Tries the changes that a cluster needs, without making them: EC2 says whether it would.
    async fn trials(&self, own_network: bool) -> BTreeMap<&'static str, Result<(), Failure>> {
        let ec2 = self.clients().await.ec2;
        let mut trials = BTreeMap::new();
        let run = ec2.run_instances().image_id(NOTHING).min_count(1).max_count(1).dry_run(true);
        trials.insert("RunInstances", self.trial("RunInstances", run.send()).await);
        let key =
            ec2.import_key_pair().key_name(TRIAL).public_key_material(Blob::new("ssh-ed25519 AAAA")).dry_run(true);
        trials.insert("ImportKeyPair", self.trial("ImportKeyPair", key.send()).await);
        let tag = Tag::builder().key(TRIAL).value("").build();
        let tags = ec2.create_tags().resources("vpc-00000000000000000").tags(tag).dry_run(true);
        trials.insert("CreateTags", self.trial("CreateTags", tags.send()).await);
        if own_network {
            let vpc = ec2.create_vpc().cidr_block("10.214.0.0/24").dry_run(true);
            trials.insert("CreateVpc", self.trial("CreateVpc", vpc.send()).await);
            let gateway = ec2.create_internet_gateway().dry_run(true);
            trials.insert("CreateInternetGateway", self.trial("CreateInternetGateway", gateway.send()).await);
        }
        trials
    }

    async fn trial<T, E>(
        &self,
        name: &str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<(), Failure>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        self.limiter.turn(Class::Read).await;
        match call.await {
            Ok(_) => Err(made_in_earnest(name)),
            Err(error) => {
                let error = classify(&format!("try {name}"), &error);
                if error.is("DryRunOperation") { Ok(()) } else { Err(error.failure) }
            }
        }
    }
}

/// An image that nobody has.
const NOTHING: &str = "ami-00000000000000000";
const TRIAL: &str = "muster-trial";

/// An endpoint that takes no trials makes things; it is told, so that somebody removes them.
fn made_in_earnest(call: &str) -> Failure {
    Failure::maybe_applied(ErrorCode::Provider, format!("the endpoint takes no trials: {call} was made in earnest"))
        .permanent()
        .with_remedy("use an endpoint that knows `DryRun`, and delete what was just made")
}

/// A refusal for another reason than permission says that the permission is there: EC2 looks at it first.
fn judge(trials: &BTreeMap<&'static str, Result<(), Failure>>) -> Result<(), Failure> {
    let failed = trials.iter().filter_map(|(name, said)| Some((*name, said.as_ref().err()?)));
    let lacks: Vec<_> = failed
        .filter(|(_, failure)| {
            let codes = [ErrorCode::Credentials, ErrorCode::Unreachable, ErrorCode::Throttled];
            codes.contains(&failure.code) || failure.message.contains("in earnest")
        })
        .collect();
    let Some((_, first)) = lacks.first() else { return Ok(()) };
    if first.code != ErrorCode::Credentials {
        return Err((*first).clone());
    }
    let names: Vec<String> = lacks.iter().map(|(name, _)| format!("ec2:{name}")).collect();
    Err(Failure { message: format!("the account may not {}", names.join(", ")), ..(*first).clone() })
}

fn refuse_wrong_user(settings: &Settings, image: &ChosenImage) -> Result<(), Failure> {
    if image.owner == CANONICAL && settings.ssh_user == "admin" {
        let message = format!("the image {} is Canonical's, and `sshUser` is admin", image.id);
        return Err(invalid(message).with_remedy("set `sshUser` to `ubuntu`"));
    }
    Ok(())
}

fn finding(subject: &str, result: Result<String, Failure>) -> Finding {
    finding::finding(subject, result, Timestamp::of_system_clock())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_that_lacks_is_named() {
        let denied = || Err(Failure::not_applied(ErrorCode::Credentials, "You are not authorized"));
        let trials = BTreeMap::from([
            ("CreateVpc", denied()),
            ("RunInstances", Err(Failure::not_applied(ErrorCode::InvalidArgument, "no such image"))),
            ("ImportKeyPair", denied()),
            ("CreateTags", Ok(())),
        ]);
        assert_eq!(judge(&trials).unwrap_err().message, "the account may not ec2:CreateVpc, ec2:ImportKeyPair");
    }

    #[test]
    fn a_refusal_for_another_reason_is_no_want_of_permission() {
        let trials =
            BTreeMap::from([("RunInstances", Err(Failure::not_applied(ErrorCode::InvalidArgument, "no such image")))]);
        assert_eq!(judge(&trials), Ok(()));
    }
}
