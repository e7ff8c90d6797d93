//! The environment contract: a task world with tools, per-rollout sessions and a verifier.
//!
//! Authors implement [`Environment`]: typed targets, typed tools, a session of their own. They see
//! neither actors nor JSON. Each session runs as an actor of its own, so the calls of one rollout are
//! in order, rollouts share nothing, and a panic in a tool costs one rollout.

mod actor;
mod arguments;
pub mod python;
mod roster;
mod schema;
mod session;
mod tools;
mod trial;
mod workers;

use std::fmt;
use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::responses::{Fields, Response};
use crate::rollout::{Culprit, Failure};
use crate::task::{Row, Target, TargetError};
use crate::wiring::{BuildError, Wiring};

pub use actor::OpenSession;
pub(crate) use actor::{EnvironmentActor, Sessions};
pub(crate) use schema::read_target;
pub(crate) use session::SessionLimits;
pub use session::{CallTool, Session, ToolFault, Verify};
pub use tools::{Tool, ToolError, Tools};
pub use trial::{Trial, TrialError};
pub use workers::Workers;

/// A task world. One instance serves all rollouts of a shard, so `&self` holds what they share and
/// `Session` what they do not.
pub trait Environment: Sized + 'static {
    /// The kind's name in configurations.
    const KIND: &'static str;
    /// Its `settings:`; unknown keys are denied by the derive's `deny_unknown_fields`.
    type Config: DeserializeOwned + Clone + Send + Sync + 'static;
    /// What a row says beyond the prompt. Only `open` and `verify` see it.
    type Target: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// The state of one rollout.
    type Session: 'static;

    /// What the verifier looks at, besides the target.
    const EVIDENCE: Evidence = Evidence::Session;

    /// Why a verdict on a recorded rollout may not be the one that the rollout got, if so: the verifier
    /// looks at something that neither the record holds nor a replay of its tool calls brings back,
    /// such as files that commands have left. `rehearsal verify` then refuses, unless it is told not to.
    /// By default there is nothing of the kind.
    fn unreproducible(_: &Self::Config) -> Option<&'static str> {
        None
    }

    /// Builds an instance for one shard.
    ///
    /// # Errors
    /// Fails if the settings make no sense together, or a model it asks for does not exist.
    fn new(config: Self::Config, wiring: &Wiring) -> Result<Self, BuildError>;

    /// Adds the actors that serve all its instances, such as the keepers of worker processes. They are
    /// up before the first instance is built, and share what [`Wiring::share`] keeps with them.
    fn workers(_: &Self::Config, _: &mut Workers<'_>) {}

    /// Names the tools and their functions: `tools.add("guess", guess)`, where `guess` is an
    /// `async fn(&Self, &mut Self::Session, Arguments) -> Result<Answer, ToolError>`. What the model
    /// reads about a tool comes from the doc comment and the fields of its `Arguments`. A tool that
    /// takes `&Self::Session` is added by `tools.add_shared` and runs beside others of its kind.
    /// By default there are none.
    #[expect(unused_variables, reason = "the name says what is given")]
    fn tools(tools: &mut Tools<Self>) {}

    /// Starts a rollout's session.
    ///
    /// # Errors
    /// Fails if the world cannot be set up; the rollout is then tried again or given up.
    fn open(
        &self,
        target: &Self::Target,
    ) -> impl Future<Output = Result<Self::Session, EnvironmentError>>;

    /// Scores a rollout. Consumes the session, so that nothing is scored twice.
    ///
    /// # Errors
    /// Fails if the verifier itself could not do its work. Whatever the model did is a verdict,
    /// never an error.
    fn verify(
        &self,
        session: Self::Session,
        target: &Self::Target,
        response: &Response,
    ) -> impl Future<Output = Result<Verdict, EnvironmentError>>;

    /// Reads what the environment needs from a row: by default what [`Row::read`] makes of it.
    ///
    /// # Errors
    /// Fails if a key is missing or malformed; the row is then reported and kept out.
    fn target(row: &Row) -> Result<Target, TargetError> {
        row.read::<Self::Target>().map(Target::new)
    }
}

