//! Whether a thread still takes turns.
//!
//! An actor that sits on a blocked thread without being the one that blocks it, such as the neighbour
//! of a session whose tool spins, looks idle from outside. So its supervisor asks the thread itself, by
//! a no-op that must have its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use actix::ArbiterHandle;
use tokio::time::Instant;

/// Asks one thread, again and again.
pub(super) struct Probe {
    arbiter: ArbiterHandle,
    answered: Arc<AtomicBool>,
    asked_at: Option<Instant>,
}

impl Probe {
    pub(super) fn new(arbiter: ArbiterHandle) -> Self {
        Self { arbiter, answered: Arc::default(), asked_at: None }
    }

    /// For how long the thread has not answered. Asks again if it has.
    pub(super) fn silence(&mut self, now: Instant) -> Duration {
        if let Some(asked_at) = self.asked_at.filter(|_| !self.answered.load(Relaxed)) {
            return now.saturating_duration_since(asked_at);
        }
        let answered = self.answered.clone();
        answered.store(false, Relaxed);
        // Of an arbiter that is gone its actors hear in another way; it is asked in vain.
        self.arbiter.spawn_fn(move || answered.store(true, Relaxed));
        self.asked_at = Some(now);
        Duration::ZERO
    }
}
