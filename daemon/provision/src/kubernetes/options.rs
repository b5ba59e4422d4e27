//! What a cluster may ask of its machines, by field.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use muster_engine::options::KnownOption;
use muster_material::subnet::Subnet;
use muster_protocol::Error;
use muster_protocol::model::cluster::ClusterSpec;

use super::manifest;
use super::version::Version;

/// What stands for the machine's default gateway in addresses.
pub(super) const GATEWAY: &str = "{gateway}";
/// What stands for the minor version (`1.36`) in the package repository.
const MINOR: &str = "{minor}";

/// The project's own packages; each minor version has a repository.
const PACKAGE_REPOSITORY: &str = "https://pkgs.k8s.io/core:/stable:/v{minor}/deb/";
/// The project's own images.
const IMAGE_REPOSITORY: &str = "registry.k8s.io";
/// flannel's own image. The last part is what is tried; its interface to the manifest has been the same for years.
const FLANNEL_IMAGE: &str = "ghcr.io/flannel-io/flannel:v0.26.7";
/// Its name below an image repository of one's own.
const FLANNEL_NAME: &str = "flannel:v0.26.7";
const POD_SUBNET: &str = "10.244.0.0/16";
const SERVICE_SUBNET: &str = "10.96.0.0/12";

/// The names of the options, as users write them.
pub mod option {
    /// Where Debian packages of Kubernetes come from; `{minor}` stands for the minor version.
    pub const PACKAGE_REPOSITORY: &str = "packageRepository";
    /// The key that signs them: armoured text, or its URL.
    pub const PACKAGE_REPOSITORY_KEY: &str = "packageRepositoryKey";
    /// Where images come from.
    pub const IMAGE_REPOSITORY: &str = "imageRepository";
    /// Registries (`host:port`, with commas between) that are reached without TLS.
    pub const INSECURE_REGISTRIES: &str = "insecureRegistries";
    /// The pods' network.
    pub const POD_SUBNET: &str = "podSubnet";
    /// The services' network.
    pub const SERVICE_SUBNET: &str = "serviceSubnet";
    /// What makes the pods' network: `flannel`, `none`, or `manifest`.
    pub const CNI: &str = "cni";
    /// The manifest for `cni = manifest`.
    pub const CNI_MANIFEST: &str = "cniManifest";
    /// flannel's image.
    pub const FLANNEL_IMAGE: &str = "flannelImage";
    /// Name servers for pods (addresses with commas between), in place of the machine's own.
    pub const NAME_SERVERS: &str = "nameServers";
    /// Who sees to it that the package repository answers before anything is made: `daemon`, or `none`.
    pub const REPOSITORY_CHECK: &str = "repositoryCheck";
    /// Who asks registries what the tags of services' images mean: `daemon`, or `none`.
    pub const IMAGE_DIGESTS: &str = "imageDigests";
}

/// What the options are for. Their values are checked together, for some depend on others.
pub(super) const KNOWN: [KnownOption; 12] = [
    known(
        option::PACKAGE_REPOSITORY,
        "the URL of an apt repository with Kubernetes' packages; {minor} stands for 1.36",
    ),
    known(option::PACKAGE_REPOSITORY_KEY, "the key that signs the packages: armoured text, or an https URL"),
    known(option::IMAGE_REPOSITORY, "where images come from: registry:port/path"),
    known(option::INSECURE_REGISTRIES, "registries that are reached without TLS: host:port, with commas between"),
    known(option::POD_SUBNET, "the pods' network, such as 10.244.0.0/16"),
    known(option::SERVICE_SUBNET, "the services' network, such as 10.96.0.0/12"),
    known(option::CNI, "what makes the pods' network: flannel, none or manifest"),
    known(option::CNI_MANIFEST, "the manifest for cni = manifest"),
    known(option::FLANNEL_IMAGE, "flannel's image"),
    known(option::NAME_SERVERS, "name servers for pods: addresses with commas between"),
    known(
        option::REPOSITORY_CHECK,
        "who asks whether the package repository answers before anything is made: daemon, or none",
    ),
    known(option::IMAGE_DIGESTS, "who asks registries what the tags of services' images mean: daemon, or none"),
];

