use muster_protocol::model::cluster::{Infrastructure, Orchestrator};

use super::*;

fn read(options: &[(&str, &str)]) -> Result<KubernetesOptions, Error> {
    read_with(options, &[], None)
}

fn read_with(
    options: &[(&str, &str)],
    defaults: &[(&str, &str)],
    version: Option<&str>,
) -> Result<KubernetesOptions, Error> {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let mut spec = crate::kubernetes::fixtures::spec();
    assert_eq!((spec.orchestrator, spec.infrastructure), (Orchestrator::Kubernetes, Infrastructure::Local));
    spec.version = version.map(str::to_owned);
    spec.options = map(options);
    KubernetesOptions::read(&spec, &map(defaults))
}

fn field(options: &[(&str, &str)]) -> String {
    read(options).unwrap_err().details["field"].clone()
}

#[test]
fn without_options_everything_comes_from_the_projects_own_places() {
    let options = read(&[]).unwrap();
    assert_eq!(options.package_repository, "https://pkgs.k8s.io/core:/stable:/v1.36/deb/");
    let key = "https://pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key";
    assert_eq!(options.package_repository_key, RepositoryKey::Url(key.to_owned()));
    assert_eq!(options.image_repository, "registry.k8s.io");
    assert_eq!(options.cni, Cni::Flannel { image: "ghcr.io/flannel-io/flannel:v0.26.7".to_owned() });
    assert!(!options.names_gateway());
}

#[test]
fn a_site_of_its_own_needs_three_options_and_a_cluster_overrides_them() {
    let key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n…";
    let site = [
        ("packageRepository", "http://{gateway}:8080/v{minor}"),
        ("packageRepositoryKey", key),
        ("imageRepository", "{gateway}:5000/kubernetes"),
        ("insecureRegistries", "{gateway}:5000, other:5000"),
    ];
    let options = read_with(&[("imageRepository", "other:5000")], &site, Some("1.35")).unwrap();
    assert!(options.names_gateway());
    let options = options.at_gateway("10.0.0.1");
    assert_eq!(options.version.to_string(), "1.35.4");
    assert_eq!(options.package_repository, "http://10.0.0.1:8080/v1.35/");
    assert_eq!(options.insecure_registries, ["10.0.0.1:5000", "other:5000"]);
    assert_eq!(options.image_repository, "other:5000");
    assert_eq!(options.cni, Cni::Flannel { image: "other:5000/flannel:v0.26.7".to_owned() });
}

#[test]
fn what_cannot_be_is_refused_by_its_field() {
    assert_eq!(field(&[("podSubnet", "10.96.0.0/16")]), "options.serviceSubnet");
    assert_eq!(field(&[("podSubnet", "10.244.0.0/24")]), "options.podSubnet");
    assert_eq!(field(&[("serviceSubnet", "10.0.0.0/8")]), "options.serviceSubnet");
    assert_eq!(field(&[("packageRepository", "ftp://x/")]), "options.packageRepository");
    assert_eq!(field(&[("packageRepository", "https://x/ [trusted=yes]")]), "options.packageRepository");
    assert_eq!(field(&[("packageRepository", "http://mirror.lan/")]), "options.packageRepositoryKey");
    assert_eq!(field(&[("packageRepositoryKey", "http://mirror.lan/key")]), "options.packageRepositoryKey");
    assert_eq!(field(&[("packageRepositoryKey", "key")]), "options.packageRepositoryKey");
    assert_eq!(field(&[("imageRepository", "https://registry.lan")]), "options.imageRepository");
    assert_eq!(field(&[("insecureRegistries", "a:5000/b")]), "options.insecureRegistries");
    assert_eq!(field(&[("cni", "calico")]), "options.cni");
    assert_eq!(field(&[("cni", "manifest")]), "options.cniManifest");
    assert_eq!(field(&[("cniManifest", "a: b")]), "options.cniManifest");
    assert_eq!(field(&[("cni", "manifest"), ("cniManifest", "kind: [")]), "options.cniManifest");
    assert_eq!(field(&[("repositoryCheck", "maybe")]), "options.repositoryCheck");
    assert_eq!(field(&[("imageDigests", "maybe")]), "options.imageDigests");
    assert_eq!(field(&[("nameServers", "127.0.0.53")]), "options.nameServers");
    assert_eq!(read_with(&[], &[], Some("1.12")).unwrap_err().details["field"], "version");
}

#[test]
fn networks_that_overlap_the_machines_are_refused_by_the_one_that_does() {
    let options = read(&[("podSubnet", "10.213.0.0/18")]).unwrap();
    let refusal = |networks: &[&str]| {
        let networks: Vec<String> = networks.iter().map(|network| network.to_string()).collect();
        options.refuse_machine_networks(&networks)
    };
    assert_eq!(refusal(&["192.168.0.0/16"]), Ok(()));
    assert_eq!(refusal(&["10.213.0.0/16"]).unwrap_err().details["field"], "options.podSubnet");
    assert_eq!(refusal(&["192.168.0.0/16", "10.100.0.0/16"]).unwrap_err().details["field"], "options.serviceSubnet");
}
