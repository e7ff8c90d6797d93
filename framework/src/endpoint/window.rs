//! Counts over the last seconds, in a fixed amount of memory: what the budget and the breaker judge by.

use std::time::Duration;

use tokio::time::Instant;

/// The window moves on in steps of its length divided by this.
const SLOTS: u64 = 10;

/// Things of two sorts, counted over a sliding window. What is older than the window is forgotten;
/// what is younger than nine tenths of it never is.
#[derive(Clone, Debug)]
pub(super) struct Window {
    start: Instant,
    step: Duration,
    slots: [Slot; SLOTS as usize],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which step of time it holds.
    step: u64,
    counts: [u64; 2],
}

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        let step = (length / SLOTS as u32).max(Duration::from_millis(1));
        Self { start: now, step, slots: Default::default() }
    }

    /// Counts one thing of the sort.
    pub(super) fn count(&mut self, sort: usize, now: Instant) {
        let step = self.step_of(now);
        let slot = &mut self.slots[(step % SLOTS) as usize];
        if slot.step != step {
            *slot = Slot { step, counts: [0; 2] };
        }
        slot.counts[sort] += 1;
    }

    /// How many there are of each sort.
    pub(super) fn counts(&self, now: Instant) -> [u64; 2] {
        let step = self.step_of(now);
        let recent = self.slots.iter().filter(|slot| slot.step + SLOTS > step);
        recent.fold([0; 2], |sum, slot| [sum[0] + slot.counts[0], sum[1] + slot.counts[1]])
    }

    pub(super) fn clear(&mut self) {
        self.slots = Default::default();
    }

    fn step_of(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start);
        (elapsed.as_nanos() / self.step.as_nanos()) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_recent_is_counted_and_what_is_older_than_the_window_is_not(
            gaps in prop::collection::vec((0_u64..4_000, 0_usize..2), 1..60),
        ) {
            let start = Instant::now();
            let length = Duration::from_secs(10);
            let mut window = Window::new(length, start);
            let (mut now, mut seen) = (start, Vec::new());
            for (gap, sort) in gaps {
                now += Duration::from_millis(gap);
                window.count(sort, now);
                seen.push((now, sort));
                let younger = |age: Duration, sort: usize| {
                    seen.iter().filter(|(at, s)| *s == sort && now - *at < age).count() as u64
                };
                for (sort, count) in window.counts(now).into_iter().enumerate() {
                    prop_assert!(count >= younger(length * 9 / 10, sort));
                    prop_assert!(count <= younger(length, sort));
                }
            }
        }
    }
}
