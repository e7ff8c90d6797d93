//! A token bucket: an amount per minute, spread evenly.
//!
//! It holds a second's worth and is filled so that no minute, wherever it begins, sees more than the
//! limit. What is larger than the bucket passes when the bucket is full and leaves a debt, so a limit
//! that is smaller than one request slows requests down instead of refusing them for good.

use std::time::Duration;

use tokio::time::Instant;

/// Invariant: the level is never above the capacity; below zero it is a debt.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(per_minute: f64, now: Instant) -> Self {
        let capacity = (per_minute / 60.0).ceil().max(1.0);
        // A minute sees what is in the bucket and what flows in meanwhile, less the last drop; a
        // little less than that makes good for what floats leave out.
        let per_second = (per_minute - (capacity - 1.0)) / 60.0 * 0.9999;
        Self { capacity, per_second, level: capacity, filled_at: now }
    }

    /// How long it takes until the amount can be taken.
    pub(super) fn wait(&mut self, amount: f64, now: Instant) -> Duration {
        self.fill(now);
        let missing = amount.min(self.capacity) - self.level;
        // Fractions of what a float can tell apart are no reason to wait.
        if missing <= 1e-6 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64((missing / self.per_second).min(3600.0))
    }

    /// Takes an amount out, or puts a negative one back.
    pub(super) fn take(&mut self, amount: f64) {
        self.level = (self.level - amount).min(self.capacity);
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.level = (self.level + elapsed * self.per_second).min(self.capacity);
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_back() {
        let now = Instant::now();
        let mut bucket = Bucket::new(600.0, now);
        assert_eq!(bucket.wait(1000.0, now), Duration::ZERO);
        bucket.take(1000.0);
        let wait = bucket.wait(1.0, now);
        assert!(wait > MINUTE && wait < 2 * MINUTE, "{wait:?}");
        bucket.take(-990.0);
        assert!(bucket.wait(1.0, now + Duration::from_secs(1)) == Duration::ZERO);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_minute_sees_more_than_the_limit_and_little_is_wasted(
            per_minute in 1_u32..3_000,
            pauses in prop::collection::vec(0_u64..70_000, 0..4),
        ) {
            let start = Instant::now();
            let mut bucket = Bucket::new(per_minute.into(), start);
            let (mut now, mut taken) = (start, Vec::new());
            for pause in pauses.into_iter().chain([0]) {
                now += Duration::from_millis(pause);
                let until = now + 2 * MINUTE;
                while now < until {
                    let wait = bucket.wait(1.0, now);
                    if wait.is_zero() {
                        bucket.take(1.0);
                        taken.push(now);
                    }
                    now += wait;
                }
            }
            let mut first = 0;
            for (index, at) in taken.iter().enumerate() {
                while *at - taken[first] >= MINUTE {
                    first += 1;
                }
                prop_assert!(index - first < per_minute as usize);
            }
            // The last two minutes were spent asking all the time.
            let recent = taken.iter().filter(|at| now - **at <= 2 * MINUTE).count();
            prop_assert!(recent as f64 >= 1.9 * f64::from(per_minute) - 2.0, "{recent}");
        }
    }
}
