//! What models record: their requests, who waits for them, their replicas, and the services that others ask.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::InFlight;
use crate::metrics::family::CounterSet;
use crate::metrics::{
    MODEL_BREAKER_OPENS, MODEL_BREAKER_STATE, MODEL_FIRST_TOKEN, MODEL_IN_FLIGHT,
    MODEL_REPLICA_IN_FLIGHT, MODEL_REPLICA_REQUESTS, MODEL_REQUEST_DURATION, MODEL_REQUESTS,
    MODEL_RETRIES, MODEL_RETRIES_REFUSED, MODEL_SESSIONS_MOVED, MODEL_TOKEN_PREFIX_BREAKS,
    MODEL_TOKENS, MODEL_WAIT, MODEL_WAITING, SERVICE_BREAKER_OPENS, SERVICE_BREAKER_STATE,
    SERVICE_RETRIES_REFUSED,
};

/// What is recorded about the requests to one model.
#[derive(Clone, Debug)]
pub struct ModelMetrics {
    requests: CounterSet,
    retries: CounterSet,
    token_prefix_breaks: Counter,
    duration: Histogram,
    first_token: Histogram,
    tokens_input: Counter,
    tokens_output: Counter,
    in_flight: Gauge,
}

impl ModelMetrics {
    /// Registers the series of this model, named as in the configuration.
    #[must_use]
    pub fn new(model: &str) -> Self {
        let (requested, retried) = (model.to_owned(), model.to_owned());
        Self {
            requests: CounterSet::new(&["ok"], move |status| {
                MODEL_REQUESTS.with([&requested, status])
            }),
            retries: CounterSet::new(&[], move |reason| MODEL_RETRIES.with([&retried, reason])),
            token_prefix_breaks: MODEL_TOKEN_PREFIX_BREAKS.with([model]),
            duration: MODEL_REQUEST_DURATION.with([model]),
            first_token: MODEL_FIRST_TOKEN.with([model]),
            tokens_input: MODEL_TOKENS.with([model, "input"]),
            tokens_output: MODEL_TOKENS.with([model, "output"]),
            in_flight: MODEL_IN_FLIGHT.with([model]),
        }
    }

    /// Counts a request as in flight until the returned guard is dropped.
    pub fn started(&self) -> InFlight {
        InFlight::enter(&self.in_flight)
    }

    /// Records a request that ended: `ok`, or the kind of its failure, and the time it took.
    pub fn request(&self, status: &'static str, duration: Duration) {
        self.requests.increment(status);
        self.duration.record(duration);
    }

    /// Records how long the model took to say the first thing of an answer that is streamed.
    pub fn first_token(&self, after: Duration) {
        self.first_token.record(after);
    }

    /// Adds the tokens of one answer, as the model counted them.
    pub fn tokens(&self, input: u64, output: u64) {
        self.tokens_input.increment(input);
        self.tokens_output.increment(output);
    }

    /// Counts a request that is sent again, and why.
    pub fn retry(&self, reason: &'static str) {
        self.retries.increment(reason);
    }

    /// Counts an answer whose prompt's token ids do not begin with those of the conversation so far.
    pub fn token_prefix_broken(&self) {
        self.token_prefix_breaks.increment(1);
    }
}

/// What is recorded about those who wait for room within a model's limits.
#[derive(Clone, Debug)]
pub(crate) struct WaitMetrics {
    waiting: Gauge,
    waited: Histogram,
}

impl WaitMetrics {
    /// Registers the series of a component that asks this model, both named as in the configuration.
    pub(crate) fn new(model: &str, caller: &str) -> Self {
        let labels = [model, caller];
        Self { waiting: MODEL_WAITING.with(labels), waited: MODEL_WAIT.with(labels) }
    }

    /// Counts a request as waiting until the returned guard is dropped.
    pub(crate) fn enter(&self) -> InFlight {
        InFlight::enter(&self.waiting)
    }

    /// Records how long a request waited, which may be no time at all.
    pub(crate) fn waited(&self, duration: Duration) {
        self.waited.record(duration);
    }
}

/// What is recorded about one replica of a model.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaMetrics {
    requests: CounterSet,
    in_flight: Gauge,
    sessions_moved: Counter,
}

impl ReplicaMetrics {
    /// Registers the series of this replica, named by its address in the configuration.
    pub(crate) fn new(model: &str, replica: &str) -> Self {
        let names = (model.to_owned(), replica.to_owned());
        Self {
            requests: CounterSet::new(&["ok"], move |status| {
                MODEL_REPLICA_REQUESTS.with([&names.0, &names.1, status])
            }),
            in_flight: MODEL_REPLICA_IN_FLIGHT.with([model, replica]),
            sessions_moved: MODEL_SESSIONS_MOVED.with([model, replica]),
        }
    }

    /// Counts a request as sent until the returned guard is dropped.
    pub(crate) fn started(&self) -> InFlight {
        InFlight::enter(&self.in_flight)
    }

    /// Counts a request that ended: `ok`, or the kind of its failure.
    pub(crate) fn request(&self, status: &'static str) {
        self.requests.increment(status);
    }

    /// Counts a session that went elsewhere.
    pub(crate) fn session_moved(&self) {
        self.sessions_moved.increment(1);
    }
}

/// What is recorded about one replica of a model, or about a service that a component asks.
#[derive(Clone, Debug)]
pub(crate) struct EndpointMetrics {
    breaker_state: Gauge,
    breaker_opens: Counter,
    retries_refused: Counter,
}

impl EndpointMetrics {
    /// Registers the series of this replica of a model, named by its address in the configuration.
    pub(crate) fn of_model(model: &str, replica: &str) -> Self {
        let labels = [model, replica];
        Self {
            breaker_state: MODEL_BREAKER_STATE.with(labels),
            breaker_opens: MODEL_BREAKER_OPENS.with(labels),
            retries_refused: MODEL_RETRIES_REFUSED.with(labels),
        }
    }

    /// Registers the series of this service, which the component of this name asks.
    pub(crate) fn of_service(component: &str, service: &str) -> Self {
        Self {
            breaker_state: SERVICE_BREAKER_STATE.with([component, service]),
            breaker_opens: SERVICE_BREAKER_OPENS.with([component, service]),
            retries_refused: SERVICE_RETRIES_REFUSED.with([component, service]),
        }
    }

    /// Sets the state of the breaker: 0 closed, 1 half open, 2 open.
    pub(crate) fn breaker_state(&self, code: u8) {
        self.breaker_state.set(f64::from(code));
    }

    /// Counts that the breaker opened.
    pub(crate) fn breaker_opened(&self) {
        self.breaker_opens.increment(1);
    }

    /// Counts a retry that the budget did not allow.
    pub(crate) fn retry_refused(&self) {
        self.retries_refused.increment(1);
    }
}
