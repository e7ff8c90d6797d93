//! A judge: a model that is asked whether two answers say the same.
//!
//! A verifier asks it through its port, as an agent asks the policy: with the model's own timeouts,
//! retries, budget and breaker. Beyond these, questions of one environment are bounded by a limit of
//! its own, and a question that failed or got no verdict is asked again a few times. What then has no
//! verdict is an error of the verifier, and never a reward: a judge that is down, refuses or babbles
//! says nothing about the answer.

mod label;
mod template;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use framework::environment::EnvironmentError;
use framework::model::{ModelError, ModelPort};
use framework::responses::{CreateParams, Fields, Item, ItemKind, Request, Response, Role};
use framework::task::{RolloutKey, TaskId};
use framework::wiring::{BuildError, Wiring};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};

pub use label::{Labels, NoLabel};
pub use template::{Inputs, Template, TemplateError};

/// More of a judge's words are not quoted in an error.
const QUOTED_MAX: usize = 200;
/// No question waits longer; the verifier's own deadline comes first.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a judge is made of.
#[derive(Clone, Debug)]
pub(crate) struct JudgeSpec<'a> {
    /// The model's name in the configuration.
    pub(crate) model: &'a str,
    /// What every question is asked with; its prompt is replaced.
    pub(crate) params: &'a CreateParams,
    /// Said before the question, if it is not empty.
    pub(crate) system_message: &'a str,
    /// The question.
    pub(crate) template: Template,
    /// What the judge says.
    pub(crate) labels: Labels,
    /// What an answer without a label means.
    pub(crate) no_label: NoLabel,
    /// How often a question is asked in all.
    pub(crate) attempts: NonZeroU32,
    /// How many questions are open at once, over all shards.
    pub(crate) at_once: Option<NonZeroUsize>,
}

/// A judge on one shard.
#[derive(Debug)]
pub(crate) struct Judge {
    port: ModelPort,
    model: Box<str>,
    /// Stands in the keys of its requests.
    environment: Box<str>,
    permits: Option<Arc<Semaphore>>,
    params: CreateParams,
    system: Option<Item>,
    template: Template,
    labels: Labels,
    no_label: NoLabel,
    attempts: NonZeroU32,
}

/// One question and its answer, as records show it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    prompt: Arc<str>,
    params: Arc<CreateParams>,
    response: Response,
    label: Option<Arc<str>>,
}

impl Judge {
    /// The judge of an environment.
    ///
    /// # Errors
    /// Fails if there is no model of that name.
    pub(crate) fn new(spec: JudgeSpec<'_>, wiring: &Wiring) -> Result<Self, BuildError> {
        let JudgeSpec { model, params, system_message, template, labels, .. } = spec;
        let JudgeSpec { no_label, attempts, at_once, .. } = spec;
        let has_system = !system_message.is_empty();
        Ok(Self {
            port: wiring.model(model)?,
            model: model.into(),
            environment: wiring.name().into(),
            permits: at_once.map(|at_once| wiring.permits(at_once)),
            params: params.clone(),
            system: has_system.then(|| Item::message(Role::System, system_message)),
            template,
            labels,
            no_label,
            attempts,
        })
    }

    /// Asks whether the answers are equivalent. Every answer of the judge joins `exchanges`.
    ///
    /// # Errors
    /// Fails if the judge cannot be asked, or has given no verdict at its last attempt.
    pub(crate) async fn compare(
        &self,
        inputs: &Inputs<'_>,
        exchanges: &mut Vec<Exchange>,
    ) -> Result<bool, EnvironmentError> {
        let prompt: Arc<str> = self.template.fill(inputs).into();
        let question = Item::message(Role::User, &prompt);
        let input = self.system.iter().cloned().chain([question]).collect();
        let params = Arc::new(self.params.with_input(input));
        let mut repeat = exchanges.iter().filter(|exchange| exchange.prompt == prompt).count();
        let mut left = self.attempts.get();
        loop {
            left -= 1;
            let error = match self.ask(&params, &prompt, repeat).await {
                Ok(response) => {
                    let ruling = self.labels.ruling(&verdict_text(&response));
                    let label = ruling.as_ref().map(|ruling| ruling.label.clone());
                    let error = self.no_verdict(&response);
                    let (prompt, params) = (prompt.clone(), params.clone());
                    exchanges.push(Exchange { prompt, params, response, label });
                    match (ruling, self.no_label) {
                        (Some(ruling), _) => return Ok(ruling.equal),
                        (None, NoLabel::NotEqual) => return Ok(false),
                        (None, NoLabel::Fail) => error,
                    }
                }
                Err(ModelError::BreakerOpen { retry_after, .. }) => {
                    // It was not asked, and will be worth asking then: no attempt is used up.
                    tokio::time::sleep(retry_after).await;
                    left += 1;
                    continue;
                }
                Err(error) if error.is_retryable() => self.failed(&error),
                Err(error) => return Err(self.failed(&error)),
            };
            if left == 0 {
                return Err(error);
            }
            repeat += 1;
        }
    }

