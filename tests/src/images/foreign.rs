//! An image for a processor that no machine here has.

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::http::Http;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The processor.
pub const PROCESSOR: &str = "s390x";

/// Gives the registry at `address` (`host:port`) the tag `foreign` beside `tag` of a repository: the same image, said to be
/// for [`PROCESSOR`] only. Returns its name.
///
/// # Errors
/// If the registry does not have the image, or does not take the tag.
pub async fn ensure(address: &str, repository: &str, tag: &str) -> Result<String> {
    let registry = Http::new(&format!("http://{address}"), None).with("accept", MANIFEST)?;
    let path = |reference: &str| format!("/v2/{repository}/manifests/{reference}");
    let there = registry.get(&path(tag)).await?.expect(200)?;
    let digest = there.header("docker-content-digest").to_owned();
    let media = there.json::<Value>()?["mediaType"].as_str().context("a manifest without its media type")?.to_owned();
    let list = json!({
        "schemaVersion": 2, "mediaType": LIST,
        "manifests": [{
            "mediaType": media, "size": there.body.len(), "digest": digest,
            "platform": { "architecture": PROCESSOR, "os": "linux" },
        }],
    });
    let body = Bytes::from(list.to_string());
    registry.send_bytes("PUT", &path("foreign"), Some(LIST), body).await?.expect(201)?;
    Ok(format!("{address}/{repository}:foreign"))
}
