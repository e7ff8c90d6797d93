//! Keywords of a row: regular expressions of Python's that ignore case.
//!
//! Nearly all are plain words, which are looked for as such, at a fraction of the cost. For that
//! keyword and answer are folded character by character.

use std::borrow::Cow;

use framework::environment::python::pattern::{Flags, Pattern, PatternError, TooManySteps};

use super::text::{folded, is_word};

const IGNORE_CASE: Flags = Flags { ignore_case: true, multi_line: false, dot_all: false };

/// What is looked for, in whatever case.
#[derive(Debug)]
pub(super) enum Keyword {
    /// Text without special characters, folded.
    Plain(String),
    /// The same, as a word of its own.
    Word(String),
    /// Any other expression.
    Pattern(Box<Pattern>),
}

impl Keyword {
    /// A keyword that may stand inside a word.
    ///
    /// # Errors
    /// Fails if it is no expression.
    pub(super) fn anywhere(source: &str) -> Result<Self, PatternError> {
        if is_plain(source) {
            return Ok(Self::Plain(folded(source)));
        }
        Pattern::compile(source, IGNORE_CASE).map(Self::of)
    }

    /// A keyword with a word's boundary before and after it.
    ///
    /// # Errors
    /// Fails if it is no expression.
    pub(super) fn word(source: &str) -> Result<Self, PatternError> {
        if is_plain(source) && !source.is_empty() {
            return Ok(Self::Word(folded(source)));
        }
        Pattern::compile(&format!(r"\b{source}\b"), IGNORE_CASE).map(Self::of)
    }

    fn of(pattern: Pattern) -> Self {
        Self::Pattern(Box::new(pattern))
    }

    /// Whether it is somewhere.
    ///
    /// # Errors
    /// Fails if the search takes too many steps.
    pub(super) fn is_in(&self, text: &str) -> Result<bool, TooManySteps> {
        match self {
            Self::Plain(plain) => Ok(seen(text).contains(plain)),
            Self::Word(word) => Ok(words(&seen(text), word).next().is_some()),
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }

    /// How many times it is there, without overlaps.
    ///
    /// # Errors
    /// Fails if the search takes too many steps.
    pub(super) fn count(&self, text: &str) -> Result<usize, TooManySteps> {
        match self {
            Self::Plain(plain) => Ok(seen(text).matches(plain.as_str()).count()),
            Self::Word(word) => Ok(words(&seen(text), word).count()),
            Self::Pattern(pattern) => Ok(pattern.find_all(text)?.len()),
        }
    }
}

/// Whether an expression means just its characters.
fn is_plain(source: &str) -> bool {
    !source.contains(['.', '^', '$', '*', '+', '?', '{', '}', '[', ']', '\\', '|', '(', ')'])
}

/// A text as a keyword is compared with it.
fn seen(text: &str) -> Cow<'_, str> {
    let is_folded = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded { text.into() } else { folded(text).into() }
}

/// Where a word stands in a text with a boundary at each end, without overlaps.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> {
    let is_boundary =
        |before: &str, after: &str| before.ends_with(is_word) != after.starts_with(is_word);
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(found) = text[from..].find(word) {
            let start = from + found;
            let end = start + word.len();
            let (before, after) = (&text[..start], &text[end..]);
            if is_boundary(before, word) && is_boundary(word, after) {
                from = end;
                return Some(start);
            }
            from = start + word.chars().next()?.len_utf8();
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_pythons_expressions() {
        for (source, text, expected) in [
            ("hello", "Say HELLO twice: hello", 2),
            ("aa", "aaaa", 2),
            ("i", "iIİı", 4),
            ("straſe", "STRASE", 1),
            ("colou?r", "color Colour colr", 2),
            ("a.c", "abc a\nc axc", 2),
            ("C++", "CC c", 2),
            (r"\bcat\b", "cat concat cat.", 2),
            (r"(a)\1", "aAb", 1),
            ("$", "a\n", 2),
            ("b*", "abc", 4),
            ("a-b", "A-B", 1),
        ] {
            let keyword = Keyword::anywhere(source).unwrap();
            assert_eq!(keyword.count(text), Ok(expected), "{source} in {text:?}");
            assert_eq!(keyword.is_in(text), Ok(expected > 0), "{source} in {text:?}");
        }
    }

    #[test]
    fn a_word_stands_on_its_own() {
        for (word, text, expected) in [
            ("part", "A Part of it", true),
            ("part", "apart parts", false),
            ("part", "part_1 part", true),
            ("a b", "xa b a b.", true),
            ("-x", "a-x", true),
            ("-x", "-x", false),
            ("don't", "Don't!", true),
            ("a|b", "xa", false),
            ("a|b", "xb", true),
            ("ह", "हिन्दी", true),
        ] {
            let keyword = Keyword::word(word).unwrap();
            assert_eq!(keyword.is_in(text), Ok(expected), "{word} in {text}");
        }
    }

    #[test]
    fn plain_words_are_found_as_their_expressions_are() {
        let texts =
            ["", "a", "Ab aB", "xabx ab", "éa Éa", "ſs İi", "a_b a-b", "aba aba", "ab\nab "];
        for source in ["a", "ab", "éa", "s", "i", "b a", "a_b", "aba", "-", " "] {
            for word in [false, true] {
                let plain = if word { Keyword::word(source) } else { Keyword::anywhere(source) };
                let edge = if word { r"\b" } else { "" };
                let expression = format!("{edge}(?:{source}){edge}");
                let pattern = Pattern::compile(&expression, IGNORE_CASE).unwrap();
                let plain = plain.unwrap();
                for text in texts {
                    let expected = pattern.find_all(text).unwrap().len();
                    assert_eq!(plain.count(text), Ok(expected), "{expression} in {text:?}");
                }
            }
        }
    }
}
