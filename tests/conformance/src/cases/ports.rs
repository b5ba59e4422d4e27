//! Ports, and where a service is reached.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_client::protocol::model::service::{ServiceInfo, Transport};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("ports")
        .case("a port of the machine is shown as an endpoint", host_endpoint)
        .case("a port without a published number gets one that is shown", chosen_number)
        .case("the transport of a port is kept", transport)
        .case("a port of the cluster is no endpoint", cluster_port)
        .case("port 0 is refused", port_zero)
        .case("a number that is published twice is refused", published_twice)
        .case("a published number without an exposure is refused", published_to_the_cluster)
        .case("a number that the cluster needs itself is refused", reserved_numbers)
        .case("an ingress port is shown at every machine", ingress_endpoints)
        .inside("a port of the machine answers where a copy runs", host_port_answers)
        .inside("an ingress port answers at every machine", ingress_answers)
        .inside("a service is reached by its name from another one", by_name)
        .inside("an exposure does not change how a service is reached by its name", exposure_and_name)
        .inside("a number that is taken is the cause, with its owner", taken_number)
        .inside("a changed published number is where the service is reached", changed_number)
}

/// A service that answers `hello` at port 8080.
fn web(ports: &Value) -> Value {
    let script = "mkdir -p /www; echo hello > /www/index.html; trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait";
    json!({ "command": ["sh", "-c", script], "ports": ports })
}

fn port(exposure: &str, published: u16) -> Value {
    json!([{ "port": 8080, "exposure": exposure, "published": published }])
}

async fn host_endpoint(world: World) -> Result<()> {
    let fields = json!({ "ports": port("host", world.host_port(0)) });
    let name = world.run("web", fields).await?.spec.name;
    let info = endpoints(&world, &name).await?;
    let endpoint = info.endpoints.first().context("no endpoint")?;
    ensure!((endpoint.published, endpoint.port) == (world.host_port(0), 8080), "{endpoint:?}");
    let addresses: Vec<String> = world.hosts().await?.into_iter().filter_map(|host| host.address).collect();
    ensure!(addresses.contains(&endpoint.address), "{endpoint:?} is no machine of {addresses:?}");
    Ok(())
}

/// The info, once it shows an endpoint.
async fn endpoints(world: &World, name: &muster_client::protocol::Name) -> Result<ServiceInfo> {
    let shown = async || {
        let info = world.info(name).await?;
        Ok((!info.endpoints.is_empty()).then_some(info))
    };
    world.until("an endpoint", shown).await
}

async fn chosen_number(world: World) -> Result<()> {
    let name = world.run("web", json!({ "ports": [{ "port": 8080, "exposure": "host" }] })).await?.spec.name;
    let info = endpoints(&world, &name).await?;
    ensure!(info.endpoints.iter().all(|endpoint| endpoint.published > 0), "{:?}", info.endpoints);
    Ok(())
}

async fn transport(world: World) -> Result<()> {
    let (one, other) = (world.host_port(0), world.host_port(1));
    let ports = json!([
        { "port": 53, "protocol": "udp", "exposure": "host", "published": one },
        { "port": 53, "protocol": "tcp", "exposure": "host", "published": other },
    ]);
    let name = world.run("dns", json!({ "ports": ports })).await?.spec.name;
    let both = async || {
        let info = world.info(&name).await?;
        Ok((info.endpoints.len() == 2).then_some(info.endpoints))
    };
    for endpoint in world.until("two endpoints", both).await? {
        let expected = if endpoint.published == one { Transport::Udp } else { Transport::Tcp };
        ensure!(endpoint.protocol == expected, "{endpoint:?}");
    }
    Ok(())
}

async fn cluster_port(world: World) -> Result<()> {
    let info = world.run("web", json!({ "ports": [{ "port": 8080 }] })).await?;
    ensure!(info.endpoints.is_empty(), "{:?}", info.endpoints);
    Ok(())
}

async fn port_zero(world: World) -> Result<()> {
    world.refuses(json!({ "ports": [{ "port": 0 }] }), "ports").await?;
    Ok(())
}

async fn published_twice(world: World) -> Result<()> {
    let number = world.host_port(0);
    let port = |port: u16| json!({ "port": port, "exposure": "host", "published": number });
    world.refuses(json!({ "ports": [port(80), port(81)] }), "ports.published").await?;
    Ok(())
}

