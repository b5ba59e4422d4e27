//! How long images that no service needs any more stay on the machines of a cluster: an option that the preparation
//! refuses if it cannot be, and that the handler follows.

use std::collections::BTreeMap;
use std::time::Duration;

/// The option's name, as users write it.
pub const KEEP_IMAGES: &str = "keepImages";

/// Without the option: long enough to go back to a version that was taken away by mistake.
const USUAL: Duration = Duration::from_secs(60 * 60);
/// The word for a time without an end.
const FOREVER: &str = "forever";

/// How long such images stay, by a cluster's options; none if they stay for ever.
///
/// # Errors
/// Why the option cannot be.
pub fn kept_for(options: &BTreeMap<String, String>) -> Result<Option<Duration>, String> {
    options.get(KEEP_IMAGES).map_or(Ok(Some(USUAL)), |value| read(value))
}

/// Reads the option's value.
///
/// # Errors
/// Why it cannot be.
pub fn read(value: &str) -> Result<Option<Duration>, String> {
    if value == FOREVER {
        return Ok(None);
    }
    let seconds = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)].into_iter().find_map(|(unit, seconds)| {
        let number: u32 = value.strip_suffix(unit)?.parse().ok()?;
        Some(u64::from(number) * seconds)
    });
    let seconds =
        seconds.ok_or_else(|| format!("`{value}` is neither a time such as 30m, 2h or 7d nor `{FOREVER}`"))?;
    Ok(Some(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        assert_eq!(read("90s"), Ok(Some(Duration::from_secs(90))));
        assert_eq!(read("7d"), Ok(Some(Duration::from_secs(604_800))));
        assert_eq!(read("forever"), Ok(None));
        for wrong in ["", "7", "d", "-1h", "1.5h", "4294967296s", "1 h"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_the_option_it_is_an_hour() {
        assert_eq!(kept_for(&BTreeMap::new()), Ok(Some(USUAL)));
        assert_eq!(kept_for(&[(KEEP_IMAGES.to_owned(), "0s".to_owned())].into()), Ok(Some(Duration::ZERO)));
    }
}
