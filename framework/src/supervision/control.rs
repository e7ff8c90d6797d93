//! Orders from outside to one incarnation: stop, drain, die.
//!
//! Orders overtake the queue, and reach an actor that waits for one of its own futures. They only
//! get stricter, so they are one number that never falls.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// What an incarnation was told to do, from mild to strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Order {
    /// Nothing: serve.
    Serve,
    /// Handle what is queued, then stop.
    Drain,
    /// Stop before the next message.
    Stop,
    /// Drop everything at the next poll.
    Kill,
}

/// The line of command to one incarnation.
#[derive(Debug)]
pub(crate) struct Control {
    order: AtomicU8,
    /// Stays after it was used: a stricter order may follow before the next poll.
    waker: Mutex<Option<Waker>>,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self { order: AtomicU8::new(Order::Serve as u8), waker: Mutex::new(None) }
    }

    /// Gives an order; one that is milder than the last is ignored.
    pub(crate) fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, SeqCst);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn order(&self) -> Order {
        const ALL: [Order; 4] = [Order::Serve, Order::Drain, Order::Stop, Order::Kill];
        ALL[usize::from(self.order.load(SeqCst))]
    }

    /// Has `waker` woken by each order from now on.
    pub(crate) fn register(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }
}
