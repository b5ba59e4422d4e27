//! What one cluster asks of EC2: the account's defaults, and the cluster's own options over them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::str::FromStr;

use muster_engine::desired::pool_and_number;
use muster_engine::failure::Failure;
use muster_protocol::model::cluster::{ClusterSpec, MachineShape, Orchestrator, Pool};
use muster_protocol::{ErrorCode, Name};

use crate::cidr::Cidr;
use crate::known::{self, CONTROL_PLANE_ENDPOINT};
use crate::options::invalid;
use crate::ports::PortRange;

/// Everything that a cluster may say, with defaults for what it does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// A VPC that is there already; without one, the cluster gets its own.
    pub(crate) vpc_id: Option<String>,
    /// Subnets of that VPC.
    pub(crate) subnet_ids: Vec<String>,
    /// The range of a VPC of its own.
    pub(crate) vpc_cidr: Cidr,
    /// The zones of its own subnets; without them, one that has the machines' type.
    pub(crate) zones: Vec<Name>,
    /// The type of machines, if it does not follow from their shape.
    pub(crate) instance_type: Option<String>,
    /// The image; without it, the newest of `image_owner` that `image_name` fits.
    pub(crate) image_id: Option<String>,
    /// The account that publishes images.
    pub(crate) image_owner: String,
    /// A pattern of EC2 (`*`, `?`); `{arch}` stands for `amd64` or `arm64`.
    pub(crate) image_name: String,
    /// As whom to log in.
    pub(crate) ssh_user: String,
    /// Where the machines' SSH server listens.
    pub(crate) ssh_port: u16,
    /// The root volume's size, if the machine's shape names none.
    pub(crate) root_gib: i32,
    /// The root volume's type.
    pub(crate) root_type: String,
    /// Whether the root volume is encrypted with the account's key.
    pub(crate) root_encrypted: bool,
    /// Whether machines get a public address.
    pub(crate) public_address: bool,
    /// Whether the daemon reaches machines by their public address.
    pub(crate) connect_publicly: bool,
    /// From where SSH and the orchestrator's API may be reached.
    pub(crate) allowed_cidrs: Vec<Cidr>,
    /// From where published ports may be reached.
    pub(crate) service_cidrs: Vec<Cidr>,
    /// Which ports services publish.
    pub(crate) service_ports: Vec<PortRange>,
    /// Whether machines are bought on the spot market.
    pub(crate) spot: Spot,
    /// How the control planes of a Kubernetes cluster are reached by its machines.
    pub(crate) endpoint: ControlPlaneEndpoint,
}

/// How the control planes of a Kubernetes cluster are reached by its machines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ControlPlaneEndpoint {
    /// Each machine has a balancer of its own.
    Machines,
    /// By an internal network load balancer.
    NetworkLoadBalancer,
}

impl FromStr for ControlPlaneEndpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "machines" => Ok(Self::Machines),
            "network-load-balancer" => Ok(Self::NetworkLoadBalancer),
            _ => Err(()),
        }
    }
}

/// Whether machines are bought on the spot market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Spot {
    /// At the fixed price.
    Never,
    /// On the spot market, and at the fixed price if that has none.
    Prefer,
    /// On the spot market or not at all.
    Only,
}

/// Debian's own account at AWS.
const DEBIAN: &str = "136693071363";
/// Canonical's account at AWS.
pub(crate) const CANONICAL: &str = "099720109477";
const DEBIAN_IMAGES: &str = "debian-12-{arch}-*";

impl Settings {
    /// Reads what a cluster asks for; the first thing that is wrong is refused by its name.
    pub(crate) fn of(defaults: &BTreeMap<String, String>, spec: &ClusterSpec) -> Result<Self, Failure> {
        let settings = Self::read(&Given { defaults, own: &spec.options }, &spec.machine)?;
        settings.refuse_contradictions(&spec.machine)?;
        settings.refuse_wrong_orchestrator(spec)?;
        for pool in &spec.pools {
            let mut options = pool.options.keys().filter_map(|name| known::option(name));
            if let Some(wrong) = options.find(|option| !option.per_pool) {
                let message =
                    format!("the option `{}` cannot differ by pool, as it does in `{}`", wrong.name, pool.name);
                return Err(invalid(message)
                    .with_field(format!("pools.{}.options.{}", pool.name, wrong.name))
                    .with_remedy(format!("options of a pool: {}", known::names(true))));
            }
            Self::read(&Given { defaults, own: &in_place(spec, pool) }, &pool.shape)?
                .refuse_contradictions(&pool.shape)?;
        }
        Ok(settings)
    }

