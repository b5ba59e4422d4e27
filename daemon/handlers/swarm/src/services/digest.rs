//! What an image's tag means, and for which processors the image is. A manager asks the image's registry once for each
//! submission, and every copy runs the digest that it said, whichever machine pulls it and whenever.
//!
//! Without an answer the tag is submitted as it is, as the engine's own client does: the machines may have the image, and
//! those that do not say in their own words why they cannot pull it.

use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::{OciPlatform, Platform};
use muster_engine::handler::ServiceOrder;
use muster_engine::login;
use muster_engine::words::{self, chain};

use super::deploy::credentials;
use crate::connect::Engine;

/// The longest refusal that is kept, in bytes.
const LONGEST_REFUSAL: usize = 300;
/// How long a registry may take. The engine itself asks again and again while a registry does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the registry of an image says of it.
#[derive(Debug)]
pub(super) enum Resolved {
    /// What its tag means; none of an image that is named by a digest. And where it runs; empty if the registry does not
    /// say it.
    Known(Option<String>, Vec<Platform>),
    /// That it has no such image, or not for everybody, in the registry's words.
    Refused(String),
    /// Nothing that could be used, and why.
    Unknown(String),
}

/// Asks the registry what the image's tag means.
pub(super) async fn resolve(manager: &Engine, order: &ServiceOrder) -> Resolved {
    let (service, image) = (&order.spec.name, order.spec.image.as_str());
    let asked = manager.api().inspect_registry_image(image, credentials(order));
    let (resolved, why) = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(found)) => {
            let platforms = found.platforms.into_iter().filter_map(platform).collect();
            if of(image).is_some() {
                return Resolved::Known(None, platforms);
            }
            match found.descriptor.digest.filter(|digest| is_digest(digest)) {
                Some(digest) => return Resolved::Known(Some(digest), platforms),
                None => unknown("says no digest".to_owned()),
            }
        }
        // An engine without a login says 500 where the registry says 401.
        Ok(Err(ApiError::DockerResponseServerError { status_code, message }))
            if matches!(status_code, 401 | 403 | 404) || login::is_wanted(&message) =>
        {
            let said = login::explained(&words::at_most(LONGEST_REFUSAL, message), image, order.login.is_some());
            (Resolved::Refused(said.clone()), said)
        }
        Ok(Err(error)) => unknown(format!("did not say it: {}", words::at_most(LONGEST_REFUSAL, chain(&error)))),
        Err(_) => unknown(format!("did not answer within {} s", PATIENCE.as_secs())),
    };
    tracing::info!(%service, image, cause = %why, "an image's tag is submitted as it is: each machine resolves it for itself");
    resolved
}

fn unknown(why: String) -> (Resolved, String) {
    (Resolved::Unknown(why.clone()), why)
}

/// A platform of the image, as swarm's scheduler compares it. Attestations have none, and of ARM's older kinds swarm does
/// not know one from the other: <https://github.com/moby/swarmkit/issues/2294>.
fn platform(of_image: OciPlatform) -> Option<Platform> {
    let os = of_image.os.filter(|os| !os.is_empty() && os != "unknown")?;
    let architecture = of_image.architecture.filter(|architecture| architecture != "arm");
    Some(Platform { architecture, os: Some(os) })
}

/// The image, pinned to a digest. One that is named by a digest stays as it is.
pub(super) fn pinned(image: &str, digest: Option<&str>) -> String {
    match digest.filter(|_| of(image).is_none()) {
        Some(digest) => format!("{image}@{digest}"),
        None => image.to_owned(),
    }
}

/// The digest in an image's name.
pub(crate) fn of(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

/// What comes from a registry becomes part of a name: `sha256:` and nothing but hexadecimal digits.
fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha512:"));
    digits.is_some_and(|digits| digits.len() >= 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
