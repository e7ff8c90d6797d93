//! Token ids and log-probabilities of one model call, kept compact on their way to the trainer.
//!
//! As JSON text they are most of a training record (a 3,000-token prompt is 20 kB per hop); as `u32`
//! and `f32` they are a third of it, shared, and written once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// What a model call read and wrote, in tokens. It stands on the last item of the call's output and
/// covers the whole call: reasoning, text and tool calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenData {
    /// Ids of the prompt.
    pub prompt_token_ids: Box<[u32]>,
    /// Ids of what was generated.
    pub generation_token_ids: Box<[u32]>,
    /// Natural logarithm of each generated token's probability; as many as generated ids.
    pub generation_log_probs: Box<[f32]>,
}

/// The three fields, in the order in which they are written.
pub(super) const TOKEN_FIELDS: [&str; 3] =
    ["prompt_token_ids", "generation_token_ids", "generation_log_probs"];

impl TokenData {
    /// Appends the three fields to the inside of an object's text that is not empty.
    pub(super) fn write_into(&self, object: &mut String) {
        let mut buffer = itoa::Buffer::new();
        for (name, ids) in [
            (TOKEN_FIELDS[0], &self.prompt_token_ids),
            (TOKEN_FIELDS[1], &self.generation_token_ids),
        ] {
            super::fields::push_key(object, name);
            push_list(object, ids.iter(), |out, id| out.push_str(buffer.format(*id)));
        }
        super::fields::push_key(object, TOKEN_FIELDS[2]);
        push_list(object, self.generation_log_probs.iter(), |out, value| {
            out.push_str(&serde_json::to_string(value).expect("a number serialises to JSON"));
        });
    }
}

fn push_list<T>(
    out: &mut String,
    values: impl Iterator<Item = T>,
    mut push: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, value);
    }
    out.push(']');
}

/// A token id; vLLM adapters have been seen to send it as a decimal string.
pub(super) struct TokenId(pub(super) u32);

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = TokenId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token id")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<TokenId, E> {
                u32::try_from(value)
                    .map(TokenId)
                    .map_err(|_| E::custom(format!("token id {value} is too large")))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<TokenId, E> {
                value
                    .parse()
                    .map(TokenId)
                    .map_err(|_| E::custom(format!("`{value}` is not a token id")))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}
