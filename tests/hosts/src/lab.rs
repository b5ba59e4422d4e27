//! Machine containers that play hosts, in a network of their own. They and their network end with the lab.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use muster_material::ssh_key;
use muster_tests::images::docker::docker;
use muster_tests::machine_container::{LABEL, MachineContainer, let_in, make_network, remove_all_of};
use russh::keys::{HashAlg, PublicKey};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a host may take until its sshd listens.
const SSH_LIMIT: Duration = Duration::from_secs(120);

/// Returns when sshd listens there.
async fn answers_as_ssh(address: &str) -> Result<()> {
    let listens = async {
        while TcpStream::connect((address, 22)).await.is_err() {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(SSH_LIMIT, listens).await.with_context(|| format!("nothing listens for SSH at {address}"))
}

/// What a host's owner has put on it: a file of his own, and a unit that listens at port 8080.
const OWN: &str = "
mkdir -p /etc/own /srv/own
echo 'mine' > /etc/own/notes.conf
echo 'data' > /srv/own/data
cat > /etc/systemd/system/own.service <<'UNIT'
[Unit]
Description=Something of the owner's
[Service]
ExecStart=/usr/bin/systemd-socket-activate -l 8080 /bin/cat
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet --now own.service
";

/// A lab with its hosts.
pub struct Lab {
    name: String,
    cidr: String,
    private_key: String,
    public_key: String,
    hosts: Vec<Host>,
}

/// One host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name in the account.
    pub name: String,
    /// Its container.
    pub container: String,
    /// Its address.
    pub address: String,
    /// The fingerprint of its host key.
    pub fingerprint: String,
}

impl Lab {
    /// A lab without hosts.
    ///
    /// # Errors
    /// If Docker refuses.
    pub async fn start() -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?;
        let name = format!("muster-hosts-{}-{}", std::process::id(), now.subsec_nanos());
        let key = ssh_key::generate("owner")?;
        let (private_key, public_key) = (ssh_key::private_text(&key)?.expose().to_owned(), ssh_key::public_text(&key)?);
        // From here on there is something to remove.
        let mut lab = Self { name, cidr: String::new(), private_key, public_key, hosts: Vec::new() };
        lab.cidr = make_network(&lab.name, 216).await?;
        Ok(lab)
    }

    /// Boots a host of this image, which lets root in with the lab's key.
    ///
    /// # Errors
    /// If Docker refuses, or the host does not come up.
    pub async fn boot(&mut self, name: &str, image: &str) -> Result<Host> {
        let address = self.cidr.replace(".0/24", &format!(".{}", 10 + self.hosts.len()));
        let container_name = format!("{}-{name}", self.name);
        let machine = MachineContainer {
            name: &container_name,
            host_name: name,
            network: &self.name,
            address: Some(&address),
            labels: &[format!("{LABEL}={}", self.name)],
            image,
            with_volumes: true,
        };
        let container = machine.boot().await?;
        let host_key = PublicKey::from_openssh(&let_in(&container, &self.public_key).await?)?;
        let fingerprint = host_key.fingerprint(HashAlg::Sha256).to_string();
        let host = Host { name: name.to_owned(), container, address, fingerprint };
        host.sh("timeout 60 systemctl is-system-running --wait || true").await?;
        answers_as_ssh(&host.address).await?;
        self.hosts.push(host.clone());
        Ok(host)
    }

    /// Its hosts, in the order in which they were booted.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The key that lets its owner in.
    pub fn private_key(&self) -> &str {
        &self.private_key
    }

    /// The public half of that key.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The address at which hosts reach this host.
    pub fn gateway(&self) -> String {
        self.cidr.replace(".0/24", ".1")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        remove_all_of(&self.name);
    }
}

impl Host {
    /// Runs a script on it as root: what it says.
    ///
    /// # Errors
    /// If it fails.
    pub async fn sh(&self, script: &str) -> Result<String> {
        docker(&["exec", &self.container, "sh", "-eu", "-c", script]).await.with_context(|| self.name.clone())
    }

    /// Puts something of the owner's on it.
    ///
    /// # Errors
    /// If it fails.
    pub async fn use_for_something_else(&self) -> Result<()> {
        self.sh(OWN).await.map(|_| ())
    }

    /// Gives its Docker Engine an image and a volume of the owner's. No container is made of them.
    ///
    /// # Errors
    /// If it fails.
    pub async fn give_its_engine_something(&self) -> Result<()> {
        let script = "tar -c -C / bin/true | docker import - own:1 >/dev/null; docker volume create own >/dev/null; \
                      echo kept > /var/lib/docker/volumes/own/_data/file";
        self.sh(script).await.map(|_| ())
    }

    /// Whether what the owner put on it is there and serves.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub async fn still_serves_its_owner(&self) -> Result<bool> {
        let said = self.sh("cat /etc/own/notes.conf /srv/own/data; systemctl is-active own.service || true").await?;
        Ok(said == "mine\ndata\nactive")
    }
}
