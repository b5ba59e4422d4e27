//! An image for a processor that no machine here has.

use anyhow::Result;

use super::tags::Repository;

/// The processor.
pub const PROCESSOR: &str = "s390x";

/// Gives the registry at `address` (`host:port`) the tag `foreign` beside `tag` of a repository: the same image, said to be
/// for [`PROCESSOR`] only. Returns its name.
///
/// # Errors
/// If the registry does not have the image, or does not take the tag.
pub async fn ensure(address: &str, repository: &str, tag: &str) -> Result<String> {
    Repository::new(address, repository)?.list(tag, "foreign", PROCESSOR).await?;
    Ok(format!("{address}/{repository}:foreign"))
}
