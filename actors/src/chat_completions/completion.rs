//! A chat's completion, read in one pass; what is long stays text.

use std::borrow::Cow;
use std::fmt;

use framework::responses::Excised;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::object::{Object, Text};

/// A completion, borrowed from its text.
#[derive(Debug, Default)]
pub(super) struct Completion<'a> {
    pub(super) choice: Option<Choice<'a>>,
    pub(super) created: Option<f64>,
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) usage: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) prompt_token_ids: Option<&'a RawValue>,
    pub(super) others: Object<'a>,
}

/// The first choice of a completion.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) message: Message<'a>,
    pub(super) finish_reason: Option<Cow<'a, str>>,
    pub(super) logprobs: Option<&'a RawValue>,
    pub(super) prompt_token_ids: Option<&'a RawValue>,
    pub(super) token_ids: Option<&'a RawValue>,
    pub(super) routed_experts: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) others: Object<'a>,
}

/// What the model said.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) content: Option<&'a RawValue>,
    pub(super) reasoning: Option<Cow<'a, str>>,
    pub(super) refusal: Option<Cow<'a, str>>,
    pub(super) annotations: Option<&'a RawValue>,
    pub(super) tool_calls: Vec<ToolCall<'a>>,
    pub(super) prompt_token_ids: Option<&'a RawValue>,
    pub(super) generation_token_ids: Option<&'a RawValue>,
    pub(super) generation_log_probs: Option<&'a RawValue>,
    pub(super) routed_experts: Option<&'a RawValue>,
    pub(super) others: Object<'a>,
}

/// A call that the model wants made.
#[derive(Debug, Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function: Function<'a>,
}

/// Its name and arguments.
#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    /// Text that is meant to be JSON; some servers send the JSON itself.
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

/// One entry of a choice's `logprobs.content`.
#[derive(Debug, Deserialize)]
pub(super) struct LogProb<'a> {
    #[serde(borrow)]
    pub(super) token: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) logprob: &'a RawValue,
}

/// Reads an object in one pass: fields by name, and all others as text.
macro_rules! read_fields {
    ($type:ident, $what:literal, |$target:ident, $map:ident, $name:ident| { $($field:tt)* }) => {
        impl<'de> Deserialize<'de> for $type<'de> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct FieldVisitor;
                impl<'de> Visitor<'de> for FieldVisitor {
                    type Value = $type<'de>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_map<M: MapAccess<'de>>(
                        self,
                        mut $map: M,
                    ) -> Result<Self::Value, M::Error> {
                        let mut $target = $type::default();
                        while let Some(Text($name)) = $map.next_key::<Text<'de>>()? {
                            match &*$name {
                                $($field)*
                                _ => $target.others.0.push(($name, $map.next_value()?)),
                            }
                        }
                        Ok($target)
                    }
                }
                deserializer.deserialize_map(FieldVisitor)
            }
        }
    };
}

read_fields!(Completion, "a chat completion", |completion, map, name| {
    "choices" => completion.choice = map.next_value::<First<'de>>()?.0,
    "created" => completion.created = map.next_value()?,
    "model" => completion.model = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
    "usage" => completion.usage = map.next_value()?,
    "error" => completion.error = map.next_value()?,
    "prompt_token_ids" => completion.prompt_token_ids = map.next_value()?,
    "id" => { map.next_value::<IgnoredAny>()?; }
});

read_fields!(Choice, "a choice", |choice, map, name| {
    "message" => choice.message = map.next_value()?,
    // Of a text.
    "text" => choice.message.content = map.next_value()?,
    "finish_reason" => {
        choice.finish_reason = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0);
    }
    "logprobs" => choice.logprobs = map.next_value()?,
    "prompt_token_ids" => choice.prompt_token_ids = map.next_value()?,
    "token_ids" => choice.token_ids = map.next_value()?,
    "routed_experts" => choice.routed_experts = map.next_value()?,
    "error" => choice.error = map.next_value()?,
    "index" => { map.next_value::<IgnoredAny>()?; }
});

read_fields!(Message, "a message", |message, map, name| {
    "content" => message.content = map.next_value()?,
    "reasoning_content" | "reasoning" => {
        let text = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0);
        let text = text.filter(|text| !text.is_empty());
        message.reasoning = text.or_else(|| message.reasoning.take());
    }
    "refusal" => message.refusal = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
    "annotations" => message.annotations = map.next_value()?,
    "tool_calls" => message.tool_calls = map.next_value::<Option<_>>()?.unwrap_or_default(),
    "prompt_token_ids" => message.prompt_token_ids = map.next_value()?,
    "generation_token_ids" => message.generation_token_ids = map.next_value()?,
    "generation_log_probs" => message.generation_log_probs = map.next_value()?,
    "routed_experts" => message.routed_experts = map.next_value()?,
    "role" => { map.next_value::<IgnoredAny>()?; }
});

impl Completion<'_> {
    /// How many of its token lists have been taken out of the text.
    pub(super) fn excised(&self, excised: &Excised<'_>) -> usize {
        let choice = self.choice.as_ref();
        let of_choice = choice.map(|choice| {
            let message = &choice.message;
            [
                choice.prompt_token_ids,
                choice.token_ids,
                message.prompt_token_ids,
                message.generation_token_ids,
                message.generation_log_probs,
            ]
        });
        let lists = of_choice.into_iter().flatten().chain([self.prompt_token_ids]);
        lists.flatten().filter(|list| excised.is_list(list)).count()
    }
}

/// The first of a list of choices.
struct First<'a>(Option<Choice<'a>>);

impl<'de> Deserialize<'de> for First<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstVisitor;
        impl<'de> Visitor<'de> for FirstVisitor {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut choices: S) -> Result<First<'de>, S::Error> {
                let first = choices.next_element()?;
                while choices.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }

            fn visit_unit<E: Error>(self) -> Result<First<'de>, E> {
                Ok(First(None))
            }
        }
        deserializer.deserialize_any(FirstVisitor)
    }
}
