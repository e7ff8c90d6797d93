//! What a rule replies.
//!
//! Ids are made from the step and, for responses, the rollout's key: runs reproduce, and an id is
//! unique in its rollout. Since they do not differ between rollouts, the items of a reply without
//! templates are made once per step and shared by all rollouts.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use framework::model::ModelError;
use framework::responses::{FunctionCall, Item, Response};
use framework::task::RolloutKey;

use super::pattern::Pattern;
use super::template::{Context, Templates, Text};
use super::{CallConfig, Cause, Each, Find, Problems, RuleConfig};

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
    say: Option<Text>,
    calls: Vec<Call>,
    incomplete: Option<Box<str>>,
    /// The items by step, if they are the same for all rollouts.
    shared: Option<Box<[OnceCell<Vec<Item>>]>>,
}

#[derive(Debug)]
struct Call {
    name: Text,
    arguments: Text,
    repeat: Option<Repeat>,
    condition: Option<Text>,
}

/// What a call is repeated for.
#[derive(Debug)]
struct Repeat {
    find: Pattern,
    within: Within,
}

/// The text that matches are looked for in.
#[derive(Debug)]
enum Within {
    User,
    Prompt,
    Text(Text),
}

impl Repeat {
    fn new(
        path: &str,
        each: &Each,
        templates: &mut Templates,
        problems: &mut Problems,
    ) -> Option<Self> {
        let (find, within) = match each {
            Each::User(find) => (find, Within::User),
            Each::Prompt(find) => (find, Within::Prompt),
            Each::Text(Find { of, find }) => {
                (find, Within::Text(templates.text(&format!("{path}.text.of"), of, problems)))
            }
        };
        let find = Pattern::new(path, find, problems)?;
        Some(Self { find, within })
    }
}

impl Within {
    fn text<'a>(
        &self,
        templates: &Templates,
        context: &'a Context<'_>,
    ) -> Result<Cow<'a, str>, Reason> {
        match self {
            Self::User => Ok(context.conversation.user().into()),
            Self::Prompt => Ok(context.conversation.prompt().into()),
            Self::Text(text) => Ok(templates.fill(text, context)?.into_string().into()),
        }
    }
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
            say,
            calls,
            incomplete: config.incomplete.as_deref().map(Box::from),
            shared: is_constant.then(|| (0..SHARED_STEPS).map(|_| OnceCell::new()).collect()),
        }
    }

    /// The turn as items; none if all it has is calls without a match.
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
        let at = |key: &str| format!("{path}.{key}");
        let (each, condition) = (config.each.as_ref(), config.r#if.as_ref());
        Self {
            name: templates.text(&at("name"), &config.name, problems),
            arguments: templates.arguments(&at("arguments"), &config.arguments, problems),
            repeat: each.and_then(|each| Repeat::new(&at("each"), each, templates, problems)),
            condition: condition
                .map(|condition| templates.condition(&at("if"), condition, problems)),
        }
    }

    fn is_constant(&self) -> bool {
        let is_unconditional = self.repeat.is_none() && self.condition.is_none();
        is_unconditional && self.name.is_constant() && self.arguments.is_constant()
    }

    /// Adds the call to the items, once for every match.
    fn make(
        &self,
        templates: &Templates,
        context: &Context<'_>,
        items: &mut Vec<Item>,
    ) -> Result<(), Reason> {
        let Some(Repeat { find, within }) = &self.repeat else {
            return self.make_one(templates, context, items);
        };
        for found in find.find_all(&within.text(templates, context)?) {
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
            return Err(Reason(format!("a reply would hold more than {CALLS_MAX} calls")));
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
            name: templates.fill(&self.name, context)?,
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

    /// Writes a reply; `None` if it comes to nothing.
    pub(super) fn write(
        &self,
        reply: &Reply,
        templates: &Templates,
        context: &Context<'_>,
        key: &RolloutKey,
    ) -> Result<Option<Response>, ModelError> {
        let turn = match reply {
            Reply::Fail(cause) => return Err(self.failure(*cause)),
            Reply::Turn(turn) => turn,
        };
        let items = turn.items(templates, context).map_err(|Reason(reason)| {
            ModelError::NoReply { reason: format!("the script of `{}` fails: {reason}", self.0) }
        })?;
        if items.is_empty() {
            return Ok(None);
        }
        let id = format!("resp_{:016x}_{}", hash(key, 0), context.conversation.step());
        let mut response = Response::new(id, self.0.clone(), items);
        response.incomplete = turn.incomplete.as_deref().map(|reason| reason.to_owned().into());
        Ok(Some(response))
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
