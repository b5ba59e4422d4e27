//! The way to the internet of a VPC of the cluster's own: gateway, its attachment, and the route to it.

use aws_sdk_ec2::types::{InternetGateway, ResourceType, RouteTable};
use muster_engine::context::ClusterContext;
use muster_engine::driver::InfraOrder;
use muster_engine::failure::Failure;
use muster_engine::ledger::Present;
use muster_protocol::ErrorCode;

use crate::mark::{filter, filters_of, specification};
use crate::network::{known, sorted};
use crate::words;
use crate::{Ec2Driver, found};

const EVERYWHERE: &str = "0.0.0.0/0";

impl Ec2Driver {
    pub(crate) async fn create_gateway(&self, cluster: &ClusterContext) -> Result<Present, Failure> {
        if let Some(gateway) = self.gateways(cluster).await?.into_iter().next() {
            return self.made("the internet gateway", gateway.internet_gateway_id());
        }
        let tags = specification(ResourceType::InternetGateway, cluster, &words::gateway());
        let made = self
            .change("create the internet gateway", |ec2| {
                ec2.create_internet_gateway().tag_specifications(tags.clone()).send()
            })
            .await?;
        self.made("the internet gateway", made.internet_gateway().and_then(InternetGateway::internet_gateway_id))
    }

    /// The cluster's gateway, and others that carry its marks.
    pub(crate) async fn gateways(&self, cluster: &ClusterContext) -> Result<Vec<InternetGateway>, Failure> {
        let filters = filters_of(cluster, &words::gateway());
        let listed = self
            .read("look for the internet gateway", |ec2| {
                ec2.describe_internet_gateways().set_filters(Some(filters.clone())).send()
            })
            .await?;
        let mut gateways = listed.internet_gateways().to_vec();
        gateways.sort_by(|a, b| a.internet_gateway_id().cmp(&b.internet_gateway_id()));
        Ok(gateways)
    }

    pub(crate) async fn remove_gateway(&self, cluster: &ClusterContext, id: &str) -> Result<(), Failure> {
        let there = self.gateways(cluster).await?;
        self.sure_that_gone(&sorted(there.iter().filter_map(InternetGateway::internet_gateway_id)), id)?;
        for gateway in there {
            let Some(id) = gateway.internet_gateway_id() else { continue };
            self.detach(&gateway).await?;
            let removed = self
                .change("delete the internet gateway", |ec2| {
                    ec2.delete_internet_gateway().internet_gateway_id(id).send()
                })
                .await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }

    pub(crate) async fn create_attachment(
        &self,
        cluster: &ClusterContext,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        let (vpc, gateway) = (known(order, &words::vpc())?, known(order, &words::gateway())?);
        let attached = self
            .change("attach the internet gateway", |ec2| {
                ec2.attach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc).send()
            })
            .await;
        match attached {
            Ok(_) => Ok(found(gateway.to_owned())),
            Err(error) if error.is("Resource.AlreadyAssociated") => {
                // To our VPC, or to somebody's? Only the first is well.
                self.look_up_attachment(cluster).await?.ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn look_up_attachment(&self, cluster: &ClusterContext) -> Result<Option<Present>, Failure> {
        let vpcs = self.vpcs(cluster).await?;
        let gateways = self.gateways(cluster).await?;
        let attached = gateways.iter().find(|gateway| {
            let mut attachments = gateway.attachments().iter();
            attachments.any(|attachment| attachment.vpc_id().is_some_and(|vpc| vpcs.iter().any(|ours| ours == vpc)))
        });
        Ok(attached.and_then(InternetGateway::internet_gateway_id).map(|id| found(id.to_owned())))
    }

    pub(crate) async fn remove_attachment(&self, cluster: &ClusterContext) -> Result<(), Failure> {
        for gateway in self.gateways(cluster).await? {
            self.detach(&gateway).await?;
        }
        Ok(())
    }

    async fn detach(&self, gateway: &InternetGateway) -> Result<(), Failure> {
        let Some(id) = gateway.internet_gateway_id() else { return Ok(()) };
        for vpc in gateway.attachments().iter().filter_map(|attachment| attachment.vpc_id()) {
            let detached = self
                .change("detach the internet gateway", |ec2| {
                    ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc).send()
                })
                .await;
            match detached {
                Err(error) if error.is("Gateway.NotAttached") => {}
                other => self.gone_is_well(other)?,
            }
        }
        Ok(())
    }

    /// The route goes into the VPC's main table, which comes and goes with the VPC and serves every subnet in it.
    pub(crate) async fn create_route(&self, order: &InfraOrder) -> Result<Present, Failure> {
        let (vpc, gateway) = (known(order, &words::vpc())?, known(order, &words::gateway())?);
        let Some(table) = self.main_table(vpc).await? else {
            return Err(Failure::not_applied(ErrorCode::Provider, "the VPC's route table is not listed yet"));
        };
        let id = table.route_table_id().unwrap_or_default();
        let made = self
            .change("create the route to the internet gateway", |ec2| {
                let route = ec2.create_route().route_table_id(id).destination_cidr_block(EVERYWHERE);
                route.gateway_id(gateway).send()
            })
            .await;
        match made {
            Ok(_) => Ok(found(id.to_owned())),
            Err(error) if error.is("RouteAlreadyExists") => Ok(found(id.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn look_up_route(&self, cluster: &ClusterContext) -> Result<Option<Present>, Failure> {
        for vpc in self.vpcs(cluster).await? {
            if let Some(table) = self.main_table(&vpc).await?
                && has_default_route(&table)
            {
                return Ok(table.route_table_id().map(|id| found(id.to_owned())));
            }
        }
        Ok(None)
    }

    pub(crate) async fn remove_route(&self, cluster: &ClusterContext) -> Result<(), Failure> {
        for vpc in self.vpcs(cluster).await? {
            let Some(table) = self.main_table(&vpc).await? else { continue };
            if !has_default_route(&table) {
                continue;
            }
            let id = table.route_table_id().unwrap_or_default();
            let removed = self
                .change("delete the route to the internet gateway", |ec2| {
                    ec2.delete_route().route_table_id(id).destination_cidr_block(EVERYWHERE).send()
                })
                .await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }

    async fn main_table(&self, vpc: &str) -> Result<Option<RouteTable>, Failure> {
        let listed = self
            .read("look for the VPC's route table", |ec2| {
                let request = ec2.describe_route_tables().filters(filter("vpc-id", vpc));
                request.filters(filter("association.main", "true")).send()
            })
            .await?;
        Ok(listed.route_tables().first().cloned())
    }
}

fn has_default_route(table: &RouteTable) -> bool {
    table.routes().iter().any(|route| route.destination_cidr_block() == Some(EVERYWHERE))
}
