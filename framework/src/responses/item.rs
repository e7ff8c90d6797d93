//! One item of a conversation: a message, a function call, its output, reasoning, or a hosted tool's
//! item that is passed through.
//!
//! The kind is found by the `type` tag, or by shape where the tag is absent, so that a wrong item
//! gives one precise error instead of one per alternative.

mod probe;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use probe::{Probe, Rewrite, without};

use super::fields::Fields;
use super::tokens::{Excised, TokenData};

/// A shared, immutable item. Cloning it costs a reference count.
#[derive(Clone, Debug)]
pub struct Item(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The item's JSON without the token fields.
    text: Box<RawValue>,
    kind: ItemKind,
    /// Few items carry tokens, so they take room of their own.
    tokens: Option<Box<TokenData>>,
}

/// What an item is, with what the runtime itself has to look at.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// Something said by somebody.
    Message(Role),
    /// The model wants a tool run.
    FunctionCall(FunctionCall),
    /// What a tool answered.
    FunctionCallOutput,
    /// The model's reasoning.
    Reasoning,
    /// An item of a hosted tool (`web_search_call`, `mcp_call`, …), passed through untouched.
    Hosted,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The operator.
    System,
    /// The operator, as newer models call it.
    Developer,
    /// A chat-shaped tool answer, as some datasets embed it.
    Tool,
}

/// A call that the model wants made.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// Ties the output to the call.
    pub call_id: Box<str>,
    /// The tool's name, as the model wrote it.
    pub name: Box<str>,
    /// The arguments, as the model wrote them: meant to be JSON, not checked to be.
    pub arguments: Box<str>,
}

