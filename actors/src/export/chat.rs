//! Rollouts as chats.

use std::sync::Arc;

use framework::responses::{CreateParams, Fields, Item, Request};
use framework::wiring::BuildError;
use serde_json::value::{RawValue, to_raw_value};

use super::record::malformed;
use super::{Reasoning, Skip};
use crate::chat_completions::{Config, Conversion};

/// Makes chats.
pub(super) struct Chats(Conversion);

/// A chat in its parts, as JSON.
pub(super) struct Chat {
    pub(super) messages: Box<RawValue>,
    pub(super) tools: Option<Box<RawValue>>,
}

impl Chats {
    pub(super) fn new(reasoning: Reasoning, tokens: bool) -> Result<Self, BuildError> {
        let config = Config {
            return_token_id_information: tokens,
            uses_interleaved_reasoning: reasoning != Reasoning::Drop,
            preserve_reasoning_in_assistant_content: reasoning == Reasoning::Think,
            ..Config::new("http://localhost", "none")
        };
        Conversion::new(&config).map(Self)
    }

    /// What a task asks.
    pub(super) fn prompt(&self, params: &CreateParams) -> Result<Chat, Skip> {
        self.chat(params.clone(), Vec::new())
    }

    /// What a rollout made of it.
    pub(super) fn completion(&self, output: Vec<Item>) -> Result<Box<RawValue>, Skip> {
        let nothing = CreateParams::user("").with_input(Vec::new());
        Ok(self.chat(nothing, output)?.messages)
    }

    /// Both in one.
    pub(super) fn whole(&self, params: CreateParams, output: Vec<Item>) -> Result<Chat, Skip> {
        self.chat(params, output)
    }

    fn chat(&self, params: CreateParams, history: Vec<Item>) -> Result<Chat, Skip> {
        let request = Request { params: Arc::new(params), history };
        let body = self.0.request(&request).map_err(malformed)?;
        let mut body = Fields::parse(&body).map_err(malformed)?;
        let messages = body.remove("messages").ok_or_else(|| malformed("it has no messages"))?;
        Ok(Chat { messages: tidied(messages)?, tools: body.remove("tools") })
    }
}

/// Endpoints disagree on the name of reasoning, so the conversion says it twice; a file need not.
fn tidied(messages: Box<RawValue>) -> Result<Box<RawValue>, Skip> {
    if !messages.get().contains("\"reasoning_content\":") {
        return Ok(messages);
    }
    let mut list: Vec<Fields> = serde_json::from_str(messages.get()).map_err(malformed)?;
    for message in list.iter_mut().filter(|message| message.contains("reasoning_content")) {
        message.remove("reasoning");
    }
    to_raw_value(&list).map_err(malformed)
}
