//! What is on a host: every file with its kind, mode, owner and content, every package, and what the kernel and systemd have.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::lab::Host;

/// Left out: what is the kernel's or in memory, logs, and what is made anew from elsewhere (package lists, caches). The
/// package manager's own books are compared package by package instead: dpkg writes a package's list of files anew when a
/// folder in it is gone, as those of manual pages are in the machine images. An engine writes its databases anew at every
/// start: what is in them is compared instead.
const SCRIPT: &str = r#"
set -f
prune='-path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /var/log
    -o -path /var/cache -o -path /var/lib/apt/lists -o -path /var/lib/apt/extended_states -o -path /var/lib/apt/periodic
    -o -path /var/lib/dpkg/status -o -path /var/lib/dpkg/status-old -o -path /var/lib/dpkg/available
    -o -path /var/lib/dpkg/lock -o -path /var/lib/dpkg/lock-frontend -o -path /var/lib/dpkg/triggers
    -o -path /var/lib/dpkg/info/*.list
    -o -path /var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db -o -path /var/lib/docker/buildkit/cache.db
    -o -path /var/lib/docker/network/files/local-kv.db -o -path /var/lib/docker/volumes/metadata.db
    -o -path /var/lib/systemd/random-seed -o -path /var/lib/systemd/timers'
find / \( $prune \) -prune -o ! -type f -printf 'file %p\t%y %m %U:%G %l\n'
find / \( $prune \) -prune -o -type f -printf 'file %p\tf %m %U:%G\n'
find / \( $prune \) -prune -o -type f -print0 | xargs -0 sha256sum -z | tr '\0' '\n' | sed 's|^\([0-9a-f]*\)  \(.*\)$|content \2\t\1|'
dpkg-query -W -f 'package ${binary:Package}\t${db:Status-Abbrev} ${Version}\n'
apt-mark showauto | sed 's/$/\tauto/; s/^/mark /'
apt-mark showhold | sed 's/$/\thold/; s/^/hold /'
systemctl list-unit-files --no-legend --plain | sed 's/^\([^ ]*\)  *\([^ ]*\).*/unit \1\t\2/'
if command -v docker >/dev/null && systemctl is-active --quiet docker.service; then
    docker image ls --no-trunc --format 'image {{.ID}}{{"\t"}}{{.Repository}}:{{.Tag}}'
    docker volume ls --format 'volume {{.Name}}{{"\t"}}{{.Driver}}'
    docker network ls --format 'network {{.Name}}{{"\t"}}{{.Driver}}'
    docker ps -a --format 'container {{.ID}}{{"\t"}}{{.Names}}'
fi
ls -1 /sys/class/net | sed 's/$/\tthere/; s/^/link /'
for setting in net/ipv4/ip_forward net/ipv4/conf/all/forwarding; do
    printf 'setting %s\t%s\n' "$setting" "$(cat "/proc/sys/$setting")"
done
if command -v iptables-save >/dev/null; then
    iptables-save 2>/dev/null | grep -v '^#' | sed 's/\[[0-9]*:[0-9]*\]//; s/$/\tthere/; s/^/rule /'
fi
"#;

/// What is on a host, by what it is.
pub type Inventory = BTreeMap<String, String>;

/// Looks at all of it.
///
/// # Errors
/// If the host cannot be asked.
pub async fn inventory(host: &Host) -> Result<Inventory> {
    let said = host.sh(SCRIPT).await?;
    said.lines()
        .map(|line| {
            let (what, how) = line.split_once('\t').with_context(|| format!("a strange line: {line}"))?;
            Ok((what.to_owned(), how.to_owned()))
        })
        .collect()
}

/// Every difference in a line of its own; none if nothing differs.
pub fn differences(before: &Inventory, after: &Inventory) -> Vec<String> {
    let gone =
        before.iter().filter(|(what, _)| !after.contains_key(*what)).map(|(what, how)| format!("gone: {what} {how}"));
    let new =
        after.iter().filter(|(what, _)| !before.contains_key(*what)).map(|(what, how)| format!("new: {what} {how}"));
    let changed = before.iter().filter_map(|(what, how)| {
        let now = after.get(what).filter(|now| *now != how)?;
        Some(format!("changed: {what} {how} -> {now}"))
    });
    gone.chain(new).chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_told() {
        let inventory = |pairs: &[(&str, &str)]| -> Inventory {
            pairs.iter().map(|(what, how)| ((*what).to_owned(), (*how).to_owned())).collect()
        };
        let before = inventory(&[("file /a", "f 644"), ("file /b", "f 644"), ("package c", "ii  1")]);
        let after = inventory(&[("file /b", "f 600"), ("package c", "ii  1"), ("package d", "ii  2")]);
        assert_eq!(differences(&before, &before), Vec::<String>::new());
        assert_eq!(
            differences(&before, &after),
            ["gone: file /a f 644", "new: package d ii  2", "changed: file /b f 644 -> f 600"]
        );
    }
}
