//! Ports, and where a service is reached.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A port that a service listens on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// The port in the container.
    pub port: u16,
    /// Its transport.
    #[serde(default)]
    pub protocol: Transport,
    /// Who can reach it.
    #[serde(default)]
    pub exposure: Exposure,
    /// Under which number it is published; chosen by the orchestrator if left out. Only with an exposure outside the cluster.
    #[serde(default)]
    pub published: Option<u16>,
}

/// A port's transport.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Who can reach a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// Only services of the same cluster, by the service's name.
    #[default]
    Cluster,
    /// Everyone who reaches the machine on which a copy runs.
    Host,
    /// Everyone who reaches any machine of the cluster.
    Ingress,
}

/// Where a service is reached from outside its cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The address of a machine.
    pub address: String,
    /// The published port.
    pub published: u16,
    /// The port in the container.
    pub port: u16,
    /// Its transport.
    pub protocol: Transport,
}