    /// The same for one machine: its pool's options go before its cluster's.
    pub(crate) fn of_machine(
        defaults: &BTreeMap<String, String>,
        spec: &ClusterSpec,
        machine: &Name,
    ) -> Result<Self, Failure> {
        let pool =
            pool_and_number(machine).and_then(|(name, _)| spec.pools.iter().find(|one| one.name.as_str() == name));
        match pool {
            Some(pool) => Self::read(&Given { defaults, own: &in_place(spec, pool) }, &pool.shape),
            None => Self::of(defaults, spec),
        }
    }

    /// Reads an account's defaults alone: clusters may add what lacks, so only what is wrong is refused.
    pub(crate) fn of_account(defaults: &BTreeMap<String, String>) -> Result<Self, Failure> {
        Self::read(&Given { defaults, own: &BTreeMap::new() }, &MachineShape::default())
    }

    /// What holds of a cluster that was let in once, whatever has become of its account's defaults since: a default that
    /// cannot be read is left out.
    pub(crate) fn lenient(defaults: &BTreeMap<String, String>, spec: &ClusterSpec) -> Self {
        let usable = |name: &String, text: &String| {
            let one = BTreeMap::from([(name.clone(), text.clone())]);
            Self::read(&Given { defaults: &one, own: &BTreeMap::new() }, &MachineShape::default()).is_ok()
        };
        let well = |options: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            let well = options.iter().filter(|(name, text)| usable(name, text));
            well.map(|(name, text)| (name.clone(), text.clone())).collect()
        };
        let (defaults, own) = (well(defaults), well(&spec.options));
        #[expect(clippy::expect_used, reason = "every option that is left was read alone before")]
        Self::read(&Given { defaults: &defaults, own: &own }, &spec.machine).expect("each option can be read")
    }

    fn read(given: &Given<'_>, shape: &MachineShape) -> Result<Self, Failure> {
        // What a cluster says beside the known ones is its orchestrator's.
        if let Some(unknown) = given.defaults.keys().find(|name| known::option(name).is_none()) {
            return Err(invalid(format!("the infrastructure `ec2` has no option `{unknown}`"))
                .with_remedy(format!("options: {}", known::names(false))));
        }
        let image_owner = given.text("imageOwner").unwrap_or(DEBIAN).to_owned();
        let usual_user = if image_owner == CANONICAL { "ubuntu" } else { "admin" };
        let public_address = given.yes_or_no("publicAddress")?.unwrap_or(true);
        Ok(Self {
            vpc_id: given.text("vpcId").map(str::to_owned),
            subnet_ids: given.list("subnetIds").map(str::to_owned).collect(),
            vpc_cidr: given.parsed("vpcCidr")?.unwrap_or(Cidr::new(Ipv4Addr::new(10, 214, 0, 0), 16)),
            zones: given.parsed_list("zones")?,
            instance_type: given.text("instanceType").map(str::to_owned),
            image_id: shape.image.clone().or_else(|| given.text("imageId").map(str::to_owned)),
            ssh_user: given.text("sshUser").unwrap_or(usual_user).to_owned(),
            ssh_port: given.parsed("sshPort")?.unwrap_or(22),
            image_name: given.text("imageName").unwrap_or(DEBIAN_IMAGES).to_owned(),
            image_owner,
            root_gib: given.parsed("rootVolumeGib")?.unwrap_or(20),
            root_type: given.text("rootVolumeType").unwrap_or("gp3").to_owned(),
            root_encrypted: given.yes_or_no("rootVolumeEncrypted")?.unwrap_or(true),
            public_address,
            connect_publicly: given.connect()?.unwrap_or(public_address),
            allowed_cidrs: given.parsed_list("allowedCidrs")?,
            service_cidrs: given.parsed_list("serviceCidrs")?,
            service_ports: given.parsed_list("servicePorts")?,
            spot: given.spot()?,
            endpoint: given.parsed(CONTROL_PLANE_ENDPOINT)?.unwrap_or(ControlPlaneEndpoint::Machines),
        })
    }

    /// Whether the control planes of such a cluster get a network load balancer.
    pub(crate) fn has_balancer(&self, orchestrator: Orchestrator) -> bool {
        orchestrator == Orchestrator::Kubernetes && self.endpoint == ControlPlaneEndpoint::NetworkLoadBalancer
    }

    /// The same without reading anything else: the planner asks for every machine.
    pub(crate) fn gives_balancer(defaults: &BTreeMap<String, String>, spec: &ClusterSpec) -> bool {
        let wish = Given { defaults, own: &spec.options }.parsed(CONTROL_PLANE_ENDPOINT);
        spec.orchestrator == Orchestrator::Kubernetes
            && matches!(wish, Ok(Some(ControlPlaneEndpoint::NetworkLoadBalancer)))
    }

    /// A default of an account is for those of its clusters that know what to do with it; what a cluster asks for itself it
    /// gets or is refused.
    fn refuse_wrong_orchestrator(&self, spec: &ClusterSpec) -> Result<(), Failure> {
        if spec.orchestrator == Orchestrator::Kubernetes
            || self.endpoint == ControlPlaneEndpoint::Machines
            || !spec.options.contains_key(CONTROL_PLANE_ENDPOINT)
        {
            return Ok(());
        }
        let message =
            format!("a network load balancer is for Kubernetes; {} finds its managers itself", spec.orchestrator);
        Err(Failure::not_applied(ErrorCode::Unsupported, message)
            .permanent()
            .with_field(format!("options.{CONTROL_PLANE_ENDPOINT}"))
            .with_remedy(format!("leave `{CONTROL_PLANE_ENDPOINT}` out, or set it to `machines`")))
    }

    fn refuse_contradictions(&self, shape: &MachineShape) -> Result<(), Failure> {
        if self.vpc_id.is_some() == self.subnet_ids.is_empty() {
            return Err(invalid("`vpcId` and `subnetIds` go together").with_remedy("give both, or none for an own VPC"));
        }
        if self.vpc_id.is_some() && !self.zones.is_empty() {
            return Err(invalid("`zones` is for an own VPC; the subnets of `subnetIds` are in zones already"));
        }
        if !(16..=24).contains(&self.vpc_cidr.prefix()) {
            return Err(invalid(format!("`vpcCidr` {} is not between /16 and /24", self.vpc_cidr)));
        }
        if self.zones.len() > 8 {
            return Err(invalid("`zones` names more than 8 zones"));
        }
        if self.connect_publicly && !self.public_address {
            return Err(invalid("`connect` is `public`, but machines get no public address")
                .with_remedy("set `publicAddress` to `true`, or `connect` to `private`"));
        }
        if self.instance_type.is_some() && (shape.cpu.is_some() || shape.memory.is_some()) {
            return Err(invalid(
                "`instanceType` decides processors and memory, and `machine.cpu` or `machine.memory` too",
            )
            .with_remedy("give one or the other"));
        }
        if self.allowed_cidrs.is_empty() {
            return Err(invalid("`allowedCidrs` says from where machines may be reached, and is not given")
                .with_remedy(
                    "give the address of the daemon's host as the cloud sees it, for example `203.0.113.7/32`",
                ));
        }
        if self.service_cidrs.is_empty() != self.service_ports.is_empty() {
            return Err(invalid("`serviceCidrs` and `servicePorts` go together"));
        }
        Ok(())
    }
}

