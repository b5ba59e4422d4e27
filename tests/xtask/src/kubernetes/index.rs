//! The list of images beside the packages, from which the tests push them: lines `NAME:TAG LOCAL-NAME`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::images::Image;

/// Where it lies. It is written last: with it, the parts are complete.
pub fn path(parts: &Path) -> PathBuf {
    parts.join("images.txt")
}

/// Writes it.
pub fn write(parts: &Path, images: &[Image]) -> Result<()> {
    let text: String = images.iter().map(|image| format!("{} {}\n", image.name, image.local)).collect();
    let target = path(parts);
    let partial = target.with_extension("partial");
    fs::write(&partial, text).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, &target).with_context(|| format!("cannot move {}", partial.display()))
}

/// Reads it.
pub fn images(parts: &Path) -> Result<Vec<Image>> {
    let path = path(parts);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let image = |line: &str| {
        let (name, local) = line.split_once(' ')?;
        Some(Image { name: name.to_owned(), local: local.to_owned() })
    };
    Ok(text.lines().filter_map(image).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let image = |name: &str| Image { name: name.to_owned(), local: format!("muster-kubernetes/{name}-abc") };
        let images = vec![image("kube-apiserver:v1.36.3"), image("pause:3.10.2")];
        write(folder.path(), &images).unwrap();
        assert_eq!(super::images(folder.path()).unwrap(), images);
    }
}
