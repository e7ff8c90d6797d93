//! Letters, their case, and words seen as letters.

use super::arguments::Arguments;
use super::instruction::{Built, rule};
use super::language;
use super::text::{is_lower, is_upper, lower, word_runs, words};
use super::words::tokens;

/// A letter occurs so often, in whatever case.
pub(super) fn frequency(arguments: &mut Arguments<'_>) -> Built {
    let letter = arguments.letter("letter")?;
    let bound = arguments.bound("let_frequency", 0, "let_relation")?;
    rule(move |answer| bound.holds(lower(answer).matches(letter).count()))
}

/// There are so many ASCII letters.
pub(super) fn counting(arguments: &mut Arguments<'_>) -> Built {
    let bound = arguments.bound("N", 1, "relation")?;
    rule(move |answer| bound.holds(answer.bytes().filter(u8::is_ascii_alphabetic).count()))
}

/// No two neighbouring words start with a character and its successor.
pub(super) fn no_consecutive_initials(_: &mut Arguments<'_>) -> Built {
    rule(|answer| {
        let initials: Vec<_> = words(answer).map(initial).collect();
        initials.windows(2).all(|pair| match pair {
            [Some(first), Some(second)] => u32::from(*second) != u32::from(*first) + 1,
            _ => false,
        })
    })
}

/// A word's first character in lower case, if that is one character.
fn initial(word: &str) -> Option<char> {
    let mut lower = word.chars().next()?.to_lowercase();
    lower.next().filter(|_| lower.next().is_none())
}

/// Some word reads the same backwards.
pub(super) fn palindrome(_: &mut Arguments<'_>) -> Built {
    rule(|answer| words(answer).any(|word| word.chars().eq(word.chars().rev())))
}

/// There are so many tokens in capitals.
pub(super) fn capital_words(arguments: &mut Arguments<'_>) -> Built {
    let bound = arguments.bound("capital_frequency", i64::MIN, "capital_relation")?;
    rule(move |answer| bound.holds(tokens(answer).iter().filter(|token| is_upper(token)).count()))
}

/// English in capitals.
pub(super) fn english_capital(_: &mut Arguments<'_>) -> Built {
    rule(|answer| is_upper(answer) && language::is_in(answer, "en"))
}

/// English without capitals.
pub(super) fn english_lowercase(_: &mut Arguments<'_>) -> Built {
    rule(|answer| is_lower(answer) && language::is_in(answer, "en"))
}

/// The whole answer is in one language.
pub(super) fn response_language(arguments: &mut Arguments<'_>) -> Built {
    let language = arguments.one_of("language", &language::LANGUAGES)?;
    rule(move |answer| language::is_in(answer, language))
}

