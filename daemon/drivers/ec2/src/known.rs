//! The options that clusters on EC2 know, with what they are for: the order of the documentation.

use muster_engine::options::KnownOption;

/// How the control planes of a Kubernetes cluster are reached by its machines.
pub(crate) const CONTROL_PLANE_ENDPOINT: &str = "controlPlaneEndpoint";

/// Every option. Their values are checked together, for some depend on others.
pub(crate) const KNOWN: [KnownOption; 20] = [
    of_cluster("allowedCidrs", "from where the daemon reaches the machines: networks with commas between"),
    of_cluster("vpcId", "a VPC that is there already"),
    of_cluster("subnetIds", "subnets of that VPC, with commas between"),
    of_cluster("vpcCidr", "the range of an own VPC, such as 10.214.0.0/16"),
    of_cluster("zones", "zones of an own VPC, with commas between"),
    of_machine("instanceType", "the machines' type, such as t3.medium"),
    of_machine("imageId", "the machine image, such as ami-0123456789abcdef0"),
    of_machine("imageOwner", "the account that publishes images"),
    of_machine("imageName", "a pattern for the image's name; {arch} is amd64 or arm64"),
    of_cluster("sshUser", "whom to log in as, with sudo and no password"),
    of_cluster("sshPort", "where the machines' SSH server listens"),
    of_machine("rootVolumeGib", "the root volume's size in GiB"),
    of_machine("rootVolumeType", "the root volume's type, such as gp3"),
    of_machine("rootVolumeEncrypted", "whether the root volume is encrypted: true or false"),
    of_cluster("publicAddress", "whether machines get a public address: true or false"),
    of_cluster("connect", "which address the daemon uses: public or private"),
    of_cluster("serviceCidrs", "from where services are reached: networks with commas between"),
    of_cluster("servicePorts", "at which ports services are reached, such as 80,30000-32767"),
    of_machine("spot", "whether machines are bought on the spot market: never, prefer or only"),
    KnownOption {
        name: CONTROL_PLANE_ENDPOINT,
        about: "how machines reach the control planes of Kubernetes: machines or network-load-balancer",
        per_pool: false,
        check: |text| match text {
            "machines" | "network-load-balancer" => Ok(()),
            _ => Err("it is neither machines nor network-load-balancer".to_owned()),
        },
    },
];

const fn of_cluster(name: &'static str, about: &'static str) -> KnownOption {
    KnownOption { name, about, per_pool: false, check: |_| Ok(()) }
}

/// One that pools may say for their machines.
const fn of_machine(name: &'static str, about: &'static str) -> KnownOption {
    KnownOption { per_pool: true, ..of_cluster(name, about) }
}

/// The option of this name, if it is one of ours.
pub(crate) fn option(name: &str) -> Option<&'static KnownOption> {
    KNOWN.iter().find(|option| option.name == name)
}

/// The names of all options, or of those that pools may say.
pub(crate) fn names(per_pool: bool) -> String {
    let options = KNOWN.iter().filter(|option| option.per_pool || !per_pool);
    options.map(|option| option.name).collect::<Vec<_>>().join(", ")
}
