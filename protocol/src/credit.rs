//! Flow control of streams: a sender may send as many items as its receiver has granted, and no more.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The most unused credit that one stream may have.
pub const MAX_CREDIT: u32 = 1 << 16;

/// The peer granted more credit than [`MAX_CREDIT`]: it broke the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stream was granted {granted} items more than the {unused} unused ones, at most {MAX_CREDIT} are allowed")]
pub struct TooMuchCredit {
    granted: u32,
    unused: usize,
}

/// The sender's half: how many items may still be sent. Clones share the same credit, so that the task that reads
/// frames can grant while the task that sends items waits.
#[derive(Clone, Debug)]
pub struct Credit(Arc<Semaphore>);

impl Default for Credit {
    fn default() -> Self {
        Self::new()
    }
}

impl Credit {
    /// A stream starts with no credit.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// The receiver allows `items` more. Called by one task only, the one that reads the peer's frames.
    pub fn grant(&self, items: u32) -> Result<(), TooMuchCredit> {
        let unused = self.0.available_permits();
        let wanted = unused.saturating_add(items as usize);
        if wanted > MAX_CREDIT as usize {
            return Err(TooMuchCredit { granted: items, unused });
        }
        self.0.add_permits(items as usize);
        Ok(())
    }

    /// Waits until one item may be sent, and uses up its credit. Dropping the future uses up nothing.
    pub async fn take(&self) {
        // The semaphore is never closed, so the error cannot happen; if it did, nothing may be sent.
        match self.0.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_closed) => std::future::pending().await,
        }
    }

    /// Uses up the credit for one item if there is any.
    pub fn try_take(&self) -> bool {
        match self.0.try_acquire() {
            Ok(permit) => {
                permit.forget();
                true
            }
            Err(_none) => false,
        }
    }
}

/// The receiver's half: how much to grant, and when. It grants anew in halves of the window, so that a steady stream
/// costs one credit frame for many items and never has to pause for one.
#[derive(Debug)]
pub struct Window {
    size: u32,
    taken: u32,
}

impl Window {
    /// A window of `size` items (at least 1, at most [`MAX_CREDIT`]): how many may be on their way or buffered.
    pub fn new(size: u32) -> Self {
        Self { size: size.clamp(1, MAX_CREDIT), taken: 0 }
    }

    /// How much to grant when the stream begins.
    pub const fn initial(&self) -> u32 {
        self.size
    }

    /// The consumer took one item. Returns how much to grant now, if anything.
    #[must_use = "the sender stops if credit is not granted"]
    pub fn take(&mut self) -> Option<u32> {
        self.taken += 1;
        if self.taken < self.size.div_ceil(2) {
            return None;
        }
        Some(std::mem::take(&mut self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_can_use_up_exactly_what_was_granted() {
        let credit = Credit::new();
        assert!(!credit.try_take());
        credit.grant(2).unwrap();
        assert!(credit.try_take() && credit.try_take());
        assert!(!credit.try_take());
    }

    #[test]
    fn boundless_credit_is_refused_and_changes_nothing() {
        let credit = Credit::new();
        credit.grant(MAX_CREDIT).unwrap();
        assert_eq!(credit.grant(1), Err(TooMuchCredit { granted: 1, unused: MAX_CREDIT as usize }));
        assert_eq!(Credit::new().grant(u32::MAX), Err(TooMuchCredit { granted: u32::MAX, unused: 0 }));
        assert!(credit.try_take());
        credit.grant(1).unwrap();
    }

    #[tokio::test]
    async fn a_waiting_sender_goes_on_when_credit_comes() {
        let credit = Credit::new();
        let sender = tokio::spawn({
            let credit = credit.clone();
            async move { credit.take().await }
        });
        credit.grant(1).unwrap();
        sender.await.unwrap();
        assert!(!credit.try_take());
    }

    #[test]
    fn credit_on_its_way_and_items_in_hand_never_exceed_the_window() {
        for size in [1, 2, 3, 64, MAX_CREDIT] {
            let mut window = Window::new(size);
            let mut sendable = window.initial();
            for _ in 0..1000 {
                assert!(sendable > 0, "a consumer that takes everything never stops the sender, window {size}");
                sendable -= 1;
                sendable += window.take().unwrap_or(0);
                assert!(sendable <= size);
            }
        }
    }
}
