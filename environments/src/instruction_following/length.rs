//! How long an answer is and how it divides: paragraphs, sentences, words.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::arguments::Arguments;
use super::instruction::{Built, rule};
use super::punkt;
use super::sentences::sentences;
use super::text::{lower, trim, word_runs, words};
use super::words::tokens;

/// There are so many sentences, as Punkt sees them.
pub(super) fn number_sentences(arguments: &mut Arguments<'_>) -> Built {
    let bound = arguments.bound("num_sentences", 0, "relation")?;
    rule(move |answer| bound.holds(punkt::sentences(answer).len()))
}

/// There are so many words: runs of letters, digits and underscores.
pub(super) fn number_words(arguments: &mut Arguments<'_>) -> Built {
    let bound = arguments.bound("num_words", 0, "relation")?;
    rule(move |answer| bound.holds(word_runs(answer).count()))
}

/// There are so many paragraphs, with three asterisks between them.
pub(super) fn number_paragraphs(arguments: &mut Arguments<'_>) -> Built {
    let expected = arguments.count("num_paragraphs", 0)?;
    rule(move |answer| filled(&starred(answer)) == Some(expected))
}

/// There are two paragraphs, with three asterisks between them.
pub(super) fn two_starred_paragraphs(_: &mut Arguments<'_>) -> Built {
    rule(|answer| filled(&starred(answer)) == Some(2))
}

/// There are two paragraphs, with an empty line between them.
pub(super) fn two_spaced_paragraphs(_: &mut Arguments<'_>) -> Built {
    rule(|answer| filled(&answer.split("\n\n").collect::<Vec<_>>()) == Some(2))
}

/// The pieces between three asterisks, each without one space beside them.
fn starred(answer: &str) -> Vec<&str> {
    static DIVIDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"[\s\x1c-\x1f]?\*{3}[\s\x1c-\x1f]?").expect("the pattern is well-formed")
    });
    DIVIDER.split(answer).collect()
}

/// How many pieces are not blank; `None` if a blank one is neither the first nor the last.
pub(super) fn filled(pieces: &[&str]) -> Option<usize> {
    let is_blank = |piece: &&str| trim(piece).is_empty();
    let inner = pieces.len().saturating_sub(1);
    let is_whole = !pieces.iter().take(inner).skip(1).any(is_blank);
    is_whole.then(|| pieces.iter().filter(|piece| !is_blank(piece)).count())
}

/// There are so many paragraphs, with empty lines between them, and one starts with a word.
pub(super) fn nth_paragraph_first_word(arguments: &mut Arguments<'_>) -> Built {
    let expected = arguments.count("num_paragraphs", 1)?;
    let nth = arguments.count("nth_paragraph", 1)?;
    if nth > expected {
        let most = format!("at most `num_paragraphs`, which is {expected}");
        return Err(arguments.unfit("nth_paragraph", most));
    }
    let word = lower(arguments.text("first_word")?);
    rule(move |answer| {
        let paragraphs: Vec<_> = answer.split("\n\n").map(trim).collect();
        let filled = paragraphs.iter().filter(|paragraph| !paragraph.is_empty()).count();
        // Blank pieces have a number too, so the one that is looked for may be blank.
        filled == expected && paragraphs.get(nth - 1).is_some_and(|p| first_word(p) == word)
    })
}

/// A paragraph's first word up to its first punctuation mark, in lower case.
fn first_word(paragraph: &str) -> String {
    let word = words(paragraph).next().unwrap_or_default();
    let word = word.trim_start_matches('\'').trim_start_matches('"');
    let end = word.find(['.', ',', '?', '!', '\'', '"']).unwrap_or(word.len());
    word[..end].chars().flat_map(char::to_lowercase).collect()
}

/// Three paragraphs of so many sentences of so many tokens.
pub(super) fn composition(arguments: &mut Arguments<'_>) -> Built {
    let [sentence_count, token_count] =
        [arguments.count("n_sent", 1)?, arguments.count("n_words", 1)?];
    rule(move |answer| {
        let paragraphs = starred(answer);
        let fits = |paragraph: &&str| {
            let sentences = sentences(paragraph);
            sentences.len() == sentence_count
                && sentences.iter().all(|sentence| tokens(sentence).len() == token_count)
        };
        filled(&paragraphs) == Some(3) && paragraphs.iter().all(fits)
    })
}

