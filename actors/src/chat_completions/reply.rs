//! A chat's completion as a response.

use std::borrow::Cow;
use std::sync::Arc;

use framework::model::ModelError;
use framework::responses::{
    CreateParams, Excised, Fields, IncompleteReason, Item, Response, TokenData, Usage,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::completion::{Completion, Message, ToolCall};
use super::logprobs::{self, Taken};
use super::thought;
use super::tokens::{self, Found, Generated, Of};
use crate::object::{Object, first, push_key, push_text, text};
use crate::upstream::{Answer, Failures};

/// What a completion came to: a response, and the tokens that its last item is still to get.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) response: Response,
    pub(super) tokens: Option<Found>,
}

impl Answer for Reply {
    fn tokens(&self) -> Option<(u64, u64)> {
        self.response.tokens()
    }
}

/// How completions are read.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// The model's name, if the endpoint does not say it.
    pub(super) model: Arc<str>,
    /// Reasoning is told apart from text.
    pub(super) separate_reasoning: bool,
    /// Token ids are there.
    pub(super) tokens: bool,
    /// What is completed.
    pub(super) of: Of,
}

impl Reader {
    /// Reads a completion's text.
    ///
    /// # Errors
    /// Fails if it is none, or the generation did not end by itself.
    pub(super) fn read(
        &self,
        text: &str,
        params: &CreateParams,
        failures: &Failures,
    ) -> Result<Reply, ModelError> {
        if !self.tokens {
            return self.read_excised(text, &Excised::whole(text), None, params, failures);
        }
        if let Some(Taken { rest, ids, log_probs }) = logprobs::take(text) {
            let logged = Some(Generated { ids, log_probs });
            let reply = self.read_excised(&rest, &Excised::new(&rest), logged, params, failures);
            if reply.is_ok() {
                return reply;
            }
            // What is wrong is said of the whole.
        }
        self.read_plainly(text, params, failures)
    }

    /// Reads a completion with its token ids wherever they are.
    ///
    /// # Errors
    /// As above.
    pub(super) fn read_plainly(
        &self,
        text: &str,
        params: &CreateParams,
        failures: &Failures,
    ) -> Result<Reply, ModelError> {
        self.read_excised(text, &Excised::new(text), None, params, failures)
    }

    fn read_excised(
        &self,
        text: &str,
        excised: &Excised<'_>,
        logged: Option<Generated>,
        params: &CreateParams,
        failures: &Failures,
    ) -> Result<Reply, ModelError> {
        let malformed = |error: &dyn std::fmt::Display| {
            failures.malformed(format_args!("{error}; it says: {}", tokens::quoted(text)))
        };
        let completion: Result<Completion<'_>, _> = serde_json::from_str(excised.text());
        let is_understood = match &completion {
            Ok(completion) => completion.excised(excised) == excised.lists(),
            Err(_) => excised.lists() == 0,
        };
        if !is_understood {
            // There are lists in places that only the endpoint knows; they stay there.
            return self.read_excised(text, &Excised::whole(text), logged, params, failures);
        }
        let mut completion = completion.map_err(|error| malformed(&error))?;
        let error = completion.choice.as_ref().and_then(|choice| choice.error);
        if let Some(error) = completion.error.or(error) {
            return Err(failures.inner(error.get()));
        }
        if completion.choice.is_none() {
            // Older servers answer errors without an `error`.
            let is_error = completion.others.text("object").is_some_and(|tag| tag == "error");
            let none = || malformed(&"it has no choice");
            return Err(if is_error { failures.inner(text) } else { none() });
        }
        let tokens = match self.tokens {
            true => Some(
                tokens::take(&mut completion, excised, logged, self.of)
                    .map_err(|error| malformed(&error))?,
            ),
            false => None,
        };
        let choice = completion.choice.take().unwrap_or_default();
        let incomplete = incomplete(choice.finish_reason.as_deref(), failures)?;
        let logprobs = choice.logprobs.filter(|_| !self.tokens);
        let mut written = Written::new(choice.message, self.separate_reasoning, logprobs)
            .map_err(|error| malformed(&error))?;
        if let Some(experts) = choice.routed_experts {
            written.add_to_last("routed_experts", experts);
        }
        let items = written.items().map_err(|error| malformed(&error))?;
        let model = completion.model.map_or_else(|| self.model.clone(), Arc::from);
        let mut response = Response::new(format!("resp_{}", unique()), model, items);
        response.created_at = completion.created.unwrap_or(response.created_at);
        response.usage = completion.usage.and_then(usage);
        response.incomplete = incomplete;
        let others = [completion.others, choice.others].into_iter();
        let others = others.flat_map(|object| object.others(&["object"]));
        Ok(Reply { response: response.with_fields(echo(params, others)), tokens })
    }
}

