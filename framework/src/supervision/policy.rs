//! The rules a supervisor follows, as its spec states them.

use std::time::Duration;

/// Whether a child is restarted after its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// After an abnormal end only; otherwise its spec is kept, stopped.
    Transient,
    /// Never; its spec is forgotten.
    Temporary,
}

/// How a child is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Killed at its next poll.
    Brutal,
    /// Asked to stop, and killed after this time.
    Within(Duration),
    /// Asked to stop, and waited for. Right for supervisors, whose children have deadlines.
    Infinity,
}

/// Which siblings are restarted with a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// None.
    #[default]
    OneForOne,
    /// All of them.
    OneForAll,
    /// Those that were started after it.
    RestForOne,
}

impl Strategy {
    /// The word for it in a printed tree.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        }
    }
}

/// How many restarts a supervisor tolerates before it gives up and ends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// So many restarts are fine …
    pub max_restarts: u32,
    /// … within this sliding period, all children taken together.
    pub period: Duration,
}

impl Default for Intensity {
    /// OTP's: one restart in five seconds.
    fn default() -> Self {
        Self { max_restarts: 1, period: Duration::from_secs(5) }
    }
}

/// How long a supervisor waits before it restarts a child: `min · factor^n`, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The delay after the first failure. Zero restarts at once.
    pub min: Duration,
    /// The longest delay, before jitter.
    pub max: Duration,
    /// How much longer each delay is than the one before; at least 1.
    pub factor: f64,
    /// By which part of itself a delay is shortened or lengthened at random, from 0 to 1.
    pub jitter: f64,
    /// A child that was up so long starts again at `min` when it fails.
    pub reset_after: Duration,
}

impl Backoff {
    /// Restarts at once, always.
    pub const NONE: Self = Self {
        min: Duration::ZERO,
        max: Duration::ZERO,
        factor: 1.0,
        jitter: 0.0,
        reset_after: Duration::ZERO,
    };

    /// The delay before the restart that follows the `failures`th failure in a row, counted from
    /// one. `noise` is uniform in `-1.0..=1.0`.
    #[must_use]
    pub fn delay(&self, failures: u32, noise: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.min.as_secs_f64() * self.factor.powi(exponent);
        let capped = grown.min(self.max.as_secs_f64());
        Duration::try_from_secs_f64(capped * (1.0 + self.jitter * noise)).unwrap_or(self.max)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            min: Duration::from_millis(10),
            max: Duration::from_secs(10),
            factor: 2.0,
            jitter: 0.2,
            reset_after: Duration::from_secs(30),
        }
    }
}

/// Whether a supervisor ends when significant children have ended by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoShutdown {
    /// It does not.
    #[default]
    Never,
    /// When one has.
    AnySignificant,
    /// When the last one has.
    AllSignificant,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn backoff(jitter: f64) -> Backoff {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(1));
        Backoff { min, max, factor: 2.0, jitter, reset_after: Duration::from_secs(60) }
    }

    #[test]
    fn delays_double_up_to_the_maximum() {
        let delays: Vec<_> = (1..=6).map(|n| backoff(0.0).delay(n, 0.0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
    }

    proptest! {
        #[test]
        fn a_delay_stays_within_its_jitter(failures in 1u32..10_000, noise in -1.0f64..=1.0) {
            let exact = backoff(0.0).delay(failures, 0.0).as_secs_f64();
            let delay = backoff(0.25).delay(failures, noise).as_secs_f64();
            prop_assert!((delay - exact).abs() <= exact * 0.25 + 1e-9);
        }
    }
}
