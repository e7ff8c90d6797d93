//! What a rule replies.
//!
//! Ids are made from the step and, for responses, the rollout's key: runs reproduce, and an id is
//! unique in its rollout. Since they do not differ between rollouts, the items of a reply without
//! templates are made once per step and shared by all rollouts.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use framework::model::ModelError;
use framework::responses::{FunctionCall, Item, Response};
use framework::task::RolloutKey;

use super::conversation::Conversation;
use super::pattern::Pattern;
use super::template::{Captures, Context, Templates, Text};
use super::{CallConfig, Cause, Problems, RuleConfig};

/// A reply of more items than this is refused.
const CALLS_MAX: usize = 256;
/// Items are shared for this many steps; later ones are made anew.
const SHARED_STEPS: usize = 16;

/// What a rule replies.
#[derive(Debug)]
pub(super) enum Reply {
    /// An error.
    Fail(Cause),
    /// Items.
    Turn(Turn),
}

/// A message, calls, or both.
#[derive(Debug)]
pub(super) struct Turn {
    path: Box<str>,
    say: Option<Text>,
    calls: Vec<Call>,
    incomplete: Option<Box<str>>,
    /// The items by step, if they are the same for all rollouts.
    shared: Option<Box<[OnceCell<Vec<Item>>]>>,
}

#[derive(Debug)]
struct Call {
    name: Box<str>,
    arguments: Text,
    each: Option<Pattern>,
    condition: Option<Text>,
}

impl Reply {
    /// Compiles a rule's reply; `path` names it in errors.
    pub(super) fn new(
        path: &str,
        config: &RuleConfig,
        templates: &mut Templates,
        problems: &mut Problems,
    ) -> Self {
        let has_turn = config.say.is_some() || !config.calls.is_empty();
        match config.fail {
            Some(cause) => {
                if has_turn {
                    problems.add(path, "a rule that fails cannot `say` or have `calls`");
                }
                Self::Fail(cause)
            }
            None => {
                if !has_turn {
                    problems.add(path, "it has neither `say`, `calls` nor `fail`");
                }
                Self::Turn(Turn::new(path, config, templates, problems))
            }
        }
    }
}

impl Turn {
    fn new(
        path: &str,
        config: &RuleConfig,
        templates: &mut Templates,
        problems: &mut Problems,
    ) -> Self {
        let say = config.say.as_ref();
        let say = say.map(|say| templates.text(&format!("{path}.say"), say, problems));
        let compile =
            |(index, call)| Call::new(&format!("{path}.calls[{index}]"), call, templates, problems);
        let calls: Vec<_> = config.calls.iter().enumerate().map(compile).collect();
        let is_constant =
            say.as_ref().is_none_or(Text::is_constant) && calls.iter().all(Call::is_constant);
        Self {
            path: path.into(),
            say,
            calls,
            incomplete: config.incomplete.as_deref().map(Box::from),
            shared: is_constant.then(|| (0..SHARED_STEPS).map(|_| OnceCell::new()).collect()),
        }
    }

    /// The turn as items.
    fn items(&self, templates: &Templates, context: &Context<'_>) -> Result<Vec<Item>, Reason> {
        let step = context.conversation.step();
        let shared = self.shared.as_ref().and_then(|steps| steps.get(step));
        if let Some(items) = shared.and_then(OnceCell::get) {
            return Ok(items.clone());
        }
        let items = self.make(templates, context)?;
        if let Some(shared) = shared {
            shared.set(items.clone()).expect("it was just found empty, and nothing else ran");
        }
        Ok(items)
    }

    fn make(&self, templates: &Templates, context: &Context<'_>) -> Result<Vec<Item>, Reason> {
        let step = context.conversation.step();
        let mut items = vec![];
        if let Some(say) = &self.say {
            let text = templates.fill(say, context)?;
            items.push(Item::output_message(&format!("msg_{step}"), &text));
        }
        for call in &self.calls {
            call.make(templates, context, &mut items)?;
        }
        if items.is_empty() {
            return Err(Reason(format!(
                "`{}`: no call has a match in its `each` that its `if` lets through",
                self.path
            )));
        }
        Ok(items)
    }
}

impl Call {
    fn new(
        path: &str,
        config: &CallConfig,
        templates: &mut Templates,
        problems: &mut Problems,
    ) -> Self {
        let arguments = format!("{path}.arguments");
        let each = config.each.as_ref();
        let condition = config.r#if.as_ref();
        Self {
            name: config.name.as_str().into(),
            arguments: templates.arguments(&arguments, &config.arguments, problems),
            each: each.and_then(|each| Pattern::each(&format!("{path}.each"), each, problems)),
            condition: condition
                .map(|condition| templates.condition(&format!("{path}.if"), condition, problems)),
        }
    }

