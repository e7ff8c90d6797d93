//! Answers that repeat something: the prompt, a part of it, a phrase; or that stand side by side.

use framework::environment::python::pattern::Flags;

use super::arguments::{self, Arguments};
use super::instruction::{Built, checked, rule};
use super::length::filled;
use super::text::{lower, same_lower, trim, words};

/// What stands between two answers.
const DIVIDER: &str = "******";

/// There are two answers, and they differ.
pub(super) fn two_responses(_: &mut Arguments<'_>) -> Built {
    rule(|answer| {
        let pieces: Vec<_> = answer.split(DIVIDER).map(trim).collect();
        let mut responses = pieces.iter().filter(|piece| !piece.is_empty());
        filled(&pieces) == Some(2) && responses.next() != responses.next()
    })
}

/// The answer starts with the prompt.
pub(super) fn repeat_prompt(arguments: &mut Arguments<'_>) -> Built {
    let prompt = lower(arguments.trimmed("prompt_to_repeat")?);
    rule(move |answer| lower(trim(answer)).starts_with(&prompt))
}

/// The answer is the prompt.
pub(super) fn copy(arguments: &mut Arguments<'_>) -> Built {
    let prompt = lower(arguments.trimmed("prompt_to_repeat")?);
    rule(move |answer| lower(trim(answer)) == prompt)
}

/// The answer is the prompt, so many times.
pub(super) fn copy_multiple(arguments: &mut Arguments<'_>) -> Built {
    let prompt = arguments.trimmed("prompt_to_repeat")?.to_owned();
    let expected = arguments.count("N", 1)?;
    rule(move |answer| {
        let copies: Vec<_> = answer.split(DIVIDER).collect();
        copies.len() == expected && copies.iter().all(|copy| same_lower(trim(copy), &prompt))
    })
}

/// The answer is a span of the prompt, in characters.
pub(super) fn copy_span(arguments: &mut Arguments<'_>) -> Built {
    let prompt = arguments.text("prompt_to_repeat")?;
    let start = arguments.count("n_start", 0)?;
    let least = i64::try_from(start).unwrap_or(i64::MAX).saturating_add(1);
    let end = arguments.count("n_end", least)?;
    let span: String = prompt.chars().take(end).skip(start).collect();
    let span = lower(trim(&span));
    rule(move |answer| lower(trim(answer)) == span)
}

/// A phrase occurs so often, with at most one word changed each time, and with one the last time.
pub(super) fn repeat_phrase(arguments: &mut Arguments<'_>) -> Built {
    let phrase: Vec<_> = words(arguments.text("phrase")?).map(str::to_owned).collect();
    let expected = arguments.count("small_n", 1)?;
    let [first, last] = [&phrase[0], &phrase[phrase.len() - 1]];
    let spans = arguments::pattern("phrase", &format!("{first} .*? {last}"), Flags::default())?;
    checked(move |answer| {
        let spans = spans.find_all(answer)?;
        let changed = spans.iter().map(|span| changes(&answer[span.range()], &phrase));
        let changes: Option<Vec<_>> = changed.collect();
        Ok(spans.len() == expected
            && changes.is_some_and(|changes| {
                changes.iter().all(|changes| *changes <= 1) && changes.last() == Some(&1)
            }))
    })
}

/// How many words of a span are not those of the phrase; `None` if it has more or fewer.
fn changes(span: &str, phrase: &[String]) -> Option<usize> {
    let words: Vec<_> = words(span).collect();
    let pairs = words.iter().zip(phrase);
    (words.len() == phrase.len()).then(|| pairs.filter(|(word, own)| *word != own).count())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::instruction::trials::{follows, refuses};

    #[test]
    fn two_responses_differ() {
        follows(
            "combination:two_responses",
            &json!({}),
            [
                ("a******b", true),
                ("******a\n******\nb******", true),
                ("a****** a", false),
                ("a******b******c", false),
                ("a************b", false),
                ("a***b", false),
            ],
        );
    }

    #[test]
    fn the_prompt_is_repeated_or_copied() {
        let kwargs = json!({"prompt_to_repeat": " Say it. "});
        follows(
            "combination:repeat_prompt",
            &kwargs,
            [("\nSAY IT. Well", true), ("say it.", true), ("I say it.", false)],
        );
        for id in ["copy:copy", "copy:copying_simple"] {
            follows(id, &kwargs, [(" say IT.\n", true), ("say it. Well", false)]);
            refuses(
                id,
                [
                    (json!({}), "`prompt_to_repeat` is missing"),
                    (json!({"prompt_to_repeat": ""}), "must be text that is not blank"),
                ],
            );
        }
        follows(
            "copy:copying_multiple",
            &json!({"prompt_to_repeat": "Hi", "N": 2}),
            [
                ("hi ****** HI", true),
                ("hi", false),
                ("hi******hi******hi", false),
                ("hi******ho", false),
            ],
        );
        refuses(
            "copy:copying_multiple",
            [(json!({"prompt_to_repeat": "Hi", "N": 0}), "`N` must be a whole number from 1 on")],
        );
    }

    #[test]
    fn a_span_is_counted_in_characters() {
        let id = "new:copy_span_idx";
        let kwargs = |start: i64, end: i64| json!({"prompt_to_repeat": "Äpfel und Birnen", "n_start": start, "n_end": end});
        follows(id, &kwargs(1, 5), [("PFEL", true), ("pfel ", true), ("Äpfel", false)]);
        follows(id, &kwargs(0, 6), [("äpfel", true), ("Äpfel und", false)]);
        follows(id, &kwargs(10, 99), [("birnen", true)]);
        refuses(
            id,
            [
                (kwargs(3, 3), "`n_end` must be a whole number from 4 on"),
                (kwargs(-1, 3), "`n_start` must be a whole number from 0 on"),
            ],
        );
    }

    #[test]
    fn a_phrase_returns_with_one_word_changed() {
        let id = "copy:repeat_phrase";
        let kwargs = json!({"phrase": "the quick brown fox", "small_n": 2});
        follows(
            id,
            &kwargs,
            [
                ("the quick red fox and the slow brown fox", true),
                ("the quick brown fox and the slow brown fox", true),
                ("the slow brown fox and the quick brown fox", false),
                ("the slow red fox and the slow brown fox", false),
                ("the quick red fox", false),
                ("the quick dark brown fox and the slow brown fox", false),
                ("the quick\nred fox and the slow brown fox the slow brown fox", true),
                ("", false),
            ],
        );
        refuses(
            id,
            [
                (json!({"small_n": 2}), "`phrase` is missing"),
                (json!({"phrase": "a b", "small_n": 0}), "`small_n` must be"),
                (json!({"phrase": "a( b", "small_n": 2}), "`phrase` is no regular expression"),
            ],
        );
    }
}
