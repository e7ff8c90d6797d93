//! The model contract: something that answers a request in the Responses-API shape.
//!
//! Errors are sorted by cause, and each cause knows whether asking again may help; who asks then
//! decides, within its deadline, whether to.

use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Handler, Message};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::metrics::ModelMetrics;
use crate::responses::{Request, Response};
use crate::rollout::{Culprit, Failure};
use crate::supervision::{AskError, Handle, Supervised, Task as OwnTask};
use crate::task::RolloutKey;
use crate::wiring::{BuildError, Wiring};

/// Asks a model for a response.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Response, ModelError>")]
pub struct Generate {
    /// What to answer.
    pub request: Request,
    /// The rollout that asks; a model may keep its rollouts apart, never mix them.
    pub key: RolloutKey,
    /// When an answer is no longer of use.
    pub deadline: Instant,
}

/// A model. One instance serves all rollouts of a shard, many at a time.
pub trait Model: Sized + 'static {
    /// The kind's name in configurations.
    const KIND: &'static str;
    /// Its `settings:`.
    type Config: DeserializeOwned + Clone + Send + Sync + 'static;

    /// Builds an instance for one shard.
    ///
    /// # Errors
    /// Fails if the settings make no sense together, or a file they name cannot be read.
    fn new(config: Self::Config, wiring: &Wiring) -> Result<Self, BuildError>;

    /// Answers one request. Dropping the future cancels the work.
    ///
    /// # Errors
    /// See [`ModelError`].
    fn generate(&self, message: Generate) -> impl Future<Output = Result<Response, ModelError>>;
}

/// Why a model did not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No answer before the deadline.
    #[error("no answer within {}", Seconds(*after))]
    Timeout {
        /// How long the answer was waited for.
        after: Duration,
    },
    /// The endpoint could not be reached, or hung up.
    #[error("cannot reach `{endpoint}`: {reason}")]
    Connection {
        /// Its URL.
        endpoint: String,
        /// What went wrong.
        reason: String,
    },
    /// Too many requests.
    #[error("`{endpoint}` limits the rate of requests: {message}")]
    RateLimited {
        /// Its URL.
        endpoint: String,
        /// The endpoint's words.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The endpoint is overloaded or broken for now (5xx).
    #[error("`{endpoint}` answers {status}: {message}")]
    Unavailable {
        /// Its URL.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The endpoint's words.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Too many of the endpoint's last answers were failures; nothing was sent.
    #[error("`{endpoint}` keeps failing and is not asked for another {}", Seconds(*retry_after))]
    BreakerOpen {
        /// Its URL.
        endpoint: String,
        /// When it may be asked again.
        retry_after: Duration,
    },
    /// The key was refused.
    #[error("`{endpoint}` refuses the API key ({status}): {message}")]
    Authentication {
        /// Its URL.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The endpoint's words.
        message: String,
    },
    /// The endpoint does not have that model or path.
    #[error("`{endpoint}` does not know model `{model}`: {message}")]
    UnknownModel {
        /// Its URL.
        endpoint: String,
        /// The model asked for.
        model: String,
        /// The endpoint's words.
        message: String,
    },
    /// The conversation is longer than the model reads.
    #[error("the conversation exceeds the model's context: {message}")]
    ContextLength {
        /// The endpoint's words.
        message: String,
    },
    /// The endpoint refuses the request as such.
    #[error("`{endpoint}` refuses the request ({status}): {message}")]
    BadRequest {
        /// Its URL.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The endpoint's words.
        message: String,
    },
    /// The answer is not a response.
    #[error("`{endpoint}` answers what is no response: {reason}")]
    Malformed {
        /// Its URL.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request says something that this kind of model has no words for.
    #[error("this request cannot be put to the endpoint: {reason}")]
    Unsupported {
        /// What it says.
        reason: String,
    },
    /// A model that replies by script or record has no reply to this.
    #[error("{reason}")]
    NoReply {
        /// What it looked for.
        reason: String,
    },
    /// The model's actor crashed, or is not there.
    #[error("model {0}")]
    Actor(#[from] AskError),
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

impl ModelError {
    /// Whether asking again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::Connection { .. }
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::BreakerOpen { .. }
            | Self::Malformed { .. }
            | Self::Actor(_) => true,
            Self::Authentication { .. }
            | Self::UnknownModel { .. }
            | Self::ContextLength { .. }
            | Self::BadRequest { .. }
            | Self::Unsupported { .. }
            | Self::NoReply { .. } => false,
        }
    }

    /// The word for this cause in `rehearsal_model_requests_total{status}`.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::Connection { .. } => "connection",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Authentication { .. } => "authentication",
            Self::UnknownModel { .. } => "unknown_model",
            Self::ContextLength { .. } => "context_length",
            Self::BadRequest { .. } => "bad_request",
            Self::Malformed { .. } => "malformed",
            Self::Unsupported { .. } => "unsupported",
            Self::NoReply { .. } => "no_reply",
            Self::Actor(_) => "actor",
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Timeout { .. } => {
                Some("raise the model's `timeout`, or look at the endpoint's load")
            }
            Self::Connection { .. } => Some("check `base_url`, and that the endpoint is up"),
            Self::RateLimited { .. } => {
                Some("lower `collect.max_in_flight` or the model's `max_in_flight`")
            }
            Self::BreakerOpen { .. } => Some(
                "the log says why it fails; `settings.http.breaker` says when it is left alone",
            ),
            Self::Authentication { .. } => Some("check `api_key`, which belongs into `env.yaml`"),
            Self::UnknownModel { .. } => {
                Some("check `model`, and that `base_url` ends in the API's path (mostly `/v1`)")
            }
            Self::ContextLength { .. } => {
                Some("lower the agent's `max_steps`, or use a model with a longer context")
            }
            Self::Malformed { .. } => Some(
                "check that `base_url` is an endpoint of this kind, and that its settings fit it",
            ),
            Self::Unavailable { .. }
            | Self::BadRequest { .. }
            | Self::Unsupported { .. }
            | Self::NoReply { .. }
            | Self::Actor(_) => None,
        }
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let held_off = match &error {
            ModelError::BreakerOpen { retry_after, .. } => Some(*retry_after),
            _ => None,
        };
        let text = match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        };
        Self { held_off, ..Self::new(Culprit::Model, text, error.is_retryable()) }
    }
}

