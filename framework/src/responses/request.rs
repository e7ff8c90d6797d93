//! What a model is asked: a task's creation parameters and the history that has grown since.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::fields::{Fields, push_key};
use super::item::{Item, ItemError, Role};

/// A `responses_create_params` object: the prompt, the tools and the sampling fields of a task.
///
/// Invariant: only the fields that the task set are held, as the text they came in, so only those
/// are sent on.
#[derive(Clone, Debug)]
pub struct CreateParams {
    input: Vec<Item>,
    fields: Fields,
    parallel_tool_calls: Option<bool>,
}

/// Why an object is not `responses_create_params`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// Not a JSON object.
    #[error("not an object of parameters: {0}")]
    Json(#[from] serde_json::Error),
    /// The prompt is absent.
    #[error("`input` is missing")]
    NoInput,
    /// The prompt is neither text nor a list.
    #[error("`input` is neither text nor a list of items")]
    Input,
    /// One item of the prompt is malformed.
    #[error("`input[{index}]`: {source}")]
    Item {
        /// Its place in the list.
        index: usize,
        /// What is wrong with it.
        source: ItemError,
    },
    /// A field that the Responses API does not have.
    #[error("unknown field `{field}`{}", nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownField {
        /// The field.
        field: String,
        /// The most similar known field.
        nearest: Option<String>,
    },
    /// A field of a wrong type.
    #[error("`{field}` is not {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// What a field's value must look like.
#[derive(Clone, Copy)]
enum Shape {
    Any,
    Number,
    Bool,
    Text,
    Object,
    TextMap,
    List,
    Tools,
    ToolChoice,
    NoStream,
}

/// Every field of a request besides `input`.
const KNOWN: [(&str, Shape); 26] = [
    ("background", Shape::Bool),
    ("include", Shape::List),
    ("instructions", Shape::Text),
    ("max_output_tokens", Shape::Number),
    ("max_tool_calls", Shape::Number),
    ("metadata", Shape::TextMap),
    ("model", Shape::Text),
    ("parallel_tool_calls", Shape::Bool),
    ("previous_response_id", Shape::Text),
    ("prompt", Shape::Object),
    ("prompt_cache_key", Shape::Text),
    ("reasoning", Shape::Object),
    ("safety_identifier", Shape::Text),
    ("service_tier", Shape::Text),
    ("store", Shape::Bool),
    ("stream", Shape::NoStream),
    ("stream_options", Shape::Any),
    ("temperature", Shape::Number),
    ("text", Shape::Object),
    ("tool_choice", Shape::ToolChoice),
    ("tools", Shape::Tools),
    ("top_logprobs", Shape::Number),
    ("top_p", Shape::Number),
    ("truncation", Shape::Text),
    ("user", Shape::Text),
    ("conversation", Shape::Any),
];

/// Fields whose `null` says the same as their absence, though the API refuses the `null`.
const NEVER_NULL: [&str; 3] = ["parallel_tool_calls", "tool_choice", "tools"];

impl CreateParams {
    /// Parses the JSON text of a `responses_create_params` object.
    ///
    /// # Errors
    /// See [`ParamsError`]. Unknown fields are errors, since a misspelled sampling field would
    /// change results without a word.
    pub fn parse(text: &str) -> Result<Self, ParamsError> {
        let mut fields = Fields::parse(text)?;
        let input = fields.remove("input").ok_or(ParamsError::NoInput)?;
        let input = parse_input(&input)?;
        for name in NEVER_NULL {
            if fields.contains(name) && fields.get_set(name).is_none() {
                fields.remove(name);
            }
        }
        for (field, value) in fields.iter() {
            check(field, value)?;
        }
        let parallel_tool_calls = fields
            .get_set("parallel_tool_calls")
            .and_then(|value| serde_json::from_str(value.get()).ok());
        Ok(Self { input, fields, parallel_tool_calls })
    }

    /// A prompt of one user message and nothing else.
    pub fn user(text: &str) -> Self {
        let input = vec![Item::message(Role::User, text)];
        Self { input, fields: Fields::default(), parallel_tool_calls: None }
    }

    /// The same parameters with another prompt.
    #[must_use]
    pub fn with_input(&self, input: Vec<Item>) -> Self {
        Self { input, ..self.clone() }
    }

    /// The prompt; a plain string has become one user message.
    pub fn input(&self) -> &[Item] {
        &self.input
    }

    /// The fields besides `input` that were set.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Sets a field besides `input` to JSON text.
    ///
    /// # Errors
    /// Fails on an unknown field or one of a wrong type.
    pub fn set(&mut self, field: &str, value: Box<RawValue>) -> Result<(), ParamsError> {
        check(field, &value)?;
        if field == "parallel_tool_calls" {
            self.parallel_tool_calls = serde_json::from_str(value.get()).ok();
        }
        self.fields.set_raw(field, value);
        Ok(())
    }

    /// Appends the object's JSON: what was set, and the input as a list.
    pub(crate) fn write_json(&self, out: &mut String) {
        out.push('{');
        self.fields.write_into(out);
        write_input(self.input.iter(), out);
        out.push('}');
    }

    /// Whether several tool calls of one step may run at the same time; the API's default is yes.
    pub fn parallel_tool_calls(&self) -> bool {
        self.parallel_tool_calls.unwrap_or(true)
    }
}

/// Appends the `input` list to the inside of an object's text.
fn write_input<'a>(items: impl Iterator<Item = &'a Item>, object: &mut String) {
    push_key(object, "input");
    object.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            object.push(',');
        }
        item.write_json(object);
    }
    object.push(']');
}