const fn known(name: &'static str, about: &'static str) -> KnownOption {
    KnownOption { name, about, per_pool: false, check: |_| Ok(()) }
}

/// What makes the pods' network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cni {
    /// flannel from this image.
    Flannel {
        /// The image.
        image: String,
    },
    /// The user brings one; nodes become ready when it is there.
    None,
    /// The user's manifest.
    Manifest(String),
}

/// The key that signs packages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RepositoryKey {
    /// The armoured key itself.
    Armoured(String),
    /// Where a machine gets it.
    Url(String),
}

/// What a cluster asks of its machines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KubernetesOptions {
    /// The exact version.
    pub version: Version,
    /// The repository of its packages.
    pub package_repository: String,
    /// The key that signs them.
    pub package_repository_key: RepositoryKey,
    /// Where images come from.
    pub image_repository: String,
    /// Registries that are reached without TLS.
    pub insecure_registries: Vec<String>,
    /// The pods' network.
    pub pod_subnet: Subnet,
    /// The services' network.
    pub service_subnet: Subnet,
    /// What makes the pods' network.
    pub cni: Cni,
    /// Name servers for pods, in place of the machine's own.
    pub name_servers: Vec<Ipv4Addr>,
}

impl KubernetesOptions {
    /// The options of a cluster, with the installation's defaults for what it leaves out. Names that are
    /// not among the known ones are somebody else's: the infrastructure has options too.
    pub fn read(spec: &ClusterSpec, defaults: &BTreeMap<String, String>) -> Result<Self, Error> {
        let fields = Fields { given: &spec.options, defaults };
        let version = Version::wanted(spec.version.as_deref())
            .map_err(|message| Error::unsupported("version", "kubernetes").with_detail("why", message.clone()))
            .map_err(|error| Error { message: error.details.get("why").cloned().unwrap_or_default(), ..error })?;
        let package_repository = fields.package_repository(version)?;
        let package_repository_key = fields.key(&package_repository)?;
        let image_repository = fields.image_repository()?;
        let (pod_subnet, service_subnet) = fields.subnets()?;
        fields.checks_repository()?;
        fields.asks_registries()?;
        Ok(Self {
            version,
            package_repository,
            package_repository_key,
            insecure_registries: fields.insecure_registries()?,
            pod_subnet,
            service_subnet,
            cni: fields.cni(&image_repository)?,
            image_repository,
            name_servers: fields.name_servers()?,
        })
    }

    /// Whether the daemon asks the package repository before anything is made. No part of the options, for it changes nothing
    /// on a machine.
    pub(super) fn checks_repository(spec: &ClusterSpec, defaults: &BTreeMap<String, String>) -> Result<bool, Error> {
        Fields { given: &spec.options, defaults }.checks_repository()
    }

    /// The registries without TLS, if the daemon asks registries what the tags of services' images mean. No part of the options
    /// either.
    ///
    /// # Errors
    /// If a value cannot be read.
    pub fn asked_registries(
        spec: &ClusterSpec,
        defaults: &BTreeMap<String, String>,
    ) -> Result<Option<Vec<String>>, Error> {
        let fields = Fields { given: &spec.options, defaults };
        if fields.asks_registries()? { fields.insecure_registries().map(Some) } else { Ok(None) }
    }

    /// Refuses networks of pods or services that overlap those of the machines, by the field.
    pub(super) fn refuse_machine_networks(&self, machines: &[String]) -> Result<(), Error> {
        let machines: Vec<Subnet> = machines.iter().filter_map(|network| network.parse().ok()).collect();
        let ours =
            [(option::POD_SUBNET, "pods", self.pod_subnet), (option::SERVICE_SUBNET, "services", self.service_subnet)];
        for (option, whose, network) in ours {
            if let Some(other) = machines.iter().find(|machines| machines.overlaps(network)) {
                let message = format!("the {whose}' network {network} overlaps the machines' network {other}");
                return Err(invalid(option, message).with_remedy("give a network that is apart from it"));
            }
        }
        Ok(())
    }

