//! The crash proof: the process is stopped at every point, every call goes wrong in every way, and the
//! disk is full at every write.
//!
//! What runs is what ships: the daemon's gateway, supervisors, store and planner, on simulated twins under a paused
//! clock. A *point* is the moment before or after a store write or an outside call. For each scenario the points of
//! an undisturbed run are counted; then the scenario is run once for each of them. At its point the process state
//! goes away (the whole runtime is dropped), the daemon starts again from its directory, the client asks again for what
//! it had no answer to, and the scenario goes on to its end. Then nothing may be missing, double, orphaned or stuck,
//! and nothing of others touched. A call that goes wrong once is no reason for help either: only after a refusal for good
//! may somebody mend its reason and try again, and such runs are counted.
//!
//! - `scenario`: the stories: what is asked for, in the middle of what, and what must be there at the end
//! - `requests`: what is asked for in them
//! - `account`: the account of those that have one, whose key is taken until it is replaced
//! - `disturbance`: what goes wrong in a run, and how much help it may need for that
//! - `stop`: where the process is stopped, and which writes are refused
//! - `client`: asks, and asks again after a crash
//! - `process`: one life of the daemon, from start to crash or end
//! - `run`: a scenario with one disturbance
//! - `ending`: the end of a run, waited for and judged
//! - `verdict`: what a run has shown
//! - `proof`: all scenarios with all disturbances

mod account;
mod client;
mod disturbance;
mod ending;
mod process;
mod proof;
mod requests;
mod run;
mod scenario;
mod stop;
mod verdict;

pub use proof::{Options, Totals, prove};
