//! Machines: instances from the call that makes them to the SSH server that answers.

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, InstanceInterruptionBehavior, InstanceMarketOptionsRequest,
    InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, MarketType, ResourceType, ShutdownBehavior,
    SpotInstanceType, SpotMarketOptions, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_engine::context::ClusterContext;
use muster_engine::driver::{InfraOrder, MachineOrder};
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, InfraKey, MachineAccess, Present};
use muster_engine::observed::Addresses;
use muster_protocol::{ErrorCode, Name};

use crate::Ec2Driver;
use crate::failure::CallError;
use crate::image::ChosenImage;
use crate::listing::OwnedInstance;
use crate::mark::{self, filters_of, specification};
use crate::network::known;
use crate::settings::{Settings, Spot};
use crate::words;

/// How a machine is bought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Market {
    Fixed,
    Spot,
}

impl Market {
    fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Spot => "spot",
        }
    }
}

/// What an instance is made of.
struct Recipe<'a> {
    image: &'a ChosenImage,
    kind: &'a str,
    root_gib: i32,
    group: &'a str,
    user_data: String,
}

impl Ec2Driver {
    pub(crate) async fn create_machine(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        let id = match self.machines_of(cluster, &order.key).await?.into_iter().find(|one| one.stage.power().is_some())
        {
            Some(there) => there.id,
            None => self.launch(cluster, order).await?,
        };
        self.remember(&id);
        self.reached(cluster, settings, &order.key, &id).await
    }

    pub(crate) async fn look_up_machine(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        key: &InfraKey,
    ) -> Result<Option<Present>, Failure> {
        let there = self.machines_of(cluster, key).await?;
        let Some(machine) = there.into_iter().find(|one| one.stage.power().is_some()) else { return Ok(None) };
        let machine = self.glance(settings, machine).await;
        Ok(Some(Self::present(settings, &machine)))
    }

    /// A machine that was there is looked for by its id: only EC2's word on that id says that it is lost, and no listing.
    pub(crate) async fn look_up_known_machine(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        key: &InfraKey,
        known: &Present,
    ) -> Result<Option<Present>, Failure> {
        let seen = self.machine_with_id(cluster, key, &known.id).await?;
        let Some(mut machine) = seen.filter(|machine| machine.stage.power().is_some()) else {
            // Another may have its key.
            return self.look_up_machine(cluster, settings, key).await;
        };
        if let (None, Facts::Machine(access)) = (&machine.host_key, &known.facts) {
            machine.host_key = Some(access.host_key.clone());
        }
        if machine.has_marks {
            machine = self.glance(settings, machine).await;
        } else {
            tracing::warn!(id = machine.id, %key, "the instance is there, but somebody took its tags away");
        }
        Ok(Some(Self::present(settings, &machine)))
    }

    /// Every instance with this key's marks, also those that have ended; the oldest first.
    pub(crate) async fn machines_of(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
    ) -> Result<Vec<OwnedInstance>, Failure> {
        self.machines(filters_of(cluster, key)).await
    }

