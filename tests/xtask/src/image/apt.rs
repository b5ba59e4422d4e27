//! How a machine reaches Debian's packages: the way this host does.

use std::process::Command;

use anyhow::Result;

use crate::{host, shell};

/// The release that machines run.
pub const RELEASE: &str = "bookworm";

/// Where Debian's packages are for a host without a source of its own for this release.
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";

/// The settings of the host's apt that decide whether a mirror can be reached and is believed.
const COPIED_SETTINGS: [&str; 6] = [
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Retries",
    "Acquire::ForceIPv4",
];

/// apt's configuration inside a machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Apt {
    /// What `debootstrap` fetches from.
    pub mirror: String,
    /// `/etc/apt/sources.list`.
    pub sources: String,
    /// `/etc/apt/apt.conf.d/90host`.
    pub settings: String,
}

impl Apt {
    /// From this host's apt; the defaults where the host is not a Debian of the same release.
    pub fn of_host() -> Result<Apt> {
        if !host::has_program("apt-get") {
            return Ok(Apt::from_listings("", ""));
        }
        let targets = shell::capture(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ]))?;
        let dump = shell::capture(Command::new("apt-config").arg("dump"))?;
        Ok(Apt::from_listings(&targets, &dump))
    }

    fn from_listings(targets: &str, dump: &str) -> Apt {
        let mut sources: Vec<(&str, &str)> = targets.lines().filter_map(source).collect();
        if !sources.iter().any(|(_, suite)| *suite == RELEASE) {
            sources = vec![(DEFAULT_MIRROR, RELEASE)];
        }
        let mirror = sources.iter().find(|(_, suite)| *suite == RELEASE).map_or(DEFAULT_MIRROR, |(uri, _)| uri);
        Apt {
            mirror: mirror.to_owned(),
            sources: sources.iter().map(|(uri, suite)| format!("deb {uri} {suite} main\n")).collect(),
            settings: dump.lines().filter(|line| is_copied(line)).map(|line| format!("{line}\n")).collect(),
        }
    }
}

/// Address and suite of a line `URI suite component`, if a machine should use it: Debian's own `main`, over a network.
/// Debian alone calls a component of these suites `main`; others (Docker's, NodeSource's) are not the machine's business.
fn source(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    let (uri, suite, component) = (words.next()?, words.next()?, words.next()?);
    let is_debian = matches!(suite, "bookworm" | "bookworm-updates" | "bookworm-security") && component == "main";
    let is_remote = uri.starts_with("http://") || uri.starts_with("https://");
    (is_debian && is_remote).then(|| (uri.trim_end_matches('/'), suite))
}

fn is_copied(line: &str) -> bool {
    COPIED_SETTINGS.iter().any(|key| {
        // `Acquire::http::Proxy::some.host "DIRECT";` belongs to its key too.
        line.strip_prefix(key).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with("::"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debians_own_archives_of_the_release_are_taken_over() {
        let targets = "http://mirror.test/debian/ bookworm main\n\
                       http://mirror.test/debian/ bookworm contrib\n\
                       https://download.docker.test/linux/debian/ bookworm stable\n\
                       http://mirror.test/security/ bookworm-security main\n\
                       http://packages.test/apt/ nodistro main\n\
                       file:/srv/debian/ bookworm main\n\
                       http://mirror.test/debian/ trixie main\n";
        let apt = Apt::from_listings(targets, "");
        assert_eq!(apt.mirror, "http://mirror.test/debian");
        assert_eq!(
            apt.sources,
            "deb http://mirror.test/debian bookworm main\ndeb http://mirror.test/security bookworm-security main\n"
        );
    }

    #[test]
    fn a_host_of_another_release_falls_back_to_debians_address() {
        let apt = Apt::from_listings("http://archive.ubuntu.test/ubuntu/ noble main\n", "");
        assert_eq!(apt.mirror, DEFAULT_MIRROR);
        assert_eq!(apt.sources, format!("deb {DEFAULT_MIRROR} bookworm main\n"));
    }

    #[test]
    fn proxies_and_checks_are_taken_over_and_hooks_are_not() {
        let dump = "Acquire::http::Proxy \"http://proxy.test:3128\";\n\
                    Acquire::http::Proxy::mirror.test \"DIRECT\";\n\
                    Acquire::http::ProxyAutoDetect \"/usr/bin/x\";\n\
                    Acquire::Check-Date \"false\";\n\
                    DPkg::Post-Invoke:: \"rm -rf /\";\n";
        assert_eq!(
            Apt::from_listings("", dump).settings,
            "Acquire::http::Proxy \"http://proxy.test:3128\";\n\
             Acquire::http::Proxy::mirror.test \"DIRECT\";\n\
             Acquire::Check-Date \"false\";\n"
        );
    }
}
