//! Who waits for whom.
//!
//! An actor that asks from within a future that it waits for (`AtomicResponse`, `ctx.wait`) serves
//! nobody meanwhile. So actors that ask each other in a circle wait until a deadline ends it. Failing
//! the ask that closes a circle would be wrong, since it may be one of several things that its future
//! waits for; but the circle is seen right then, and reported with the names of all who are in it.

use std::cell::RefCell;
use std::sync::Arc;

use super::cell::Cell;
use super::report;

std::thread_local! {
    /// The actor whose waited-for future this thread polls.
    static WAITER: RefCell<Option<Arc<Cell>>> = const { RefCell::new(None) };
}

/// Names the actor whose waited-for future is polled on this thread, until it is dropped.
pub(crate) struct Waiter(());

impl Waiter {
    pub(crate) fn enter(cell: &Arc<Cell>) -> Self {
        WAITER.set(Some(cell.clone()));
        Self(())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        WAITER.set(None);
    }
}

/// One actor's wait for another, until it is dropped.
pub(crate) struct Wait(Option<[Arc<Cell>; 2]>);

impl Wait {
    /// Notes that the actor that waits on this thread, if one does, waits for `asked`.
    pub(crate) fn begin(asked: &Arc<Cell>) -> Self {
        let Some(waiter) = WAITER.with_borrow(Option::clone) else { return Self(None) };
        waiter.await_other(asked);
        if let Some(circle) = circle(&waiter) {
            report::waits_in_circle(&waiter, &circle);
        }
        Self(Some([waiter, asked.clone()]))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some([waiter, asked]) = self.0.take() {
            waiter.await_no_more(&asked);
        }
    }
}

/// The way from an actor back to itself, along those who wait for each other.
fn circle(start: &Arc<Cell>) -> Option<Vec<Arc<Cell>>> {
    let mut seen: Vec<Arc<Cell>> = Vec::new();
    let mut paths: Vec<Vec<Arc<Cell>>> = vec![vec![start.clone()]];
    while let Some(path) = paths.pop() {
        let last = path.last().expect("a path begins with the start");
        for next in last.awaited() {
            let longer = || path.iter().cloned().chain([next.clone()]).collect();
            if Arc::ptr_eq(&next, start) {
                return Some(longer());
            }
            if !seen.iter().any(|known| Arc::ptr_eq(known, &next)) {
                paths.push(longer());
                seen.push(next);
            }
        }
    }
    None
}
