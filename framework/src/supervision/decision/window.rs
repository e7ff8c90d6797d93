//! The sliding window of restarts, by which a supervisor knows that restarting does not help: old
//! restarts are forgotten, so only a burst counts.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::supervision::policy::Intensity;

/// The restarts of the last period.
pub(super) struct Window {
    intensity: Intensity,
    restarts: VecDeque<Instant>,
}

impl Window {
    pub(super) fn new(intensity: Intensity) -> Self {
        Self { intensity, restarts: VecDeque::new() }
    }

    /// Counts a restart and says whether it is one too many.
    pub(super) fn exceeds(&mut self, now: Instant) -> bool {
        let period = self.intensity.period;
        let is_old = |restart: &Instant| now.saturating_duration_since(*restart) > period;
        while self.restarts.front().is_some_and(is_old) {
            self.restarts.pop_front();
        }
        let max = usize::try_from(self.intensity.max_restarts).unwrap_or(usize::MAX);
        if self.restarts.len() >= max {
            return true;
        }
        self.restarts.push_back(now);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_window_slides_instead_of_resetting_after_a_quiet_time() {
        let period = Duration::from_secs(10);
        let mut window = Window::new(Intensity { max_restarts: 2, period });
        let start = Instant::now();
        let exceeds =
            |window: &mut Window, seconds| window.exceeds(start + Duration::from_secs(seconds));
        assert!(!exceeds(&mut window, 0));
        assert!(!exceeds(&mut window, 8));
        assert!(!exceeds(&mut window, 11));
        assert!(exceeds(&mut window, 12));
    }
}