async fn published_to_the_cluster(world: World) -> Result<()> {
    world.refuses(json!({ "ports": port("cluster", 8080) }), "ports.published").await?;
    Ok(())
}

async fn reserved_numbers(world: World) -> Result<()> {
    world.refuses(json!({ "ports": port("host", 22) }), "ports.published").await?;
    Ok(())
}

async fn ingress_endpoints(world: World) -> Result<()> {
    let fields = json!({ "ports": port("ingress", world.ingress_port(0)) });
    let name = world.run("web", fields).await?.spec.name;
    let all = async || {
        let info = world.info(&name).await?;
        Ok((info.endpoints.len() == 3).then_some(()))
    };
    world.until("an endpoint at every machine", all).await
}

/// What is said at an address to somebody outside the cluster.
async fn fetch(address: &str, port: u16) -> Result<String> {
    let asking = async {
        let mut connection = TcpStream::connect((address, port)).await?;
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
        let mut said = String::new();
        connection.read_to_string(&mut said).await?;
        Ok(said)
    };
    tokio::time::timeout(Duration::from_secs(3), asking).await.context("no answer")?
}

/// Asks at every endpoint until each has answered.
async fn all_answer(world: &World, name: &muster_client::protocol::Name, count: usize) -> Result<()> {
    world
        .until("every endpoint answers", async || {
            let endpoints = world.info(name).await?.endpoints;
            ensure!(endpoints.len() == count, "{endpoints:?}");
            for endpoint in endpoints {
                let said = fetch(&endpoint.address, endpoint.published).await?;
                ensure!(said.contains("hello"), "{endpoint:?} says {said}");
            }
            Ok(Some(()))
        })
        .await
}

async fn host_port_answers(world: World) -> Result<()> {
    let name = world.run("web", web(&port("host", world.host_port(0)))).await?.spec.name;
    all_answer(&world, &name, 1).await
}

async fn ingress_answers(world: World) -> Result<()> {
    let name = world.run("web", web(&port("ingress", world.ingress_port(0)))).await?.spec.name;
    all_answer(&world, &name, 3).await
}

/// Asks a service by its name from inside another one.
async fn reached_by_name(world: &World, ports: &Value) -> Result<()> {
    let name = world.run("web", web(ports)).await?.spec.name;
    let client = world.run("client", json!({})).await?.spec.name;
    // The image's programs are linked statically, and most of them cannot look a name up: `nslookup` can, and `nc` takes
    // what it finds.
    let ask = format!(
        "for domain in '' $(sed -n 's/^search//p' /etc/resolv.conf); do \
           address=$(nslookup {name}${{domain:+.$domain}} | sed -n 's/^Address[^:]*: *\\([0-9.]*\\)$/\\1/p' | tail -n 1); \
           test -z \"$address\" || {{ printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $address 8080; exit; }}; \
         done; exit 1"
    );
    let said = world.until("it answers by its name", async || world.shell(&client, &ask).await.map(Some)).await?;
    ensure!(said.ends_with("hello"), "{said}");
    Ok(())
}

async fn by_name(world: World) -> Result<()> {
    reached_by_name(&world, &json!([{ "port": 8080 }])).await
}

async fn exposure_and_name(world: World) -> Result<()> {
    reached_by_name(&world, &port("ingress", world.ingress_port(0))).await
}

async fn taken_number(world: World) -> Result<()> {
    let number = world.host_port(0);
    // On every machine, so that no other is left.
    let mut first = web(&port("host", number));
    first["mode"] = json!("global");
    let owner = world.run("first", first).await?.spec.name;
    world.ask(world.spec("second", web(&port("host", number)))?).await?;
    let cause = world.trouble(&world.name("second")?).await?;
    ensure!(cause.message.contains(&number.to_string()) && cause.message.contains(owner.as_str()), "{cause:?}");
    Ok(())
}

async fn changed_number(world: World) -> Result<()> {
    let name = world.run("web", web(&port("host", world.host_port(0)))).await?.spec.name;
    let other = world.spec("web", web(&port("host", world.host_port(1))))?;
    crate::world::succeeded(world.update(other).await?)?;
    all_answer(&world, &name, 1).await?;
    let info = world.info(&name).await?;
    ensure!(info.endpoints.iter().all(|one| one.published == world.host_port(1)), "{:?}", info.endpoints);
    Ok(())
}