/// No token occurs twice; punctuation is tokens too.
pub(super) fn unique_words(_: &mut Arguments<'_>) -> Built {
    rule(|answer| {
        let mut seen = HashSet::new();
        tokens(answer).into_iter().all(|token| seen.insert(token))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::instruction::trials::{follows, refuses};

    #[test]
    fn sentences_are_punkts() {
        let id = "length_constraints:number_sentences";
        let kwargs = |relation: &str| json!({"num_sentences": 2, "relation": relation});
        follows(
            id,
            &kwargs("at least"),
            [("One. Two.", true), ("Mr. Smith went", false), ("", false)],
        );
        follows(id, &kwargs("less than"), [("One. Two.", false), ("1 line\n2 lines", true)]);
        refuses(
            id,
            [
                (json!({"relation": "at least"}), "`num_sentences` is missing"),
                (json!({"num_sentences": -1, "relation": "at least"}), "from 0 on"),
            ],
        );
    }

    #[test]
    fn words_are_runs_of_word_characters() {
        let id = "length_constraints:number_words";
        follows(
            id,
            &json!({"num_words": 6, "relation": "at least"}),
            [
                ("This response has exactly six words.", true),
                ("Don't stop-it now", false),
                ("well-known facts, don't they?", true),
            ],
        );
        follows(id, &json!({"num_words": 10, "relation": "at least"}), [("Too short.", false)]);
        follows(
            id,
            &json!({"num_words": 3, "relation": "less than"}),
            [("a_b c", true), ("a b c", false), ("हिन्दी", false)],
        );
    }

    #[test]
    fn starred_paragraphs_have_three_asterisks_between_them() {
        let id = "length_constraints:number_paragraphs";
        follows(
            id,
            &json!({"num_paragraphs": 2}),
            [
                ("a\n\n***\n\nb", true),
                ("a***b", true),
                ("***\na\n***\nb\n***", true),
                ("a\n***\n\n***\nb", false),
                ("a\n******\nb", false),
                ("a\n****\nb", true),
                ("a\n\nb", false),
                ("a\n* * *\nb", false),
            ],
        );
        follows(id, &json!({"num_paragraphs": 1}), [("a", true), ("***", false), ("", false)]);
        follows(id, &json!({"num_paragraphs": 0}), [("", true), ("***", true)]);
        follows("paragraphs:paragraphs", &json!({}), [("a *** b", true), ("a", false)]);
        refuses(id, [(json!({}), "`num_paragraphs` is missing")]);
    }

    #[test]
    fn spaced_paragraphs_have_an_empty_line_between_them() {
        follows(
            "paragraphs:paragraphs2",
            &json!({}),
            [
                ("a\n\nb", true),
                ("\n\na\n\nb\n\n", true),
                ("a\nb", false),
                ("a\n\n\nb", true),
                ("a\n\n\n\nb", false),
                ("a\n\nb\n\nc", false),
                ("a\n \nb", false),
            ],
        );
    }

    #[test]
    fn a_paragraph_starts_with_a_word() {
        let id = "length_constraints:nth_paragraph_first_word";
        let kwargs = json!({"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Crash"});
        follows(
            id,
            &kwargs,
            [
                ("a\n\ncrash, it went", true),
                ("a\n\n\"'crash' it", false),
                ("a\n\n'\"Crash's", true),
                ("a\n\n**crash** it", false),
                ("a\n\ncrash: it", false),
                ("a\n\ncrash\n\nc", false),
                // Blank pieces have a number, but are no paragraphs.
                ("\n\na\n\ncrash", false),
                ("\n\ncrash\n\nb", true),
                ("a\n\nb\n\n", false),
                ("a\n\n\n\ncrash", false),
            ],
        );
        refuses(
            id,
            [
                (
                    json!({"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"}),
                    "`nth_paragraph` must be at most `num_paragraphs`, which is 2, not `3`",
                ),
                (
                    json!({"num_paragraphs": 2, "nth_paragraph": 0, "first_word": "a"}),
                    "`nth_paragraph` must be a whole number from 1 on",
                ),
                (json!({"num_paragraphs": 2, "nth_paragraph": 1}), "`first_word` is missing"),
            ],
        );
    }

    #[test]
    fn a_composition_counts_sentences_and_tokens() {
        let id = "count:counting_composition";
        let kwargs = json!({"n_sent": 2, "n_words": 3});
        follows(
            id,
            &kwargs,
            [
                ("Go on. Do it.\n***\nOh no. I did.\n***\nSo it. Is so.", true),
                ("Go on. Do it.\n***\nOh no. I did.", false),
                ("Go on. Do it.\n***\nOh no. I did.\n***\nSo it.", false),
                ("Go on. Do it.\n***\nOh no. I did.\n***\nSo it is. Is so.", false),
                ("***\nGo on. Do it.\n***\nOh no. I did.\n***\nSo it. Is so.", false),
                ("", false),
            ],
        );
        refuses(
            id,
            [
                (json!({"n_sent": 2}), "`n_words` is missing"),
                (json!({"n_sent": 0, "n_words": 2}), "`n_sent` must be"),
            ],
        );
    }

    #[test]
    fn tokens_are_unique_with_their_case_and_punctuation() {
        follows(
            "count:count_unique",
            &json!({}),
            [
                ("The the cat", true),
                ("the the", false),
                ("a, b, c", false),
                ("One. Two.", false),
                ("", true),
            ],
        );
    }
}