impl Reply {
    /// The response, with its tokens on its last item.
    pub(super) fn with_tokens(self, tokens: TokenData) -> Response {
        let mut response = self.response;
        if let Some(last) = response.output.pop() {
            response.output.push(last.with_tokens(tokens));
        }
        response
    }
}

/// A response with one empty message, which stopped short.
pub(crate) fn silence(params: &CreateParams, model: &str, reason: IncompleteReason) -> Response {
    let item = Item::output_message(&format!("msg_{}", unique()), "");
    let mut response = Response::new(format!("resp_{}", unique()), model.into(), vec![item]);
    response.incomplete = Some(reason);
    response.with_fields(echo(params, std::iter::empty()))
}

/// What the request set, and what the endpoint adds.
pub(crate) fn echo<'a>(
    params: &CreateParams,
    others: impl Iterator<Item = (Cow<'a, str>, &'a RawValue)>,
) -> Fields {
    let mut fields = params.fields().clone();
    for (name, value) in
        [("parallel_tool_calls", "true"), ("tool_choice", "\"auto\""), ("tools", "[]")]
    {
        if fields.get_set(name).is_none() {
            let value = RawValue::from_string(value.to_owned()).expect("it is JSON");
            fields.set_raw(name, value);
        }
    }
    for (name, value) in others {
        if !fields.contains(&name) {
            fields.set_raw(&name, value.to_owned());
        }
    }
    fields
}

/// Thirty-two random hexadecimal digits.
pub(crate) fn unique() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Why a generation stopped short, if it did.
fn incomplete(
    reason: Option<&str>,
    failures: &Failures,
) -> Result<Option<IncompleteReason>, ModelError> {
    match reason.unwrap_or("stop") {
        "stop" | "tool_calls" | "function_call" | "eos_token" | "stop_sequence" => Ok(None),
        "length" | "max_tokens" => Ok(Some(IncompleteReason::MaxOutputTokens)),
        "content_filter" => Ok(Some(IncompleteReason::ContentFilter)),
        reason @ ("abort" | "error" | "insufficient_system_resource") => {
            Err(failures.inner(&format!("the generation was given up: `finish_reason: {reason}`")))
        }
        reason => Err(failures.malformed(format_args!("unknown `finish_reason: {reason}`"))),
    }
}

/// Usage as the Responses API counts it; a detail that is missing or no number is unknown.
fn usage(usage: &RawValue) -> Option<Usage> {
    let usage: Value = serde_json::from_str(usage.get()).ok()?;
    let input_tokens = usage["prompt_tokens"].as_u64()?;
    let output_tokens = usage["completion_tokens"].as_u64()?;
    let first = |paths: &[&str]| paths.iter().find_map(|path| usage.pointer(path)?.as_u64());
    let sum = input_tokens.saturating_add(output_tokens);
    Some(Usage {
        input_tokens,
        cached_tokens: first(&[
            "/prompt_tokens_details/cached_tokens",
            "/cached_input_tokens",
            "/cache_read_input_tokens",
        ]),
        output_tokens,
        reasoning_tokens: first(&[
            "/completion_tokens_details/reasoning_tokens",
            "/reasoning_output_tokens",
        ]),
        total_tokens: usage["total_tokens"].as_u64().unwrap_or(sum),
    })
}

/// The items of a message, as the inside of JSON objects that are still open.
pub(super) struct Written(Vec<String>);

impl Written {
    pub(super) fn new(
        message: Message<'_>,
        separate_reasoning: bool,
        logprobs: Option<&RawValue>,
    ) -> Result<Self, String> {
        let said = message.content.map(said).transpose()?.unwrap_or_default();
        if message.reasoning.is_some() && !separate_reasoning {
            let reason = "it tells reasoning apart; set `settings.uses_reasoning_parser: true`";
            return Err(reason.to_owned());
        }
        let (inline, rest) = match separate_reasoning {
            true => thought::extract(&said),
            false => (Vec::new(), said.to_string()),
        };
        let thoughts = message.reasoning.as_deref().into_iter().chain(inline);
        let mut items = Self(Vec::new());
        items.thoughts(thoughts.collect());
        let refusal = message.refusal.filter(|refusal| !refusal.is_empty());
        let is_silent = items.0.is_empty() && message.tool_calls.is_empty();
        if !rest.is_empty() || refusal.is_some() || is_silent {
            items.message(&rest, refusal.as_deref(), message.annotations, logprobs);
        }
        for call in &message.tool_calls {
            items.call(call)?;
        }
        items.others(message.others);
        if let Some(experts) = message.routed_experts {
            items.add_to_last("routed_experts", experts);
        }
        Ok(items)
    }

