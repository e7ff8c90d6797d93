//! The `chat_completions` model: any endpoint of the Chat Completions API, such as vLLM, SGLang,
//! llama.cpp and OpenRouter.
//!
//! The runtime speaks in items of the Responses API; a chat has messages. The conversion follows NeMo
//! Gym's, in its later form, so that a model sees the same prompt and a record holds the same items:
//! items that the model made between two others are one assistant message, reasoning is a field of its
//! own or `<think>` text in it, whitespace stays as it is. What a chat has no words for is an error
//! before anything is sent. `messages.rs` has the way there, `parameters.rs` what becomes of each
//! parameter, `reply.rs` the way back, `tokens.rs` where token ids come from, `prompt.rs` how a
//! conversation becomes a text for `/completions`, `audio.rs` where sound comes from, `inbound.rs` how a
//! chat becomes a conversation.
//!
//! What goes out lies in layers, later ones on top: `extra_body` of the settings, that of the task's
//! `metadata`, the task's parameters, what the settings here want, `sampling_overrides`.
//!
//! | `finish_reason` | The response is |
//! |---|---|
//! | `stop`, `tool_calls` and the like, or none | complete |
//! | `length` | incomplete, `max_output_tokens` |
//! | `content_filter` | incomplete, `content_filter` |
//! | `abort`, `error` | no response: it is asked for again |
//! | the conversation is too long for the model (400) | one empty message, incomplete, `max_output_tokens` |
//! | a filter does not let the conversation through (400 of Azure) | one empty message, incomplete, `content_filter` |
//!
//! # Differs from NeMo Gym
//!
//! | There | Here | Why |
//! |---|---|---|
//! | a prompt that is plain text is sent as a list of one part | it is sent as text | every chat template takes it |
//! | of several thoughts in one turn the first is sent in `reasoning_content` | all are, a line each | nothing is lost |
//! | any 400 that names `max_tokens` counts as a conversation that is too long | only words that say so | a wrong setting would score every rollout |
//! | `tool_choice: {type: function, name}` is sent as it is | as chats want it | endpoints refuse it |
//! | tools that are no functions are sent as functions | an error | the model cannot call them |
//! | `reasoning_content` without a reasoning parser is a 500 | an error that names the setting | |
//! | unknown fields of messages are dropped | they are kept on the items, and sent back | OpenRouter's `reasoning_details`, for one |
//! | `text.format`, `text.verbosity` are dropped | they are converted | they change what the model says |
//! | `previous_response_id` and its like are dropped | an error | the model would not see what they stand for |
//! | refusals, and log-probabilities that were asked for, are dropped | they are kept in the output | |
//! | `abort` is a 500 | it is asked for again | weights are being replaced |
//! | fields that are null are sent | they are not | null says the default |
//! | a break in the token ids is left to the trainer | it is counted, and fails if `on_token_prefix_break: fail` | |
//! | replicas are taken in turn, by the number of sessions or a hash | by load, and a dead one is left out (`framework/src/endpoint/replicas.rs`) | |
//! | a text that a template made gets special tokens again from the tokenizer | `add_special_tokens: false` is sent | the model would see them twice |
//! | `metadata.extra_body` says nothing to `/completions` | it does as for chats | |
//! | any file may be sent as sound | with `audio_root`, those below it alone | rows are not always one's own |

mod audio;
mod chunks;
mod completion;
mod conversion;
mod inbound;
mod logprobs;
pub(crate) mod messages;
pub(crate) mod parameters;
mod parts;
mod prompt;
pub(crate) mod reply;
#[cfg(test)]
mod tests;
mod thought;
mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;

use framework::config::Secret;
use framework::metrics::ModelMetrics;
use framework::model::{Generate, Model, ModelError};
use framework::responses::{CreateParams, IncompleteReason, Response};
use framework::task::RolloutKey;
use framework::wiring::{BuildError, Wiring};
use serde::{Deserialize, Serialize};

use crate::upstream::{Address, BaseUrls, Failures, HttpConfig, KeyIn, Reading, Upstream};
use chunks::Chunks;
use conversion::Body;
use parameters::Extras;
use tokens::Found;

pub use conversion::Conversion;
pub use inbound::{ChatError, items, split};

