//! Logins at image registries: which registry an image's name means, and what a refusal of it says to people.

use muster_protocol::SecretString;

/// The registry of images whose name says none.
pub const DOCKER_HUB: &str = "docker.io";

/// A login at a registry of images.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryLogin {
    /// The registry as images name it: `HOST` or `HOST:PORT`, `docker.io` for Docker Hub.
    pub registry: String,
    /// The user's name there.
    pub user: String,
    /// The password, or a token in its place.
    pub password: SecretString,
}

/// The registry that an image's name means: what stands before its first `/`, if that can be a host.
/// Source: `splitDockerDomain` of `distribution/reference`, which engines and kubelets go by.
pub fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some(("index.docker.io", _)) => DOCKER_HUB,
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => host,
        Some(_) | None => DOCKER_HUB,
    }
}

/// Whether a registry, in its own words or those of an engine, has refused an image for want of a login that is good.
pub fn is_wanted(refusal: &str) -> bool {
    const WORDS: [&str; 6] =
        ["unauthorized", "authentication required", "authorization failed", "basic auth", "access denied", "denied: "];
    let lower = refusal.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// What a registry has answered, with what the daemon knows of logins there if it has refused the image for want of one.
pub fn explained(refusal: &str, image: &str, has_login: bool) -> String {
    if !is_wanted(refusal) {
        return refusal.to_owned();
    }
    let registry = registry_of(image);
    if has_login {
        format!("{refusal} (asked with the login that is configured for {registry})")
    } else {
        format!("{refusal} (no login is configured for {registry}: see `logins` of the daemon's configuration)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_an_image_is_what_engines_take_it_for() {
        for (image, registry) in [
            ("nginx", "docker.io"),
            ("nginx:1.28", "docker.io"),
            ("library/nginx:1.28", "docker.io"),
            ("index.docker.io/library/nginx", "docker.io"),
            ("localhost/nginx", "localhost"),
            ("registry.lan/team/web:1", "registry.lan"),
            ("10.0.0.1:5000/web@sha256:0123", "10.0.0.1:5000"),
        ] {
            assert_eq!(registry_of(image), registry, "{image}");
        }
    }

    #[test]
    fn only_a_refusal_for_want_of_a_login_speaks_of_logins() {
        let refused = "unauthorized: authentication required";
        let without = explained(refused, "registry.lan/web:1", false);
        assert!(
            without.starts_with(refused) && without.contains("no login is configured for registry.lan"),
            "{without}"
        );
        let with = explained(refused, "registry.lan/web:1", true);
        assert_eq!(with, format!("{refused} (asked with the login that is configured for registry.lan)"));
        for words in [
            "Head \"http://registry.lan/v2/web/manifests/1\": no basic auth credentials",
            "pull access denied, repository does not exist or may require authorization",
            "denied: requested access to the resource is denied",
        ] {
            assert!(is_wanted(words), "{words}");
        }
        assert_eq!(explained("manifest unknown", "registry.lan/web:1", false), "manifest unknown");
    }
}