    fn thoughts(&mut self, thoughts: Vec<&str>) {
        if thoughts.is_empty() {
            return;
        }
        let mut item = format!(r#"{{"id":"rs_{}","summary":["#, unique());
        for (index, thought) in thoughts.into_iter().enumerate() {
            item.push_str(if index > 0 { ",{\"text\":" } else { "{\"text\":" });
            push_text(&mut item, thought);
            item.push_str(",\"type\":\"summary_text\"}");
        }
        item.push_str("],\"type\":\"reasoning\"");
        self.0.push(item);
    }

    fn message(
        &mut self,
        text: &str,
        refusal: Option<&str>,
        annotations: Option<&RawValue>,
        logprobs: Option<&RawValue>,
    ) {
        let mut item = format!(r#"{{"id":"msg_{}","content":["#, unique());
        if !text.is_empty() || refusal.is_none() {
            let annotations = annotations.map_or("[]", RawValue::get);
            item.extend(["{\"annotations\":", annotations, ",\"text\":"]);
            push_text(&mut item, text);
            item.push_str(",\"type\":\"output_text\"");
            if let Some(logprobs) = logprobs.and_then(contents) {
                item.extend([",\"logprobs\":", logprobs.get()]);
            }
            item.push('}');
        }
        if let Some(refusal) = refusal {
            item.push_str(if text.is_empty() { "{\"refusal\":" } else { ",{\"refusal\":" });
            push_text(&mut item, refusal);
            item.push_str(",\"type\":\"refusal\"}");
        }
        item.push_str("],\"role\":\"assistant\",\"status\":\"completed\",\"type\":\"message\"");
        self.0.push(item);
    }

    fn call(&mut self, call: &ToolCall<'_>) -> Result<(), String> {
        let id = call.id.as_ref().map(|id| id.0.as_ref()).filter(|id| !id.is_empty());
        let id = id.map_or_else(|| format!("call_{}", unique()), str::to_owned);
        let arguments = match call.function.arguments {
            None => "\"\"".to_owned(),
            Some(text) if first(text) == b'"' => text.get().to_owned(),
            Some(json) => serde_json::to_string(json.get()).map_err(|error| error.to_string())?,
        };
        let mut item = format!(r#"{{"arguments":{arguments},"call_id":"#);
        push_text(&mut item, &id);
        item.push_str(",\"name\":");
        push_text(&mut item, &call.function.name.0);
        item.push_str(",\"type\":\"function_call\",\"id\":");
        push_text(&mut item, &id);
        item.push_str(",\"status\":\"completed\"");
        self.0.push(item);
        Ok(())
    }

    /// What else the message says goes onto its first item, and comes back with the next request.
    fn others(&mut self, others: Object<'_>) {
        const KNOWN: [&str; 2] = ["function_call", "audio"];
        let Some(item) = self.0.first_mut() else { return };
        for (name, value) in others.others(&KNOWN) {
            push_key(item, &name);
            item.push_str(value.get());
        }
    }

    fn add_to_last(&mut self, name: &str, value: &RawValue) {
        if let Some(item) = self.0.last_mut() {
            push_key(item, name);
            item.push_str(value.get());
        }
    }

    pub(super) fn items(self) -> Result<Vec<Item>, String> {
        let items = self.0.into_iter().map(|item| Item::parse(&format!("{item}}}")));
        items.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }
}

/// The list of `logprobs`, as output text has it.
fn contents(logprobs: &RawValue) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct LogProbs<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    serde_json::from_str::<LogProbs<'_>>(logprobs.get()).ok()?.content
}

/// What a message says: its text, or the texts of its parts.
fn said(content: &RawValue) -> Result<Cow<'_, str>, String> {
    match first(content) {
        b'"' => text(content).ok_or_else(|| "its content is no text".to_owned()),
        b'n' => Ok(Cow::Borrowed("")),
        b'[' => {
            let parts: Vec<Object<'_>> =
                serde_json::from_str(content.get()).map_err(|error| error.to_string())?;
            let texts = parts.iter().map(|part| {
                let tag = part.text("type").unwrap_or_default();
                part.text("text").ok_or_else(|| format!("its content has a part of type `{tag}`"))
            });
            Ok(Cow::Owned(texts.collect::<Result<_, _>>()?))
        }
        _ => Err("its content is neither text nor parts".to_owned()),
    }
}