    /// Tries one place after the other: a zone may have no machine of the type at present while another has.
    async fn launch(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<String, Failure> {
        let Some(MachineOrder { name, shape, .. }) = &order.machine else {
            return Err(Failure::not_applied(
                ErrorCode::Internal,
                format!("{} is ordered without its shape", order.key),
            ));
        };
        let settings = &Settings::of_machine(&self.options.defaults, &cluster.spec, name)?;
        let kind = settings.type_for(shape)?;
        let image = self.image(settings, kind).await?;
        let group = known(order, &words::group())?;
        let user_data = user_data(cluster.name(), name);
        let recipe = Recipe { image: &image, kind, root_gib: settings.root_size(shape, &image), group, user_data };
        let markets = match settings.spot {
            Spot::Never => vec![Market::Fixed],
            Spot::Prefer => vec![Market::Spot, Market::Fixed],
            Spot::Only => vec![Market::Spot],
        };
        let mut last = None;
        for market in markets {
            for subnet in places(settings, order)? {
                let error = match self.run(cluster, settings, order, &recipe, &subnet, market).await {
                    Ok(id) => return Ok(id),
                    Err(error) => error,
                };
                let elsewhere = error.is_want_of_capacity()
                    || error.is("InsufficientFreeAddressesInSubnet")
                    || (market == Market::Spot && SPOT_REFUSALS.contains(&error.code.as_str()));
                if !elsewhere {
                    return self.settle_refusal(cluster, order, error).await;
                }
                tracing::info!(key = %order.key, subnet, code = error.code, "no machine here; the next place is tried");
                last = Some(error);
            }
        }
        let nowhere = || Failure::not_applied(ErrorCode::InvalidArgument, "the cluster has no subnet").permanent();
        Err(last.map_or_else(nowhere, |error| {
            let mut failure = error.failure;
            failure.message = format!("no zone of the cluster has a machine of type {kind}: {}", failure.message);
            failure
        }))
    }

    async fn run(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        order: &InfraOrder,
        recipe: &Recipe<'_>,
        subnet: &str,
        market: Market,
    ) -> Result<String, CallError> {
        let place = format!("{subnet} {}", market.word());
        let token = mark::token(cluster, &order.key, order.attempt, &place);
        let kinds = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
        let tags = kinds.map(|kind| specification(kind, cluster, &order.key));
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .subnet_id(subnet)
            .groups(recipe.group)
            .associate_public_ip_address(settings.public_address)
            .delete_on_termination(true)
            .build();
        let made = self
            .change("start an instance", |ec2| {
                let mut request = ec2
                    .run_instances()
                    .min_count(1)
                    .max_count(1)
                    .client_token(&token)
                    .image_id(&recipe.image.id)
                    .instance_type(recipe.kind.into())
                    .key_name(mark::name(cluster, &words::key_pair()))
                    .network_interfaces(interface.clone())
                    .block_device_mappings(root_volume(settings, recipe))
                    .metadata_options(metadata_by_session_only())
                    .user_data(BASE64.encode(&recipe.user_data))
                    // A machine that shuts itself down can be started again; one that ended could not.
                    .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
                    .set_tag_specifications(Some(tags.to_vec()));
                if market == Market::Spot {
                    request =
                        request.set_instance_initiated_shutdown_behavior(None).instance_market_options(one_time_spot());
                }
                request.send()
            })
            .await?;
        let id = made.instances().first().and_then(|instance| instance.instance_id()).map(str::to_owned);
        id.ok_or_else(|| CallError {
            code: String::new(),
            failure: Failure::maybe_applied(ErrorCode::Provider, "EC2 answered without the id of the new instance"),
        })
    }

    /// A token that was used before means that something was made with it: that one counts, if it is still there.
    async fn settle_refusal(
        &self,
        cluster: &ClusterContext,
        order: &InfraOrder,
        error: CallError,
    ) -> Result<String, Failure> {
        let used = error.is("IdempotentParameterMismatch") || error.is("IdempotentInstanceTerminated");
        if !used {
            return Err(error.into());
        }
        let there = self.machines_of(cluster, &order.key).await?;
        if let Some(alive) = there.iter().find(|machine| machine.stage.power().is_some()) {
            return Ok(alive.id.clone());
        }
        if !there.is_empty() || error.is("IdempotentInstanceTerminated") {
            // What was made with the token has ended: the next attempt has a token of its own.
            return Err(error.into());
        }
        Err(error.failure.in_doubt())
    }

    /// How a machine is reached; none as long as an address or its host key is not known.
    pub(crate) fn access(settings: &Settings, machine: &OwnedInstance) -> Option<MachineAccess> {
        let Addresses { address, private_address } = Self::addresses(settings, machine)?;
        let (ssh_port, ssh_user) = (settings.ssh_port, settings.ssh_user.clone());
        Some(MachineAccess { address, private_address, ssh_port, ssh_user, host_key: machine.host_key.clone()? })
    }

    /// Where a machine is; none as long as it has not all of its addresses.
    pub(crate) fn addresses(settings: &Settings, machine: &OwnedInstance) -> Option<Addresses> {
        let private_address = machine.private_address.clone()?;
        let address = if settings.connect_publicly { machine.public_address.clone()? } else { private_address.clone() };
        Some(Addresses { address, private_address })
    }

    /// What is known of a machine now.
    pub(crate) fn present(settings: &Settings, machine: &OwnedInstance) -> Present {
        let facts = Self::access(settings, machine).map_or(Facts::None, Facts::Machine);
        Present { id: machine.id.clone(), facts }
    }
}

/// What EC2 refuses on the spot market and may give at the fixed price.
const SPOT_REFUSALS: [&str; 4] =
    ["MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow", "InsufficientSpotInstanceCapacity", "UnsupportedOperation"];

/// The subnets in which a machine may be, its own first: machines of one role go around the zones in turn.
fn places(settings: &Settings, order: &InfraOrder) -> Result<Vec<String>, Failure> {
    let mut places = if settings.vpc_id.is_some() {
        settings.subnet_ids.clone()
    } else {
        let subnets = words::subnets(settings);
        subnets.iter().map(|key| known(order, key).map(str::to_owned)).collect::<Result<Vec<_>, _>>()?
    };
    let number = order.key.machine().and_then(|name| name.as_str().rsplit_once('-')?.1.parse::<usize>().ok());
    let number = number.unwrap_or(1).saturating_sub(1);
    let count = places.len().max(1);
    places.rotate_left(number % count);
    Ok(places)
}

fn root_volume(settings: &Settings, recipe: &Recipe<'_>) -> BlockDeviceMapping {
    let volume = EbsBlockDevice::builder()
        .volume_size(recipe.root_gib)
        .volume_type(VolumeType::from(settings.root_type.as_str()))
        .encrypted(settings.root_encrypted)
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder().device_name(&recipe.image.root_device).ebs(volume).build()
}

/// What cloud-init does at first boot: it gives the machine the host name by which orchestrators know its node. Everybody
/// on the machine can read this, so nothing secret is ever in it.
fn user_data(cluster: &Name, machine: &Name) -> String {
    format!("#cloud-config\npreserve_hostname: false\nhostname: {cluster}-{machine}\n")
}

/// The metadata service (version 2) takes sessions only, and answers no container on the machine: a service that can
/// be made to fetch an address must not be able to fetch the machine's role.
fn metadata_by_session_only() -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .build()
}

