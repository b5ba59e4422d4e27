//! `cargo xtask image`: the machine images, built without an image registry. See daemon/drivers/local/image/README.md.

mod apt;
mod build;
mod inputs;
mod verify;

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{host, shell};
use inputs::Inputs;

pub use verify::LABEL as TRIAL_LABEL;

/// Options of `cargo xtask image`.
#[derive(clap::Args)]
pub struct Options {
    /// Build also if images of the same inputs are there
    #[arg(long)]
    force: bool,
}

/// One of the two images.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A fresh Debian VM, without Docker.
    Plain,
    /// The same with a Docker Engine.
    Machine,
}

impl Kind {
    /// In the order in which they build on each other.
    pub const ALL: [Kind; 2] = [Kind::Plain, Kind::Machine];

    /// The value of the label `io.muster.image`, and the last part of the image's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Plain => "machine-plain",
            Kind::Machine => "machine",
        }
    }

    fn repository(self) -> String {
        format!("muster/{}", self.name())
    }

    /// The tag that everything else uses.
    pub fn latest(self) -> String {
        format!("{}:bookworm", self.repository())
    }

    fn tagged(self, hash: &str) -> String {
        format!("{}:bookworm-{hash}", self.repository())
    }
}

/// `cargo xtask image`.
pub fn run(options: &Options) -> Result<()> {
    ensure(&host::cache_dir()?, options.force)
}

/// Builds the images unless images of the same inputs are there.
pub fn ensure(cache: &Path, force: bool) -> Result<()> {
    let inputs = Inputs::read()?;
    let hash = inputs.hash();
    if !force && all_current(&hash)? {
        return Ok(());
    }
    if !host::is_root() {
        // A plain user may have made them with the Dockerfile, which knows of no hash.
        let listing = list_images()?;
        if Kind::ALL.iter().all(|kind| id_of(&listing, &kind.latest()).is_some()) {
            shell::say(
                "the machine images are not of these inputs, and only root can build them; going on with what is there",
            );
            return Ok(());
        }
        bail!(
            "the machine images are missing, and only root can build them\nrun: sudo cargo xtask image; \
             or, with an image registry in reach, see daemon/drivers/local/image/Dockerfile"
        );
    }
    // Two builds at once would work on the same folder; the second finds the first one's images.
    let lock_path = cache.join("image.lock");
    let lock: File = shell::append_to(&lock_path)?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    if !force && all_current(&hash)? {
        return Ok(());
    }
    let start = Instant::now();
    if force || !build::is_cached(cache, &hash) {
        build::build(cache, &inputs, &hash)?;
    }
    for kind in Kind::ALL {
        let image = kind.tagged(&hash);
        build::import(cache, kind, &hash, &image)?;
        verify::boots(&image)?;
        docker(&["tag", &image, &kind.latest()])?;
    }
    remove_older(&hash)?;
    shell::say(format!("machine images bookworm-{hash} ready after {} s", start.elapsed().as_secs()));
    Ok(())
}

/// Whether both images of this hash are there, and are what `bookworm` means.
fn all_current(hash: &str) -> Result<bool> {
    let listing = list_images()?;
    Ok(Kind::ALL.iter().all(|kind| {
        let id = id_of(&listing, &kind.tagged(hash));
        id.is_some() && id == id_of(&listing, &kind.latest())
    }))
}

/// Lines `name:tag id` of all machine images.
fn list_images() -> Result<String> {
    docker(&[
        "image",
        "ls",
        "--no-trunc",
        "--filter",
        "label=io.muster.image",
        "--format",
        "{{.Repository}}:{{.Tag}} {{.ID}}",
    ])
}

fn id_of<'a>(listing: &'a str, name: &str) -> Option<&'a str> {
    listing.lines().filter_map(|line| line.split_once(' ')).find(|(found, _)| *found == name).map(|(_, id)| id)
}

/// Removes the images of earlier builds; one that a container still uses stays until the next build.
fn remove_older(hash: &str) -> Result<()> {
    for name in outdated(&list_images()?, hash) {
        shell::succeeds(Command::new("docker").args(["image", "rm", name]));
    }
    Ok(())
}

/// What to remove by: the name, or the id where a newer build has taken the name.
fn outdated<'a>(listing: &'a str, hash: &str) -> Vec<&'a str> {
    let is_current = |name: &str| Kind::ALL.iter().any(|kind| name == kind.latest() || name == kind.tagged(hash));
    let lines = listing.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter_map(|(name, id)| match name {
            "<none>:<none>" => Some(id),
            _ => (name.starts_with("muster/") && !is_current(name)).then_some(name),
        })
        .collect()
}

/// Runs the docker command line and returns its output.
pub fn docker(arguments: &[&str]) -> Result<String> {
    shell::capture(Command::new("docker").args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_its_whole_name_only() {
        let listing = "muster/machine-plain:bookworm sha256:1\nmuster/machine:bookworm-abc sha256:2\n";
        assert_eq!(id_of(listing, "muster/machine-plain:bookworm"), Some("sha256:1"));
        assert_eq!(id_of(listing, "muster/machine:bookworm-abc"), Some("sha256:2"));
        assert_eq!(id_of(listing, "muster/machine:bookworm"), None);
    }

    #[test]
    fn earlier_builds_go_and_other_peoples_images_stay() {
        let listing = "muster/machine:bookworm sha256:2\nmuster/machine:bookworm-new sha256:2\n\
                       muster/machine:bookworm-old sha256:1\n<none>:<none> sha256:0\nexample/derived:1 sha256:3\n";
        assert_eq!(outdated(listing, "new"), ["muster/machine:bookworm-old", "sha256:0"]);
    }
}
