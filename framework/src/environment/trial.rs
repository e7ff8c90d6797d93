//! One rollout of an environment without actors, models and files: for its author's own tests.
//!
//! ```
//! # use framework::environment::{Environment, Trial};
//! # async fn earns_one<E: Environment>(row: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let mut trial = Trial::<E>::open("{}", row).await?;
//! trial.call("increment_counter", r#"{"count":3}"#).await;
//! assert_eq!(trial.verify().await?.reward.get(), 1.0);
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use super::tools::Tools;
use super::{Environment, EnvironmentError, Verdict};
use crate::responses::{FunctionCall, Item, Response};
use crate::task::{Row, RowError, Target};
use crate::wiring::{BuildError, Wiring};

/// A session of an environment, and the transcript of what was done in it.
pub struct Trial<E: Environment> {
    environment: E,
    tools: Tools<E>,
    target: Target,
    session: E::Session,
    transcript: Vec<Item>,
}

/// Why there is no trial.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The settings are malformed.
    #[error("settings: {0}")]
    Settings(#[from] serde_json::Error),
    /// The environment cannot be built from its settings.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The row is malformed.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The session does not open.
    #[error(transparent)]
    Open(#[from] EnvironmentError),
}

impl<E: Environment> Trial<E> {
    /// Builds an environment from its settings as JSON and opens a session for a line of a dataset.
    ///
    /// # Errors
    /// See [`TrialError`].
    pub async fn open(settings: &str, row: &str) -> Result<Self, TrialError> {
        let environment = E::new(serde_json::from_str(settings)?, &Wiring::detached(E::KIND))?;
        let target = E::target(&Row::parse(row)?).map_err(RowError::from)?;
        let session = environment.open(own::<E>(&target)).await?;
        let tools = Tools::of_environment();
        Ok(Self { environment, tools, target, session, transcript: Vec::new() })
    }

    /// Calls a tool and returns what the model would read; both go into the transcript.
    pub async fn call(&mut self, name: &str, arguments: &str) -> String {
        let call_id = format!("call_{}", self.transcript.len());
        let call = FunctionCall {
            call_id: call_id.as_str().into(),
            name: name.into(),
            arguments: arguments.into(),
        };
        self.play(Item::function_call(&call_id, call)).await.unwrap_or_default()
    }

    /// Adds an item of the model's to the transcript, and runs the tool if it calls one.
    pub async fn play(&mut self, item: Item) -> Option<String> {
        self.transcript.push(item.clone());
        let call = item.as_function_call()?;
        let Self { environment, tools, session, .. } = self;
        let output = match tools.find(&call.name) {
            Some(index) => tools.get(index).run(environment, session, &call.arguments).await,
            None => Err(tools.unknown(&call.name)),
        };
        let text = output.unwrap_or_else(super::ToolError::into_text);
        self.transcript.push(Item::function_call_output(&call.call_id, &text));
        Some(text)
    }

    /// Scores the transcript and the session.
    ///
    /// # Errors
    /// Fails if the verifier does.
    pub async fn verify(self) -> Result<Verdict, EnvironmentError> {
        let response = Response::new("resp_trial", Arc::from("trial"), self.transcript);
        self.environment.verify(self.session, own::<E>(&self.target), &response).await
    }
}

/// A target as the environment's own type.
fn own<E: Environment>(target: &Target) -> &E::Target {
    target.get().expect("the environment read this target itself")
}
