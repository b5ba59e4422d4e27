//! What can go wrong between a driver and EC2.

use std::sync::Mutex;
use std::time::Duration;

/// What happens to a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is done, and its answer never comes: the connection is cut.
    LostAnswer,
    /// It is done, and half of its answer comes.
    CutAnswer,
    /// It never arrives: the connection is cut before.
    LostRequest,
    /// It is done, and its answer comes this much later.
    Late(Duration),
    /// It is done, and the answer says that EC2 has trouble.
    DoneWithTrouble,
    /// It is refused with this status, code and message, and nothing is done.
    Refused(u16, &'static str, &'static str),
}

impl Fault {
    /// EC2 asks for patience.
    pub const THROTTLED: Self = Self::Refused(503, "RequestLimitExceeded", "Request limit exceeded.");
    /// EC2 has trouble and has done nothing.
    pub const TROUBLE: Self = Self::Refused(500, "InternalError", "An internal error has occurred");
    /// A zone has no machine of the type at present.
    pub const NO_CAPACITY: Self =
        Self::Refused(500, "InsufficientInstanceCapacity", "We currently do not have sufficient capacity");
}

/// Which calls a fault meets.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name of the call, or its beginning before a `*`.
    pub action: String,
    /// A text that must be in the call, for example a subnet's id.
    pub with: Option<String>,
    /// What happens.
    pub fault: Fault,
    /// So many calls pass before.
    pub after: u32,
    /// So many calls are met.
    pub times: u32,
}

impl Rule {
    /// The next call of this name.
    pub fn once(action: &str, fault: Fault) -> Self {
        Self { action: action.to_owned(), with: None, fault, after: 0, times: 1 }
    }

    /// The next calls of this name.
    pub fn often(action: &str, fault: Fault, times: u32) -> Self {
        Self { times, ..Self::once(action, fault) }
    }

    fn meets(&self, action: &str, body: &str) -> bool {
        let named = match self.action.strip_suffix('*') {
            Some(beginning) => action.starts_with(beginning),
            None => action == self.action,
        };
        named && self.with.as_ref().is_none_or(|with| body.contains(with.as_str()))
    }
}

/// The rules that hold.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    pub(crate) fn add(&self, rule: Rule) {
        self.lock().push(rule);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// What happens to this call, if anything.
    pub(crate) fn of(&self, action: &str, body: &str) -> Option<Fault> {
        let mut rules = self.lock();
        let met = rules.iter_mut().find(|rule| rule.times > 0 && rule.meets(action, body))?;
        if met.after > 0 {
            met.after -= 1;
            return None;
        }
        met.times -= 1;
        Some(met.fault.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
