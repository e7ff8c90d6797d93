//! The retry budget: how many of the last seconds' requests may be sent again.
//!
//! After Finagle's `RetryBudget`: while all is well nobody notices it, and when everything fails the
//! endpoint sees a fifth more load, not five times as much.

use tokio::time::Instant;

use super::BudgetConfig;
use super::window::Window;

const REQUESTS: usize = 0;
const RETRIES: usize = 1;

/// Invariant: the retries of a window are never more than its share of requests, or the minimum.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    config: BudgetConfig,
    window: Window,
}

impl Budget {
    pub(super) fn new(config: BudgetConfig, now: Instant) -> Self {
        Self { config, window: Window::new(config.window.duration(), now) }
    }

    pub(super) fn count_request(&mut self, now: Instant) {
        self.window.count(REQUESTS, now);
    }

    /// Takes a retry out, if there is one.
    pub(super) fn take_retry(&mut self, now: Instant) -> bool {
        let counts = self.window.counts(now);
        let allowed = self.config.share.of(counts[REQUESTS]);
        let allowed = allowed.max(self.config.retries_min.into());
        let may = (counts[RETRIES] + 1) as f64 <= allowed;
        if may {
            self.window.count(RETRIES, now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn when_everything_fails_a_fifth_is_sent_again() {
        let now = Instant::now();
        let mut budget = Budget::new(BudgetConfig::default(), now);
        (0..1000).for_each(|_| budget.count_request(now));
        let retries = (0..1000).filter(|_| budget.take_retry(now)).count();
        assert_eq!(retries, 200);
        let later = now + Duration::from_secs(10);
        assert_eq!((0..1000).filter(|_| budget.take_retry(later)).count(), 10);
    }

    proptest! {
        #[test]
        fn the_retries_of_a_window_stay_within_its_share(
            events in prop::collection::vec((0_u64..2_000, any::<bool>()), 1..200),
        ) {
            let config = BudgetConfig::default();
            let mut now = Instant::now();
            let mut budget = Budget::new(config, now);
            for (gap, is_request) in events {
                now += Duration::from_millis(gap);
                if is_request {
                    budget.count_request(now);
                } else if budget.take_retry(now) {
                    let [requests, retries] = budget.window.counts(now);
                    let allowed = config.share.of(requests).max(config.retries_min.into());
                    prop_assert!(retries as f64 <= allowed);
                }
            }
        }
    }
}
