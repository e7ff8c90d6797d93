//! The conversion alone, without an endpoint.

use std::sync::Arc;

use framework::config::Secret;
use framework::model::ModelError;
use framework::responses::{Fields, Request, Response};
use framework::wiring::BuildError;

use super::Config;
use super::messages::{self, Message, Rules, Unsupported};
use super::parameters::Parameters;
use super::reply::Reader;
use super::tokens::Found;
use crate::object;
use crate::upstream::Failures;

/// Fields that settings cannot set.
const RESERVED: [&str; 3] = ["messages", "model", "stream"];
/// Fields of a request that decide about its tokens.
const TOKENIZED: [&str; 5] =
    ["model", "tools", "chat_template_kwargs", "mm_processor_kwargs", "required_prefix_token_ids"];

/// Requests as chats, and completions as responses.
#[derive(Clone, Debug)]
pub struct Conversion {
    pub(super) reader: Reader,
    rules: Rules,
    config: Arc<Config>,
}

/// A request in its parts.
pub(super) struct Body {
    pub(super) fields: Fields,
    /// A JSON list.
    pub(super) messages: String,
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
        let tokens = config.return_token_id_information;
        let separate_reasoning = config.uses_reasoning_parser;
        let rules = Rules {
            separate_reasoning: separate_reasoning
                && !config.preserve_reasoning_in_assistant_content,
            send_reasoning: config.uses_interleaved_reasoning,
            developer_as_system: config.replace_developer_role_with_system,
            tokens,
        };
        let reader = Reader { model: config.model.as_str().into(), separate_reasoning, tokens };
        Ok(Self { reader, rules, config: Arc::new(config.clone()) })
    }

    /// The JSON body that asks for a completion.
    ///
    /// # Errors
    /// Fails with [`ModelError::Unsupported`] on what a chat has no words for.
    pub fn request(&self, request: &Request) -> Result<String, ModelError> {
        let Body { fields, messages, .. } = self.body(request)?;
        Ok(whole(&fields, &messages))
    }

    /// The response that a completion's JSON stands for.
    ///
    /// # Errors
    /// Fails if it is no completion, or an error; in training also if it lacks token ids. Those of a
    /// prompt that only the tokenizer knows are lacking here.
    pub fn response(&self, request: &Request, completion: &str) -> Result<Response, ModelError> {
        let Config { base_url, model, .. } = &*self.config;
        let failures = Failures::new(base_url, model, Secret::default());
        let mut reply = self.reader.read(completion, &request.params, &failures)?;
        match reply.tokens.take() {
            None => Ok(reply.response),
            Some(Found::All(tokens)) => Ok(reply.with_tokens(tokens)),
            Some(Found::WithoutPrompt(_)) => {
                Err(failures.malformed("it has no `prompt_token_ids`"))
            }
        }
    }

    pub(super) fn body(&self, request: &Request) -> Result<Body, ModelError> {
        let unsupported = |Unsupported(reason)| ModelError::Unsupported { reason };
        let parameters = Parameters::new(&request.params).map_err(unsupported)?;
        let instructions = parameters.instructions.as_deref();
        let messages: Vec<Message<'_>> =
            messages::messages(instructions, request.input(), self.rules).map_err(unsupported)?;
        let is_over =
            !self.config.sequential_reasoning_allowed && messages::ends_in_silence(&messages);
        let fields = self.fields(&parameters).map_err(unsupported)?;
        Ok(Body { fields, messages: messages::write(&messages), is_over })
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
        Ok(fields)
    }
}

/// The JSON of a question to the tokenizer.
pub(super) fn tokenizer_body(fields: &Fields, messages: &str) -> String {
    let mut own = Fields::default();
    for (name, value) in fields.iter().filter(|(name, _)| TOKENIZED.contains(name)) {
        own.set_raw(name, value.to_owned());
    }
    whole(&own, messages)
}

/// The request's JSON.
pub(super) fn whole(fields: &Fields, messages: &str) -> String {
    let mut body = String::with_capacity(messages.len() + 1024);
    body.push('{');
    fields.write_into(&mut body);
    object::push_key(&mut body, "messages");
    body.push_str(messages);
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
