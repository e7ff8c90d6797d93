//! A conversation as the rules see it.
//!
//! Each part is decoded when first looked at, since most rules look at one or two.

use std::borrow::Cow;
use std::cell::OnceCell;

use framework::responses::{FunctionCall, Item, ItemKind, Request, Role};
use serde::Deserialize;

use crate::turn;

/// What one call to the model is about.
pub(super) struct Conversation<'a> {
    request: &'a Request,
    step: usize,
    user: OnceCell<String>,
    prompt: OnceCell<String>,
    output: OnceCell<String>,
}

/// What a tool answered, and what it was asked.
pub(super) struct Output<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
    pub(super) text: String,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        Self {
            request,
            step: turn::calls(&request.history).count(),
            user: OnceCell::new(),
            prompt: OnceCell::new(),
            output: OnceCell::new(),
        }
    }

    /// How many times the model has answered.
    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// The last user message; empty if there is none.
    pub(super) fn user(&self) -> &str {
        self.user.get_or_init(|| {
            let message = self.request.input().rfind(|item| item.is_message_of(Role::User));
            message.map(text).unwrap_or_default()
        })
    }

    /// The prompt's messages, one a line.
    pub(super) fn prompt(&self) -> &str {
        self.prompt.get_or_init(|| {
            let texts: Vec<_> = self.request.params.input().iter().map(text).collect();
            texts.join("\n")
        })
    }

    /// The last tool output; empty if there is none.
    pub(super) fn output(&self) -> &str {
        self.output.get_or_init(|| {
            let output = self.request.input().rfind(|item| is_output(item));
            output.map(text).unwrap_or_default()
        })
    }

    /// Whether there is a tool output at all.
    pub(super) fn has_output(&self) -> bool {
        self.request.input().any(is_output)
    }

    /// All tool outputs, in order.
    pub(super) fn outputs(&self) -> impl Iterator<Item = Output<'a>> {
        let outputs = self.request.input().filter(|item| is_output(item));
        outputs.map(|item| {
            let call = self.call_of(item);
            let (name, arguments) = call.map_or(("", ""), |call| (&call.name, &call.arguments));
            Output { name, arguments, text: text(item) }
        })
    }

    /// The tool whose output is the last item.
    pub(super) fn after(&self) -> Option<&'a str> {
        let last = self.request.input().next_back().filter(|item| is_output(item))?;
        self.call_of(last).map(|call| &*call.name)
    }

    /// What the last item is, in words.
    pub(super) fn last_item(&self) -> String {
        let Some(last) = self.request.input().next_back() else {
            return "absent".to_owned();
        };
        match last.kind() {
            ItemKind::Message(role) => format!("a message of the {role:?}").to_lowercase(),
            ItemKind::FunctionCall(call) => format!("a call of `{}`", call.name),
            ItemKind::FunctionCallOutput => match self.call_of(last) {
                Some(call) => format!("the output of `{}`", call.name),
                None => "a tool output without its call".to_owned(),
            },
            ItemKind::Reasoning => "reasoning".to_owned(),
            ItemKind::Hosted => "an item of a hosted tool".to_owned(),
        }
    }

    /// All items, in order.
    pub(super) fn items(&self) -> impl Iterator<Item = &'a Item> {
        self.request.input()
    }

    /// The call that an output belongs to.
    fn call_of(&self, output: &Item) -> Option<&'a FunctionCall> {
        let mut calls = self.request.input().rev().filter_map(Item::as_function_call);
        let last = calls.next()?;
        let Ids { call_id } = serde_json::from_str(output.json().get()).ok()?;
        if *last.call_id == *call_id {
            return Some(last);
        }
        calls.find(|call| *call.call_id == *call_id)
    }
}

/// What ties an output to its call.
#[derive(Deserialize)]
struct Ids<'a> {
    #[serde(borrow)]
    call_id: Cow<'a, str>,
}

/// Content that is a string.
#[derive(Deserialize)]
struct Plain<'a> {
    #[serde(borrow, alias = "output")]
    content: Cow<'a, str>,
}

/// An item's text. Most content is one string, which is read without taking the item apart.
fn text(item: &Item) -> String {
    match serde_json::from_str(item.json().get()) {
        Ok(Plain { content }) => content.into_owned(),
        Err(_) => item.text(),
    }
}

fn is_output(item: &Item) -> bool {
    *item.kind() == ItemKind::FunctionCallOutput
}
