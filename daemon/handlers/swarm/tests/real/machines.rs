//! Machines with a real Docker Engine each, that speak mutual TLS: systemd containers on the local Docker Engine.
//! Everything carries the label `io.muster.test=swarm-handler` and is removed at the end, also when the test fails.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use muster_engine::ledger::MachineAccess;
use muster_engine::member::Member;
use muster_protocol::model::host::Role;

use crate::certificates::Authority;
use crate::patience::until;

const LABEL: &str = "io.muster.test=swarm-handler";
const IMAGE: &str = "muster/machine:bookworm";
/// The image that the services run: a static busybox.
pub const BUSYBOX: &str = "muster-test/busybox:1";

/// A network with machines on it.
pub struct Machines {
    network: String,
    cluster: String,
    subnet: String,
    authority: Authority,
    members: Vec<Member>,
}

impl Machines {
    /// Starts these machines of a cluster and waits until their engines answer.
    pub async fn start(cluster: &str, authority: Authority, machines: &[(&str, Role)]) -> Self {
        static SUBNETS: AtomicU8 = AtomicU8::new(1);
        let subnet = format!("10.231.{}", SUBNETS.fetch_add(1, Ordering::Relaxed));
        let network = format!("muster-test-{cluster}");
        remove(&network);
        docker(&["network", "create", "--label", LABEL, "--subnet", &format!("{subnet}.0/24"), &network]);
        let mut all = Self { network, cluster: cluster.to_owned(), subnet, authority, members: Vec::new() };
        for (name, role) in machines {
            all.add(name, *role);
        }
        for member in &all.members {
            all.insist(member.machine.as_str(), "docker info").await;
        }
        all
    }

    /// The machine of this name.
    pub fn get(&self, name: &str) -> Member {
        self.members.iter().find(|member| member.machine.as_str() == name).unwrap().clone()
    }

    /// All machines.
    pub fn all(&self) -> &[Member] {
        &self.members
    }

    /// Runs a command on a machine and answers its output.
    pub fn run(&self, machine: &str, command: &str) -> String {
        docker(&["exec", &self.container(machine), "sh", "-c", command])
    }

    /// Runs a command on a machine until it succeeds. Swarm refuses to change a node that has changed by itself since it
    /// was read ("update out of sequence"), and anything during an election.
    pub async fn insist(&self, machine: &str, command: &str) -> String {
        self.run_until(machine, command, |_| true).await
    }

    /// Runs a command on a machine until it prints what it should.
    pub async fn run_until(&self, machine: &str, command: &str, is_so: impl Fn(&str) -> bool) -> String {
        until(&format!("{machine}: `{command}`"), async || {
            let ended = output("docker", &["exec", &self.container(machine), "sh", "-c", command]);
            let printed = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
            if ended.status.success() && is_so(&printed) { Ok(printed) } else { Err(ended) }
        })
        .await
    }

    /// Takes a machine away without a word, as when a provider loses it.
    pub fn kill(&self, machine: &str) {
        docker(&["kill", &self.container(machine)]);
    }

    /// Gives every machine the image that the services run.
    pub fn load_busybox(&self) {
        shell(&format!(
            "docker image inspect {BUSYBOX} >/dev/null 2>&1 || (cd \"$(dirname \"$(command -v busybox)\")\" && \
             mkdir -p /tmp/{net}/bin && cp busybox /tmp/{net}/bin/busybox && \
             for name in sh cat echo sleep httpd nc true false; do ln -sf busybox /tmp/{net}/bin/$name; done && \
             tar -C /tmp/{net} -c bin | docker import -c 'LABEL {LABEL}' - {BUSYBOX}; rm -r /tmp/{net})",
            net = self.network
        ));
        for member in &self.members {
            let container = self.container(member.machine.as_str());
            shell(&format!("docker save {BUSYBOX} | docker exec -i {container} docker load"));
        }
    }

    fn container(&self, machine: &str) -> String {
        format!("{}-{machine}", self.network)
    }

    fn add(&mut self, name: &str, role: Role) {
        let container = self.container(name);
        let address = format!("{}.{}", self.subnet, 10 + self.members.len());
        let hostname = format!("{}-{name}", self.cluster);
        let mut arguments = vec!["create", "--name", &container, "--hostname", &hostname, "--label", LABEL];
        arguments.extend(["--network", &self.network, "--ip", &address, "--cgroupns", "private"]);
        arguments.extend([
            "--stop-signal",
            "SIGRTMIN+3",
            "--tmpfs",
            "/run",
            "--tmpfs",
            "/run/lock",
            "--tmpfs",
            "/tmp:exec",
        ]);
        arguments.extend([
            "--mount",
            "type=volume,dst=/var/lib/docker",
            "--mount",
            "type=volume,dst=/var/lib/containerd",
        ]);
        arguments.extend(["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]);
        arguments.extend(["--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "c 1:11 r"]);
        let status = std::fs::read_to_string(muster_capabilities::HOST_STATUS).unwrap();
        let capabilities = muster_capabilities::of_status(&status).unwrap();
        arguments.extend(capabilities.iter().flat_map(|name| ["--cap-add", name]));
        arguments.push(IMAGE);
        docker(&arguments);
        self.copy_tls(&container, &address);
        docker(&["start", &container]);
        self.members.push(Member {
            machine: name.parse().unwrap(),
            role,
            access: MachineAccess {
                private_address: address.clone(),
                address,
                ssh_port: 22,
                ssh_user: "root".into(),
                host_key: String::new(),
            },
            node_id: None,
        });
    }

    /// What the provisioner does over SSH: keys, and a drop-in that makes the engine listen for TLS.
    fn copy_tls(&self, container: &str, address: &str) {
        let server = self.authority.server(address);
        let unit = "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -H tcp://0.0.0.0:2376 --tlsverify \
            --tlscacert=/etc/docker/ca.pem --tlscert=/etc/docker/cert.pem --tlskey=/etc/docker/key.pem \
            --containerd=/run/containerd/containerd.sock\n";
        let files = [
            ("etc/docker/ca.pem", self.authority.certificate()),
            ("etc/docker/cert.pem", server.certificate),
            ("etc/docker/key.pem", server.key),
            ("etc/systemd/system/docker.service.d/tls.conf", unit.to_owned()),
        ];
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        let archive = archive.into_inner().unwrap();
        let mut child =
            Command::new("docker").args(["cp", "-", &format!("{container}:/")]).stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &archive).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        remove(&self.network);
    }
}

fn remove(network: &str) {
    let filter = format!("name=^{network}-");
    let listed = output("docker", &["ps", "-aq", "--filter", &format!("label={LABEL}"), "--filter", &filter]);
    let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
    if !ids.trim().is_empty() {
        let mut arguments = vec!["rm", "-fv"];
        arguments.extend(ids.split_whitespace());
        output("docker", &arguments);
    }
    output("docker", &["network", "rm", network]);
}

fn docker(arguments: &[&str]) -> String {
    let output = output("docker", arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {}: {errors}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn shell(script: &str) {
    let output = output("sh", &["-c", script]);
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

fn output(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}