/// What a verifier looks at. Recorded rollouts can be scored again either way; where the session
/// counts, their tool calls are run again first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The session's state, and perhaps the transcript.
    Session,
    /// The transcript alone.
    Transcript,
}

/// Why an environment could not open or verify a session, and named extras for the record of the
/// failure: what a judge was asked and said, for example.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct EnvironmentError {
    message: String,
    retryable: bool,
    extras: Fields,
}

impl EnvironmentError {
    /// A failure that another attempt may not meet, such as a service that is down.
    pub fn temporary(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), retryable: true, extras: Fields::default() }
    }

    /// A failure that every attempt at this task would meet.
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), retryable: false, extras: Fields::default() }
    }

    /// Adds an extra. It becomes a top-level key of the failure's record, if no further attempt is
    /// made.
    ///
    /// # Panics
    /// Panics on a reserved name, like [`Verdict::with`].
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Self {
        set_extra(&mut self.extras, name, value);
        self
    }

    /// Whether another attempt may fare better.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// This failure, blamed on its culprit.
    pub(crate) fn blamed_on(self, culprit: Culprit) -> Failure {
        let Self { message, retryable, extras } = self;
        Failure { extras, ..Failure::new(culprit, message, retryable) }
    }
}

/// A reward: a finite number, by construction.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Reward(f64);

/// A reward that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a reward must be finite, not {0}")]
pub struct NotFinite(f64);

impl Reward {
    /// Nothing earned.
    pub const ZERO: Self = Self(0.0);
    /// All earned.
    pub const ONE: Self = Self(1.0);

    /// A reward of that value.
    ///
    /// # Errors
    /// Fails on NaN and infinities.
    pub fn new(value: f64) -> Result<Self, NotFinite> {
        if value.is_finite() { Ok(Self(value)) } else { Err(NotFinite(value)) }
    }

    /// 1 if earned, else 0.
    pub fn earned(earned: bool) -> Self {
        if earned { Self::ONE } else { Self::ZERO }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<NotFinite> for EnvironmentError {
    fn from(error: NotFinite) -> Self {
        Self::permanent(error)
    }
}

/// What a verifier says: a reward, and named extras for the record.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The reward.
    pub reward: Reward,
    /// Further results; each becomes a top-level key of the record.
    pub extras: Fields,
}

impl Verdict {
    /// A verdict without extras.
    pub fn new(reward: Reward) -> Self {
        Self { reward, extras: Fields::default() }
    }

    /// Adds an extra. The names that records already have are reserved.
    ///
    /// # Panics
    /// Panics on a reserved name: `responses_create_params`, `response`, `reward`, `rehearsal`, and
    /// `error`, which trainers take for a failed request.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Self {
        set_extra(&mut self.extras, name, value);
        self
    }
}

fn set_extra(extras: &mut Fields, name: &'static str, value: &(impl Serialize + ?Sized)) {
    const RESERVED: [&str; 5] =
        ["responses_create_params", "response", "reward", "rehearsal", "error"];
    assert!(!RESERVED.contains(&name), "`{name}` is reserved and cannot be an extra");
    extras.set(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reward_is_finite() {
        assert!(Reward::new(f64::NAN).is_err());
        assert!(Reward::new(f64::INFINITY).is_err());
        assert_eq!(Reward::new(-0.5).map(Reward::get), Ok(-0.5));
    }

    #[test]
    #[should_panic(expected = "`error` is reserved")]
    fn an_extra_cannot_be_named_error() {
        let _ = Verdict::new(Reward::ONE).with("error", &1);
    }

    #[test]
    #[should_panic(expected = "`reward` is reserved")]
    fn a_failure_cannot_name_a_reward() {
        let _ = EnvironmentError::temporary("down").with("reward", &1);
    }
}
