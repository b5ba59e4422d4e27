//! The images of the built-in templates, made from Debian's packages where no registry has the official ones.
//!
//! Each folder beside this file is one image: a `Dockerfile` with the documented interface of the official image (ports,
//! environment, `*_FILE` secrets, volumes, health-check programs), as far as the templates and their users need it. The
//! program inside is Debian's, so its version is not always the tag's. All but `busybox` are layers on the
//! machine image `muster/machine-plain:bookworm`, which has the host's way to Debian's packages in it.
//!
//! What was built is kept in the registry's storage under a second tag, a hash of the image's folder: a
//! later run with the same storage neither builds nor pushes.

pub mod docker;
pub mod foreign;
pub mod http;
pub mod tags;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use docker::docker;
use sha2::{Digest, Sha256};

use crate::registry::{Registry, cached_storage};

/// Every image that can be made, by the name under which templates ask for it.
pub const OFFICIAL: [&str; 9] = [
    "busybox:1.36",
    "mariadb:11.4",
    "nats:2.10-alpine",
    "nginx:1.28",
    "postgres:17",
    "prom/prometheus:v3.5.0",
    "redis:7",
    "registry:2",
    "wordpress:6",
];

/// What the images are built on; `cargo xtask image` makes it.
const BASE: &str = "muster/machine-plain:bookworm";

/// Longer than all images take on a slow machine.
const LOCK_LIMIT: Duration = Duration::from_secs(1200);

/// Sees to it that the registry has these images, building and pushing what is missing. Names are those of [`OFFICIAL`],
/// as in the `image` of a rendered service.
///
/// # Errors
/// For an image that cannot be made, and if the build or the push fails.
pub async fn ensure<T: AsRef<str>>(registry: &Registry, names: &[T]) -> Result<()> {
    // Tests run side by side; the second to come finds what the first has built.
    let _lock = lock(&cached_storage()?.with_extension("lock")).await?;
    for name in names {
        let name = name.as_ref();
        let image = Image::find(name)?;
        if !image.is_in(registry).await? {
            image.build().await.with_context(|| format!("cannot build {name}"))?;
            image.push(registry).await.with_context(|| format!("cannot push {name}"))?;
        }
    }
    Ok(())
}

/// One image: its folder and what it is called.
struct Image {
    folder: PathBuf,
    /// In the registry, `library/nginx`; and the tag, `1.28`.
    repository: String,
    tag: String,
    /// `muster-` and a hash of the folder: the tag that says what was built.
    content_tag: String,
    /// On this host.
    local: String,
}

impl Image {
    fn find(name: &str) -> Result<Self> {
        if !OFFICIAL.contains(&name) {
            bail!("image `{name}` cannot be made here; there are: {}", OFFICIAL.join(", "));
        }
        let (short, tag) = name.split_once(':').context("an image name needs a tag")?;
        let folder = source_folder().join(short.replace('/', "-"));
        let content_tag = format!("muster-{}", hash(&folder)?);
        Ok(Self {
            repository: if short.contains('/') { short.to_owned() } else { format!("library/{short}") },
            tag: tag.to_owned(),
            local: format!("muster-service/{}:{content_tag}", short.replace('/', "-")),
            content_tag,
            folder,
        })
    }

    /// Whether the registry has it, and its official tag means this build.
    async fn is_in(&self, registry: &Registry) -> Result<bool> {
        let built = registry.digest(&self.repository, &self.content_tag).await?;
        Ok(built.is_some() && built == registry.digest(&self.repository, &self.tag).await?)
    }

    async fn build(&self) -> Result<()> {
        if docker(&["image", "inspect", "--format", "{{.Id}}", &self.local]).await.is_ok() {
            return Ok(());
        }
        if docker(&["image", "inspect", "--format", "{{.Id}}", BASE]).await.is_err() {
            bail!("the image {BASE} is missing; run: cargo xtask image");
        }
        let base = format!("BASE={BASE}");
        let folder = self.folder.to_string_lossy();
        // The base's own label would make this a machine image.
        let label = "io.muster.image=service";
        // A step that fails or never starts leaves its container behind otherwise.
        let build = ["build", "--force-rm", "--label", label, "--build-arg", &base, "--tag", &self.local, &folder];
        docker(&build).await?;
        Ok(())
    }

    async fn push(&self, registry: &Registry) -> Result<()> {
        for tag in [&self.content_tag, &self.tag] {
            let remote = format!("{}/{}:{tag}", registry.host_address(), self.repository);
            docker(&["tag", &self.local, &remote]).await?;
            let pushed = docker(&["push", "--quiet", &remote]).await;
            docker(&["image", "rm", &remote]).await?;
            pushed?;
        }
        Ok(())
    }
}

/// The folder of this file, wherever the checkout is now.
fn source_folder() -> PathBuf {
    // cargo says at run time where a package lies; what was compiled in may be another checkout's path, where several
    // share a target folder. Without cargo, or from another package of the workspace, the latter serves.
    let running = std::env::var_os("CARGO_MANIFEST_DIR").map(|folder| PathBuf::from(folder).join("src/images"));
    let compiled = || Path::new(env!("CARGO_MANIFEST_DIR")).join("src/images");
    running.filter(|folder| folder.is_dir()).unwrap_or_else(compiled)
}

/// Twelve hexadecimal digits for the names and contents of a folder's files.
fn hash(folder: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        files.push(entry.with_context(cannot)?.path());
    }
    files.sort();
    let mut sha = Sha256::new();
    for file in files {
        let content = fs::read(&file).with_context(cannot)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sha.update(format!("{name} {}\n", content.len()));
        sha.update(content);
    }
    Ok(sha.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

/// Locks a file until the value is dropped.
async fn lock(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let deadline = Instant::now() + LOCK_LIMIT;
    while file.try_lock().is_err() {
        if Instant::now() >= deadline {
            bail!("another program has held {} for {} s", path.display(), LOCK_LIMIT.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_a_folder_and_the_name_under_which_engines_ask_a_mirror() {
        for name in OFFICIAL {
            assert!(Image::find(name).unwrap().folder.join("Dockerfile").is_file(), "{name}");
        }
        assert_eq!(Image::find("nginx:1.28").unwrap().repository, "library/nginx");
        assert_eq!(Image::find("prom/prometheus:v3.5.0").unwrap().repository, "prom/prometheus");
    }

    #[test]
    fn a_changed_file_is_another_image() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Dockerfile"), "FROM a").unwrap();
        let before = hash(folder.path()).unwrap();
        assert_eq!(hash(folder.path()).unwrap(), before);
        fs::write(folder.path().join("Dockerfile"), "FROM b").unwrap();
        assert_ne!(hash(folder.path()).unwrap(), before);
    }
}
