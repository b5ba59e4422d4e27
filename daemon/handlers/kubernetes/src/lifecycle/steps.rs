//! Calls of scripts on machines, each as a step with a name.
//!
//! A step whose end was not seen (the connection broke, the caller was dropped) keeps its name for the next call of the same
//! kind on the same machine, which so finds it running. After its end the next call gets a new name. A daemon that was
//! started anew has forgotten names: its step waits for its turn on the machine, and finds what the earlier one has done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_engine::failure::{Certainty, Failure};
use muster_engine::machine::{MachineFile, MachineRun, Machines};
use muster_engine::member::Member;
use muster_protocol::{ErrorCode, Name};

use super::scripts::LIBRARY;

/// One call of a script.
pub(super) struct Call {
    what: &'static str,
    only_asks: bool,
    script: &'static str,
    variables: Vec<(String, String)>,
    files: Vec<MachineFile>,
    limit: Duration,
}

impl Call {
    /// A call that changes the machine: never two at once there.
    pub(super) fn new(what: &'static str, script: &'static str, limit: Duration) -> Self {
        Self { what, only_asks: false, script, variables: Vec::new(), files: Vec::new(), limit }
    }

    /// A call that asks, or changes nothing on the machine itself.
    pub(super) fn ask(what: &'static str, script: &'static str, limit: Duration) -> Self {
        Self { only_asks: true, ..Self::new(what, script, limit) }
    }

    pub(super) fn node(self, machine: &Name) -> Self {
        self.variable("NODE", machine.as_str())
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn files(mut self, files: Vec<MachineFile>) -> Self {
        self.files = files;
        self
    }
}

/// Runs calls and remembers the names of those whose end was not seen.
pub(super) struct Steps {
    machines: Arc<dyn Machines>,
    unended: Mutex<BTreeMap<(Name, &'static str), String>>,
}

impl Steps {
    pub(super) fn new(machines: Arc<dyn Machines>) -> Self {
        Self { machines, unended: Mutex::default() }
    }

    /// Runs the call and answers the last lines that it said.
    pub(super) async fn run(&self, on: &Member, call: Call) -> Result<Vec<String>, Failure> {
        let key = (on.machine.clone(), call.what);
        let name = if call.only_asks {
            new_name(&format!("ask-{}", call.what))
        } else {
            self.names().entry(key.clone()).or_insert_with(|| new_name(call.what)).clone()
        };
        let only_asks = call.only_asks;
        let step = MachineRun {
            name,
            script: format!("{LIBRARY}{}", call.script),
            variables: call.variables,
            files: call.files,
            limit: call.limit,
        };
        let ended = self.machines.run(&on.access, &step).await;
        // A failure that was certainly not applied means that the step is over; after any other it may be running.
        let seen = ended.as_ref().err().is_none_or(|failure| failure.certainty == Certainty::NotApplied);
        if seen && !only_asks {
            self.names().remove(&key);
        }
        match ended {
            Ok(output) => Ok(output.lines),
            Err(failure) if only_asks => Err(of_orchestrator(failure, on)),
            // As a step it is over; what it has changed until then nobody knows.
            Err(failure) => Err(of_orchestrator(failure, on).in_doubt()),
        }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<(Name, &'static str), String>> {
        // The map is whole at any time, so a panic elsewhere does not spoil it.
        self.unended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_name(what: &str) -> String {
    format!("{what}-{:012x}", rand::random::<u64>() >> 16)
}

/// A script that ended badly has failed at the orchestrator, not at the preparation.
fn of_orchestrator(failure: Failure, on: &Member) -> Failure {
    if failure.code != ErrorCode::Preparation {
        return failure;
    }
    Failure { code: ErrorCode::Orchestrator, message: format!("{}: {}", on.machine, failure.message), ..failure }
}
