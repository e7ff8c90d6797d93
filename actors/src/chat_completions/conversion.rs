//! The conversion alone, without an endpoint.

use std::sync::Arc;

use framework::model::ModelError;
use framework::responses::{Fields, Request, Response};
use framework::wiring::BuildError;

use super::Config;
use super::audio;
use super::messages::{self, Message, Rules, Unsupported};
use super::parameters::Parameters;
use super::prompt::Prompting;
use super::reply::Reader;
use super::tokens::{Found, Of};
use crate::object;
use crate::upstream::Failures;

/// Fields that settings cannot set.
const RESERVED: [&str; 4] = ["messages", "model", "prompt", "stream"];
/// Fields of a request that decide about its tokens.
const TOKENIZED: [&str; 6] = [
    "model",
    "tools",
    "chat_template_kwargs",
    "mm_processor_kwargs",
    "required_prefix_token_ids",
    "add_special_tokens",
];
/// Fields of a chat that the completion of a text does not have.
const OF_CHATS: [&str; 11] = [
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "chat_template_kwargs",
    "reasoning_effort",
    "verbosity",
    "metadata",
    "store",
    "prompt_cache_key",
    "safety_identifier",
    "top_logprobs",
];

/// Requests as chats, and completions as responses.
#[derive(Clone, Debug)]
pub struct Conversion {
    pub(super) reader: Reader,
    rules: Rules,
    /// How a conversation becomes a text, for endpoints that complete one.
    prompting: Option<Prompting>,
    config: Arc<Config>,
}

/// A request in its parts.
pub(super) struct Body {
    pub(super) fields: Fields,
    /// `messages` or `prompt`, and its JSON.
    pub(super) said: (&'static str, String),
    /// There is nothing more to be asked.
    pub(super) is_over: bool,
}

impl Conversion {
    /// The conversion that settings describe.
    ///
    /// # Errors
    /// Fails if they set a field that rollouts need.
    pub fn new(config: &Config) -> Result<Self, BuildError> {
        check(config)?;
        let prompting = Prompting::new(config)?;
        let tokens = config.return_token_id_information;
        let separate_reasoning = config.uses_reasoning_parser;
        let rules = Rules {
            separate_reasoning: separate_reasoning
                && !config.preserve_reasoning_in_assistant_content,
            send_reasoning: config.uses_interleaved_reasoning,
            developer_as_system: config.replace_developer_role_with_system,
            // A text has no place for them.
            tokens: tokens && prompting.is_none(),
        };
        let of = if prompting.is_some() { Of::Text } else { Of::Chat };
        let model = config.model.as_str().into();
        let reader = Reader { model, separate_reasoning, tokens, of };
        Ok(Self { reader, rules, prompting, config: Arc::new(config.clone()) })
    }

    /// The JSON body that asks for a completion.
    ///
    /// # Errors
    /// Fails with [`ModelError::Unsupported`] on what a chat has no words for, and on sound, which
    /// would have to be read from files.
    pub fn request(&self, request: &Request) -> Result<String, ModelError> {
        let parameters = self.parameters(request)?;
        if !parameters.sounds.is_empty() {
            let reason = "sound in `metadata`, without an endpoint".to_owned();
            return Err(ModelError::Unsupported { reason });
        }
        let Body { fields, said, .. } = self.body(request, &parameters, &[])?;
        Ok(whole(&fields, &said))
    }

    /// The response that a completion's JSON stands for.
    ///
    /// # Errors
    /// Fails if it is no completion, or an error; in training also if it lacks token ids. Those of a
    /// prompt that only the tokenizer knows are lacking here.
    pub fn response(&self, request: &Request, completion: &str) -> Result<Response, ModelError> {
        let Config { base_url, model, .. } = &*self.config;
        let endpoint = base_url.iter().next().unwrap_or_default();
        let failures = Failures::new(endpoint, model, Vec::new());
        let mut reply = self.reader.read(completion, &request.params, &failures)?;
        match reply.tokens.take() {
            None => Ok(reply.response),
            Some(Found::All(tokens)) => Ok(reply.with_tokens(tokens)),
            Some(Found::WithoutPrompt(_)) => {
                Err(failures.malformed("it has no `prompt_token_ids`"))
            }
        }
    }

    /// What a task asks for, besides its messages.
    pub(super) fn parameters(&self, request: &Request) -> Result<Parameters, ModelError> {
        Parameters::new(&request.params).map_err(unsupported)
    }

    /// The sounds that it asks for, as data URLs.
    pub(super) async fn sounds(&self, parameters: &Parameters) -> Result<Vec<String>, ModelError> {
        let sounds = parameters.sounds.clone();
        if sounds.is_empty() {
            return Ok(Vec::new());
        }
        if self.prompting.is_some() {
            return Err(unsupported(Unsupported("sound, in a prompt that is text".to_owned())));
        }
        let root = self.config.audio_root.clone();
        let read = tokio::task::spawn_blocking(move || audio::read(sounds, root.as_deref()));
        read.await.expect("reading does not panic").map_err(unsupported)
    }

