//! The tables of the English model.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

/// Seen with a capital inside a sentence.
pub(super) const UPPER_INSIDE: u8 = 4;
/// Seen with a capital: at the start of a sentence, inside one, or wherever.
pub(super) const UPPER: u8 = 2 | UPPER_INSIDE | 8;
/// Seen without a capital at the start of a sentence.
pub(super) const LOWER_AT_START: u8 = 16;
/// Seen without a capital: at the start of a sentence, inside one, or wherever.
pub(super) const LOWER: u8 = LOWER_AT_START | 32 | 64;

/// What training found; words are in lower case, numbers are `##number##`.
#[derive(Deserialize)]
pub(super) struct Model {
    /// Words that often start a sentence.
    #[serde(rename = "sentence_starters")]
    pub(super) sentence_starters: HashSet<Box<str>>,
    /// Abbreviations, without their last dot.
    #[serde(rename = "abbrev_types")]
    pub(super) abbreviations: HashSet<Box<str>>,
    /// Pairs of words between which a dot ends no sentence.
    pub(super) collocations: HashSet<(Box<str>, Box<str>)>,
    /// How words were written, as bits.
    #[serde(rename = "ortho_context")]
    contexts: HashMap<Box<str>, u8>,
}

impl Model {
    /// How a word was written; 0 if it was never seen.
    pub(super) fn contexts(&self, word: &str) -> u8 {
        self.contexts.get(word).copied().unwrap_or(0)
    }
}

/// The English model, read when it is first needed.
pub(super) static MODEL: LazyLock<Model> = LazyLock::new(|| {
    serde_json::from_str(include_str!("english.json")).expect("the model that is built in is whole")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        let sizes = [
            MODEL.sentence_starters.len(),
            MODEL.abbreviations.len(),
            MODEL.collocations.len(),
            MODEL.contexts.len(),
        ];
        assert_eq!(sizes, [39, 156, 37, 20_366]);
    }
}