fn parse_input(input: &RawValue) -> Result<Vec<Item>, ParamsError> {
    match input.get().as_bytes()[0] {
        b'"' => {
            let text: String = serde_json::from_str(input.get())?;
            Ok(vec![Item::message(Role::User, &text)])
        }
        b'[' => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(input.get())?;
            let parse = |(index, item)| {
                Item::from_raw(item).map_err(|source| ParamsError::Item { index, source })
            };
            items.into_iter().enumerate().map(parse).collect()
        }
        _ => Err(ParamsError::Input),
    }
}

fn check(field: &str, value: &RawValue) -> Result<(), ParamsError> {
    let Some((name, shape)) = KNOWN.iter().find(|(name, _)| *name == field) else {
        let names = KNOWN.iter().map(|(name, _)| *name);
        let nearest = crate::config::nearest(field, names);
        return Err(ParamsError::UnknownField { field: field.to_owned(), nearest });
    };
    let expected = shape.refuse(value.get());
    expected.map_or(Ok(()), |expected| Err(ParamsError::Field { field: name, expected }))
}

impl Shape {
    /// What the value should have been, if it is not. `null` is always fine: it means the default.
    fn refuse(self, text: &str) -> Option<&'static str> {
        if text == "null" {
            return None;
        }
        let first = text.as_bytes()[0];
        let numeric = || {
            first == b'-' || first.is_ascii_digit() || text.trim_matches('"').parse::<f64>().is_ok()
        };
        let (fits, expected) = match self {
            Self::Any => (true, ""),
            Self::Number => (numeric(), "a number"),
            Self::Bool => (matches!(first, b't' | b'f'), "true or false"),
            Self::Text => (first == b'"', "text"),
            Self::Object => (first == b'{', "an object"),
            Self::List => (first == b'[', "a list"),
            Self::TextMap => (is_text_map(text), "an object whose values are text"),
            Self::Tools => (
                are_tools(text),
                "a list of tools, each with a `type` (and functions with a `name`)",
            ),
            Self::ToolChoice => {
                let word = matches!(text, r#""none""# | r#""auto""# | r#""required""#);
                (word || first == b'{', "`none`, `auto`, `required` or an object")
            }
            Self::NoStream => (first == b'f', "false (rollouts take whole responses)"),
        };
        (!fits).then_some(expected)
    }
}

fn is_text_map(text: &str) -> bool {
    serde_json::from_str::<std::collections::HashMap<String, String>>(text).is_ok()
}

fn are_tools(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Tool {
        r#type: String,
        name: Option<String>,
    }
    let tools: Result<Vec<Tool>, _> = serde_json::from_str(text);
    tools.is_ok_and(|tools| {
        tools.iter().all(|tool| tool.r#type != "function" || tool.name.is_some())
    })
}

/// One question to a model: the task's parameters and what has happened since.
#[derive(Clone, Debug)]
pub struct Request {
    /// The task's parameters, shared by all its rollouts.
    pub params: Arc<CreateParams>,
    /// Outputs of earlier calls and of the tools, in order.
    pub history: Vec<Item>,
}

impl Request {
    /// All items that the model sees, in order.
    pub fn input(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.params.input.iter().chain(&self.history)
    }

    /// The JSON body of the request: what the task set, overlaid with `overrides`, and the input.
    pub fn to_body(&self, overrides: &Fields) -> String {
        let mut body = String::with_capacity(1024);
        body.push('{');
        for (name, value) in self.params.fields.iter() {
            if !overrides.contains(name) {
                push_key(&mut body, name);
                body.push_str(value.get());
            }
        }
        overrides.write_into(&mut body);
        write_input(self.input(), &mut body);
        body.push('}');
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_task_set_is_sent_on() {
        let params = r#"{"input":"hi","temperature":0.5,"tools":null,"metadata":{"a":"b"}}"#;
        let params = Arc::new(CreateParams::parse(params).unwrap());
        let request = Request { params, history: vec![] };
        let mut overrides = Fields::default();
        overrides.set("model", "m");
        assert_eq!(
            request.to_body(&overrides),
            r#"{"temperature":0.5,"metadata":{"a":"b"},"model":"m","input":[{"content":"hi","role":"user","type":"message"}]}"#
        );
    }

    #[test]
    fn the_history_follows_the_prompt_as_text() {
        let params = Arc::new(CreateParams::user("hi"));
        let item = Item::parse(r#"{"type":"reasoning","id":"r","summary":[],"x":1.0}"#).unwrap();
        let body = Request { params, history: vec![item] }.to_body(&Fields::default());
        assert!(body.ends_with(r#",{"type":"reasoning","id":"r","summary":[],"x":1.0}]}"#));
    }

    #[test]
    fn malformed_parameters_say_what_is_wrong() {
        let cases = [
            (r#"{"tools":[]}"#, "`input` is missing"),
            (r#"{"input":5}"#, "`input` is neither text nor a list"),
            (r#"{"input":[{"role":"user"}]}"#, "`input[0]`: message item: `content`"),
            (r#"{"input":"a","seed":1}"#, "unknown field `seed`"),
            (r#"{"input":"a","temprature":1}"#, "did you mean `temperature`?"),
            (r#"{"input":"a","tool_choice":"zzz"}"#, "`tool_choice` is not `none`"),
            (r#"{"input":"a","metadata":{"a":1}}"#, "`metadata` is not an object whose values"),
            (r#"{"input":"a","tools":[{"type":"function"}]}"#, "`tools` is not a list of tools"),
            (r#"{"input":"a","stream":true}"#, "`stream` is not false"),
            (r#"{"input":"a","temperature":[]}"#, "`temperature` is not a number"),
            ("[]", "not an object of parameters"),
        ];
        for (text, expected) in cases {
            let error = CreateParams::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
