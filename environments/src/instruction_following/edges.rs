//! How an answer or its sentences start and end.

use super::arguments::Arguments;
use super::instruction::{Built, rule};
use super::sentences::sentences;
use super::text::{is_space, is_word, lower, same_lower, trim, words};
use super::words::tokens;

/// The answer ends with a phrase.
pub(super) fn end_phrase(arguments: &mut Arguments<'_>) -> Built {
    let phrase = lower(arguments.trimmed("end_phrase")?);
    rule(move |answer| lower(trim(answer).trim_matches('"')).ends_with(&phrase))
}

/// The answer is in quotes.
pub(super) fn quotation(_: &mut Arguments<'_>) -> Built {
    rule(|answer| {
        let answer = trim(answer);
        answer.len() > 1 && answer.starts_with('"') && answer.ends_with('"')
    })
}

/// The first and the last of at least two tokens are the same.
pub(super) fn same_ends(_: &mut Arguments<'_>) -> Built {
    rule(|answer| match tokens(answer).as_slice() {
        [first, .., last] => same_lower(first, last),
        _ => false,
    })
}

/// The answer's first word.
pub(super) fn first_word(arguments: &mut Arguments<'_>) -> Built {
    let word = arguments.trimmed("first_word")?.to_owned();
    rule(move |answer| starts_with(answer, &word))
}

/// Every sentence's first word.
pub(super) fn first_words(arguments: &mut Arguments<'_>) -> Built {
    let word = arguments.trimmed("first_word")?.to_owned();
    rule(move |answer| sentences(answer).iter().all(|sentence| starts_with(sentence, &word)))
}

/// The answer's last word.
pub(super) fn last_word(arguments: &mut Arguments<'_>) -> Built {
    let word = arguments.trimmed("last_word")?.to_owned();
    rule(move |answer| ends_with(answer, &word))
}

/// Every sentence's last word.
pub(super) fn last_words(arguments: &mut Arguments<'_>) -> Built {
    let word = arguments.trimmed_or_first("last_word")?.to_owned();
    rule(move |answer| sentences(answer).iter().all(|sentence| ends_with(sentence, &word)))
}

fn starts_with(text: &str, word: &str) -> bool {
    words(text).next().is_some_and(|first| same_lower(first, word))
}

/// Whether a text's last word is a word, but for punctuation in it.
fn ends_with(text: &str, word: &str) -> bool {
    let is_kept = |character: &char| is_word(*character) || is_space(*character);
    let last = words(text).next_back().map(|last| last.chars().filter(is_kept).collect::<String>());
    last.is_some_and(|last| same_lower(&last, word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::instruction::trials::{follows, refuses};

    #[test]
    fn an_answer_ends_with_its_phrase() {
        follows(
            "startend:end_checker",
            &json!({"end_phrase": " The End. "}),
            [
                ("Well. the END.\n", true),
                ("\"Well. The end.\"", true),
                ("The end. Really", false),
                ("", false),
            ],
        );
        refuses("startend:end_checker", [(json!({}), "`end_phrase` is missing")]);
    }

    #[test]
    fn quotes_are_straight_and_two() {
        follows(
            "startend:quotation",
            &json!({}),
            [(" \"a\"\n", true), ("\"\"", true), ("\"", false), ("“a”", false), ("\"a", false)],
        );
    }

    #[test]
    fn the_ends_are_tokens() {
        follows(
            "keywords:start_end",
            &json!({}),
            [
                ("Well it ended well", true),
                ("Well it ended well.", false),
                ("well", false),
                ("\" a \"", true),
                ("\"a\"", false),
                (". a .", true),
                ("", false),
            ],
        );
    }

    #[test]
    fn first_words_keep_their_punctuation() {
        follows(
            "first_word:first_word_answer",
            &json!({"first_word": "well "}),
            [("Well then", true), ("Well, then", false), ("", false)],
        );
        follows(
            "first_word:first_word_sent",
            &json!({"first_word": "So"}),
            [
                ("So it is. so be it! SO what?", true),
                ("So it is. Be it", false),
                ("So what?! So", false),
                ("", true),
            ],
        );
        refuses(
            "first_word:first_word_sent",
            [(
                json!({"first_word": ["So"]}),
                "`first_word` must be text that is not blank, not `[\"So\"]`",
            )],
        );
    }

    #[test]
    fn last_words_lose_their_punctuation() {
        follows(
            "last_word:last_word_answer",
            &json!({"last_word": "contest"}),
            [
                ("Win the Contest!", true),
                ("win the \"contest\"...", true),
                ("contest was", false),
                ("con-test", true),
                ("", false),
            ],
        );
        follows(
            "last_word:last_word_sent",
            &json!({"last_word": ["now", "then"]}),
            [
                ("Do it now. Not later but NOW!", true),
                ("Do it now. Then", false),
                ("", true),
                ("now?!", false),
            ],
        );
        refuses(
            "last_word:last_word_answer",
            [(json!({"last_word": ["now"]}), "`last_word` must be text that is not blank")],
        );
    }
}
