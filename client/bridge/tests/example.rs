//! `systemd/bridge.toml` and the unit: what is shipped is what the program has and the docs promise.

use muster_bridge::config::Config;

const EXAMPLE: &str = include_str!("../../../systemd/bridge.toml");
const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../systemd/muster-bridge.service");

/// The settings that stand in comments, but those that have no default.
fn uncommented() -> String {
    let mut text = String::new();
    let mut is_in_tls = false;
    for line in EXAMPLE.lines() {
        let setting = line.strip_prefix("# ").unwrap_or(line);
        if setting.starts_with('[') {
            is_in_tls = setting == "[tls]";
        }
        let key = setting.split(" = ").next().filter(|_| setting.contains(" = "));
        let is_setting =
            key.is_some_and(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_') && key != "socket");
        if !is_in_tls && (is_setting || setting.starts_with('[')) {
            text += setting;
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_example_says_every_default_as_it_is() {
    let text = uncommented();
    let read: Config = toml::from_str(&text).unwrap();
    assert_eq!(read, Config::default());
    let all = toml::to_string(&Config::default()).unwrap();
    for key in all.lines().filter_map(|line| line.split(" = ").next()).filter(|key| !key.is_empty()) {
        assert!(text.lines().any(|line| line.split(" = ").next() == Some(key)), "{key} is not in systemd/bridge.toml");
    }
}

#[test]
fn the_example_can_be_read_as_it_is() {
    assert_eq!(toml::from_str::<Config>(EXAMPLE).unwrap(), Config::default());
}

#[test]
fn the_unit_is_as_closed_as_the_docs_say() {
    let analysed = std::process::Command::new("systemd-analyze").args(["security", "--offline=true", UNIT]).output();
    let Ok(analysed) = analysed else {
        use std::io::Write as _;
        let _nobody_reads = writeln!(std::io::stderr(), "skipped: the_unit_is_as_closed (needs systemd-analyze)");
        return;
    };
    let text = String::from_utf8_lossy(&analysed.stdout);
    let level =
        text.split("Overall exposure level for muster-bridge.service: ").nth(1).unwrap_or_else(|| panic!("{text}"));
    let level: f64 = level.split_whitespace().next().unwrap().parse().unwrap();
    assert!(level <= 1.5, "{level}");
}