    pub(super) fn body(
        &self,
        request: &Request,
        parameters: &Parameters,
        sounds: &[String],
    ) -> Result<Body, ModelError> {
        let instructions = parameters.instructions.as_deref();
        let mut messages: Vec<Message<'_>> =
            messages::messages(instructions, request.input(), self.rules).map_err(unsupported)?;
        messages::begin_with_sounds(&mut messages, sounds);
        let is_over =
            !self.config.sequential_reasoning_allowed && messages::ends_in_silence(&messages);
        let fields = self.fields(parameters).map_err(unsupported)?;
        let Some(prompting) = &self.prompting else {
            let said = ("messages", messages::write(&messages));
            return Ok(Body { fields, said, is_over });
        };
        let prompt = prompting.prompt(&messages, &fields).map_err(unsupported)?;
        let mut json = String::with_capacity(prompt.len() + 2);
        object::push_text(&mut json, &prompt);
        let fields = of_text(fields, prompting.has_special_tokens());
        Ok(Body { fields, said: ("prompt", json), is_over })
    }

    /// Everything but the messages.
    fn fields(&self, parameters: &Parameters) -> Result<Fields, Unsupported> {
        let config = &*self.config;
        let mut fields = Fields::default();
        for (name, value) in config.extra_body.iter().chain(&parameters.extra_body) {
            fields.set(name, value);
        }
        for (name, value) in parameters.fields.iter() {
            let is_limit = name == "max_tokens" && config.uses_max_completion_tokens;
            let name = if is_limit { "max_completion_tokens" } else { name };
            fields.set_raw(name, value.to_owned());
        }
        if config.return_token_id_information {
            // Null would ask for no log-probabilities at all.
            fields.set("logprobs", &true);
            fields.set("top_logprobs", &0);
            fields.set("return_tokens_as_token_ids", &true);
            if config.request_prompt_and_generation_token_ids {
                fields.set("return_token_ids", &true);
            }
        }
        let mut kwargs = config.chat_template_kwargs.clone();
        kwargs.extend(parameters.chat_template_kwargs.clone());
        if !kwargs.is_empty() {
            fields.set("chat_template_kwargs", &kwargs);
        }
        for (name, value) in &config.sampling_overrides {
            fields.set(name, value);
        }
        fields.set("model", &config.model);
        let is_one = |n: &serde_json::value::RawValue| n.get() == "1";
        if fields.get_set("n").is_some_and(|n| !is_one(n)) {
            return Err(Unsupported("`n`: a rollout takes one choice".to_owned()));
        }
        if fields.contains("stream") || fields.contains("messages") {
            return Err(Unsupported("`metadata.extra_body` has `stream` or `messages`".to_owned()));
        }
        if config.http.stream {
            fields.set("stream", &true);
            if !fields.contains("stream_options") {
                fields.set("stream_options", &serde_json::json!({ "include_usage": true }));
            }
        }
        Ok(fields)
    }
}

fn unsupported(Unsupported(reason): Unsupported) -> ModelError {
    ModelError::Unsupported { reason }
}

/// The fields of a chat as those of the completion of a text.
fn of_text(chat: Fields, has_special_tokens: bool) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in chat.iter().filter(|(name, _)| !OF_CHATS.contains(name)) {
        let name = if name == "max_completion_tokens" { "max_tokens" } else { name };
        fields.set_raw(name, value.to_owned());
    }
    // Chats ask for log-probabilities and say of how many tokens; texts say how many.
    let asks = fields.remove("logprobs").is_some_and(|asked| asked.get() == "true");
    match chat.get_set("top_logprobs") {
        Some(count) => fields.set_raw("logprobs", count.to_owned()),
        None if asks => fields.set("logprobs", &0),
        None => {}
    }
    if has_special_tokens && !fields.contains("add_special_tokens") {
        fields.set("add_special_tokens", &false);
    }
    fields
}

/// The JSON of a question to the tokenizer.
pub(super) fn tokenizer_body(fields: &Fields, said: &(&'static str, String)) -> String {
    let mut own = Fields::default();
    for (name, value) in fields.iter().filter(|(name, _)| TOKENIZED.contains(name)) {
        own.set_raw(name, value.to_owned());
    }
    whole(&own, said)
}

/// The request's JSON.
pub(super) fn whole(fields: &Fields, (name, json): &(&'static str, String)) -> String {
    let mut body = String::with_capacity(json.len() + 1024);
    body.push('{');
    fields.write_into(&mut body);
    object::push_key(&mut body, name);
    body.push_str(json);
    body.push('}');
    body
}

fn check(config: &Config) -> Result<(), BuildError> {
    for (map, name) in
        [(&config.extra_body, "extra_body"), (&config.sampling_overrides, "sampling_overrides")]
    {
        if let Some(field) = RESERVED.iter().find(|field| map.contains_key(**field)) {
            let message = format!("`settings.{name}.{field}`: rollouts need this field");
            return Err(BuildError::new(message));
        }
    }
    Ok(())
}