    /// Whether an address of these options depends on the machine's gateway.
    pub(super) fn names_gateway(&self) -> bool {
        let key = match &self.package_repository_key {
            RepositoryKey::Url(url) => url.as_str(),
            RepositoryKey::Armoured(_) => "",
        };
        let single = [self.package_repository.as_str(), &self.image_repository, key];
        single.into_iter().chain(self.insecure_registries.iter().map(String::as_str)).any(|text| text.contains(GATEWAY))
    }

    /// The same with the machine's own gateway.
    #[must_use]
    pub(super) fn at_gateway(&self, gateway: &str) -> Self {
        let place = |text: &str| text.replace(GATEWAY, gateway);
        Self {
            package_repository: place(&self.package_repository),
            package_repository_key: match &self.package_repository_key {
                RepositoryKey::Url(url) => RepositoryKey::Url(place(url)),
                RepositoryKey::Armoured(key) => RepositoryKey::Armoured(key.clone()),
            },
            image_repository: place(&self.image_repository),
            insecure_registries: self.insecure_registries.iter().map(|registry| place(registry)).collect(),
            cni: match &self.cni {
                Cni::Flannel { image } => Cni::Flannel { image: place(image) },
                Cni::None => Cni::None,
                Cni::Manifest(manifest) => Cni::Manifest(place(manifest)),
            },
            ..self.clone()
        }
    }
}

