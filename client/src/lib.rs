//! Talks to Muster's daemon.
//!
//! A [`Client`] is cheap to clone and made to be shared: any number of calls run at once over one connection. It
//! connects again by itself when the connection is lost, and repeats what can be repeated safely:
//!
//! - **Reads** are repeated.
//! - **Changes** that carry an idempotency key are repeated; a call that is made without a key gets one of its own.
//! - **Watches** go on where they were: an operation is asked for anew, events continue behind the last one seen.
//! - The rest ([`ClientError::Lost`] with `maybe_applied`) is reported, because the daemon may have done it: adding
//!   and removing accounts, cancelling an operation, and a log stream, whose lines have no numbers.
//!
//! Every future and every stream may be dropped at any time: the daemon is told, and nothing is leaked. So a time
//! limit is `tokio::time::timeout` around a call.
//!
//! ```no_run
//! use futures::TryStreamExt;
//! use muster_client::protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
//! use muster_client::{Client, ClientError, default_socket};
//!
//! # async fn example() -> Result<(), ClientError> {
//! let client = Client::connect(default_socket()).await?;
//! let name = "demo".parse().expect("a valid name");
//! let spec = ClusterSpec { workers: 2, ..ClusterSpec::new(name, Orchestrator::Swarm, Infrastructure::Local) };
//! let operation = client.cluster_create(spec, None).await?;
//! let ended = client.wait(operation.id).await?;
//! println!("{}: {}", ended.phase, ended.message);
//!
//! let mut clusters = client.clusters();
//! while let Some(cluster) = clusters.try_next().await? {
//!     println!("{} is {}", cluster.name, cluster.phase);
//! }
//! # Ok(())
//! # }
//! ```

mod account;
mod asker;
mod audit;
mod call;
mod catalog;
mod client;
mod cluster;
mod connection;
mod container;
mod daemon;
mod duplex;
mod error;
mod event;
mod host;
mod operation;
mod pages;
mod passing;
mod patience;
mod pending;
mod repeat;
mod service;
mod socket;
mod subscription;
mod token;
mod watch;

pub use muster_protocol as protocol;

pub use client::{Builder, Client};
pub use duplex::{Duplex, DuplexInput};
pub use error::ClientError;
pub use event::EventQuery;
pub use socket::default_socket;

/// Items as they come. The first error is the last item. Dropping the stream tells the daemon to stop.
pub type ItemStream<T> = futures::stream::BoxStream<'static, Result<T, ClientError>>;
