//! `muster service port-forward NAME LOCAL:REMOTE --cluster C`: a port of a service on this host's loopback.

use std::net::Ipv4Addr;

use clap::Args;
use muster_client::{Client, ClientError};
use muster_protocol::duplex::MAX_CHUNK_BYTES;
use muster_protocol::{Error, ErrorCode, Name, StreamInput, StreamItem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::cli::output::Format;

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster service port-forward web 8080:80 --cluster demo\n\n\
    Listens on 127.0.0.1 until it is interrupted. Port 0 takes any that is free.")]
pub struct PortForward {
    /// The service
    pub name: Name,
    /// The port here and the port of the service
    #[arg(value_name = "LOCAL:REMOTE", value_parser = ports)]
    pub ports: (u16, u16),
    /// Its cluster
    #[arg(short, long, value_name = "NAME")]
    pub cluster: Name,
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let (local, remote) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is not a port"));
    match (number(local)?, number(remote)?) {
        (_, 0) => Err("port 0 is not a valid port of a service".to_owned()),
        ports => Ok(ports),
    }
}

impl PortForward {
    /// Listens, and hands each connection on.
    pub async fn run(self, context: &mut Context) -> Result<()> {
        let Self { name, ports: (local, remote), cluster } = self;
        let client = context.client().await?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, local)).await.map_err(|error| cannot_listen(local, &error))?;
        let at = listener.local_addr().map_err(|error| cannot_listen(local, &error))?;
        context.output.text(&format!(
            "{at} leads to port {remote} of {name}
"
        ))?;
        loop {
            let (connection, _) = listener.accept().await.map_err(|error| cannot_listen(local, &error))?;
            let (client, cluster, name) = (client.clone(), cluster.clone(), name.clone());
            tokio::spawn(async move {
                if let Err(error) = forward(&client, &cluster, &name, remote, connection).await {
                    Failure::from(error).show(Format::Table, false, &mut std::io::stderr());
                }
            });
        }
    }
}

/// Hands bytes both ways until both ends are closed.
async fn forward(
    client: &Client,
    cluster: &Name,
    service: &Name,
    port: u16,
    connection: TcpStream,
) -> Result<(), ClientError> {
    let mut duplex = client.service_port_forward(cluster, service, port).await?;
    let (mut from, mut to) = connection.into_split();
    let input = duplex.input();
    let inward = tokio::spawn(async move {
        let mut buffer = vec![0; MAX_CHUNK_BYTES];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if !input.send_bytes(&buffer[..length]).await {
                return;
            }
        }
        input.send(StreamInput::End).await;
    });
    while let Some(item) = duplex.next().await? {
        let StreamItem::Bytes(bytes) = item else { return Err(ClientError::unexpected("bytes")) };
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
    inward.abort();
    Ok(())
}

fn cannot_listen(port: u16, error: &std::io::Error) -> Failure {
    Error::new(ErrorCode::InvalidArgument, format!("cannot listen on port {port} of 127.0.0.1: {error}"))
        .with_remedy("choose another local port, or 0 for any")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_two_numbers_or_the_same_one_twice() {
        assert_eq!(ports("8080:80"), Ok((8080, 80)));
        assert_eq!(ports("80"), Ok((80, 80)));
        assert_eq!(ports("0:80"), Ok((0, 80)));
        for wrong in ["80:0", "x:80", "80:99999", ""] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }
}