/// A cluster's options with those of a pool in place of them. What the pool's shape says of a machine's size or image
/// goes before an option of the cluster.
fn in_place(spec: &ClusterSpec, pool: &Pool) -> BTreeMap<String, String> {
    let mut options = spec.options.clone();
    if pool.shape.cpu.is_some() || pool.shape.memory.is_some() {
        options.insert("instanceType".to_owned(), String::new());
    }
    options.extend(pool.options.clone());
    options
}

/// Options by name: a cluster's own go before its account's.
struct Given<'a> {
    defaults: &'a BTreeMap<String, String>,
    own: &'a BTreeMap<String, String>,
}

impl<'a> Given<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.own.get(name).or_else(|| self.defaults.get(name)).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.text(name).into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty())
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        self.text(name).map(|text| parse(name, text)).transpose()
    }

    fn parsed_list<T: std::str::FromStr>(&self, name: &str) -> Result<Vec<T>, Failure> {
        self.list(name).map(|text| parse(name, text)).collect()
    }

    fn yes_or_no(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.parsed(name)
    }

    fn connect(&self) -> Result<Option<bool>, Failure> {
        match self.text("connect") {
            None => Ok(None),
            Some("public") => Ok(Some(true)),
            Some("private") => Ok(Some(false)),
            Some(other) => Err(invalid(format!("`connect` is `public` or `private`, not `{other}`"))),
        }
    }

    fn spot(&self) -> Result<Spot, Failure> {
        match self.text("spot") {
            None | Some("never") => Ok(Spot::Never),
            Some("prefer") => Ok(Spot::Prefer),
            Some("only") => Ok(Spot::Only),
            Some(other) => Err(invalid(format!("`spot` is `never`, `prefer` or `only`, not `{other}`"))),
        }
    }
}

