//! Tags of a registry that others set while tests run.

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::http::{Answer, Http};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A repository of a registry without TLS.
pub struct Repository {
    registry: Http,
    name: String,
}

impl Repository {
    /// The repository `name` of the registry at `address` (`host:port`).
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(address: &str, name: &str) -> Result<Self> {
        let registry = Http::new(&format!("http://{address}"), None).with("accept", MANIFEST)?;
        Ok(Self { registry, name: name.to_owned() })
    }

    /// Lets the tag `to` mean what `from` means.
    ///
    /// # Errors
    /// If the registry does not have the image, or does not take the tag.
    pub async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let (there, media) = self.image(from).await?;
        self.put(to, &media, there.body).await
    }

    /// Lets the tag `to` mean a list with the image of `from` alone, said to be for this processor.
    ///
    /// # Errors
    /// If the registry does not have the image, or does not take the tag.
    pub async fn list(&self, from: &str, to: &str, processor: &str) -> Result<()> {
        let (there, media) = self.image(from).await?;
        let list = json!({
            "schemaVersion": 2, "mediaType": LIST,
            "manifests": [{
                "mediaType": media, "size": there.body.len(), "digest": there.header("docker-content-digest"),
                "platform": { "architecture": processor, "os": "linux" },
            }],
        });
        self.put(to, LIST, Bytes::from(list.to_string())).await
    }

    async fn image(&self, tag: &str) -> Result<(Answer, String)> {
        let there = self.registry.get(&self.path(tag)).await?.expect(200)?;
        let media =
            there.json::<Value>()?["mediaType"].as_str().context("a manifest without its media type")?.to_owned();
        Ok((there, media))
    }

    async fn put(&self, tag: &str, media: &str, body: Bytes) -> Result<()> {
        self.registry.send_bytes("PUT", &self.path(tag), Some(media), body).await?.expect(201)?;
        Ok(())
    }

    fn path(&self, tag: &str) -> String {
        format!("/v2/{}/manifests/{tag}", self.name)
    }
}
