//! The circuit breaker as a state machine: `state × event × instant → state`.
//!
//! | state | a request | it succeeds | it fails |
//! |---|---|---|---|
//! | closed | passes | – | opens if too many have |
//! | open | is refused until the time is up, then probes | ignored | ignored |
//! | half open | is refused while another probes | closes, if it is the probe | opens for twice as long, if it is the probe |
//!
//! Results of requests that were sent before the last change of state are ignored: they say what the
//! endpoint was, not what it is. After Nygard, "Release It!" (2007).

use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;
use super::{BreakerConfig, BreakerState, Refused};

const ANSWERS: usize = 0;
const FAILURES: usize = 1;

/// The state machine.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    config: BreakerConfig,
    window: Window,
    phase: Phase,
    /// Counts the changes of state.
    era: u64,
    /// How often it has opened since it was last closed.
    opens: u32,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen { is_probed: bool },
}

/// A request that passes: it belongs to an era.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pass {
    era: u64,
}

/// What a request says about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Success,
    Failure,
    /// It was given up before it could tell.
    None,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened { retry_after: Duration },
    Closed,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig, now: Instant) -> Self {
        let window = Window::new(config.window.duration(), now);
        Self { config, window, phase: Phase::Closed, era: 0, opens: 0 }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Requests that ended within the window, and failures among them.
    pub(super) fn recent(&self, now: Instant) -> (u64, u64) {
        let counts = self.window.counts(now);
        (counts[ANSWERS], counts[FAILURES])
    }

    /// How long it is of no use to ask.
    pub(super) fn retry_after(&self, now: Instant) -> Duration {
        match self.phase {
            Phase::Closed | Phase::HalfOpen { is_probed: false } => Duration::ZERO,
            Phase::Open { until } => until.saturating_duration_since(now),
            // The probe may take as long as any request; this is a guess.
            Phase::HalfOpen { is_probed: true } => self.config.open.duration(),
        }
    }

    pub(super) fn admit(&mut self, now: Instant) -> Result<Pass, Refused> {
        match self.phase {
            Phase::Open { until } if now >= until => {
                self.enter(Phase::HalfOpen { is_probed: true });
            }
            Phase::HalfOpen { is_probed: false } => {
                self.phase = Phase::HalfOpen { is_probed: true };
            }
            Phase::Closed => {}
            Phase::Open { .. } | Phase::HalfOpen { is_probed: true } => {
                return Err(Refused { retry_after: self.retry_after(now) });
            }
        }
        Ok(Pass { era: self.era })
    }

    pub(super) fn report(&mut self, pass: Pass, verdict: Verdict, now: Instant) -> Option<Change> {
        if pass.era != self.era {
            return None;
        }
        match (self.phase, verdict) {
            (Phase::Closed, Verdict::None) | (Phase::Open { .. }, _) => None,
            (Phase::Closed, Verdict::Success) => {
                self.window.count(ANSWERS, now);
                None
            }
            (Phase::Closed, Verdict::Failure) => {
                self.window.count(ANSWERS, now);
                self.window.count(FAILURES, now);
                self.has_failed_too_often(now).then(|| self.open(now))
            }
            (Phase::HalfOpen { .. }, Verdict::None) => {
                self.phase = Phase::HalfOpen { is_probed: false };
                None
            }
            (Phase::HalfOpen { .. }, Verdict::Success) => {
                self.enter(Phase::Closed);
                self.window.clear();
                self.opens = 0;
                Some(Change::Closed)
            }
            (Phase::HalfOpen { .. }, Verdict::Failure) => Some(self.open(now)),
        }
    }

    fn has_failed_too_often(&self, now: Instant) -> bool {
        let (answers, failures) = self.recent(now);
        let is_enough = answers >= self.config.requests_min.into();
        is_enough && failures as f64 >= self.config.failures.of(answers)
    }

    fn open(&mut self, now: Instant) -> Change {
        let factor = 2_u32.saturating_pow(self.opens);
        let longest = self.config.open_max.duration().max(self.config.open.duration());
        let retry_after = self.config.open.duration().saturating_mul(factor).min(longest);
        self.opens = self.opens.saturating_add(1);
        self.enter(Phase::Open { until: now + retry_after });
        Change::Opened { retry_after }
    }

    fn enter(&mut self, phase: Phase) {
        self.era += 1;
        self.phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, Instant) {
        let now = Instant::now();
        (Breaker::new(BreakerConfig::default(), now), now)
    }

    /// Sends so many requests of which every `n`-th fails, and returns the last change.
    fn send(breaker: &mut Breaker, requests: u32, n: u32, now: Instant) -> Option<Change> {
        let mut last = None;
        for request in 1..=requests {
            let Ok(pass) = breaker.admit(now) else { break };
            let failed = request.is_multiple_of(n);
            let verdict = if failed { Verdict::Failure } else { Verdict::Success };
            last = breaker.report(pass, verdict, now).or(last);
        }
        last
    }

    #[test]
    fn it_opens_at_the_share_of_failures_and_not_below() {
        let (mut breaker, now) = breaker();
        assert_eq!(send(&mut breaker, 100, 3, now), None);
        let (mut breaker, now) = self::breaker();
        assert_eq!(
            send(&mut breaker, 20, 2, now),
            Some(Change::Opened { retry_after: 5 * SECOND })
        );
    }

    #[test]
    fn few_failures_do_not_open_it_nor_do_old_ones() {
        let (mut breaker, now) = breaker();
        assert_eq!(send(&mut breaker, 19, 1, now), None);
        assert_eq!(send(&mut breaker, 19, 1, now + 10 * SECOND), None);
    }

    #[test]
    fn it_stays_open_twice_as_long_after_each_probe_that_fails_up_to_the_longest() {
        let (mut breaker, mut now) = breaker();
        send(&mut breaker, 20, 1, now);
        for seconds in [10, 20, 40, 60, 60] {
            now += breaker.retry_after(now);
            let probe = breaker.admit(now).unwrap();
            let opened = Some(Change::Opened { retry_after: seconds * SECOND });
            assert_eq!(breaker.report(probe, Verdict::Failure, now), opened);
        }
        now += breaker.retry_after(now);
        let probe = breaker.admit(now).unwrap();
        assert_eq!(breaker.report(probe, Verdict::Success, now), Some(Change::Closed));
        let opened = send(&mut breaker, 20, 1, now);
        assert_eq!(opened, Some(Change::Opened { retry_after: 5 * SECOND }));
    }

    #[test]
    fn results_of_requests_from_before_the_last_change_are_ignored() {
        let (mut breaker, now) = breaker();
        let early = breaker.admit(now).unwrap();
        send(&mut breaker, 20, 1, now);
        assert_eq!(breaker.report(early, Verdict::Success, now), None);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Send,
        Answer(usize, bool),
        GiveUp(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..8_000).prop_map(Step::Wait),
            Just(Step::Send),
            Just(Step::Send),
            (any::<usize>(), any::<bool>()).prop_map(|(which, ok)| Step::Answer(which, ok)),
            any::<usize>().prop_map(Step::GiveUp),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_it_lets_one_probe_through_at_a_time_and_never_gets_stuck(
            steps in prop::collection::vec(step(), 1..300),
        ) {
            let (mut breaker, mut now) = breaker();
            let config = BreakerConfig { requests_min: 2, ..breaker.config };
            breaker.config = config;
            let mut sent: Vec<Pass> = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(millis) => now += Duration::from_millis(millis),
                    Step::Send => sent.extend(breaker.admit(now).ok()),
                    Step::Answer(..) | Step::GiveUp(_) if sent.is_empty() => {}
                    Step::Answer(which, ok) => {
                        let pass = sent.swap_remove(which % sent.len());
                        let verdict = if ok { Verdict::Success } else { Verdict::Failure };
                        let before = breaker.state();
                        let change = breaker.report(pass, verdict, now);
                        prop_assert_eq!(change.is_some(), before != breaker.state());
                    }
                    Step::GiveUp(which) => {
                        let pass = sent.swap_remove(which % sent.len());
                        prop_assert_eq!(breaker.report(pass, Verdict::None, now), None);
                    }
                }
                let probes = sent.iter().filter(|pass| pass.era == breaker.era).count();
                prop_assert!(breaker.state() == BreakerState::Closed || probes <= 1);
                prop_assert!(breaker.retry_after(now) <= config.open_max.duration());
            }
            // Once everything has been answered, and the time is up, a request passes.
            for pass in sent {
                breaker.report(pass, Verdict::None, now);
            }
            now += breaker.retry_after(now);
            prop_assert!(breaker.admit(now).is_ok());
        }
    }
}
