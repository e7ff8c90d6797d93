//! The timers of one supervisor: one heap instead of a task each, so that the driver waits in one
//! place and an outdated timer is dropped when it is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::time::Instant;

use super::super::decision::{Key, Owner};

/// Timers in the order in which they are due. Stale ones are told apart by their ticket.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, Option<Key>)>>,
}

impl Timers {
    pub(super) fn set(&mut self, owner: Owner, ticket: u64, at: Instant) {
        let key = match owner {
            Owner::Child(key) => Some(key),
            Owner::Group => None,
        };
        self.heap.push(Reverse((at, ticket, key)));
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes a timer that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Owner, u64)> {
        if self.next_at()? > now {
            return None;
        }
        let Reverse((_, ticket, key)) = self.heap.pop()?;
        Some((key.map_or(Owner::Group, Owner::Child), ticket))
    }
}
