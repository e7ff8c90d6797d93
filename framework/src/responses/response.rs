//! What a model answers: the fields that the runtime looks at are typed, the rest stays text for the
//! record.

use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::fields::{Fields, push_json_string, push_key};
use super::item::{Item, ItemError};
use super::tokens::Excised;

/// A response object.
///
/// Fields that the runtime does not look at are kept as text; a rollout's record writes them back.
#[derive(Clone, Debug)]
pub struct Response {
    /// The response's id.
    pub id: Box<str>,
    /// When it was made, in seconds since 1970.
    pub created_at: f64,
    /// The model that made it.
    pub model: Arc<str>,
    /// What it says, in order.
    pub output: Vec<Item>,
    /// What it cost, if the endpoint counts.
    pub usage: Option<Usage>,
    /// Why it stopped short, if it did.
    pub incomplete: Option<IncompleteReason>,
    /// All other fields, as the inside of a JSON object.
    rest: Arc<str>,
}

/// Why a model stopped before it was done.
#[derive(Clone, Debug, PartialEq)]
pub enum IncompleteReason {
    /// It ran into its limit of output tokens.
    MaxOutputTokens,
    /// A content filter cut it off.
    ContentFilter,
    /// Something else, in the endpoint's words.
    Other(Box<str>),
}

impl IncompleteReason {
    /// The word that stands in `incomplete_details.reason`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::MaxOutputTokens => "max_output_tokens",
            Self::ContentFilter => "content_filter",
            Self::Other(reason) => reason,
        }
    }
}

/// Tokens that a response cost. `None` in a detail means unknown, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Of those, tokens read from a cache.
    pub cached_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: u64,
    /// Of those, tokens of reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Tokens in all, as the endpoint counts.
    pub total_tokens: u64,
}

impl Usage {
    /// The sum of two usages; a detail that either side does not know is unknown.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let both = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_tokens: both(self.cached_tokens, other.cached_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            reasoning_tokens: both(self.reasoning_tokens, other.reasoning_tokens),
            total_tokens: self.total_tokens.saturating_add(other.total_tokens),
        }
    }
}

/// Why JSON is not a response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Not a JSON object, or a field of a wrong JSON type.
    #[error("not a response object: {0}")]
    Json(#[from] serde_json::Error),
    /// A field without which it is no response.
    #[error("response has no `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// One item of the output is malformed.
    #[error("response `output[{index}]`: {source}")]
    Item {
        /// Its place in the output.
        index: usize,
        /// What is wrong with it.
        source: ItemError,
    },
}

/// Fields of a response that are written as `null` when nobody set them, besides those of the struct.
const NULLABLE: [&str; 22] = [
    "error",
    "instructions",
    "metadata",
    "parallel_tool_calls",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "background",
    "conversation",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "text",
    "top_logprobs",
    "truncation",
    "user",
];

/// Fields that the struct holds, or that follow from those it holds.
const OWN: [&str; 8] =
    ["id", "created_at", "model", "object", "output", "usage", "status", "incomplete_details"];

/// The rest of a response that a model of our own makes.
static PLAIN_REST: LazyLock<Arc<str>> = LazyLock::new(|| {
    let mut fields = Fields::default();
    fields.set("parallel_tool_calls", &true);
    fields.set("tool_choice", "auto");
    fields.set("tools", &[(); 0]);
    rest(fields)
});

fn rest(mut fields: Fields) -> Arc<str> {
    for name in NULLABLE {
        if !fields.contains(name) {
            fields.set(name, &());
        }
    }
    let mut text = String::from("{");
    fields.write_into(&mut text);
    Arc::from(&text[1..])
}

