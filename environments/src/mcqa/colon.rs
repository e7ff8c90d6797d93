//! Choices after `Answer:`.

use std::sync::LazyLock;

use framework::environment::python::pattern::{Flags, Pattern};
use framework::environment::python::text::{is_space, strip};
use regex::Regex;

use super::boxed::unwrap_text;
use super::question::{Options, transliterated};

/// What the rest of the line after the first `Answer:` chooses.
pub(super) fn first(text: &str, options: Options<'_>) -> Option<String> {
    static ANSWER: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"(?i)answer[\s\x1c-\x1f]*:[\s\x1c-\x1f]*(.+)";
        Regex::new(pattern).expect("the pattern is well-formed")
    });
    let rest = ANSWER.captures(text)?.get(1)?.as_str();
    options.letter_or_text(strip(unwrap_text(rest)))
}

/// What the last `Answer:` that chooses something chooses.
pub(super) fn last(text: &str, options: Options<'_>) -> Option<String> {
    static ANSWER: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"(?i)[*_]{0,2}Answer[*_]{0,2}[\s\x1c-\x1f]*:[*_\s\x1c-\x1f]{0,2}(.+)";
        Regex::new(pattern).expect("the pattern is well-formed")
    });
    let answers: Vec<_> = ANSWER.captures_iter(text).filter_map(|found| found.get(1)).collect();
    answers.iter().rev().find_map(|answer| chosen(answer.as_str(), options))
}

/// The letter that an answer chooses, if it is one.
fn chosen(answer: &str, options: Options<'_>) -> Option<String> {
    let answer = transliterated(answer);
    let answer =
        strip(&answer).trim_matches(['*', '_', '`', ' ', '\t', '\n', '\r', '.', ',', ';', ':']);
    if lists_several(answer, options) {
        return None;
    }
    let mut characters = answer.chars();
    let (first, second) = (characters.next()?, characters.next());
    let leads = first.is_ascii_alphabetic() && !second.is_some_and(|c| c.is_ascii_alphanumeric());
    let letter = if second.is_none() || leads { first } else { last_capital(answer)? };
    options.letter(letter)
}

/// The letters that stand alone, with where they are.
fn lone_letters(text: &str) -> impl Iterator<Item = (usize, char)> {
    let bytes = text.as_bytes();
    let is_letter = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_alphabetic);
    let stands_alone = move |index: &usize| {
        is_letter(*index) && !is_letter(index + 1) && !index.checked_sub(1).is_some_and(is_letter)
    };
    (0..bytes.len()).filter(stands_alone).map(|index| (index, char::from(bytes[index])))
}

/// Whether two options are offered for choice: `B/C`, `b or c`.
fn lists_several(text: &str, options: Options<'_>) -> bool {
    let letters: Vec<_> = lone_letters(text).collect();
    letters.windows(2).any(|pair| {
        let [(from, first), (to, second)] = [pair[0], pair[1]];
        let (first, second) = (options.letter(first), options.letter(second));
        first.is_some() && second.is_some() && first != second && is_separator(&text[from + 1..to])
    })
}

fn is_separator(gap: &str) -> bool {
    let word = strip(gap);
    let is_spaced = gap.starts_with(is_space) && gap.ends_with(is_space);
    match word {
        "" => !gap.is_empty(),
        "/" | "|" | "&" | "," | ";" => true,
        _ => is_spaced && (word.eq_ignore_ascii_case("or") || word.eq_ignore_ascii_case("and")),
    }
}

/// The last capital letter that is a word.
fn last_capital(text: &str) -> Option<char> {
    static CAPITAL: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::compile(r"\b[A-Z]\b", Flags::default()).expect("the pattern is well-formed")
    });
    // One letter between two boundaries leaves nothing to try again, so it cannot fail.
    let found = CAPITAL.find_last(text).ok()??;
    text[found.range()].chars().next()
}