    async fn ask(
        &self,
        params: &Arc<CreateParams>,
        prompt: &str,
        repeat: usize,
    ) -> Result<Response, ModelError> {
        let _permit = match &self.permits {
            Some(permits) => Some(permits.acquire().await.expect("nobody closes the semaphore")),
            None => None,
        };
        let request = Request { params: params.clone(), history: Vec::new() };
        let key = self.key(prompt, repeat);
        self.port.generate(request, key, Instant::now() + PATIENCE).await
    }

    /// Questions are spread over a model's replicas by their text, and tell their attempts apart.
    fn key(&self, prompt: &str, repeat: usize) -> RolloutKey {
        let mut hasher = DefaultHasher::new();
        prompt.hash(&mut hasher);
        let task = format!("judge/{}/{:016x}", self.environment, hasher.finish());
        let repeat = u32::try_from(repeat).unwrap_or(u32::MAX);
        RolloutKey { task: TaskId::from(task.as_str()), repeat }
    }

    fn failed(&self, error: &ModelError) -> EnvironmentError {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        let text = format!("judge `{}`: {error}{hint}", self.model);
        // Another rollout may ask something shorter.
        let may_pass = error.is_retryable() || matches!(error, ModelError::ContextLength { .. });
        if may_pass { EnvironmentError::temporary(text) } else { EnvironmentError::permanent(text) }
    }

    fn no_verdict(&self, response: &Response) -> EnvironmentError {
        let said = verdict_text(response);
        let tail = said.char_indices().rev().nth(QUOTED_MAX).map_or(0, |(index, _)| index);
        EnvironmentError::temporary(format_args!(
            "judge `{}` says neither {}, but: {:?}",
            self.model,
            self.labels,
            &said[tail..]
        ))
    }
}

/// Where a judge's verdict stands: in the last part of its last item, if that is a message.
fn verdict_text(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Part {
        text: Option<String>,
    }
    let last = response.output.last();
    let Some(last) = last.filter(|item| matches!(item.kind(), ItemKind::Message(_))) else {
        return String::new();
    };
    let parts = last.field::<Vec<Part>>("content");
    let part = parts.and_then(|parts| parts.into_iter().next_back());
    let text = part.and_then(|part| part.text).or_else(|| last.field("content"));
    text.unwrap_or_default()
}

/// Fields that NeMo Gym writes into a judge's request whether or not they are set.
const NULLABLE: [&str; 18] = [
    "background",
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "previous_response_id",
    "prompt",
    "reasoning",
    "service_tier",
    "store",
    "temperature",
    "text",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

impl Serialize for Exchange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut exchange = serializer.serialize_struct("Exchange", 3)?;
        exchange.serialize_field("responses_create_params", &normalised(&self.params))?;
        exchange.serialize_field("response", &self.response)?;
        exchange.serialize_field("verdict_label", &self.label)?;
        exchange.end()
    }
}

/// A request with every field, as NeMo Gym's records have it.
fn normalised(params: &CreateParams) -> Fields {
    let mut fields = params.fields().clone();
    let defaults = [("parallel_tool_calls", "true"), ("tool_choice", "\"auto\""), ("tools", "[]")];
    let nulls = NULLABLE.into_iter().chain(["stream"]).map(|name| (name, "null"));
    for (name, text) in defaults.into_iter().chain(nulls) {
        if !fields.contains(name) {
            let value = serde_json::value::RawValue::from_string(text.to_owned());
            fields.set_raw(name, value.expect("the text is JSON"));
        }
    }
    fields.set("input", params.input());
    fields
}
