//! What a running collection has done so far, readable from any thread at any time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::rollout::Culprit;

/// Counters of a running collection, and the way to end it early.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    scored: AtomicU64,
    truncated: AtomicU64,
    failed: [AtomicU64; Culprit::ALL.len()],
    kept: AtomicU64,
    rejected: AtomicU64,
    in_flight: AtomicU64,
    /// Bits of an `f64`; only the collector writes it.
    reward_sum: AtomicU64,
    cancelled: AtomicBool,
    cancel: Notify,
}

/// A snapshot of [`Progress`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Rollouts that the collection will have in the end; `None` until the dataset is counted.
    pub total: Option<u64>,
    /// Completed and scored.
    pub scored: u64,
    /// Cut short by a limit, and scored.
    pub truncated: u64,
    /// Given up, by culprit, in the order of [`Culprit::ALL`].
    pub failed: [u64; Culprit::ALL.len()],
    /// Found in the output of an earlier run.
    pub kept: u64,
    /// Rows that were malformed and left out.
    pub rejected: u64,
    /// In flight.
    pub in_flight: u64,
    /// Mean reward of what this run scored.
    pub reward_mean: Option<f64>,
}

impl Snapshot {
    /// Rollouts that this run has ended, one way or the other.
    pub fn ended(&self) -> u64 {
        self.scored + self.truncated + self.failures()
    }

    /// Rollouts that this run has given up.
    pub fn failures(&self) -> u64 {
        self.failed.iter().sum()
    }
}

impl Progress {
    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (scored, truncated) = (read(&self.scored), read(&self.truncated));
        let rewards = scored + truncated;
        let sum = f64::from_bits(read(&self.reward_sum));
        Snapshot {
            total: Some(read(&self.total)).filter(|total| *total > 0),
            scored,
            truncated,
            failed: std::array::from_fn(|index| read(&self.failed[index])),
            kept: read(&self.kept),
            rejected: read(&self.rejected),
            in_flight: read(&self.in_flight),
            reward_mean: (rewards > 0).then(|| sum / rewards as f64),
        }
    }

    /// Ends the collection early: nothing new starts, what is in flight is given up, and what is
    /// finished is made durable. A later run can resume.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.cancel.notify_waiters();
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Waits for [`cancel`](Self::cancel).
    pub(super) async fn cancelled(&self) {
        let notified = self.cancel.notified();
        if !self.is_cancelled() {
            notified.await;
        }
    }

    /// Starts over, as a collector that restarts does.
    pub(super) fn reset(&self) {
        let counters = [&self.scored, &self.truncated, &self.kept, &self.rejected, &self.in_flight];
        for counter in counters.into_iter().chain(&self.failed).chain([&self.reward_sum]) {
            counter.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn set_total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn started(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn kept(&self) {
        self.kept.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn scored(&self, reward: f64, counts: Counts) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let counter = match counts {
            Counts::Scored => &self.scored,
            Counts::Truncated => &self.truncated,
        };
        let sum = f64::from_bits(self.reward_sum.load(Ordering::Relaxed)) + reward;
        self.reward_sum.store(sum.to_bits(), Ordering::Relaxed);
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, culprit: Culprit) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let index = Culprit::ALL.iter().position(|known| *known == culprit);
        self.failed[index.expect("ALL has every culprit")].fetch_add(1, Ordering::Relaxed);
    }
}

/// As what a rollout with a reward counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    Scored,
    Truncated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_adds_up() {
        let progress = Progress::default();
        for _ in 0..3 {
            progress.started();
        }
        progress.scored(1.0, Counts::Scored);
        progress.scored(0.0, Counts::Truncated);
        progress.failed(Culprit::Model);
        let snapshot = progress.snapshot();
        assert_eq!((snapshot.ended(), snapshot.failures(), snapshot.in_flight), (3, 1, 0));
        assert_eq!(snapshot.reward_mean, Some(0.5));
        assert_eq!(snapshot.total, None);
    }
}
