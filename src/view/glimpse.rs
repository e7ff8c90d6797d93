//! What a list shows of a row: how its prompt and its answer begin.

use std::fs::File;

use serde::Serialize;
use serde_json::Value;

use super::archive::read_line;
use super::entry::Entry;

/// Longer lines are not looked into for a list.
const BYTES_MAX: u32 = 256 << 10;
/// Characters of each text.
const CHARACTERS: usize = 160;

/// The first words of what was asked last, and of what was said last.
#[derive(Debug, Default, Serialize)]
pub(super) struct Glimpse {
    prompt: Option<String>,
    answer: Option<String>,
}

impl Glimpse {
    /// Looks into a line. What is odd, unreadable or long has no glimpse.
    pub(super) fn of(file: &File, entry: &Entry) -> Self {
        if entry.length > BYTES_MAX {
            return Self::default();
        }
        let line = read_line(file, entry).unwrap_or_default();
        let record: Value = serde_json::from_slice(&line).unwrap_or_default();
        let input = &record["responses_create_params"]["input"];
        let prompt = input.as_str().or_else(|| last_text(input, "user"));
        let error = record["rehearsal"]["failure"]["error"].as_str();
        let answer = error.or_else(|| last_text(&record["response"]["output"], "assistant"));
        Self { prompt: prompt.map(start), answer: answer.map(start) }
    }
}

/// The last text of somebody's messages.
fn last_text<'a>(items: &'a Value, role: &str) -> Option<&'a str> {
    let of_role = |item: &&Value| item["role"] == role;
    let message = items.as_array()?.iter().rev().find(of_role)?;
    let content = &message["content"];
    let parts = || content.as_array()?.iter().rev().find_map(|part| part["text"].as_str());
    content.as_str().or_else(parts)
}

/// The beginning of a text, in one line.
fn start(text: &str) -> String {
    let words = text.chars().take(4 * CHARACTERS).collect::<String>();
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
