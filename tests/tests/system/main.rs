//! Muster as its users have it: the real `musterd` and the real `muster`, on real machines with a real Swarm, or on the
//! simulated twins where only the daemon itself is in question. One program, so that it is linked once.
//!
//! - `walk`: from one command to a running service and back to nothing
//! - `access`: `kubectl` and `docker` of users on their clusters
//! - `losses`: machines that go away
//! - `kills`: the daemon that goes away
//! - `kubernetes`: from one command to a real Kubernetes and back to nothing
//! - `image`: machines of the image that the Dockerfile makes
//! - `templates`: every built-in template, used as its users would
//! - `unneeded_images`: images that no service needs any more
//! - `recover`: the state directory that is lost
//! - `refusals`: what cannot be done, and changes nothing
//! - `sim`: many clusters, kills and watchers
//! - `verbs`: those that change something beside clusters and services
//! - `forms`: every verb that shows something, in every form of output
//! - `disk`: a disk that fills up
//! - `strangers`: ten thousand connections
//! - `service_manager`: what systemd tells the daemon and hears from it
//! - `logs`: the three forms of the log
//! - `lab`: what they share

#![allow(clippy::print_stdout, reason = "times and skips are told to whoever runs the tests")]

mod access;
mod disk;
mod forms;
mod image;
mod kills;
mod kubernetes;
mod lab;
mod logs;
mod losses;
mod recover;
mod refusals;
mod service_manager;
mod sim;
mod strangers;
mod templates;
mod unneeded_images;
mod verbs;
mod walk;
