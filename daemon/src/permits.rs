//! Permits by key: so many at once for each key, and nothing kept for keys that nobody uses.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of permits for each key.
pub struct Permits<K> {
    each: usize,
    used: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
}

/// One permit; given back when dropped.
pub struct Permit<K: Eq + Hash> {
    key: K,
    permit: Option<OwnedSemaphorePermit>,
    used: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
}

impl<K: Eq + Hash + Clone> Permits<K> {
    /// So many for each key, at least one.
    pub fn new(each: usize) -> Self {
        Self { each: each.max(1), used: Arc::default() }
    }

    /// A permit, if one is free.
    pub fn try_take(&self, key: &K) -> Option<Permit<K>> {
        let permit = self.semaphore(key).try_acquire_owned().ok()?;
        Some(self.permit(key, Some(permit)))
    }

    /// A permit, as soon as one is free.
    pub async fn take(&self, key: &K) -> Permit<K> {
        // The semaphore is never closed.
        let permit = self.semaphore(key).acquire_owned().await.ok();
        self.permit(key, permit)
    }

    fn permit(&self, key: &K, permit: Option<OwnedSemaphorePermit>) -> Permit<K> {
        Permit { key: key.clone(), permit, used: self.used.clone() }
    }

    fn semaphore(&self, key: &K) -> Arc<Semaphore> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }
}

impl<K: Eq + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.permit = None;
        // Only the map holds it: nobody has a permit and nobody waits for one.
        if used.get(&self.key).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            used.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_key_has_its_own_permits_and_unused_keys_are_forgotten() {
        let permits = Permits::new(1);
        let first = permits.try_take(&"one").unwrap();
        assert!(permits.try_take(&"one").is_none());
        let other = permits.take(&"other").await;
        drop(first);
        assert!(permits.try_take(&"one").is_some());
        drop(other);
        assert!(permits.used.lock().unwrap().is_empty());
    }
}
