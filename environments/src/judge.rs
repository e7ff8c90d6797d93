//! A judge: a model that is asked whether two answers say the same.
//!
//! A verifier asks it through its port, as an agent asks the policy: with the model's own timeouts,
//! retries, budget and breaker. Beyond these, questions of one environment are bounded by a limit of
//! its own, and a question that failed or got no verdict is asked again a few times. What then has no
//! verdict is an error of the verifier, and never a reward: a judge that is down, refuses or babbles
//! says nothing about the answer. The error has what was asked and said in `judge_evaluations`, as
//! the verdict has it.

mod label;
pub(crate) mod settings;
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
use tokio::time::{Duration, Instant, timeout_at};

pub use label::{Labels, NoLabel};
pub use template::{Inputs, Template, TemplateError};

/// More of a judge's words are not quoted in an error.
const QUOTED_MAX: usize = 200;
/// What is left of a verification's time to say how far it came: a twentieth, and at most this.
const REPORT_MAX: Duration = Duration::from_secs(1);
/// Where records hold what the judge was asked and what it said.
pub(crate) const EVALUATIONS: &str = "judge_evaluations";

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
    /// What records show of each exchange.
    pub(crate) shown: Shown,
}

/// What records show of an exchange with a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// What was asked and what was said.
    Exchange,
    /// These, and the label that counts, as `verdict_label`.
    ExchangeAndLabel,
}

/// A judge on one shard.
#[derive(Debug)]
pub(crate) struct Judge {
    port: ModelPort,
    model: Box<str>,
    /// Stands in the keys of its requests.
    environment: Box<str>,
    permits: Option<Arc<Semaphore>>,
    /// How long a verification may take.
    timeout: Duration,
    params: CreateParams,
    system: Option<Item>,
    template: Template,
    labels: Labels,
    no_label: NoLabel,
    attempts: NonZeroU32,
    shown: Shown,
}

/// What a judge is asked in one verification, and what it says; a list of exchanges in records.
#[derive(Debug)]
pub(crate) struct Hearing {
    exchanges: Vec<Exchange>,
    /// Whoever waits longer is not heard any more.
    deadline: Instant,
    /// When the hearing is closed, so that what was said can still be recorded.
    closes: Instant,
}

/// One question and its answer, as records show it. There is none to the question that failed.
#[derive(Clone, Debug)]
struct Exchange {
    question: Question,
    response: Option<Response>,
    label: Option<Arc<str>>,
    shown: Shown,
}

#[derive(Clone, Debug)]
struct Question {
    prompt: Arc<str>,
    params: Arc<CreateParams>,
}

impl Judge {
    /// The judge of an environment.
    ///
    /// # Errors
    /// Fails if there is no model of that name.
    pub(crate) fn new(spec: JudgeSpec<'_>, wiring: &Wiring) -> Result<Self, BuildError> {
        let JudgeSpec { model, params, system_message, template, labels, .. } = spec;
        let JudgeSpec { no_label, attempts, at_once, shown, .. } = spec;
        let has_system = !system_message.is_empty();
        Ok(Self {
            port: wiring.model(model)?,
            model: model.into(),
            environment: wiring.name().into(),
            permits: at_once.map(|at_once| wiring.permits(at_once)),
            timeout: wiring.verify_timeout(),
            params: params.clone(),
            system: has_system.then(|| Item::message(Role::System, system_message)),
            template,
            labels,
            no_label,
            attempts,
            shown,
        })
    }

    /// Opens the hearing of a verification that starts now.
    pub(crate) fn hearing(&self) -> Hearing {
        let deadline = Instant::now() + self.timeout;
        let report = (self.timeout / 20).min(REPORT_MAX);
        Hearing { exchanges: Vec::new(), deadline, closes: deadline - report }
    }