/// At most so many words are all a to z.
pub(super) fn lowercase_words(arguments: &mut Arguments<'_>) -> Built {
    let most = arguments.count("N", 1)?;
    let is_lowercase = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    rule(move |answer| word_runs(answer).filter(is_lowercase).count() <= most)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::instruction::trials::{follows, refuses};

    #[test]
    fn letters_are_counted_in_whatever_case() {
        for id in ["keywords:letter_frequency", "letters:letter_counting2"] {
            let kwargs = |relation: &str| json!({"letter": "E", "let_frequency": 3, "let_relation": relation});
            follows(id, &kwargs("at least"), [("Eee", true), ("eé e", false)]);
            follows(id, &kwargs("less than"), [("Eee", false), ("", true)]);
            for letter in ["", "ab", "1", "é", "!", " "] {
                refuses(
                    id,
                    [(
                        json!({"letter": letter, "let_frequency": 3, "let_relation": "at least"}),
                        "`letter` must be one letter from a to z",
                    )],
                );
            }
            refuses(
                id,
                [
                    (
                        json!({"let_frequency": 3, "let_relation": "at least"}),
                        "`letter` is missing",
                    ),
                    (
                        json!({"letter": "a", "let_frequency": 3, "let_relation": "more than"}),
                        "`let_relation` must be",
                    ),
                ],
            );
        }
        let dotted = json!({"letter": "i", "let_frequency": 1, "let_relation": "at least"});
        follows("keywords:letter_frequency", &dotted, [("İ", true), ("ı", false)]);
    }

    #[test]
    fn only_ascii_letters_count() {
        let id = "letters:letter_counting";
        follows(id, &json!({"N": 3, "relation": "at least"}), [("a1b2C", true), ("aéß b", false)]);
        follows(id, &json!({"N": 3, "relation": "less than"}), [("ab 12", true), ("abc", false)]);
        refuses(
            id,
            [
                (json!({"N": 0, "relation": "at least"}), "`N` must be a whole number from 1 on"),
                (json!({"N": 3, "relation": "exactly"}), "`relation` must be"),
                (json!({"N": 3}), "`relation` is missing"),
            ],
        );
    }

    #[test]
    fn neighbours_must_not_start_with_successive_letters() {
        follows(
            "keywords:no_adjacent_consecutive",
            &json!({}),
            [
                ("apple Banana", false),
                ("banana apple", true),
                ("apple cat", true),
                ("one", true),
                ("", true),
                ("1 2", false),
                ("İx", true),
                ("İx a", false),
                ("z {", false),
            ],
        );
    }

    #[test]
    fn a_palindrome_is_compared_with_its_case_and_punctuation() {
        follows(
            "keywords:palindrome",
            &json!({}),
            [
                ("my level best", true),
                ("Level best", false),
                ("my level, best", false),
                ("I am", true),
                ("été", true),
                ("", false),
            ],
        );
    }

    #[test]
    fn capital_words_are_tokens() {
        let id = "change_case:capital_word_frequency";
        let kwargs =
            |n: i64, relation: &str| json!({"capital_frequency": n, "capital_relation": relation});
        follows(
            id,
            &kwargs(2, "at least"),
            [
                ("NASA and A1", true),
                ("NASA'S", true),
                ("Nasa USA", false),
                ("X. Y", true),
                ("12 !", false),
            ],
        );
        follows(id, &kwargs(1, "less than"), [("no", true), ("NO", false)]);
        follows(id, &kwargs(-1, "at least"), [("", true)]);
        refuses(
            id,
            [
                (json!({"capital_relation": "at least"}), "`capital_frequency` is missing"),
                (json!({"capital_frequency": 1}), "`capital_relation` is missing"),
            ],
        );
    }

    #[test]
    fn english_may_be_asked_for_in_one_case() {
        let lower = "this is a plain english sentence about the weather and the sea.";
        follows(
            "change_case:english_lowercase",
            &json!({}),
            [
                (lower, true),
                ("This is a plain english sentence about the weather.", false),
                ("das ist ein ganz gewöhnlicher deutscher satz über das wetter.", false),
                ("123", false),
            ],
        );
        // Capitals tell the detector next to nothing.
        follows(
            "change_case:english_capital",
            &json!({}),
            [
                ("THIS IS AN ENGLISH SENTENCE", false),
                ("HELLO WORLD", false),
                ("This is not all capitals", false),
                ("123", false),
            ],
        );
    }

    #[test]
    fn the_language_is_one_of_thirty() {
        let id = "language:response_language";
        follows(
            id,
            &json!({"language": "fr"}),
            [
                ("Le chat était assis sur le tapis et regardait la pluie.", true),
                ("The cat sat on the mat and looked at the rain.", false),
                ("123 !?", true),
            ],
        );
        refuses(
            id,
            [
                (json!({}), "`language` is missing"),
                (json!({"language": "EN"}), "`language` must be one of `en`, `es`"),
                (json!({"language": "zh-cn"}), "not `\"zh-cn\"`"),
            ],
        );
    }

    #[test]
    fn lowercase_words_are_whole_words_of_a_to_z() {
        let id = "count:lowercase_counting";
        follows(
            id,
            &json!({"N": 2}),
            [
                ("one two", true),
                ("one two three", false),
                ("one Two foo_bar a1 naïve don't", false),
                ("one Two foo_bar a1 naïve", true),
                ("", true),
            ],
        );
        refuses(id, [(json!({"N": 0}), "`N` must be"), (json!({}), "`N` is missing")]);
    }
}
