//! What keeps a component from hammering an endpoint that is down: a retry budget and a circuit breaker.
//!
//! A count of retries alone multiplies the load on an endpoint just when it fails, by as much as the
//! count. So retries also spend from a budget, which is a share of the requests of the last seconds;
//! and when most answers fail, the breaker opens: requests fail at once, without a connection, until
//! a single one is let through to see whether the endpoint is back.
//!
//! There is one [`Endpoint`] per replica of a model, and one for each external service that a component
//! asks, shared by its actors on all shards and kept across their restarts. Its two parts are pure: state,
//! instant, event. [`Replicas`] says which of a model's endpoints is asked, and when its limits let it.

mod breaker;
mod bucket;
mod budget;
mod limiter;
mod replicas;
mod window;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::config::TimeSpan;
use crate::metrics::EndpointMetrics;

use breaker::{Breaker, Change, Pass, Verdict};
use budget::Budget;

pub use limiter::LimitsConfig;
pub(crate) use limiter::{Late, Limiter};
pub use replicas::{Ask, NoTurn, Replicas, Session, Turn};

/// A part of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

/// A number that is no part of a whole.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("must be from 0 to 1, not {0}")]
pub struct NoShare(f64);

impl TryFrom<f64> for Share {
    type Error = NoShare;

    fn try_from(value: f64) -> Result<Self, NoShare> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(NoShare(value)) }
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl Share {
    /// That part of a number of things.
    fn of(self, whole: u64) -> f64 {
        self.0 * whole as f64
    }
}

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// It opens when at least this share of the answers are failures. Default: 0.5.
    pub failures: Share,
    /// It never opens on fewer answers than this. Default: 20.
    pub requests_min: u32,
    /// The answers of this time count. Default: 10s.
    pub window: TimeSpan,
    /// How long it stays open before one request may try; doubled each time that one fails.
    /// Default: 5s.
    pub open: TimeSpan,
    /// Where the doubling stops. Default: 60s.
    pub open_max: TimeSpan,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: Share(0.5),
            requests_min: 20,
            window: TimeSpan::from_secs(10),
            open: TimeSpan::from_secs(5),
            open_max: TimeSpan::from_secs(60),
        }
    }
}

/// How many retries there may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetConfig {
    /// Retries per request. Default: 0.2.
    pub share: Share,
    /// The requests and retries of this time count. Default: 10s.
    pub window: TimeSpan,
    /// So many retries per window are allowed however few requests there are. Default: 10.
    pub retries_min: u32,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { share: Share(0.2), window: TimeSpan::from_secs(10), retries_min: 10 }
    }
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// One request at a time passes, to see whether the endpoint is back.
    HalfOpen,
    /// None passes.
    Open,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half open",
            Self::Open => "open",
        })
    }
}

/// An endpoint's breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How long it is of no use to ask again.
    pub retry_after: Duration,
}

/// What an endpoint may be asked at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Anything.
    Up,
    /// One request, to see whether it is back.
    Due,
    /// Nothing.
    Down { retry_after: Duration },
}

/// What a component knows about an endpoint's health, on all shards together.
pub struct Endpoint {
    component: Arc<str>,
    name: Arc<str>,
    health: Mutex<Health>,
    metrics: EndpointMetrics,
}

struct Health {
    breaker: Breaker,
    budget: Budget,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({} of {})", self.name, self.component)
    }
}

impl Endpoint {
    /// The endpoint of that name, which the component of that path asks, healthy as far as is known.
    pub(crate) fn new(
        component: &str,
        name: &str,
        metrics: EndpointMetrics,
        breaker: BreakerConfig,
        budget: BudgetConfig,
    ) -> Self {
        let now = Instant::now();
        let health =
            Health { breaker: Breaker::new(breaker, now), budget: Budget::new(budget, now) };
        metrics.breaker_state(code(BreakerState::Closed));
        Self { component: component.into(), name: name.into(), health: Mutex::new(health), metrics }
    }

    /// Counts a request, which allows for its share of a retry.
    pub fn count_request(&self) {
        self.health().budget.count_request(Instant::now());
    }

    /// Takes a retry out of the budget, if it has one.
    pub fn may_retry(&self) -> bool {
        let may = self.health().budget.take_retry(Instant::now());
        if !may {
            self.metrics.retry_refused();
        }
        may
    }

    /// Asks whether a request may be sent. Its result is to be told to the admission; one that is
    /// dropped without counts as a failure if that happens after the deadline, else not at all.
    ///
    /// # Errors
    /// Fails while the breaker is open, and while another request probes.
    pub fn admit(self: &Arc<Self>, deadline: Instant) -> Result<Admission, Refused> {
        let mut health = self.health();
        let pass = health.breaker.admit(Instant::now());
        self.metrics.breaker_state(code(health.breaker.state()));
        drop(health);
        pass.map(|pass| Admission { endpoint: self.clone(), pass: Some(pass), deadline })
    }

