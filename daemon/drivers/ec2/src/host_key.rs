//! A machine's SSH host key: what its server shows, compared with what the machine itself wrote to its console.
//!
//! cloud-init prints the keys and their fingerprints to the console at first boot, which only the machine and the
//! account can write and read. Where the console says nothing, the key is pinned as it was first seen.

use std::time::Duration;

use aws_sdk_ec2::operation::get_console_output::GetConsoleOutputOutput;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_provision::ssh::{self, fingerprint};
use russh::keys::PublicKey;
use russh::keys::ssh_key::Algorithm;

use crate::Ec2Driver;

/// A machine that is booting may accept the connection and then say nothing.
const SCAN_LIMIT: Duration = Duration::from_secs(5);
const FINGERPRINTS: &str = "SSH HOST KEY FINGERPRINTS";
const KEYS: &str = "SSH HOST KEY KEYS";

/// What a console says of host keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ConsoleWord {
    /// It lists this key.
    Same,
    /// It lists other keys only, with these fingerprints.
    Others(Vec<String>),
    /// It lists none (yet).
    Nothing,
}

impl Ec2Driver {
    /// What the machine's console says of this key. That it cannot be read says nothing.
    pub(crate) async fn console_word(&self, id: &str, shown: &PublicKey) -> ConsoleWord {
        // Only machines of newer types have a console of the present moment; of others it comes minutes later.
        let latest = self.read("read the console", |ec2| ec2.get_console_output().instance_id(id).latest(true).send());
        let output = match latest.await {
            Err(error) if error.code.starts_with("Unsupported") => {
                self.read("read the console", |ec2| ec2.get_console_output().instance_id(id).send()).await
            }
            other => other,
        };
        let output = output.ok().as_ref().and_then(GetConsoleOutputOutput::output).map(str::to_owned);
        let bytes = output.and_then(|output| BASE64.decode(output.trim()).ok()).unwrap_or_default();
        compare(&String::from_utf8_lossy(&bytes), shown)
    }
}

/// What a console's text says of a key.
fn compare(console: &str, shown: &PublicKey) -> ConsoleWord {
    let mut fingerprints: Vec<String> = block(console, FINGERPRINTS)
        .flat_map(|line| line.split_whitespace().filter(|word| word.starts_with("SHA256:")))
        .map(str::to_owned)
        .collect();
    let keys = block(console, KEYS).filter_map(|line| {
        let start = ["ssh-", "ecdsa-"].iter().filter_map(|word| line.find(word)).min()?;
        PublicKey::from_openssh(line.get(start..)?.trim()).ok()
    });
    fingerprints.extend(keys.map(|key| fingerprint(&key)));
    if fingerprints.is_empty() {
        return ConsoleWord::Nothing;
    }
    if fingerprints.contains(&fingerprint(shown)) {
        return ConsoleWord::Same;
    }
    fingerprints.sort();
    fingerprints.dedup();
    ConsoleWord::Others(fingerprints)
}

/// The lines between the first marks of this name.
fn block<'a>(console: &'a str, name: &str) -> impl Iterator<Item = &'a str> + 'a {
    let (begin, end) = (format!("BEGIN {name}"), format!("END {name}"));
    let lines = console.lines().skip_while(move |line| !line.contains(&begin)).skip(1);
    lines.take_while(move |line| !line.contains(&end))
}

/// The ed25519 key that the SSH server at this address shows; none if nobody answers. Nothing is sent to it.
pub(crate) async fn scan(address: &str, port: u16) -> Option<PublicKey> {
    ssh::shown(address, port, Algorithm::Ed25519, SCAN_LIMIT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPs3Koo8tStpYmCrr43wkdIIhRk7EKun9kkrgCadoYMx";

    fn key() -> PublicKey {
        PublicKey::from_openssh(KEY).unwrap()
    }

    fn console(name: &str, line: &str) -> String {
        format!(
            "[    0.0] Linux version 6.1\n<14>Nov 29 15:00:00 cloud-init: -----BEGIN {name}-----\n<14>Nov 29 15:00:00 \
             cloud-init: {line}\n<14>Nov 29 15:00:00 cloud-init: -----END {name}-----\nip-10-214-0-4 login: "
        )
    }

    #[test]
    fn a_key_is_known_by_its_fingerprint_or_by_itself() {
        let by_print = console(FINGERPRINTS, &format!("256 {} root@ip-10-214-0-4 (ED25519)", fingerprint(&key())));
        assert_eq!(compare(&by_print, &key()), ConsoleWord::Same);
        assert_eq!(compare(&console(KEYS, &format!("{KEY} root@ip")), &key()), ConsoleWord::Same);
    }

    #[test]
    fn another_key_is_told_and_a_silent_console_is_no_witness() {
        let other = console(FINGERPRINTS, "256 SHA256:other root@x (ED25519)");
        assert_eq!(compare(&other, &key()), ConsoleWord::Others(vec!["SHA256:other".to_owned()]));
        assert_eq!(compare("[    0.0] Linux version 6.1", &key()), ConsoleWord::Nothing);
        assert_eq!(compare("", &key()), ConsoleWord::Nothing);
    }

    #[tokio::test]
    async fn nobody_there_shows_no_key() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(scan("127.0.0.1", port).await, None);
    }
}