    fn is_constant(&self) -> bool {
        self.each.is_none() && self.condition.is_none() && self.arguments.is_constant()
    }

    /// Adds the call to the items, once for every match.
    fn make(
        &self,
        templates: &Templates,
        context: &Context<'_>,
        items: &mut Vec<Item>,
    ) -> Result<(), Reason> {
        let Some(each) = &self.each else {
            return self.make_one(templates, context, items);
        };
        for found in each.find_all(context.conversation) {
            let context = Context { each: Some(&found), ..*context };
            self.make_one(templates, &context, items)?;
        }
        Ok(())
    }

    /// Adds the call to the items, if its condition holds.
    fn make_one(
        &self,
        templates: &Templates,
        context: &Context<'_>,
        items: &mut Vec<Item>,
    ) -> Result<(), Reason> {
        if let Some(condition) = &self.condition
            && templates.fill(condition, context)?.is_empty()
        {
            return Ok(());
        }
        if items.len() == CALLS_MAX {
            return Err(Reason(format!("`{}` would make more than {CALLS_MAX} calls", self.name)));
        }
        items.push(self.item(templates, context, items.len())?);
        Ok(())
    }

    fn item(
        &self,
        templates: &Templates,
        context: &Context<'_>,
        index: usize,
    ) -> Result<Item, Reason> {
        let step = context.conversation.step();
        let call = FunctionCall {
            call_id: format!("call_{step}_{index}").into(),
            name: self.name.clone(),
            arguments: templates.fill(&self.arguments, context)?,
        };
        Ok(Item::function_call(&format!("fc_{step}_{index}"), call))
    }
}

/// Why a rule that holds has no reply after all.
#[derive(Debug)]
struct Reason(String);

impl From<minijinja::Error> for Reason {
    fn from(error: minijinja::Error) -> Self {
        Self(error.to_string())
    }
}

/// Writes responses in the name of a model.
#[derive(Debug)]
pub(super) struct Author(Arc<str>);

impl Author {
    /// An author that signs with the model's name in the configuration.
    pub(super) fn new(model: &str) -> Self {
        Self(model.into())
    }

    /// The model's name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Writes a reply.
    pub(super) fn write(
        &self,
        reply: &Reply,
        templates: &Templates,
        conversation: &Conversation<'_>,
        captures: &Captures,
        key: &RolloutKey,
    ) -> Result<Response, ModelError> {
        let turn = match reply {
            Reply::Fail(cause) => return Err(self.failure(*cause)),
            Reply::Turn(turn) => turn,
        };
        let context = Context { conversation, captures, each: None };
        let items = turn.items(templates, &context).map_err(|Reason(reason)| {
            ModelError::NoReply { reason: format!("the script of `{}` fails: {reason}", self.0) }
        })?;
        let id = format!("resp_{:016x}_{}", hash(key, 0), conversation.step());
        let mut response = Response::new(id, self.0.clone(), items);
        response.incomplete = turn.incomplete.as_deref().map(|reason| reason.to_owned().into());
        Ok(response)
    }

    fn failure(&self, cause: Cause) -> ModelError {
        let endpoint = self.0.to_string();
        let message = "the script says so".to_owned();
        match cause {
            Cause::Timeout => ModelError::Timeout { after: Duration::ZERO },
            Cause::Connection => ModelError::Connection { endpoint, reason: message },
            Cause::RateLimited => ModelError::RateLimited { endpoint, message, retry_after: None },
            Cause::Unavailable => {
                ModelError::Unavailable { endpoint, status: 503, message, retry_after: None }
            }
            Cause::Authentication => ModelError::Authentication { endpoint, status: 401, message },
            Cause::UnknownModel => {
                ModelError::UnknownModel { model: endpoint.clone(), endpoint, message }
            }
            Cause::ContextLength => ModelError::ContextLength { message },
            Cause::BadRequest => ModelError::BadRequest { endpoint, status: 400, message },
            Cause::Malformed => ModelError::Malformed { endpoint, reason: message },
        }
    }
}

/// A number that depends on nothing but the rollout and the salt (FNV-1a, then the finaliser of
/// SplitMix64): the same on every machine and in every version.
pub(super) fn hash(key: &RolloutKey, salt: u64) -> u64 {
    let task = key.task.as_str().bytes();
    let bytes = task.chain(key.repeat.to_le_bytes()).chain(salt.to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