/// The model's `settings:`; most names are NeMo Gym's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API's root, such as `http://localhost:8000/v1`; `/chat/completions` is added. Several are
    /// replicas that serve the same model.
    pub base_url: BaseUrls,
    /// Sent as `Authorization: Bearer …`. Default: no such header.
    #[serde(default)]
    pub api_key: Secret,
    /// The model to ask for, whatever the task says.
    pub model: String,
    /// Whether reasoning and text are told apart: in `reasoning_content`, as the endpoint's reasoning
    /// parser has it, or in `<think>` tags. Without, tags are text like any other. Default: yes.
    #[serde(default = "yes")]
    pub uses_reasoning_parser: bool,
    /// Whether earlier reasoning is sent back in `reasoning_content`. Default: yes.
    #[serde(default = "yes")]
    pub uses_interleaved_reasoning: bool,
    /// Whether earlier reasoning is sent back in `<think>` tags instead. Default: no.
    #[serde(default)]
    pub preserve_reasoning_in_assistant_content: bool,
    /// Whether the model may go on after a turn that was nothing but reasoning. If not, such a rollout
    /// ends as incomplete. Default: yes.
    #[serde(default = "yes")]
    pub sequential_reasoning_allowed: bool,
    /// Whether `developer` becomes `system`. Default: no.
    #[serde(default)]
    pub replace_developer_role_with_system: bool,
    /// Whether the limit of output tokens is sent as `max_completion_tokens`, as newer models of OpenAI
    /// want it, instead of `max_tokens`. Default: no.
    #[serde(default)]
    pub uses_max_completion_tokens: bool,
    /// Whether token ids and log-probabilities are asked for and kept, for training. Default: no.
    #[serde(default)]
    pub return_token_id_information: bool,
    /// Whether the endpoint is asked for its token ids (`return_token_ids`); where it does not answer
    /// them, `/tokenize` is asked for the prompt's. Default: yes.
    #[serde(default = "yes")]
    pub request_prompt_and_generation_token_ids: bool,
    /// What happens when a prompt's token ids do not begin with those of the conversation so far.
    #[serde(default)]
    pub on_token_prefix_break: OnBreak,
    /// Arguments of the endpoint's chat template; the task's own come before them.
    #[serde(default)]
    pub chat_template_kwargs: Extras,
    /// Fields of the request that a task does not set itself.
    #[serde(default)]
    pub extra_body: Extras,
    /// Fields of the request whatever the task says.
    #[serde(default)]
    pub sampling_overrides: Extras,
    /// Whether conversations are sent as text, to `/completions`: a user's message, perhaps after a
    /// system's, or what `render_chat_template` makes of any. Default: no.
    #[serde(default)]
    pub use_completions_api: bool,
    /// Whether such a text is made by the tokenizer's chat template. Default: no.
    #[serde(default)]
    pub render_chat_template: bool,
    /// The tokenizer: its folder, its `tokenizer_config.json`, or a template by itself.
    #[serde(default)]
    pub tokenizer: Option<PathBuf>,
    /// The folder that sound is looked for in. Default: sound has to be named by absolute paths.
    #[serde(default)]
    pub audio_root: Option<PathBuf>,
    /// Headers of every request; their values are treated as secrets.
    #[serde(default)]
    pub default_headers: BTreeMap<String, Secret>,
    /// Timeouts, retries and limits.
    #[serde(default)]
    pub http: HttpConfig,
}

impl Config {
    /// The default settings of a model at an endpoint.
    pub fn new(base_url: &str, model: &str) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: Secret::default(),
            model: model.to_owned(),
            uses_reasoning_parser: true,
            uses_interleaved_reasoning: true,
            preserve_reasoning_in_assistant_content: false,
            sequential_reasoning_allowed: true,
            replace_developer_role_with_system: false,
            uses_max_completion_tokens: false,
            return_token_id_information: false,
            request_prompt_and_generation_token_ids: true,
            on_token_prefix_break: OnBreak::Report,
            chat_template_kwargs: Extras::new(),
            extra_body: Extras::new(),
            sampling_overrides: Extras::new(),
            use_completions_api: false,
            render_chat_template: false,
            tokenizer: None,
            audio_root: None,
            default_headers: BTreeMap::new(),
            http: HttpConfig::default(),
        }
    }
}

/// What happens when the token ids of a conversation do not go on from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBreak {
    /// It is counted (`rehearsal_model_token_prefix_breaks_total`) and logged.
    #[default]
    Report,
    /// The attempt fails as well.
    Fail,
}

/// Makes what puts a streamed completion together.
type Pieces = fn() -> Box<dyn crate::upstream::Assembly>;

fn yes() -> bool {
    true
}

/// Words by which vLLM says that the conversation has left no room for an answer.
const NO_ROOM: &str = "max_tokens must be at least 1, got -";
/// Words by which Azure says that its filter does not let the conversation through.
const FILTERED: &str = "content management policy";