/// The options as texts.
struct Fields<'a> {
    given: &'a BTreeMap<String, String>,
    defaults: &'a BTreeMap<String, String>,
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.given.get(name).or_else(|| self.defaults.get(name))?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    fn package_repository(&self, version: Version) -> Result<String, Error> {
        let text = self.get(option::PACKAGE_REPOSITORY).unwrap_or(PACKAGE_REPOSITORY);
        if !is_url(text) {
            return Err(invalid(option::PACKAGE_REPOSITORY, format!("`{text}` is no http or https URL"))
                .with_remedy(format!("write it as {PACKAGE_REPOSITORY}")));
        }
        let mut url = text.replace(MINOR, &version.minor_text());
        if !url.ends_with('/') {
            url.push('/');
        }
        Ok(url)
    }

    fn key(&self, repository: &str) -> Result<RepositoryKey, Error> {
        let Some(key) = self.get(option::PACKAGE_REPOSITORY_KEY) else {
            if repository.starts_with("https://") {
                return Ok(RepositoryKey::Url(format!("{repository}Release.key")));
            }
            let message = format!("{repository} is reached without TLS, so its key must be given");
            return Err(invalid(option::PACKAGE_REPOSITORY_KEY, message)
                .with_remedy("give the armoured public key that signs the repository"));
        };
        if key.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
            return Ok(RepositoryKey::Armoured(format!("{key}\n")));
        }
        if key.starts_with("https://") && is_url(key) {
            return Ok(RepositoryKey::Url(key.to_owned()));
        }
        Err(invalid(option::PACKAGE_REPOSITORY_KEY, "it is neither an armoured public key nor an https URL".to_owned())
            .with_remedy("give the text that begins with -----BEGIN PGP PUBLIC KEY BLOCK-----"))
    }

    fn image_repository(&self) -> Result<String, Error> {
        let text = self.get(option::IMAGE_REPOSITORY).unwrap_or(IMAGE_REPOSITORY).trim_end_matches('/');
        if !is_image(text) {
            return Err(invalid(option::IMAGE_REPOSITORY, format!("`{text}` is no place of images"))
                .with_remedy("write it as `registry:port/path`, without a scheme"));
        }
        Ok(text.to_owned())
    }

    fn insecure_registries(&self) -> Result<Vec<String>, Error> {
        let registries: Vec<String> = self.words(option::INSECURE_REGISTRIES).map(str::to_owned).collect();
        match registries.iter().find(|registry| !is_image(registry) || registry.contains('/')) {
            None => Ok(registries),
            Some(wrong) => Err(invalid(option::INSECURE_REGISTRIES, format!("`{wrong}` is no `host:port`"))),
        }
    }

    fn subnets(&self) -> Result<(Subnet, Subnet), Error> {
        let subnet = |name: &'static str, default: &str| {
            self.get(name).unwrap_or(default).parse::<Subnet>().map_err(|message| invalid(name, message))
        };
        let pods = subnet(option::POD_SUBNET, POD_SUBNET)?;
        let services = subnet(option::SERVICE_SUBNET, SERVICE_SUBNET)?;
        if pods.overlaps(services) {
            let message = format!("the pods' network {pods} and the services' network {services} overlap");
            return Err(invalid(option::SERVICE_SUBNET, message).with_remedy("give networks that are apart"));
        }
        // kubeadm gives every node a /24 of the pods' network, and refuses networks of services beyond /12.
        if pods.prefix() > 23 {
            let message = format!("{pods} has no room: every machine takes a /24 of it");
            return Err(invalid(option::POD_SUBNET, message).with_remedy("give a network such as 10.244.0.0/16"));
        }
        if !(12..=28).contains(&services.prefix()) {
            let message = format!("{services} cannot be: it must have between 16 and 1,048,576 addresses");
            return Err(invalid(option::SERVICE_SUBNET, message).with_remedy("give a network such as 10.96.0.0/12"));
        }
        Ok((pods, services))
    }

    fn cni(&self, image_repository: &str) -> Result<Cni, Error> {
        let manifest = self.get(option::CNI_MANIFEST);
        let kind = self.get(option::CNI).unwrap_or("flannel");
        if manifest.is_some() && kind != "manifest" {
            return Err(invalid(option::CNI_MANIFEST, format!("it is of no use with `cni` = `{kind}`"))
                .with_remedy("leave it out, or ask for `cni` = `manifest`"));
        }
        match (kind, manifest) {
            ("none", _) => Ok(Cni::None),
            ("manifest", Some(manifest)) => match manifest::check(manifest) {
                Ok(()) => Ok(Cni::Manifest(format!("{manifest}\n"))),
                Err(why) => Err(invalid(option::CNI_MANIFEST, why)
                    .with_remedy("give the text of a manifest, as `kubectl apply -f` takes it")),
            },
            ("manifest", None) => Err(invalid(option::CNI_MANIFEST, "`cni` = `manifest` needs it".to_owned())),
            ("flannel", _) => Ok(Cni::Flannel { image: self.flannel_image(image_repository)? }),
            (other, _) => Err(invalid(option::CNI, format!("`{other}` is none of flannel, none, manifest"))),
        }
    }

    fn flannel_image(&self, image_repository: &str) -> Result<String, Error> {
        match self.get(option::FLANNEL_IMAGE) {
            Some(image) if is_image(image) => Ok(image.to_owned()),
            Some(image) => Err(invalid(option::FLANNEL_IMAGE, format!("`{image}` is no image"))),
            None if image_repository == IMAGE_REPOSITORY => Ok(FLANNEL_IMAGE.to_owned()),
            None => Ok(format!("{image_repository}/{FLANNEL_NAME}")),
        }
    }

    fn name_servers(&self) -> Result<Vec<Ipv4Addr>, Error> {
        let server = |text: &str| match text.parse::<Ipv4Addr>() {
            Ok(address) if !address.is_loopback() && !address.is_unspecified() => Ok(address),
            Ok(_) => Err(invalid(option::NAME_SERVERS, format!("{text} is reached from no pod"))),
            Err(_) => Err(invalid(option::NAME_SERVERS, format!("`{text}` is no IPv4 address"))),
        };
        self.words(option::NAME_SERVERS).map(server).collect()
    }

    fn checks_repository(&self) -> Result<bool, Error> {
        self.is_the_daemons(option::REPOSITORY_CHECK)
    }

    fn asks_registries(&self) -> Result<bool, Error> {
        self.is_the_daemons(option::IMAGE_DIGESTS)
    }

    fn is_the_daemons(&self, task: &str) -> Result<bool, Error> {
        match self.get(task).unwrap_or("daemon") {
            "daemon" => Ok(true),
            "none" => Ok(false),
            other => Err(invalid(task, format!("`{other}` is none of daemon, none"))),
        }
    }

    fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty())
    }
}

pub(super) fn invalid(option: &str, message: String) -> Error {
    Error::invalid(&format!("options.{option}"), message)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    // It goes into a line of apt's list: no spaces, quotes or brackets.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@%+{}".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(plain))
}

fn is_image(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/@{}".contains(&byte);
    !text.is_empty() && !text.contains("//") && !text.starts_with('/') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests;