impl Response {
    /// A complete response with the given output.
    pub fn new(id: impl Into<Box<str>>, model: Arc<str>, output: Vec<Item>) -> Self {
        let since_epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            id: id.into(),
            created_at: since_epoch.as_secs() as f64,
            model,
            output,
            usage: None,
            incomplete: None,
            rest: PLAIN_REST.clone(),
        }
    }

    /// The same response with these as its other fields: what the request set, and what the endpoint
    /// adds. Those that the struct has are its own.
    #[must_use]
    pub fn with_fields(mut self, mut fields: Fields) -> Self {
        for name in OWN {
            fields.remove(name);
        }
        self.rest = rest(fields);
        self
    }

    /// Parses the JSON text of a response object.
    ///
    /// # Errors
    /// See [`ResponseError`]. `id` and `output` must be there, and every output item be known.
    pub fn parse(text: &str) -> Result<Self, ResponseError> {
        let excised = Excised::new(text);
        match Self::parse_excised(&excised) {
            // What was taken out may not have been what it looked like.
            Err(_) if excised.lists() > 0 => Self::parse_excised(&Excised::whole(text)),
            response => response,
        }
    }

    fn parse_excised(excised: &Excised<'_>) -> Result<Self, ResponseError> {
        let mut fields = Fields::parse(excised.text())?;
        let id = required::<Box<str>>(&mut fields, "id")?;
        let items = required::<Vec<Box<RawValue>>>(&mut fields, "output")?;
        let parse = |(index, item)| {
            Item::from_excised(item, excised)
                .map_err(|source| ResponseError::Item { index, source })
        };
        let output = items.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        let details = optional::<WireIncomplete>(&mut fields, "incomplete_details")?;
        let response = Self {
            id,
            output,
            created_at: optional(&mut fields, "created_at")?.unwrap_or_default(),
            model: optional::<Arc<str>>(&mut fields, "model")?.unwrap_or_else(|| Arc::from("")),
            usage: optional::<WireUsage>(&mut fields, "usage")?.map(Usage::from),
            incomplete: details.and_then(|details| details.reason).map(IncompleteReason::from),
            rest: {
                fields.remove("object");
                fields.remove("status");
                fields.restore(excised)?;
                rest(fields)
            },
        };
        Ok(response)
    }

    /// Decodes a field that has no place of its own here, such as `error`; `None` if it is absent,
    /// `null` or of another type.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let fields = Fields::parse(&format!("{{{}}}", self.rest)).ok()?;
        serde_json::from_str(fields.get_set(name)?.get()).ok()
    }

    /// The text of the last assistant message, if there is one.
    pub fn last_assistant_text(&self) -> Option<String> {
        let mut items = self.output.iter().rev();
        items.find(|item| item.is_message_of(super::Role::Assistant)).map(Item::text)
    }

    /// Appends the response's JSON, with every field of the API: those nobody set are `null`.
    pub fn write_json(&self, out: &mut String) {
        out.push_str("{\"id\":");
        push_json_string(out, &self.id);
        push_key(out, "created_at");
        push_number(out, self.created_at);
        push_key(out, "model");
        push_json_string(out, &self.model);
        out.push_str(",\"object\":\"response\",\"status\":");
        out.push_str(if self.incomplete.is_some() { "\"incomplete\"" } else { "\"completed\"" });
        out.push_str(",\"incomplete_details\":");
        match &self.incomplete {
            Some(reason) => {
                out.push_str("{\"reason\":");
                push_json_string(out, reason.as_str());
                out.push('}');
            }
            None => out.push_str("null"),
        }
        out.push_str(",\"output\":[");
        for (index, item) in self.output.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            item.write_json(out);
        }
        out.push_str("],\"usage\":");
        match &self.usage {
            Some(usage) => usage.write_json(out),
            None => out.push_str("null"),
        }
        out.push(',');
        out.push_str(&self.rest);
        out.push('}');
    }
}

fn push_number(out: &mut String, value: f64) {
    out.push_str(&serde_json::to_string(&value).expect("a number serialises to JSON"));
}

impl Usage {
    fn write_json(&self, out: &mut String) {
        let mut buffer = itoa::Buffer::new();
        let mut push = |out: &mut String, before: &str, value: Option<u64>| {
            out.push_str(before);
            match value {
                Some(value) => out.push_str(buffer.format(value)),
                None => out.push_str("null"),
            }
        };
        push(out, "{\"input_tokens\":", Some(self.input_tokens));
        push(out, ",\"input_tokens_details\":{\"cached_tokens\":", self.cached_tokens);
        push(out, "},\"output_tokens\":", Some(self.output_tokens));
        push(out, ",\"output_tokens_details\":{\"reasoning_tokens\":", self.reasoning_tokens);
        push(out, "},\"total_tokens\":", Some(self.total_tokens));
        out.push('}');
    }
}

fn optional<T: for<'de> Deserialize<'de>>(
    fields: &mut Fields,
    name: &str,
) -> Result<Option<T>, serde_json::Error> {
    match fields.remove(name) {
        Some(value) => serde_json::from_str::<Option<T>>(value.get()),
        None => Ok(None),
    }
}

fn required<T: for<'de> Deserialize<'de>>(
    fields: &mut Fields,
    field: &'static str,
) -> Result<T, ResponseError> {
    optional(fields, field)?.ok_or(ResponseError::Missing { field })
}

#[derive(Deserialize)]
struct WireIncomplete {
    reason: Option<String>,
}

impl From<String> for IncompleteReason {
    fn from(reason: String) -> Self {
        match reason.as_str() {
            "max_output_tokens" => Self::MaxOutputTokens,
            "content_filter" => Self::ContentFilter,
            _ => Self::Other(reason.into()),
        }
    }
}

