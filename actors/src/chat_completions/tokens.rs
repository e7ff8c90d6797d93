//! The token ids of one call, wherever an endpoint puts them.
//!
//! | Source | Prompt | Generated | Log-probabilities |
//! |---|---|---|---|
//! | the message, as training frameworks send it | `prompt_token_ids` | `generation_token_ids` | `generation_log_probs` |
//! | `return_token_ids` of vLLM | `prompt_token_ids` of the completion | `token_ids` of the choice | `logprobs.content` |
//! | `return_tokens_as_token_ids` | `/tokenize` | `logprobs.content`, as `token_id:…` | `logprobs.content` |
//! | completions of a text | `prompt_token_ids` of the choice, else `/tokenize` | `token_ids` of the choice, else `logprobs.tokens` | `logprobs.token_logprobs` |
//!
//! The first that is there counts. What is there in part, or disagrees with another source, is an
//! error: ids that do not belong to the text would poison a training run in silence.

use std::borrow::Cow;

use framework::responses::{Excised, Item, LogProbs, Request, TokenData, TokenIds};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::completion::{Choice, Completion, LogProb};
use super::logprobs;
use crate::object::Text;
use crate::upstream::Answer;

/// What is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Chat,
    Text,
}

/// What a completion says about its tokens.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// All.
    All(TokenData),
    /// All but the prompt's.
    WithoutPrompt(Generated),
}

/// What was generated.
#[derive(Debug, PartialEq)]
pub(super) struct Generated {
    pub(super) ids: TokenIds,
    pub(super) log_probs: LogProbs,
}

impl Generated {
    /// With what the model read.
    pub(super) fn after(self, prompt_token_ids: TokenIds) -> TokenData {
        let Self { ids: generation_token_ids, log_probs: generation_log_probs } = self;
        TokenData { prompt_token_ids, generation_token_ids, generation_log_probs }
    }
}

/// Takes the token ids out of a completion; `logged` are those of its `logprobs`, if they have been
/// taken out already.
///
/// # Errors
/// Fails, saying what is wrong, if they are missing, there in part, or contradict each other.
pub(super) fn take(
    completion: &mut Completion<'_>,
    excised: &Excised<'_>,
    logged: Option<Generated>,
    of: Of,
) -> Result<Found, String> {
    let prompt = completion.prompt_token_ids.take();
    let choice = completion.choice.as_mut().ok_or("there is no choice")?;
    let of_message = of_message(choice, excised)?;
    let ids = |list: &RawValue| ids(list, excised);
    let prompt = prompt.or(choice.prompt_token_ids).map(ids).transpose()?;
    let generated = choice.token_ids.map(ids).transpose()?;
    match (&prompt, &generated) {
        // Of a text each is found by itself.
        _ if of == Of::Text => {}
        (Some(_), None) => return Err("`prompt_token_ids` are there, `token_ids` are not".into()),
        (None, Some(_)) => return Err("`token_ids` are there, `prompt_token_ids` are not".into()),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if let Some(tokens) = of_message {
        let agrees = prompt.is_none_or(|prompt| prompt == tokens.prompt_token_ids)
            && generated.is_none_or(|generated| generated == tokens.generation_token_ids);
        let disagrees = "the token ids of the message are not those of the completion";
        return if agrees { Ok(Found::All(tokens)) } else { Err(disagrees.into()) };
    }
    if logged.is_some() && !choice.logprobs.is_some_and(|value| logprobs::is_mark(value.get())) {
        return Err("the `logprobs` are those of something else".into());
    }
    let generated = match (generated, logged) {
        (Some(ids), Some(logged)) => agreed(ids, logged)?,
        (None, Some(logged)) => logged,
        (Some(ids), None) => {
            let log_probs = log_probs(entries(choice)?.as_deref(), &ids)?;
            Generated { ids, log_probs }
        }
        (None, None) => {
            let entries = entries(choice)?.ok_or("`logprobs.content` is missing")?;
            let ids = entries.iter().map(|entry| {
                let id = id(&entry.token);
                id.ok_or_else(|| format!("`{}` in `logprobs` is no `token_id:…`", entry.token))
            });
            let ids: Result<TokenIds, String> = ids.collect();
            Generated { ids: ids?, log_probs: values(&entries)? }
        }
    };
    Ok(match prompt {
        Some(prompt) => Found::All(generated.after(prompt)),
        None => Found::WithoutPrompt(generated),
    })
}

/// The ids of the choice, if those of its `logprobs` are the same.
fn agreed(ids: TokenIds, logged: Generated) -> Result<Generated, String> {
    if ids == logged.ids {
        return Ok(Generated { ids, ..logged });
    }
    if ids.len() != logged.ids.len() {
        return Err(lengths(ids.len(), logged.ids.len()));
    }
    let mut pairs = logged.ids.iter().zip(ids.iter());
    let other = pairs.find(|(logged, own)| logged != own).unwrap_or_default();
    Err(disagreement(&format!("token_id:{}", other.0), other.1))
}

fn disagreement(token: &str, own: u32) -> String {
    format!("`{token}` in `logprobs` is token {own} in `token_ids`")
}

fn of_message(choice: &Choice<'_>, excised: &Excised<'_>) -> Result<Option<TokenData>, String> {
    let message = &choice.message;
    let parts =
        (message.prompt_token_ids, message.generation_token_ids, message.generation_log_probs);
    let (Some(prompt), Some(generation), Some(log_probs)) = parts else {
        let is_absent = matches!(parts, (None, None, None));
        let partial = "the message has some of the token fields, but not all three";
        return if is_absent { Ok(None) } else { Err(partial.into()) };
    };
    let log_probs = LogProbs::parse(excised.list(log_probs));
    let tokens = TokenData {
        prompt_token_ids: ids(prompt, excised)?,
        generation_token_ids: ids(generation, excised)?,
        generation_log_probs: log_probs
            .map_err(|error| format!("`generation_log_probs`: {error}"))?,
    };
    let lengths = (tokens.generation_token_ids.len(), tokens.generation_log_probs.len());
    if lengths.0 != lengths.1 {
        return Err(self::lengths(lengths.0, lengths.1));
    }
    Ok(Some(tokens))
}

fn ids(list: &RawValue, excised: &Excised<'_>) -> Result<TokenIds, String> {
    TokenIds::parse(excised.list(list)).map_err(|error| format!("token ids: {error}"))
}

/// The entries of `logprobs`, if there are any: a list of them, or a list of each of their parts.
fn entries<'a>(choice: &Choice<'a>) -> Result<Option<Vec<LogProb<'a>>>, String> {
    #[derive(Deserialize)]
    struct LogProbs<'a> {
        #[serde(borrow)]
        content: Option<Vec<LogProb<'a>>>,
        #[serde(borrow)]
        tokens: Option<Vec<Text<'a>>>,
        #[serde(borrow)]
        token_logprobs: Option<Vec<&'a RawValue>>,
    }
    let Some(logprobs) = choice.logprobs else { return Ok(None) };
    let logprobs: Option<LogProbs<'a>> =
        serde_json::from_str(logprobs.get()).map_err(|error| format!("`logprobs`: {error}"))?;
    let Some(LogProbs { content, tokens, token_logprobs }) = logprobs else { return Ok(None) };
    let (Some(tokens), Some(values)) = (tokens, token_logprobs) else { return Ok(content) };
    if tokens.len() != values.len() {
        return Err(lengths(tokens.len(), values.len()));
    }
    let pairs = tokens.into_iter().zip(values);
    Ok(Some(pairs.map(|(Text(token), logprob)| LogProb { token, logprob }).collect()))
}

