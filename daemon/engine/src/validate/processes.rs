//! As whom the processes of a service run, how they are asked to end, and who may read its files.

use muster_protocol::Error;
use muster_protocol::model::service::{FileMode, ServiceSpec};

use super::MAX_TIME_MS;

/// Orchestrators count this time in seconds, and take none at all as the order to kill.
const LEAST_GRACE_MS: u64 = 1_000;
/// The longest name of a user or group on Linux.
const MAX_USER_NAME: usize = 32;
/// What says "no change" to the kernel, and so belongs to nobody.
const NOBODY: u32 = u32::MAX;

/// The signals of Linux but for those of real time, which have numbers.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

pub(super) fn check(spec: &ServiceSpec) -> Result<(), Error> {
    if let Some(signal) = spec.stop_signal.as_deref().filter(|signal| !is_signal(signal)) {
        return Err(Error::invalid("stopSignal", format!("`{signal}` is not a signal of Linux"))
            .with_remedy("write its name, for example `SIGTERM`, `SIGQUIT` or `SIGRTMIN+3`"));
    }
    check_grace(spec.stop_grace_ms)?;
    if let Some(user) = spec.user.as_deref().filter(|user| !is_user(user)) {
        return Err(Error::invalid("user", format!("`{user}` is not a user"))
            .with_remedy("write `UID`, `UID:GID`, or names that the image has, `USER` or `USER:GROUP`"));
    }
    for secret in &spec.secrets {
        check_file("secrets", secret.name.as_str(), secret.mode, [secret.uid, secret.gid])?;
    }
    for file in &spec.files {
        check_file("files", &file.path, file.mode, [file.uid, file.gid])?;
    }
    Ok(())
}

fn is_signal(text: &str) -> bool {
    let Some(name) = text.strip_prefix("SIG") else { return false };
    let real_time = |rest: &str, sign: char, most: u32| {
        let number = rest.strip_prefix(sign).filter(|digits| !digits.starts_with('0'));
        rest.is_empty()
            || number.and_then(|digits| digits.parse().ok()).is_some_and(|number| (1..=most).contains(&number))
    };
    let from_first = name.strip_prefix("RTMIN").is_some_and(|rest| real_time(rest, '+', 15));
    let from_last = name.strip_prefix("RTMAX").is_some_and(|rest| real_time(rest, '-', 14));
    SIGNALS.contains(&name) || from_first || from_last
}

fn check_grace(grace_ms: u64) -> Result<(), Error> {
    if (LEAST_GRACE_MS..=MAX_TIME_MS).contains(&grace_ms) {
        return Ok(());
    }
    let message = format!("a copy cannot be given {grace_ms} ms to end");
    Err(Error::invalid("stopGraceMs", message).with_remedy(format!(
        "give it {LEAST_GRACE_MS} to {MAX_TIME_MS} ms; `stopSignal: SIGKILL` gives it no time at all"
    )))
}

/// A user, and a group behind a colon or none: each a number or a name.
fn is_user(text: &str) -> bool {
    let is_name = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.len() <= MAX_USER_NAME && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let is_id =
        |text: &str| text.bytes().all(|digit| digit.is_ascii_digit()) && text.parse().is_ok_and(|id: u32| id != NOBODY);
    let mut parts = text.splitn(2, ':');
    parts.all(|part| is_id(part) || is_name(part))
}

fn check_file(list: &str, which: &str, mode: FileMode, owners: [u32; 2]) -> Result<(), Error> {
    if mode.0 > FileMode::MAX.0 {
        let message = format!("the mode {mode} of `{which}` has bits beyond {}", FileMode::MAX);
        return Err(Error::invalid(&format!("{list}.mode"), message)
            .with_remedy("use three octal digits, for example \"0400\": nothing but read, write and execute"));
    }
    for (field, owner) in ["uid", "gid"].into_iter().zip(owners) {
        if owner == NOBODY {
            return Err(Error::invalid(&format!("{list}.{field}"), format!("`{which}` cannot belong to {owner}"))
                .with_remedy(format!("use a number up to {}", NOBODY - 1)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(fields: serde_json::Value) -> Option<String> {
        let mut all = json!({ "name": "web", "image": "nginx:1" });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let error = check(&serde_json::from_value(all).unwrap()).err()?;
        assert!(error.remedy.is_some(), "{error}");
        Some(error.details["field"].clone())
    }

    #[test]
    fn signals_are_those_of_linux_by_name() {
        for signal in ["SIGTERM", "SIGUSR1", "SIGKILL", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX-14"] {
            assert_eq!(refused(json!({ "stopSignal": signal })), None, "{signal}");
        }
        for signal in
            ["", "SIG", "TERM", "sigterm", "15", "SIGFOO", "SIGRTMIN+16", "SIGRTMIN+03", "SIGRTMIN3", "SIGRTMAX-15"]
        {
            assert_eq!(refused(json!({ "stopSignal": signal })).as_deref(), Some("stopSignal"), "{signal}");
        }
    }

    #[test]
    fn a_copy_has_between_a_second_and_a_day_to_end() {
        for grace in [1_000, 10_000, MAX_TIME_MS] {
            assert_eq!(refused(json!({ "stopGraceMs": grace })), None, "{grace}");
        }
        for grace in [0, 999, MAX_TIME_MS + 1] {
            assert_eq!(refused(json!({ "stopGraceMs": grace })).as_deref(), Some("stopGraceMs"), "{grace}");
        }
    }

    #[test]
    fn a_user_is_a_number_or_a_name_and_may_have_a_group() {
        for user in ["0", "1000", "1000:1001", "www-data", "postgres:postgres", "_apt:0", "4294967294"] {
            assert_eq!(refused(json!({ "user": user })), None, "{user}");
        }
        for user in ["", ":", "1000:", ":1000", "a b", "1:2:3", "4294967295", "4294967296", "-1", "{{.Node.ID}}"] {
            assert_eq!(refused(json!({ "user": user })).as_deref(), Some("user"), "{user}");
        }
    }

    #[test]
    fn files_have_modes_of_three_digits_and_owners() {
        let secret = |more: &str, value: serde_json::Value| json!({ "secrets": [{ "name": "key", more: value }] });
        let file =
            |more: &str, value: serde_json::Value| json!({ "files": [{ "path": "/a", "content": "", more: value }] });
        for mode in ["0400", "640", "0000", "0777"] {
            assert_eq!(refused(secret("mode", json!(mode))), None, "{mode}");
        }
        assert_eq!(refused(secret("mode", json!("4755"))).as_deref(), Some("secrets.mode"));
        assert_eq!(refused(file("mode", json!("01777"))).as_deref(), Some("files.mode"));
        assert_eq!(refused(secret("uid", json!(u32::MAX))).as_deref(), Some("secrets.uid"));
        assert_eq!(refused(file("gid", json!(u32::MAX))).as_deref(), Some("files.gid"));
    }
}
