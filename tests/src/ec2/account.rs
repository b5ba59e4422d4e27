//! Everything that is at an account, to compare before and after.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use base64::Engine as _;

use super::moto::Moto;
use super::xml;

/// Every kind of resource that a cluster could leave behind.
const KINDS: [(&str, &str); 11] = [
    ("DescribeVpcs", "vpcId"),
    ("DescribeSubnets", "subnetId"),
    ("DescribeSecurityGroups", "groupId"),
    ("DescribeInternetGateways", "internetGatewayId"),
    ("DescribeRouteTables", "routeTableId"),
    ("DescribeKeyPairs", "keyPairId"),
    ("DescribeVolumes", "volumeId"),
    ("DescribeNetworkInterfaces", "networkInterfaceId"),
    ("DescribeAddresses", "allocationId"),
    ("DescribeNatGateways", "natGatewayId"),
    ("DescribeDhcpOptions", "dhcpOptionsId"),
];

/// The same at the API of load balancers. A listener goes with its balancer.
const BALANCER_KINDS: [(&str, &str); 2] =
    [("DescribeLoadBalancers", "LoadBalancerArn"), ("DescribeTargetGroups", "TargetGroupArn")];

/// What is at an account, by the call that lists it.
pub type Everything = BTreeMap<&'static str, BTreeSet<String>>;

/// Lists all kinds of resources. Instances that have ended are no resources any more.
///
/// # Errors
/// If moto refuses.
pub async fn everything(moto: &Moto) -> Result<Everything> {
    let mut all = Everything::new();
    for (action, element) in KINDS {
        let answer = moto.call(&[("Action", action)]).await?;
        all.insert(action, xml::texts(&answer, element).map(str::to_owned).collect());
    }
    for (action, element) in BALANCER_KINDS {
        let answer = moto.call_balancers(&[("Action", action)]).await?;
        all.insert(action, xml::texts(&answer, element).map(str::to_owned).collect());
    }
    all.insert("DescribeNetworkAcls", network_acls(moto, &all["DescribeVpcs"]).await?);
    all.insert("DescribeInstances", instances(moto).await?.into_iter().map(|instance| instance.id).collect());
    Ok(all)
}

/// Access lists go with their VPC, which moto forgets: those of VPCs that are gone are none.
async fn network_acls(moto: &Moto, vpcs: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let answer = moto.call(&[("Action", "DescribeNetworkAcls")]).await?;
    let pieces = answer.split("<networkAclId>").skip(1);
    let there = pieces.filter(|piece| xml::text(piece, "vpcId").is_some_and(|vpc| vpcs.contains(vpc)));
    Ok(there.filter_map(|piece| piece.split_once('<')).map(|(id, _)| id.to_owned()).collect())
}

/// An instance that has not ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its state in EC2's words.
    pub state: String,
    /// The name of the key pair that it was started with.
    pub key_name: Option<String>,
    /// Its address in its subnet.
    pub private_address: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The instances that have not ended.
///
/// # Errors
/// If moto refuses.
pub async fn instances(moto: &Moto) -> Result<Vec<Instance>> {
    let answer = moto.call(&[("Action", "DescribeInstances"), ("MaxResults", "1000")]).await?;
    // Every reservation of these tests is one instance.
    let all = xml::texts(&answer, "instancesSet").filter_map(|piece| {
        let text = |name: &str| xml::text(piece, name).map(str::to_owned);
        let tags = xml::texts(piece, "tagSet").flat_map(|tags| xml::texts(tags, "item"));
        let tags = tags.filter_map(|tag| Some((xml::text(tag, "key")?, xml::text(tag, "value")?)));
        Some(Instance {
            id: text("instanceId")?,
            state: xml::text(xml::text(piece, "instanceState")?, "name")?.to_owned(),
            key_name: text("keyName"),
            private_address: text("privateIpAddress").unwrap_or_default(),
            tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        })
    });
    Ok(all.filter(|instance| instance.state != "terminated").collect())
}