    /// What it may be asked.
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        let health = self.health();
        match (health.breaker.state(), health.breaker.retry_after(now)) {
            (BreakerState::Closed, _) => Standing::Up,
            (BreakerState::Open | BreakerState::HalfOpen, Duration::ZERO) => Standing::Due,
            (BreakerState::Open | BreakerState::HalfOpen, retry_after) => {
                Standing::Down { retry_after }
            }
        }
    }

    /// How it stands.
    pub fn status(&self) -> EndpointStatus {
        let (health, now) = (self.health(), Instant::now());
        let (requests, failures) = health.breaker.recent(now);
        let retry_after = health.breaker.retry_after(now);
        EndpointStatus {
            component: self.component.to_string(),
            name: self.name.to_string(),
            breaker: health.breaker.state(),
            retry_after_seconds: retry_after.as_secs_f64(),
            requests,
            failures,
        }
    }

    fn report(&self, pass: Pass, verdict: Verdict, reason: &dyn fmt::Display) {
        let mut health = self.health();
        let change = health.breaker.report(pass, verdict, Instant::now());
        let state = health.breaker.state();
        drop(health);
        let (component, name) = (&*self.component, &*self.name);
        match change {
            Some(Change::Opened { retry_after }) => {
                self.metrics.breaker_opened();
                tracing::warn!(
                    component,
                    name,
                    ?retry_after,
                    "the endpoint keeps failing: {reason}"
                );
            }
            Some(Change::Closed) => tracing::warn!(component, name, "the endpoint answers again"),
            None => return,
        }
        self.metrics.breaker_state(code(state));
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of the state in the metrics.
fn code(state: BreakerState) -> u8 {
    match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open => 2,
    }
}

/// A request that may be sent.
#[derive(Debug)]
#[must_use = "dropped, it says that the request was not sent"]
pub struct Admission {
    endpoint: Arc<Endpoint>,
    pass: Option<Pass>,
    deadline: Instant,
}

impl Admission {
    /// The endpoint works, whatever it said to this request.
    pub fn succeeded(mut self) {
        self.tell(Verdict::Success, &"");
    }

    /// The endpoint does not work.
    pub fn failed(mut self, reason: &dyn fmt::Display) {
        self.tell(Verdict::Failure, reason);
    }

    fn tell(&mut self, verdict: Verdict, reason: &dyn fmt::Display) {
        if let Some(pass) = self.pass.take() {
            self.endpoint.report(pass, verdict, reason);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        // Whoever waits for the answer may be gone at the deadline a moment before we are asked.
        if Instant::now() >= self.deadline {
            self.tell(Verdict::Failure, &"no answer before the deadline");
        } else {
            self.tell(Verdict::None, &"");
        }
    }
}

/// How an endpoint stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EndpointStatus {
    /// The path of the component that asks it, without the shard: `models/policy`.
    pub component: String,
    /// Its name: the model's, or the service's.
    pub name: String,
    /// Whether requests pass.
    pub breaker: BreakerState,
    /// How long none will.
    pub retry_after_seconds: f64,
    /// Requests that ended within the breaker's window.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

impl fmt::Display for EndpointStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { component: _, name, breaker, retry_after_seconds, requests, failures } = self;
        write!(f, "{name} breaker {breaker}, {failures} of {requests} recent requests failed")?;
        match breaker {
            BreakerState::Open => write!(f, ", tried again in {retry_after_seconds:.1} s"),
            BreakerState::Closed | BreakerState::HalfOpen => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn endpoint() -> Arc<Endpoint> {
        let breaker = BreakerConfig { requests_min: 4, ..BreakerConfig::default() };
        let metrics = EndpointMetrics::of_model("policy", "a");
        let budget = BudgetConfig::default();
        Arc::new(Endpoint::new("models/policy", "policy", metrics, breaker, budget))
    }

    fn soon() -> Instant {
        Instant::now() + SECOND
    }

    fn fail(endpoint: &Arc<Endpoint>, times: u32) {
        for _ in 0..times {
            endpoint.admit(soon()).unwrap().failed(&"503");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_fails_is_left_alone_then_tried_once_then_asked_again() {
        let endpoint = endpoint();
        fail(&endpoint, 4);
        let refused = endpoint.admit(soon()).unwrap_err();
        assert_eq!(refused.retry_after, 5 * SECOND);
        assert_eq!(endpoint.status().breaker, BreakerState::Open);
        tokio::time::advance(5 * SECOND).await;
        let probe = endpoint.admit(soon()).unwrap();
        assert_eq!(endpoint.status().breaker, BreakerState::HalfOpen);
        assert!(endpoint.admit(soon()).is_err(), "one probes, the others wait");
        probe.succeeded();
        assert_eq!(endpoint.status().breaker, BreakerState::Closed);
        endpoint.admit(soon()).unwrap().succeeded();
    }

    #[tokio::test(start_paused = true)]
    async fn requests_given_up_at_their_deadline_are_failures_and_earlier_ones_are_not() {
        let endpoint = endpoint();
        for _ in 0..4 {
            drop(endpoint.admit(soon()).unwrap());
        }
        assert_eq!(endpoint.status().requests, 0);
        let silent: Vec<_> = (0..4).map(|_| endpoint.admit(soon()).unwrap()).collect();
        tokio::time::advance(SECOND).await;
        drop(silent);
        assert_eq!(endpoint.status().breaker, BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_was_not_sent_makes_room_for_another() {
        let endpoint = endpoint();
        fail(&endpoint, 4);
        tokio::time::advance(5 * SECOND).await;
        drop(endpoint.admit(soon()).unwrap());
        endpoint.admit(soon()).unwrap().succeeded();
        assert_eq!(endpoint.status().breaker, BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_says_when_the_endpoint_is_tried_again() {
        let endpoint = endpoint();
        fail(&endpoint, 4);
        let expected = "policy breaker open, 4 of 4 recent requests failed, tried again in 5.0 s";
        assert_eq!(endpoint.status().to_string(), expected);
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        for wrong in [-0.1, 1.1, f64::NAN] {
            assert!(Share::try_from(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Share::try_from(0.5).map(f64::from), Ok(0.5));
    }
}
