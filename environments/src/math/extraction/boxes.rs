//! Which boxes of a text hold the answer.

use std::borrow::Cow;

use framework::environment::python::text::{is_space, strip};

/// Boxes this near to each other belong together, in characters.
const NEAR_MAX: usize = 10;
/// Those of other content do so within this, if what is between them joins them.
const JOINED_MAX: usize = 70;

/// How many boxes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// All.
    All,
    /// The last, and those before that belong to it.
    Last,
    /// The last, and those before that commas, `and` or `or` join to it.
    LastList,
}

/// The contents of the boxes that count, joined by commas; the whole text, if there is no box.
pub(super) fn content(text: &str, mode: Mode) -> Cow<'_, str> {
    let mut contents: Vec<&str> = Vec::new();
    // Where the box behind begins: nothing of a box lies beyond.
    let mut limit = text.len();
    while let Some((start, command_end)) = last_command(&text[..limit]) {
        let open = command_end + text[command_end..limit].len()
            - text[command_end..limit].trim_start_matches(is_space).len();
        if open >= limit {
            break;
        }
        let close =
            text[open..].starts_with('{').then(|| closing_brace(&text[open..limit])).flatten();
        let Some(close) = close.map(|close| open + close) else {
            // The last box may lack its braces, and takes the rest of the text then.
            if contents.is_empty() {
                contents.push(&text[open..]);
            }
            break;
        };
        let content = strip(&text[open + 1..close]);
        let between = &text[close + 1..limit];
        let belongs = contents.last().is_none_or(|next| match mode {
            Mode::All => true,
            Mode::Last => belong_together(content, between, next),
            Mode::LastList => is_joint(between),
        });
        if !belongs {
            break;
        }
        contents.push(content);
        limit = start;
    }
    match contents.as_slice() {
        [] => Cow::Borrowed(text),
        [only] => Cow::Borrowed(only),
        _ => Cow::Owned(contents.into_iter().rev().collect::<Vec<_>>().join(",")),
    }
}

/// Where the last command for a box begins and ends.
fn last_command(text: &str) -> Option<(usize, usize)> {
    text.rmatch_indices('\\').find_map(|(start, _)| {
        let command =
            ["\\boxed", "\\fbox"].into_iter().find(|name| text[start..].starts_with(name));
        command.map(|name| (start, start + name.len()))
    })
}

/// The brace that closes the one that a text begins with.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

fn belong_together(content: &str, between: &str, next: &str) -> bool {
    let has_fewer = |most: usize| between.chars().nth(most - 1).is_none();
    let joins = || ["and", "or", ",", ";"].iter().any(|joint| between.contains(joint));
    has_fewer(NEAR_MAX) || (content != next && has_fewer(JOINED_MAX) && joins())
}

/// Whether a text does nothing but join what stands around it.
fn is_joint(between: &str) -> bool {
    let words = between.replace("\\text", "");
    let words = words.trim_matches(|c: char| is_space(c) || "${}".contains(c));
    matches!(words, "," | ";" | "and" | "or" | ", and" | ", or" | ",and" | ",or")
}
