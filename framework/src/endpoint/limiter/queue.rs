//! Who waits for room.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Permit;
use crate::metrics::WaitMetrics;

/// One caller's place.
pub(super) struct Lane {
    pub(super) caller: Arc<str>,
    /// Per part.
    pub(super) queues: Vec<Queue>,
    pub(super) metrics: WaitMetrics,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) waiters: VecDeque<Waiter>,
    /// Those among them that have gone.
    gone: usize,
}

pub(super) struct Waiter {
    pub(super) tokens: f64,
    pub(super) grant: oneshot::Sender<Permit>,
}

impl Queue {
    pub(super) fn waiting(&self) -> usize {
        self.waiters.len() - self.gone
    }

    /// The first that is still there.
    pub(super) fn front(&mut self) -> Option<&Waiter> {
        while self.waiters.front().is_some_and(|waiter| waiter.grant.is_closed()) {
            self.waiters.pop_front();
            self.gone -= 1;
        }
        self.waiters.front()
    }

    /// One has gone; those that have are cleared away in good time.
    pub(super) fn leave(&mut self) {
        self.gone += 1;
        if self.gone * 2 > self.waiters.len() {
            self.waiters.retain(|waiter| !waiter.grant.is_closed());
            self.gone = 0;
        }
    }
}