/// A model on one shard, as an actor: requests run side by side, each in a task of its own.
pub(crate) struct ModelActor<M: Model> {
    model: Rc<M>,
    metrics: Rc<ModelMetrics>,
    /// Calls that may be under way, over all shards.
    permits: Arc<Semaphore>,
}

impl<M: Model> ModelActor<M> {
    pub(crate) fn new(model: M, metrics: ModelMetrics, permits: Arc<Semaphore>) -> Self {
        Self { model: Rc::new(model), metrics: Rc::new(metrics), permits }
    }
}

impl<M: Model> Actor for ModelActor<M> {
    type Context = Supervised<Self>;
}

impl<M: Model> Handler<Generate> for ModelActor<M> {
    type Result = OwnTask<Result<Response, ModelError>>;

    fn handle(&mut self, message: Generate, _: &mut Self::Context) -> Self::Result {
        let (model, metrics) = (self.model.clone(), self.metrics.clone());
        let permits = self.permits.clone();
        OwnTask::new(async move {
            let started = Instant::now();
            let deadline = message.deadline;
            let _in_flight = metrics.started();
            let result = match timeout_at(deadline, permits.acquire()).await {
                Ok(_permit) => timeout_at(deadline, model.generate(message)).await,
                Err(elapsed) => Err(elapsed),
            };
            let overdue = |_| Err(ModelError::Timeout { after: started.elapsed() });
            let result = result.unwrap_or_else(overdue);
            let status = result.as_ref().map_or_else(ModelError::status, |_| "ok");
            metrics.request(status, started.elapsed());
            if let Some(usage) = result.as_ref().ok().and_then(|response| response.usage) {
                metrics.tokens(usage.input_tokens, usage.output_tokens);
            }
            result
        })
    }
}

/// An agent's way to a model.
#[derive(Clone, Debug)]
pub struct ModelPort {
    handle: Handle<Generate>,
    timeout: Duration,
}

impl ModelPort {
    /// A way to the model behind a handle; each call may take `timeout`.
    pub fn new(handle: Handle<Generate>, timeout: Duration) -> Self {
        Self { handle, timeout }
    }

    /// Blames this model, by its name, for an attempt that came to nothing.
    pub fn failure(&self, error: ModelError) -> Failure {
        let failure = Failure::from(error);
        let name = self.handle.path().split('/').nth(1).unwrap_or_default();
        Failure { error: format!("model `{name}`: {}", failure.error), ..failure }
    }

    /// Asks the model.
    ///
    /// # Errors
    /// See [`ModelError`]; a model that crashed or is gone is [`ModelError::Actor`].
    pub async fn generate(
        &self,
        request: Request,
        key: RolloutKey,
        deadline: Instant,
    ) -> Result<Response, ModelError> {
        let deadline = deadline.min(Instant::now() + self.timeout);
        self.handle.ask(Generate { request, key, deadline }, deadline).await?
    }
}