/// A load balancer, with what it leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balancer {
    /// Its id.
    pub arn: String,
    /// The name under which its addresses are found.
    pub dns_name: String,
    /// Whom it leads to, by the port at which it listens: addresses.
    pub targets: BTreeMap<u16, BTreeSet<String>>,
}

/// The load balancers of an account.
///
/// # Errors
/// If moto refuses.
pub async fn balancers(moto: &Moto) -> Result<Vec<Balancer>> {
    let listed = moto.call_balancers(&[("Action", "DescribeLoadBalancers")]).await?;
    let mut balancers = Vec::new();
    for arn in xml::texts(&listed, "LoadBalancerArn") {
        match balancer(moto, arn).await {
            // It has gone since it was listed.
            Err(error) if error.to_string().contains("NotFound") => {}
            balancer => balancers.push(balancer?),
        }
    }
    Ok(balancers)
}

async fn balancer(moto: &Moto, arn: &str) -> Result<Balancer> {
    let asked = [("Action", "DescribeLoadBalancers"), ("LoadBalancerArns.member.1", arn)];
    let described = moto.call_balancers(&asked).await?;
    let dns_name = xml::text(&described, "DNSName").context("a load balancer without a name")?.to_owned();
    let listeners = moto.call_balancers(&[("Action", "DescribeListeners"), ("LoadBalancerArn", arn)]).await?;
    let mut targets = BTreeMap::new();
    // Those of these tests have one listener.
    if let (Some(port), Some(group)) = (xml::text(&listeners, "Port"), xml::text(&listeners, "TargetGroupArn")) {
        let there = targets_of(moto, group).await?;
        targets.insert(port.parse().context("a port is no number")?, there);
    }
    Ok(Balancer { arn: arn.to_owned(), dns_name, targets })
}

/// The addresses that a target group leads to.
///
/// # Errors
/// If moto refuses.
pub async fn targets_of(moto: &Moto, group: &str) -> Result<BTreeSet<String>> {
    let health = moto.call_balancers(&[("Action", "DescribeTargetHealth"), ("TargetGroupArn", group)]).await?;
    Ok(xml::texts(&health, "Id").map(str::to_owned).collect())
}

/// Takes tags away from a resource, as somebody who tidies an account may.
///
/// # Errors
/// If moto refuses.
pub async fn take_tags(moto: &Moto, resource: &str, tags: &BTreeMap<String, String>) -> Result<()> {
    change_tags(moto, "DeleteTags", resource, tags).await
}

/// Gives tags to a resource.
///
/// # Errors
/// If moto refuses.
pub async fn give_tags(moto: &Moto, resource: &str, tags: &BTreeMap<String, String>) -> Result<()> {
    change_tags(moto, "CreateTags", resource, tags).await
}

async fn change_tags(moto: &Moto, action: &str, resource: &str, tags: &BTreeMap<String, String>) -> Result<()> {
    let mut asked = vec![("Action".to_owned(), action.to_owned()), ("ResourceId.1".to_owned(), resource.to_owned())];
    for ((key, value), number) in tags.iter().zip(1..) {
        asked.push((format!("Tag.{number}.Key"), key.clone()));
        asked.push((format!("Tag.{number}.Value"), value.clone()));
    }
    let asked: Vec<_> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    moto.call(&asked).await.map(drop)
}

/// What an instance's user-data says.
///
/// # Errors
/// If moto refuses, or it is no text.
pub async fn user_data(moto: &Moto, instance: &str) -> Result<String> {
    let call = [("Action", "DescribeInstanceAttribute"), ("InstanceId", instance), ("Attribute", "userData")];
    let answer = moto.call(&call).await?;
    let encoded = xml::text(&answer, "value").unwrap_or_default().trim();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).context("user-data is no base64")?;
    String::from_utf8(bytes).context("user-data is no text")
}