/// Why JSON is not an item.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// Not an object, or a field of a wrong JSON type.
    #[error("not a conversation item: {0}")]
    Json(#[from] serde_json::Error),
    /// No `type`, and no shape that gives it away.
    #[error("item has no `type` and no shape of a known item")]
    Untyped,
    /// A `type` that no item has.
    #[error("unknown item type `{tag}`")]
    UnknownType {
        /// The `type` found.
        tag: String,
    },
    /// A field that this type of item needs.
    #[error("{tag} item: `{field}` is missing or not {expected}")]
    Field {
        /// The item's type.
        tag: &'static str,
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Some but not all of the three token fields.
    #[error("token fields come together, but `{missing}` is missing")]
    PartialTokens {
        /// The first absent field.
        missing: &'static str,
    },
    /// As many log-probabilities as generated tokens are needed.
    #[error("{ids} generated token ids, but {log_probs} log-probabilities")]
    TokenLengths {
        /// Generated ids.
        ids: usize,
        /// Log-probabilities.
        log_probs: usize,
    },
}

impl Item {
    /// Parses an item's JSON text.
    ///
    /// # Errors
    /// See [`ItemError`].
    pub fn parse(text: &str) -> Result<Self, ItemError> {
        Self::from_raw(serde_json::from_str(text)?)
    }

    /// Takes an item's JSON text as it is.
    ///
    /// # Errors
    /// See [`ItemError`].
    pub fn from_raw(text: Box<RawValue>) -> Result<Self, ItemError> {
        Self::from_excised(text, &Excised::whole(""))
    }

    /// Takes an item's JSON text out of a larger one whose long lists of tokens have been taken out.
    pub(super) fn from_excised(
        text: Box<RawValue>,
        excised: &Excised<'_>,
    ) -> Result<Self, ItemError> {
        let probe: Probe<'_> = serde_json::from_str(text.get())?;
        let kind = probe.kind()?;
        let tokens = probe.tokens(excised)?;
        let rewrite = probe.rewrite(&kind, tokens.is_some());
        let text = match rewrite {
            Rewrite::None => text,
            Rewrite::Without { tag, fields } => without(&text, tag, fields)?,
        };
        let text = match excised.restore(&text)? {
            std::borrow::Cow::Owned(restored) => restored,
            std::borrow::Cow::Borrowed(_) => text,
        };
        Ok(Self::of(text, kind, tokens))
    }

    /// A message whose content is plain text.
    pub fn message(role: Role, text: &str) -> Self {
        #[derive(Serialize)]
        struct Message<'a> {
            content: &'a str,
            role: Role,
            r#type: &'static str,
        }
        Self::built(ItemKind::Message(role), &Message { content: text, role, r#type: "message" })
    }

    /// A message as a model writes it: one `output_text` part.
    pub fn output_message(id: &str, text: &str) -> Self {
        #[derive(Serialize)]
        struct Part<'a> {
            annotations: [(); 0],
            text: &'a str,
            r#type: &'static str,
        }
        #[derive(Serialize)]
        struct Message<'a> {
            id: &'a str,
            content: [Part<'a>; 1],
            role: Role,
            status: &'static str,
            r#type: &'static str,
        }
        let part = Part { annotations: [], text, r#type: "output_text" };
        let role = Role::Assistant;
        let message = Message { id, content: [part], role, status: "completed", r#type: "message" };
        Self::built(ItemKind::Message(role), &message)
    }

    /// A function call as a model writes it.
    pub fn function_call(id: &str, call: FunctionCall) -> Self {
        #[derive(Serialize)]
        struct Call<'a> {
            arguments: &'a str,
            call_id: &'a str,
            name: &'a str,
            r#type: &'static str,
            id: &'a str,
            status: &'static str,
        }
        let item = Call {
            arguments: &call.arguments,
            call_id: &call.call_id,
            name: &call.name,
            r#type: "function_call",
            id,
            status: "completed",
        };
        let text = to_raw_value(&item).expect("plain data serialises to JSON");
        Self::of(text, ItemKind::FunctionCall(call), None)
    }

    /// The output of a function call, for the model to read.
    pub fn function_call_output(call_id: &str, output: &str) -> Self {
        #[derive(Serialize)]
        struct Output<'a> {
            call_id: &'a str,
            output: &'a str,
            r#type: &'static str,
        }
        let item = Output { call_id, output, r#type: "function_call_output" };
        Self::built(ItemKind::FunctionCallOutput, &item)
    }

    fn built(kind: ItemKind, item: &impl Serialize) -> Self {
        let text = to_raw_value(item).expect("plain data serialises to JSON");
        Self::of(text, kind, None)
    }

    fn of(text: Box<RawValue>, kind: ItemKind, tokens: Option<TokenData>) -> Self {
        Self(Arc::new(Inner { text, kind, tokens: tokens.map(Box::new) }))
    }

    /// The same item carrying the tokens of the call that made it.
    #[must_use]
    pub fn with_tokens(&self, tokens: TokenData) -> Self {
        let inner = &*self.0;
        Self::of(inner.text.clone(), inner.kind.clone(), Some(tokens))
    }

    /// What the item is.
    pub fn kind(&self) -> &ItemKind {
        &self.0.kind
    }

    /// The call, if it is one.
    pub fn as_function_call(&self) -> Option<&FunctionCall> {
        match &self.0.kind {
            ItemKind::FunctionCall(call) => Some(call),
            ItemKind::Message(_)
            | ItemKind::FunctionCallOutput
            | ItemKind::Reasoning
            | ItemKind::Hosted => None,
        }
    }

    /// Whether it is a message of that role.
    pub fn is_message_of(&self, role: Role) -> bool {
        self.0.kind == ItemKind::Message(role)
    }

    /// The tokens of the call that it ends, if they were asked for.
    pub fn tokens(&self) -> Option<&TokenData> {
        self.0.tokens.as_deref()
    }

    /// The item's JSON without the token fields.
    pub fn json(&self) -> &RawValue {
        &self.0.text
    }

    /// Decodes one field of the item; `None` if it is absent, `null` or of another type.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let fields = Fields::parse(self.0.text.get()).ok()?;
        serde_json::from_str(fields.get_set(name)?.get()).ok()
    }

    /// The plain text of a message or a tool output: its string, or its text parts joined without a
    /// separator. Refusals and other parts count as nothing.
    pub fn text(&self) -> String {
        let name = match self.0.kind {
            ItemKind::FunctionCallOutput => "output",
            ItemKind::Message(_)
            | ItemKind::FunctionCall(_)
            | ItemKind::Reasoning
            | ItemKind::Hosted => "content",
        };
        self.field::<Content>(name).map(Content::into_text).unwrap_or_default()
    }

    /// Appends the item's whole JSON, token fields included.
    pub fn write_json(&self, out: &mut String) {
        let text = self.0.text.get();
        if self.0.tokens.is_none() {
            out.push_str(text);
            return;
        }
        let open = text.trim_end().strip_suffix('}').expect("an item's text is a JSON object");
        out.push_str(open);
        self.write_tokens(out);
        out.push('}');
    }

    /// Appends the token fields, if there are any, to the inside of an object's text that is not
    /// empty.
    pub fn write_tokens(&self, object: &mut String) {
        if let Some(tokens) = &self.0.tokens {
            tokens.write_into(object);
        }
    }
}

/// A message's content: a string, or parts of which only those with text matter here.
struct Content(String);

impl Content {
    fn into_text(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Part {
            text: Option<String>,
        }
        struct ContentVisitor;
        impl<'de> serde::de::Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text, or a list of parts")
            }

            fn visit_str<E>(self, value: &str) -> Result<Content, E> {
                Ok(Content(value.to_owned()))
            }

            fn visit_seq<S: serde::de::SeqAccess<'de>>(
                self,
                mut parts: S,
            ) -> Result<Content, S::Error> {
                let mut text = String::new();
                while let Some(part) = parts.next_element::<Part>()? {
                    text.push_str(&part.text.unwrap_or_default());
                }
                Ok(Content(text))
            }
        }
        deserializer.deserialize_any(ContentVisitor)
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.tokens.is_none() {
            return self.0.text.serialize(serializer);
        }
        let mut text = String::new();
        self.write_json(&mut text);
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_raw(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(item: &Item) -> String {
        serde_json::to_string(item).unwrap()
    }

    #[test]
    fn unknown_fields_of_a_known_item_are_kept() {
        let text = r#"{"type":"message","role":"user","content":"hi","zzz":{"a":1}}"#;
        assert_eq!(json(&Item::parse(text).unwrap()), text);
    }

    #[test]
    fn an_untyped_item_is_known_by_its_shape() {
        let call = Item::parse(r#"{"name":"f","arguments":"{}","call_id":"c"}"#).unwrap();
        assert_eq!(&*call.as_function_call().unwrap().name, "f");
        assert!(json(&call).contains(r#""type":"function_call""#));
        let message = Item::parse(r#"{"role":"user","content":"hi"}"#).unwrap();
        assert_eq!(json(&message), r#"{"role":"user","content":"hi"}"#);
        let reasoning = Item::parse(r#"{"id":"r","summary":[]}"#).unwrap();
        assert_eq!(*reasoning.kind(), ItemKind::Reasoning);
    }

    #[test]
    fn the_text_of_a_message_joins_its_parts() {
        let parts = r#"{"role":"user","content":[{"type":"input_text","text":"a"},
            {"type":"input_image","detail":"auto"},{"type":"input_text","text":"b"}]}"#;
        assert_eq!(Item::parse(parts).unwrap().text(), "ab");
        assert_eq!(Item::message(Role::User, "x\"y").text(), "x\"y");
        assert_eq!(Item::output_message("m", "é").text(), "é");
        assert_eq!(Item::function_call_output("c", "{}").text(), "{}");
    }

    #[test]
    fn reasoning_loses_its_status() {
        let item =
            Item::parse(r#"{"type":"reasoning","id":"r","summary":[],"status":"completed"}"#);
        assert_eq!(json(&item.unwrap()), r#"{"type":"reasoning","id":"r","summary":[]}"#);
    }

    #[test]
    fn token_fields_become_compact_and_come_back() {
        let text = r#"{"type":"message","role":"assistant","content":"x","generation_token_ids":["2",3],"prompt_token_ids":[1],"generation_log_probs":[0,-0.5]}"#;
        let item = Item::parse(text).unwrap();
        assert_eq!(item.tokens().unwrap().generation_token_ids.to_vec(), [2, 3]);
        assert_eq!(item.json().get(), r#"{"type":"message","role":"assistant","content":"x"}"#);
        let again = Item::parse(&json(&item)).unwrap();
        assert_eq!(again.tokens(), item.tokens());
    }

    #[test]
    fn malformed_items_say_what_is_wrong() {
        let cases = [
            ("{}", "item has no `type` and no shape of a known item"),
            (r#"{"type":"zzz"}"#, "unknown item type `zzz`"),
            (r#"{"role":"user","content":null}"#, "`content` is missing"),
            (r#"{"role":"chef","content":"x"}"#, "`role` is missing or not one of user"),
            (r#"{"type":"function_call","name":"f","call_id":"c","arguments":{}}"#, "`arguments`"),
            (r#"{"type":"function_call_output","call_id":"c","output":{}}"#, "`output` is missing"),
            (r#"{"role":"user","content":"x","prompt_token_ids":[1]}"#, "`generation_token_ids`"),
            ("[1]", "not a conversation item"),
        ];
        for (text, expected) in cases {
            let error = Item::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
