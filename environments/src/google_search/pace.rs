//! A limit on how often something is asked: so many requests in a span of time, all at once or one by
//! one.
//!
//! The generic cell rate algorithm (ITU-T I.371): one instant says how much of the allowance is used
//! up. Who has to wait does so in the order of arrival, and whoever gives up waiting uses up nothing.
//! A crate for this would bring a clock of its own; this one is tokio's, so tests can pause it.

use std::num::NonZeroU32;
use std::time::Duration;

use framework::config::TimeSpan;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// How often: `{ requests: 100, per: 1m }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many requests.
    pub requests: NonZeroU32,
    /// In so much time.
    pub per: TimeSpan,
}

impl Rate {
    pub(crate) const fn new(requests: NonZeroU32, per: TimeSpan) -> Self {
        Self { requests, per }
    }
}

/// Keeps to a rate.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Between two requests, in the long run.
    interval: Duration,
    /// By how much requests may come early.
    slack: Duration,
    /// When the next request would come if all came evenly.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(rate: Rate) -> Self {
        let interval = rate.per.duration() / rate.requests.get();
        let slack = interval.saturating_mul(rate.requests.get() - 1);
        Self { interval, slack, next: Mutex::new(None) }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) {
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let due = next.map_or(now, |next| next.max(now));
        if let Some(wait) = due.duration_since(now).checked_sub(self.slack) {
            sleep_until(now + wait).await;
        }
        *next = Some(due + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pace(requests: u32, per: TimeSpan) -> Arc<Pace> {
        Arc::new(Pace::new(Rate::new(NonZeroU32::new(requests).unwrap(), per)))
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_as_allowed_go_at_once_and_the_others_evenly() {
        let (pace, started) = (pace(4, TimeSpan::from_secs(2)), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..7 {
            pace.turn().await;
            waits.push(started.elapsed().as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 0, 500, 1000, 1500]);
        tokio::time::advance(Duration::from_secs(60)).await;
        let rested = Instant::now();
        for _ in 0..4 {
            pace.turn().await;
        }
        assert_eq!(rested.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_uses_up_nothing() {
        let (pace, started) = (pace(1, TimeSpan::from_secs(10)), Instant::now());
        pace.turn().await;
        for _ in 0..5 {
            let waited = tokio::time::timeout(Duration::from_secs(1), pace.turn()).await;
            assert!(waited.is_err());
        }
        pace.turn().await;
        assert_eq!(started.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_asking() {
        let (pace, started) = (pace(1, TimeSpan::from_secs(1)), Instant::now());
        let wait = |_| {
            let pace = pace.clone();
            tokio::spawn(async move {
                pace.turn().await;
                started.elapsed().as_secs()
            })
        };
        let waits: Vec<_> = (0..5).map(wait).collect();
        for (expected, waited) in waits.into_iter().enumerate() {
            assert_eq!(waited.await.unwrap(), expected as u64);
        }
    }
}