fn one_time_spot() -> InstanceMarketOptionsRequest {
    let options = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
        .build();
    InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).spot_options(options).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::found;
    use crate::samples;

    fn places_of(machine: &str) -> Vec<String> {
        let settings = samples::settings(&[("zones", "eu-central-1a,eu-central-1b,eu-central-1c")]);
        let known = words::subnets(&settings).into_iter().map(|key| {
            let zone = key.name.clone().unwrap().to_string();
            (key, found(zone))
        });
        let order = InfraOrder {
            present: None,
            key: InfraKey::for_machine(machine.parse().unwrap()),
            machine: None,
            known: known.collect(),
            attempt: 0,
        };
        places(&settings, &order).unwrap()
    }

    #[test]
    fn machines_go_around_the_zones_and_try_the_others_next() {
        assert_eq!(places_of("worker-1"), ["eu-central-1a", "eu-central-1b", "eu-central-1c"]);
        assert_eq!(places_of("worker-2"), ["eu-central-1b", "eu-central-1c", "eu-central-1a"]);
        assert_eq!(places_of("control-plane-4"), places_of("worker-1"));
    }

    #[test]
    fn a_machine_is_not_made_before_its_subnet_is_there() {
        let settings = samples::settings(&[]);
        let key = InfraKey::for_machine("worker-1".parse().unwrap());
        let order = InfraOrder { key, machine: None, present: None, known: BTreeMap::new(), attempt: 0 };
        assert!(places(&settings, &order).unwrap_err().message.contains("subnet/any"));
    }
}