    /// Asks whether the answers are equivalent. What is asked and said joins the hearing.
    ///
    /// # Errors
    /// Fails if the judge cannot be asked, has given no verdict at its last attempt, or takes too
    /// long. The error has the hearing.
    pub(crate) async fn compare(
        &self,
        inputs: &Inputs<'_>,
        hearing: &mut Hearing,
    ) -> Result<bool, EnvironmentError> {
        let prompt: Arc<str> = self.template.fill(inputs).into();
        let asked = Item::message(Role::User, &prompt);
        let input = self.system.iter().cloned().chain([asked]).collect();
        let params = Arc::new(self.params.with_input(input));
        let question = Question { prompt, params };
        let closes = hearing.closes;
        let ruling = timeout_at(closes, self.ask_until_ruled(&question, hearing)).await;
        let silence = match ruling {
            Ok(Ok(is_equal)) => return Ok(is_equal),
            Ok(Err(NoRuling::Babble(error))) => return Err(error.with(EVALUATIONS, hearing)),
            Ok(Err(NoRuling::Silence(error))) => error,
            Err(_) => self.overdue(),
        };
        let shown = self.shown;
        hearing.exchanges.push(Exchange { question, response: None, label: None, shown });
        Err(silence.with(EVALUATIONS, hearing))
    }

    async fn ask_until_ruled(
        &self,
        question: &Question,
        hearing: &mut Hearing,
    ) -> Result<bool, NoRuling> {
        let Hearing { exchanges, deadline, .. } = hearing;
        let is_same = |exchange: &&Exchange| exchange.question.prompt == question.prompt;
        let mut repeat = exchanges.iter().filter(is_same).count();
        let mut left = self.attempts.get();
        loop {
            left -= 1;
            let no_ruling = match self.ask(question, repeat, *deadline).await {
                Ok(response) => {
                    let ruling = self.labels.ruling(&verdict_text(&response));
                    let label = ruling.as_ref().map(|ruling| ruling.label.clone());
                    let babble = NoRuling::Babble(self.no_verdict(&response));
                    let response = Some(response);
                    let (question, shown) = (question.clone(), self.shown);
                    exchanges.push(Exchange { question, response, label, shown });
                    match (ruling, self.no_label) {
                        (Some(ruling), _) => return Ok(ruling.equal),
                        (None, NoLabel::NotEqual) => return Ok(false),
                        (None, NoLabel::Fail) => babble,
                    }
                }
                Err(ModelError::BreakerOpen { retry_after, .. }) => {
                    // It was not asked, and will be worth asking then: no attempt is used up.
                    tokio::time::sleep(retry_after).await;
                    left += 1;
                    continue;
                }
                Err(error) if error.is_retryable() => NoRuling::Silence(self.failed(&error)),
                Err(error) => return Err(NoRuling::Silence(self.failed(&error))),
            };
            if left == 0 {
                return Err(no_ruling);
            }
            repeat += 1;
        }
    }

    async fn ask(
        &self,
        question: &Question,
        repeat: usize,
        deadline: Instant,
    ) -> Result<Response, ModelError> {
        let _permit = match &self.permits {
            Some(permits) => Some(permits.acquire().await.expect("nobody closes the semaphore")),
            None => None,
        };
        let request = Request { params: question.params.clone(), history: Vec::new() };
        self.port.generate(request, self.key(&question.prompt, repeat), deadline).await
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

    fn overdue(&self) -> EnvironmentError {
        let (model, seconds) = (&self.model, self.timeout.as_secs_f64());
        let limit = "`verify_timeout`";
        EnvironmentError::temporary(format_args!(
            "judge `{model}`: no verdict in time for the {seconds:.1} s of {limit}"
        ))
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

/// Why a question has no answer that counts.
enum NoRuling {
    /// The judge could not be asked.
    Silence(EnvironmentError),
    /// It said something else.
    Babble(EnvironmentError),
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

impl Serialize for Hearing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.exchanges.serialize(serializer)
    }
}

impl Serialize for Exchange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut exchange = serializer.serialize_struct("Exchange", 3)?;
        exchange.serialize_field("responses_create_params", &normalised(&self.question.params))?;
        exchange.serialize_field("response", &self.response)?;
        if self.shown == Shown::ExchangeAndLabel {
            exchange.serialize_field("verdict_label", &self.label)?;
        }
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
