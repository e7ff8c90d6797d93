//! The token ids of one call, wherever an endpoint puts them.
//!
//! | Source | Prompt | Generated | Log-probabilities |
//! |---|---|---|---|
//! | the message, as training frameworks send it | `prompt_token_ids` | `generation_token_ids` | `generation_log_probs` |
//! | `return_token_ids` of vLLM | `prompt_token_ids` of the completion | `token_ids` of the choice | `logprobs.content` |
//! | `return_tokens_as_token_ids` | `/tokenize` | `logprobs.content`, as `token_id:…` | `logprobs.content` |
//!
//! The first that is there counts. What is there in part, or disagrees with another source, is an
//! error: ids that do not belong to the text would poison a training run in silence.

use std::borrow::Cow;

use framework::responses::{Item, Request, TokenData};
use serde::Deserialize;

use super::completion::{Choice, Completion, LogProb, TokenIds};

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
    ids: Box<[u32]>,
    log_probs: Box<[f32]>,
}

impl Generated {
    /// With what the model read.
    pub(super) fn after(self, prompt_token_ids: Box<[u32]>) -> TokenData {
        let Self { ids: generation_token_ids, log_probs: generation_log_probs } = self;
        TokenData { prompt_token_ids, generation_token_ids, generation_log_probs }
    }
}

/// Takes the token ids out of a completion.
///
/// # Errors
/// Fails, saying what is wrong, if they are missing, there in part, or contradict each other.
pub(super) fn take(completion: &mut Completion<'_>) -> Result<Found, String> {
    let prompt = completion.prompt_token_ids.take();
    let choice = completion.choice.as_mut().ok_or("there is no choice")?;
    let of_message = of_message(choice)?;
    let of_choice = match (prompt, choice.token_ids.take()) {
        (Some(prompt), Some(generated)) => Some((prompt, generated)),
        (None, None) => None,
        (Some(_), None) => return Err("`prompt_token_ids` are there, `token_ids` are not".into()),
        (None, Some(_)) => return Err("`token_ids` are there, `prompt_token_ids` are not".into()),
    };
    if let Some(tokens) = of_message {
        let agrees = of_choice.is_none_or(|(prompt, generated)| {
            prompt == tokens.prompt_token_ids && generated == tokens.generation_token_ids
        });
        let disagrees = "the token ids of the message are not those of the completion";
        return if agrees { Ok(Found::All(tokens)) } else { Err(disagrees.into()) };
    }
    let entries = entries(choice)?;
    match of_choice {
        Some((prompt, ids)) => {
            let log_probs = log_probs(&entries, &ids)?;
            Ok(Found::All(Generated { ids, log_probs }.after(prompt)))
        }
        None => {
            let entries = entries.ok_or("`logprobs.content` is missing")?;
            let ids = entries.iter().map(|entry| {
                let id = id(&entry.token);
                id.ok_or_else(|| format!("`{}` in `logprobs` is no `token_id:…`", entry.token))
            });
            let ids = ids.collect::<Result<_, _>>()?;
            let log_probs = entries.iter().map(|entry| entry.logprob).collect();
            Ok(Found::WithoutPrompt(Generated { ids, log_probs }))
        }
    }
}

fn of_message(choice: &mut Choice<'_>) -> Result<Option<TokenData>, String> {
    let message = &mut choice.message;
    let parts = (
        message.prompt_token_ids.take(),
        message.generation_token_ids.take(),
        message.generation_log_probs.take(),
    );
    let (Some(prompt_token_ids), Some(generation_token_ids), Some(generation_log_probs)) = parts
    else {
        let is_absent = matches!(parts, (None, None, None));
        let partial = "the message has some of the token fields, but not all three";
        return if is_absent { Ok(None) } else { Err(partial.into()) };
    };
    let (ids, log_probs) = (generation_token_ids.len(), generation_log_probs.len());
    if ids != log_probs {
        return Err(lengths(ids, log_probs));
    }
    Ok(Some(TokenData { prompt_token_ids, generation_token_ids, generation_log_probs }))
}

/// The entries of `logprobs.content`, if there is one.
fn entries<'a>(choice: &Choice<'a>) -> Result<Option<Vec<LogProb<'a>>>, String> {
    #[derive(Deserialize)]
    struct LogProbs<'a> {
        #[serde(borrow)]
        content: Option<Vec<LogProb<'a>>>,
    }
    let Some(logprobs) = choice.logprobs else { return Ok(None) };
    let logprobs: Option<LogProbs<'a>> =
        serde_json::from_str(logprobs.get()).map_err(|error| format!("`logprobs`: {error}"))?;
    Ok(logprobs.and_then(|logprobs| logprobs.content))
}

fn log_probs(entries: &Option<Vec<LogProb<'_>>>, ids: &[u32]) -> Result<Box<[f32]>, String> {
    let none = Vec::new();
    let entries = match entries {
        Some(entries) => entries,
        None if ids.is_empty() => &none,
        None => return Err("`logprobs.content` is missing".into()),
    };
    if entries.len() != ids.len() {
        return Err(lengths(ids.len(), entries.len()));
    }
    // Tokens that are no ids are text, and say nothing against them.
    let other =
        entries.iter().zip(ids).find(|(entry, own)| id(&entry.token).is_some_and(|id| id != **own));
    if let Some((entry, own)) = other {
        return Err(format!("`{}` in `logprobs` is token {own} in `token_ids`", entry.token));
    }
    Ok(entries.iter().map(|entry| entry.logprob).collect())
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
pub(super) fn of_tokenizer(text: &str) -> Result<Box<[u32]>, String> {
    #[derive(Deserialize)]
    struct Answer {
        tokens: TokenIds,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(answer.tokens.0)
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
pub(super) fn prefix_break(request: &Request, prompt: &[u32]) -> Option<Break> {
    let before = request.input().rev().find_map(Item::tokens)?;
    let earlier = [&before.prompt_token_ids[..], &before.generation_token_ids[..]];
    let expected = earlier[0].len() + earlier[1].len();
    let earlier = earlier.into_iter().flatten();
    let same = earlier.zip(prompt).take_while(|(before, now)| before == now).count();
    (same < expected).then_some(Break { at: same, expected })
}

/// Fields of a message that hold its tokens, for messages about them.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