fn parse<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| invalid(format!("the option `{name}` cannot be `{text}`")))
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::host::Role;

    use super::*;
    use crate::samples;

    fn refusal(options: &[(&str, &str)]) -> String {
        Settings::of(&samples::account(options), &samples::spec()).unwrap_err().message
    }

    #[test]
    fn a_clusters_own_options_go_before_its_accounts_and_a_pools_before_both() {
        let account = samples::account(&[("instanceType", "t3.large"), ("rootVolumeGib", "30")]);
        let mut spec = samples::spec();
        spec.options.insert("instanceType".to_owned(), "c7g.large".to_owned());
        let mut gpu = Pool::new("gpu".parse().unwrap(), Role::Worker, 1);
        gpu.options.insert("instanceType".to_owned(), "g6.xlarge".to_owned());
        spec.pools.push(gpu);
        let of = |machine: &str| {
            let settings = Settings::of_machine(&account, &spec, &machine.parse().unwrap()).unwrap();
            (settings.instance_type.unwrap(), settings.root_gib)
        };
        assert_eq!(of("worker-1"), ("c7g.large".to_owned(), 30));
        assert_eq!(of("gpu-1"), ("g6.xlarge".to_owned(), 30));
        spec.pools[0].options.insert("zones".to_owned(), "eu-central-1a".to_owned());
        assert!(Settings::of(&account, &spec).unwrap_err().message.contains("`zones` cannot differ by pool"));
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_name() {
        assert!(refusal(&[("instancetype", "x")]).contains("`instancetype`"));
        assert!(refusal(&[("spot", "maybe")]).contains("`spot`"));
        assert!(refusal(&[("controlPlaneEndpoint", "haproxy")]).contains("`controlPlaneEndpoint`"));
        assert!(refusal(&[("rootVolumeGib", "many")]).contains("`rootVolumeGib`"));
        assert!(refusal(&[("vpcCidr", "10.0.0.0/8")]).contains("`vpcCidr`"));
        assert!(refusal(&[("vpcId", "vpc-1")]).contains("`subnetIds`"));
        assert!(refusal(&[("publicAddress", "false"), ("connect", "public")]).contains("`connect`"));
        assert!(refusal(&[("allowedCidrs", "")]).contains("`allowedCidrs`"));
        assert!(refusal(&[("servicePorts", "80")]).contains("`serviceCidrs`"));
    }

    #[test]
    fn a_network_load_balancer_is_for_kubernetes_and_a_default_for_it_concerns_nobody_else() {
        let wish = [("controlPlaneEndpoint", "network-load-balancer")];
        let mut swarm = samples::spec();
        let settings = Settings::of(&samples::account(&wish), &swarm).unwrap();
        assert!(!settings.has_balancer(swarm.orchestrator));
        assert!(settings.has_balancer(Orchestrator::Kubernetes));
        swarm.options.insert("controlPlaneEndpoint".to_owned(), "network-load-balancer".to_owned());
        let refused = Settings::of(&samples::account(&[]), &swarm).unwrap_err();
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (ErrorCode::Unsupported, Some("options.controlPlaneEndpoint"))
        );
        swarm.options.insert("controlPlaneEndpoint".to_owned(), "machines".to_owned());
        assert!(Settings::of(&samples::account(&wish), &swarm).is_ok());
        let asked = ClusterSpec { orchestrator: Orchestrator::Kubernetes, ..swarm };
        assert!(!Settings::of(&samples::account(&wish), &asked).unwrap().has_balancer(asked.orchestrator));
        assert!(!Settings::gives_balancer(&samples::account(&wish), &asked));
        let silent = ClusterSpec { options: BTreeMap::new(), ..asked };
        assert!(Settings::gives_balancer(&samples::account(&wish), &silent));
    }

    #[test]
    fn an_option_of_the_orchestrators_is_none_of_ours() {
        let mut spec = samples::spec();
        spec.options.insert("podSubnet".to_owned(), "10.244.0.0/16".to_owned());
        assert!(Settings::of(&samples::account(&[]), &spec).is_ok());
        assert!(refusal(&[("podSubnet", "10.244.0.0/16")]).contains("`podSubnet`"), "an account has only ours");
    }

    #[test]
    fn the_user_follows_the_publisher_of_the_image() {
        let user = |options: &[(&str, &str)]| samples::settings(options).ssh_user;
        assert_eq!(user(&[]), "admin");
        assert_eq!(user(&[("imageOwner", CANONICAL)]), "ubuntu");
        assert_eq!(user(&[("imageOwner", CANONICAL), ("sshUser", "root")]), "root");
    }

    #[test]
    fn a_default_that_became_unreadable_does_not_change_what_a_cluster_needs() {
        let mut account = samples::account(&[("zones", "eu-central-1a")]);
        let before = Settings::of(&account, &samples::spec()).unwrap();
        account.insert("spot".to_owned(), "perhaps".to_owned());
        account.insert("nonsense".to_owned(), "x".to_owned());
        assert!(Settings::of(&account, &samples::spec()).is_err());
        assert_eq!(Settings::lenient(&account, &samples::spec()), before);
    }
}
