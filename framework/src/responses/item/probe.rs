//! Finds out what an item is from the few fields that decide it, and what its text has to lose.

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::super::fields::Fields;
use super::super::tokens::{Excised, LogProbs, TOKEN_FIELDS, TokenData, TokenIds};
use super::{FunctionCall, ItemError, ItemKind, Role};

/// Item types of hosted tools, accepted and passed through.
const HOSTED: [&str; 15] = [
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "file_search_call",
    "web_search_call",
    "computer_call",
    "computer_call_output",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "item_reference",
];

/// The fields that decide an item's kind, borrowed from its text.
#[derive(Deserialize)]
pub(super) struct Probe<'a> {
    #[serde(rename = "type", borrow)]
    tag: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_token_ids: Option<&'a RawValue>,
    #[serde(borrow)]
    generation_token_ids: Option<&'a RawValue>,
    #[serde(borrow)]
    generation_log_probs: Option<&'a RawValue>,
}

/// What has to change in an item's text before it is kept.
pub(super) enum Rewrite {
    None,
    Without { tag: Option<&'static str>, fields: &'static [&'static str] },
}

pub(super) fn without(
    text: &RawValue,
    tag: Option<&'static str>,
    names: &[&str],
) -> Result<Box<RawValue>, ItemError> {
    let mut fields = Fields::parse(text.get())?;
    for name in names {
        fields.remove(name);
    }
    if let Some(tag) = tag {
        fields.set("type", tag);
    }
    Ok(to_raw_value(&fields)?)
}

impl Probe<'_> {
    pub(super) fn kind(&self) -> Result<ItemKind, ItemError> {
        match self.tag {
            Some(tag) => {
                let tag: String = serde_json::from_str(tag.get())?;
                self.tagged(&tag)
            }
            None if self.role.is_some() => self.message(),
            None if self.arguments.is_some() => self.function_call(),
            None if self.call_id.is_some() => self.function_call_output(),
            None if self.summary.is_some() => self.reasoning(),
            None => Err(ItemError::Untyped),
        }
    }

    fn tagged(&self, tag: &str) -> Result<ItemKind, ItemError> {
        match tag {
            "message" => self.message(),
            "function_call" => self.function_call(),
            "function_call_output" => self.function_call_output(),
            "reasoning" => self.reasoning(),
            _ if HOSTED.contains(&tag) => Ok(ItemKind::Hosted),
            _ => Err(ItemError::UnknownType { tag: tag.to_owned() }),
        }
    }

    fn message(&self) -> Result<ItemKind, ItemError> {
        const ROLE: &str = "one of user, assistant, system, developer";
        let wrong = |field, expected| ItemError::Field { tag: "message", field, expected };
        let role = self.role.ok_or_else(|| wrong("role", ROLE))?;
        let role: Role = serde_json::from_str(role.get()).map_err(|_| wrong("role", ROLE))?;
        let chat_call = role == Role::Assistant && self.tool_calls.is_some();
        let content = self.content.map(|content| content.get().as_bytes()[0]);
        let content_fits = match content {
            Some(b'"' | b'[') => true,
            Some(_) => false,
            None => chat_call,
        };
        if !content_fits {
            return Err(wrong("content", "text or a list of parts"));
        }
        if role == Role::Tool && self.tool_call_id.is_none() {
            return Err(wrong("tool_call_id", "text"));
        }
        Ok(ItemKind::Message(role))
    }

    fn function_call(&self) -> Result<ItemKind, ItemError> {
        let text = |value, field| string(value, "function_call", field);
        Ok(ItemKind::FunctionCall(FunctionCall {
            call_id: text(self.call_id, "call_id")?,
            name: text(self.name, "name")?,
            arguments: text(self.arguments, "arguments")?,
        }))
    }

    fn function_call_output(&self) -> Result<ItemKind, ItemError> {
        const TAG: &str = "function_call_output";
        string(self.call_id, TAG, "call_id")?;
        match self.output.map(|output| output.get().as_bytes()[0]) {
            Some(b'"' | b'[') => Ok(ItemKind::FunctionCallOutput),
            Some(_) | None => {
                let expected = "text or a list of parts";
                Err(ItemError::Field { tag: TAG, field: "output", expected })
            }
        }
    }

    fn reasoning(&self) -> Result<ItemKind, ItemError> {
        match self.summary.map(|summary| summary.get().as_bytes()[0]) {
            Some(b'[') => Ok(ItemKind::Reasoning),
            Some(_) | None => {
                Err(ItemError::Field { tag: "reasoning", field: "summary", expected: "a list" })
            }
        }
    }

    pub(super) fn tokens(&self, excised: &Excised<'_>) -> Result<Option<TokenData>, ItemError> {
        let found = [self.prompt_token_ids, self.generation_token_ids, self.generation_log_probs];
        let [Some(prompt), Some(generation), Some(log_probs)] = found else {
            let any = found.iter().any(Option::is_some);
            let first_missing = found.iter().position(Option::is_none);
            return match first_missing.filter(|_| any) {
                Some(index) => Err(ItemError::PartialTokens { missing: TOKEN_FIELDS[index] }),
                None => Ok(None),
            };
        };
        let tokens = TokenData {
            prompt_token_ids: TokenIds::parse(excised.list(prompt))?,
            generation_token_ids: TokenIds::parse(excised.list(generation))?,
            generation_log_probs: LogProbs::parse(excised.list(log_probs))?,
        };
        let lengths = (tokens.generation_token_ids.len(), tokens.generation_log_probs.len());
        if lengths.0 != lengths.1 {
            return Err(ItemError::TokenLengths { ids: lengths.0, log_probs: lengths.1 });
        }
        Ok(Some(tokens))
    }

    /// Token fields leave the text, an untyped item gets its tag, and reasoning loses its status,
    /// which the Responses API refuses to see again.
    pub(super) fn rewrite(&self, kind: &ItemKind, has_tokens: bool) -> Rewrite {
        let tag = match kind {
            _ if self.tag.is_some() => None,
            ItemKind::FunctionCall(_) => Some("function_call"),
            ItemKind::FunctionCallOutput => Some("function_call_output"),
            ItemKind::Reasoning => Some("reasoning"),
            ItemKind::Message(_) | ItemKind::Hosted => None,
        };
        let drop_status = *kind == ItemKind::Reasoning && self.status.is_some();
        match (has_tokens, drop_status) {
            (false, false) if tag.is_none() => Rewrite::None,
            (false, false) => Rewrite::Without { tag, fields: &[] },
            (true, false) => Rewrite::Without { tag, fields: &TOKEN_FIELDS },
            (false, true) => Rewrite::Without { tag, fields: &["status"] },
            (true, true) => Rewrite::Without {
                tag,
                fields: &[
                    "status",
                    "prompt_token_ids",
                    "generation_token_ids",
                    "generation_log_probs",
                ],
            },
        }
    }
}

fn string(
    value: Option<&RawValue>,
    tag: &'static str,
    field: &'static str,
) -> Result<Box<str>, ItemError> {
    let wrong = || ItemError::Field { tag, field, expected: "text" };
    let value = value.ok_or_else(wrong)?;
    serde_json::from_str(value.get()).map_err(|_| wrong())
}