#[derive(Deserialize)]
struct WireUsage {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let sum = wire.input_tokens.saturating_add(wire.output_tokens);
        Self {
            input_tokens: wire.input_tokens,
            cached_tokens: wire.input_tokens_details.and_then(|details| details.cached_tokens),
            output_tokens: wire.output_tokens,
            reasoning_tokens: wire
                .output_tokens_details
                .and_then(|details| details.reasoning_tokens),
            total_tokens: wire.total_tokens.unwrap_or(sum),
        }
    }
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        self.write_json(&mut text);
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(text.get()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const WIRE: &str = r#"{"id":"resp_1","created_at":1756074069.0,"error":null,
        "incomplete_details":{"reason":"max_output_tokens"},"model":"m","object":"response",
        "output":[{"id":"msg","content":[{"annotations":[],"text":"hi","type":"output_text"}],
        "role":"assistant","status":"completed","type":"message"}],"parallel_tool_calls":true,
        "tool_choice":"auto","tools":[],"zzz":1,"usage":{"input_tokens":3,"output_tokens":4,
        "total_tokens":7,"output_tokens_details":{"reasoning_tokens":0}}}"#;

    #[test]
    fn a_response_keeps_every_field_and_fills_the_others_with_null() {
        let response = Response::parse(WIRE).unwrap();
        assert_eq!(response.incomplete, Some(IncompleteReason::MaxOutputTokens));
        assert_eq!(response.last_assistant_text().as_deref(), Some("hi"));
        let mut text = String::new();
        response.write_json(&mut text);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["zzz"], 1);
        assert_eq!((response.field("zzz"), response.field::<Value>("error")), (Some(1), None));
        assert_eq!(value["status"], "incomplete");
        assert_eq!(value["safety_identifier"], Value::Null);
        assert!(value.as_object().unwrap().contains_key("safety_identifier"));
        assert_eq!(value["usage"]["output_tokens_details"]["reasoning_tokens"], 0);
        assert_eq!(value["usage"]["input_tokens_details"]["cached_tokens"], Value::Null);
        assert_eq!(value["output"][0]["content"][0]["text"], "hi");
    }

    #[test]
    fn a_response_of_our_own_is_valid_json() {
        let item = Item::output_message("m", "a\nb");
        let response = Response::new("r", Arc::from("scripted"), vec![item]);
        let again = Response::parse(&serde_json::to_string(&response).unwrap()).unwrap();
        assert_eq!(again.last_assistant_text().as_deref(), Some("a\nb"));
    }

    #[test]
    fn usage_adds_up_and_unknown_details_stay_unknown() {
        let known = Usage { input_tokens: 1, cached_tokens: Some(1), ..Usage::default() };
        let unknown = Usage { input_tokens: 2, ..Usage::default() };
        assert_eq!(known.plus(known).cached_tokens, Some(2));
        assert_eq!(known.plus(unknown).cached_tokens, None);
        assert_eq!(known.plus(unknown).input_tokens, 3);
    }

    #[test]
    fn long_lists_of_tokens_stay_where_they_are_and_what_they_are() {
        let ids = serde_json::to_string(&(0..500).collect::<Vec<u32>>()).unwrap();
        let log_probs = serde_json::to_string(&vec![-0.25; 500]).unwrap();
        let item = format!(
            r#"{{"type":"message","role":"assistant","content":"x","prompt_token_ids":{ids},"generation_token_ids":{ids},"generation_log_probs":{log_probs}}}"#
        );
        for (elsewhere, is_valid) in [
            (format!(r#"{{"token_ids":{ids}}}"#), true),
            (format!(r#"{{"token_ids":["]",{}]}}"#, &ids[1..ids.len() - 1]), true),
            (format!(r#"{{"token_ids":[{},]}}"#, &ids[1..ids.len() - 1]), false),
        ] {
            let text = format!(r#"{{"id":"r","output":[{item}],"other":{elsewhere}}}"#);
            let parsed = Response::parse(&text);
            assert_eq!(parsed.is_ok(), is_valid, "{elsewhere:.40}");
            let Ok(response) = parsed else { continue };
            let again = serde_json::to_string(&response).unwrap();
            assert!(again.contains(&item) && again.contains(&elsewhere));
            assert_eq!(response.output[0].tokens().unwrap().generation_token_ids.len(), 500);
        }
        let broken = item.replacen("499]", "499,]", 1);
        assert!(Response::parse(&format!(r#"{{"id":"r","output":[{broken}]}}"#)).is_err());
    }

    #[test]
    fn garbage_is_no_response() {
        for (text, expected) in [
            ("<html>", "not a response object"),
            (r#"{"output":[]}"#, "response has no `id`"),
            (r#"{"id":"r"}"#, "response has no `output`"),
            (r#"{"id":"r","output":[{"type":"zzz"}]}"#, "`output[0]`: unknown item type"),
            (r#"{"id":"r","output":5}"#, "not a response object"),
        ] {
            let error = Response::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
