//! A thread that fsyncs the witness while the writer's own fsyncs the database.

use std::{io, sync::mpsc, thread};

/// A lasting thread that does one piece of work again and again, because a new thread a group would cost more than many
/// an fsync does. It ends when this is dropped.
pub(crate) struct Companion {
    requests: mpsc::Sender<()>,
    outcomes: mpsc::Receiver<io::Result<()>>,
}

impl Companion {
    /// Starts the thread.
    pub fn new(mut work: impl FnMut() -> io::Result<()> + Send + 'static) -> io::Result<Companion> {
        let (requests, requested) = mpsc::channel();
        let (outcome, outcomes) = mpsc::channel();
        thread::Builder::new().name("muster-witness".into()).spawn(move || {
            for () in requested {
                // If nobody waits any more, there is no next request either.
                let _ = outcome.send(work());
            }
        })?;
        Ok(Companion { requests, outcomes })
    }

    /// Has the work done while `meanwhile` runs here; both outcomes, this thread's first.
    pub fn run_beside<T>(&self, meanwhile: impl FnOnce() -> T) -> (T, io::Result<()>) {
        let ended = || io::Error::other("the witness thread has ended");
        let requested = self.requests.send(());
        let own = meanwhile();
        // The outcome is taken in any case, so that it is not taken for that of a later request.
        let other = requested.map_err(|_| ended()).and_then(|()| self.outcomes.recv().map_err(|_| ended())?);
        (own, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_its_own_outcome() {
        let mut count = 0;
        let companion = Companion::new(move || {
            count += 1;
            if count % 2 == 0 { Err(io::Error::other(format!("number {count}"))) } else { Ok(()) }
        })
        .unwrap();
        for n in 1..=10 {
            let (own, other) = companion.run_beside(|| n);
            assert_eq!(own, n);
            match other {
                Ok(()) => assert_eq!(n % 2, 1),
                Err(error) => assert_eq!(error.to_string(), format!("number {n}")),
            }
        }
    }

    #[test]
    fn a_panic_of_the_work_is_an_error_now_and_later() {
        let companion = Companion::new(|| panic!("on purpose")).unwrap();
        for _ in 0..2 {
            assert!(companion.run_beside(|| ()).1.is_err());
        }
    }
}
