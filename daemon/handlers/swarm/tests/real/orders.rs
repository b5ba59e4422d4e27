//! Orders for services, and what is asked of those that run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use muster_engine::handler::ServiceOrder;
use muster_engine::observed::OrchestratorView;
use muster_protocol::model::host::Role::{ControlPlane, Worker};
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::{Name, SecretBytes, ServiceId};

use crate::Scene;
use crate::machines::BUSYBOX;
use crate::patience::until;

/// A service that runs this shell command.
pub fn service(name: &str, command: &str) -> ServiceSpec {
    let command = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    ServiceSpec { command, ..ServiceSpec::new(name.parse().unwrap(), BUSYBOX) }
}

/// The first order for a service.
pub fn order(spec: ServiceSpec) -> ServiceOrder {
    ServiceOrder {
        id: ServiceId::generate(),
        generation: 1,
        spec,
        secrets_version: 1,
        digest: None,
        refresh: false,
        login: None,
    }
}

/// The secret `password` with this value.
pub fn secret(value: &str) -> SecretFile {
    SecretFile::new("password".parse().unwrap(), Some(SecretBytes::new(value)))
}

/// A manager and a worker that have the image.
pub async fn scene(cluster: &str) -> Scene {
    let scene = Scene::formed(cluster, &[("manager-1", ControlPlane), ("worker-1", Worker)]).await;
    scene.machines.load_busybox();
    scene
}

impl Scene {
    /// Waits until the service is well in this generation.
    pub async fn ready(&self, name: &Name, generation: u64, copies: u32) -> OrchestratorView {
        self.observe_until(&format!("{name} of generation {generation} with {copies} copies"), |view| {
            view.services.get(name).is_some_and(|service| {
                let counts = (service.generation, service.ready, service.wanted, service.updating);
                counts == (generation, copies, copies, false)
            })
        })
        .await
    }

    /// What a command prints in a container of the service, on the machine where one runs.
    pub fn in_container(&self, machine: &Name, service: &Name, command: &str) -> String {
        let find = format!("docker ps -q --filter label=com.docker.swarm.service.name={service} | head -1");
        self.machines.run(machine.as_str(), &format!("docker exec $({find}) sh -c '{command}'"))
    }
}

/// What a web server answers. Asked until it does: a container runs before what is in it listens.
pub async fn http_get(address: &str, port: u16) -> String {
    until(&format!("an answer of {address}:{port}"), async || match try_http_get(address, port) {
        Ok(answer) if !answer.is_empty() => Ok(answer),
        said => Err(said),
    })
    .await
}

fn try_http_get(address: &str, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((address, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