fn log_probs(entries: Option<&[LogProb<'_>]>, ids: &TokenIds) -> Result<LogProbs, String> {
    let entries = match entries {
        Some(entries) => entries,
        None if ids.is_empty() => &[],
        None => return Err("`logprobs.content` is missing".into()),
    };
    if entries.len() != ids.len() {
        return Err(lengths(ids.len(), entries.len()));
    }
    // Tokens that are no ids are text, and say nothing against them.
    let mut pairs = entries.iter().zip(ids.iter());
    let other = pairs.find(|(entry, own)| id(&entry.token).is_some_and(|id| id != *own));
    if let Some((entry, own)) = other {
        return Err(disagreement(&entry.token, own));
    }
    values(entries)
}

fn values(entries: &[LogProb<'_>]) -> Result<LogProbs, String> {
    let values = LogProbs::join(entries.iter().map(|entry| entry.logprob.get()));
    values.map_err(|error| format!("`logprobs`: {error}"))
}

fn lengths(ids: usize, log_probs: usize) -> String {
    format!("{ids} generated token ids, but {log_probs} log-probabilities")
}

fn id(token: &str) -> Option<u32> {
    token.strip_prefix("token_id:")?.parse().ok()
}

/// Reads the answer of `/tokenize`.
///
/// # Errors
/// Fails if it is no list of ids.
pub(super) fn of_tokenizer(text: &str) -> Result<Prompt, String> {
    #[derive(Deserialize)]
    struct Tokenized<'a> {
        #[serde(borrow)]
        tokens: &'a RawValue,
    }
    let answer: Tokenized<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    TokenIds::parse(answer.tokens.get()).map(Prompt).map_err(|error| error.to_string())
}

/// A prompt's token ids, as a tokenizer has them.
#[derive(Debug)]
pub(super) struct Prompt(pub(super) TokenIds);

impl Answer for Prompt {
    fn tokens(&self) -> Option<(u64, u64)> {
        None
    }
}

/// A prompt that does not go on from where the conversation stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Break {
    /// Where the two part, counted in tokens from 0.
    pub(super) at: usize,
    /// Tokens of the conversation so far.
    pub(super) expected: usize,
}

/// Whether a prompt begins with what the model read and wrote before.
pub(super) fn prefix_break(request: &Request, prompt: &TokenIds) -> Option<Break> {
    let before = request.input().rev().find_map(Item::tokens)?;
    let earlier = (&before.prompt_token_ids, &before.generation_token_ids);
    let expected = earlier.0.len() + earlier.1.len();
    prompt.parts_from(earlier.0, earlier.1).map(|at| Break { at, expected })
}

/// Fields of a message that hold its tokens, for messages about them.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