/// A model behind an endpoint of the Chat Completions API.
#[derive(Debug)]
pub struct ChatCompletions {
    upstream: Upstream,
    /// Where prompts become token ids; there in training alone.
    tokenizer: Option<Upstream>,
    conversion: Conversion,
    metrics: ModelMetrics,
    name: Box<str>,
    on_break: OnBreak,
}

impl Model for ChatCompletions {
    const KIND: &'static str = "chat_completions";
    type Config = Config;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        Self::at(KeyIn::Bearer, config, wiring)
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let Generate { request, key, .. } = &message;
        let parameters = self.conversion.parameters(request)?;
        let sounds = self.conversion.sounds(&parameters).await?;
        let Body { fields, said, is_over } = self.conversion.body(request, &parameters, &sounds)?;
        let params = &request.params;
        if is_over {
            return Ok(self.silence(params, IncompleteReason::ContentFilter));
        }
        let body = conversion::whole(&fields, &said);
        let read =
            |text: &str, failures: &Failures| self.conversion.reader.read(text, params, failures);
        let pieces: Pieces = || Box::new(Chunks::default());
        let reading = Reading { whole: read, pieces: Some(pieces) };
        let answer = self.upstream.ask(body, &message, reading).await;
        let mut reply = match answer {
            Ok(reply) => reply,
            Err(error) => match silenced(&error) {
                Some(reason) => return Ok(self.silence(params, reason)),
                None => return Err(error),
            },
        };
        let tokens = match reply.tokens.take() {
            None => return Ok(reply.response),
            Some(Found::All(tokens)) => tokens,
            Some(Found::WithoutPrompt(generated)) => {
                let body = conversion::tokenizer_body(&fields, &said);
                let read = |text: &str, failures: &Failures| {
                    tokens::of_tokenizer(text).map_err(|error| failures.malformed(error))
                };
                let tokenizer = self.tokenizer.as_ref().expect("it is there in training");
                let reading = Reading { whole: read, pieces: None };
                generated.after(tokenizer.ask(body, &message, reading).await?.0)
            }
        };
        if let Some(found) = tokens::prefix_break(request, &tokens.prompt_token_ids) {
            self.report(found, key)?;
        }
        Ok(reply.with_tokens(tokens))
    }
}

impl ChatCompletions {
    /// A model whose endpoint looks for the key there.
    ///
    /// # Errors
    /// Fails if the settings make no sense together.
    pub(crate) fn at(key_in: KeyIn, config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let conversion = Conversion::new(&config)?;
        let tokens = config.return_token_id_information;
        let upstream = |base_urls: &BaseUrls, path| {
            let address = Address {
                base_urls,
                path,
                api_key: &config.api_key,
                key_in,
                headers: &config.default_headers,
                model: &config.model,
            };
            Upstream::new(&address, config.http.clone(), wiring)
        };
        let path = match config.use_completions_api {
            true => "completions",
            false => "chat/completions",
        };
        let roots = config.base_url.map(|base_url| {
            let root = base_url.trim_end_matches('/');
            root.strip_suffix("/v1").unwrap_or(root).to_owned()
        });
        Ok(Self {
            upstream: upstream(&config.base_url, path)?,
            tokenizer: tokens.then(|| upstream(&roots, "tokenize")).transpose()?,
            conversion,
            metrics: ModelMetrics::new(wiring.name()),
            name: wiring.name().into(),
            on_break: config.on_token_prefix_break,
        })
    }

    fn silence(&self, params: &CreateParams, reason: IncompleteReason) -> Response {
        reply::silence(params, &self.conversion.reader.model, reason)
    }

    fn report(&self, found: tokens::Break, key: &RolloutKey) -> Result<(), ModelError> {
        let tokens::Break { at, expected } = found;
        self.metrics.token_prefix_broken();
        let reason = format!(
            "the prompt's token ids do not begin with the {expected} of the conversation so far; \
             they part at {at}"
        );
        tracing::warn!(model = &*self.name, rollout = %key, "{reason}");
        match self.on_break {
            OnBreak::Report => Ok(()),
            OnBreak::Fail => Err(ModelError::Malformed { endpoint: self.name.to_string(), reason }),
        }
    }
}

/// Why an endpoint refuses to say anything more to this conversation, if that is what it does.
fn silenced(error: &ModelError) -> Option<IncompleteReason> {
    match error {
        ModelError::ContextLength { .. } => Some(IncompleteReason::MaxOutputTokens),
        ModelError::BadRequest { message, .. } if message.contains(NO_ROOM) => {
            Some(IncompleteReason::MaxOutputTokens)
        }
        ModelError::BadRequest { message, .. } if message.contains(FILTERED) => {
            Some(IncompleteReason::ContentFilter)
        }
        _ => None,
    }
}
