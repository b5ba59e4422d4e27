//! Times in arguments: how long, and since when.

use std::time::Duration;

use muster_protocol::Timestamp;

/// How long, for example `90s`, `30m`, `12h` or `30d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time; write for example `30m`, `12h` or `30d`");
    let (digits, seconds) = match text.char_indices().next_back() {
        Some((at, 'd')) => (&text[..at], 86_400),
        Some((at, 'h')) => (&text[..at], 3_600),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 's')) => (&text[..at], 1),
        Some(_) | None => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// A moment: so long ago, as in [`duration`], or a time as Muster shows it.
pub fn past(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = duration(text) {
        return Ok(Timestamp::of_system_clock() - ago);
    }
    text.parse().map_err(|_| format!("`{text}` is no time; write for example `12h` (ago) or `2026-11-29T20:00:00Z`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_a_unit_and_moments_are_lengths_ago_or_times() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for wrong in ["", "d", "12", "1w", "-1h", "1.5h", "99999999999999999999d", "9999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(past("2025-11-23T12:13:20.123Z"), Ok(Timestamp::from_millis(1_763_900_000_123)));
        assert!(past("1h").unwrap() < past("1s").unwrap());
        assert!(past("yesterday").is_err());
    }
}
