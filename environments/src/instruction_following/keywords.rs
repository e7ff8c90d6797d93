//! Keywords: whether, how often and where they stand.

use framework::environment::python::pattern::TooManySteps;

use super::arguments::Arguments;
use super::instruction::{Built, checked, rule};
use super::search::Keyword;
use super::sentences::sentences;
use super::words::tokens;

/// Every keyword is somewhere, perhaps inside a word.
pub(super) fn existence(arguments: &mut Arguments<'_>) -> Built {
    let keywords = arguments.keywords("keywords", Keyword::anywhere)?;
    checked(move |answer| all(&keywords, |keyword| keyword.is_in(answer)))
}

/// A keyword occurs so often, perhaps inside words.
pub(super) fn frequency(arguments: &mut Arguments<'_>) -> Built {
    let keyword = arguments.keyword("keyword")?;
    let bound = arguments.bound("frequency", 0, "relation")?;
    checked(move |answer| Ok(bound.holds(keyword.count(answer)?)))
}

/// A keyword occurs once.
pub(super) fn once(arguments: &mut Arguments<'_>) -> Built {
    let keyword = arguments.keyword("keyword")?;
    checked(move |answer| Ok(keyword.count(answer)? == 1))
}

/// One keyword occurs once, another twice.
pub(super) fn once_and_twice(arguments: &mut Arguments<'_>) -> Built {
    let [first, second] = [arguments.keyword("keyword1")?, arguments.keyword("keyword2")?];
    checked(move |answer| Ok(first.count(answer)? == 1 && second.count(answer)? == 2))
}

/// No keyword stands as a word of its own.
pub(super) fn forbidden(arguments: &mut Arguments<'_>) -> Built {
    let words = arguments.keywords("forbidden_words", Keyword::word)?;
    checked(move |answer| all(&words, |word| Ok(!word.is_in(answer)?)))
}

/// A keyword does not stand between two blanks; elsewhere it may.
pub(super) fn excluded(arguments: &mut Arguments<'_>) -> Built {
    // The keyword was drawn from it when the row was made.
    arguments.ignore("instruction");
    let keyword = format!(" {} ", arguments.trimmed("keyword")?);
    rule(move |answer| !answer.contains(&keyword))
}

/// A keyword is the m-th token of the n-th sentence.
pub(super) fn at_position(arguments: &mut Arguments<'_>) -> Built {
    let keyword = arguments.trimmed_or_first("keyword")?.to_owned();
    let (sentence, token) = (arguments.count("n", 1)?, arguments.count("m", 1)?);
    rule(move |answer| {
        let sentences = sentences(answer);
        let tokens = sentences.get(sentence - 1).map(|sentence| tokens(sentence));
        tokens.is_some_and(|tokens| tokens.get(token - 1) == Some(&keyword))
    })
}

fn all(
    keywords: &[Keyword],
    holds: impl Fn(&Keyword) -> Result<bool, TooManySteps>,
) -> Result<bool, TooManySteps> {
    for keyword in keywords {
        if !holds(keyword)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::instruction::trials::{follows, refuses};

    #[test]
    fn existence_is_of_every_keyword_even_inside_words() {
        let id = "keywords:existence";
        follows(
            id,
            &json!({"keywords": ["river", "Moon"]}),
            [("The MOON over the rivers", true), ("The moon", false), ("", false)],
        );
        follows(
            id,
            &json!({"keywords": ["colou?r", "^The"]}),
            [("the color", true), ("A colour", false)],
        );
        follows(id, &json!({"keywords": "ab"}), [("b and a", true), ("a", false)]);
        refuses(
            id,
            [
                (json!({}), "`keywords` is missing"),
                (json!({"keywords": []}), "`keywords` must be a list of texts, not `[]`"),
                (json!({"keywords": ["a", 1]}), "must be text that is not blank, not `1`"),
                (json!({"keywords": ["a", "(b"]}), "`keywords` is no regular expression"),
                (json!({"keywords": ""}), "must be a list of texts"),
            ],
        );
    }

    #[test]
    fn frequency_counts_without_overlaps() {
        for id in ["keywords:frequency", "keywords:word_count_different_numbers"] {
            let kwargs =
                |relation: &str| json!({"keyword": " aa ", "frequency": 2, "relation": relation});
            follows(id, &kwargs("at least"), [("aaaa", true), ("aaa", false), ("Aa aA", true)]);
            follows(id, &kwargs("less than"), [("aaaa", false), ("aaa", true), ("", true)]);
            refuses(
                id,
                [
                    (json!({"keyword": "a", "frequency": 2}), "`relation` is missing"),
                    (
                        json!({"keyword": "a", "frequency": 2, "relation": "at most"}),
                        "`relation` must be `less than` or `at least`, not `\"at most\"`",
                    ),
                    (
                        json!({"keyword": "a", "frequency": -1, "relation": "at least"}),
                        "`frequency` must be a whole number from 0 on, not `-1`",
                    ),
                    (
                        json!({"keyword": "a", "frequency": true, "relation": "at least"}),
                        "`frequency` must be a whole number",
                    ),
                    (
                        json!({"keyword": "a", "frequency": 1.5, "relation": "at least"}),
                        "not `1.5`",
                    ),
                    (json!({"frequency": 2, "relation": "at least"}), "`keyword` is missing"),
                    (
                        json!({"keyword": " ", "frequency": 2, "relation": "at least"}),
                        "`keyword` must be text that is not blank",
                    ),
                ],
            );
        }
        let float = json!({"keyword": "a", "frequency": 2.0, "relation": "at least"});
        follows("keywords:frequency", &float, [("aa", true), ("a", false)]);
    }

    #[test]
    fn once_is_once_even_inside_words() {
        follows(
            "keywords:word_once",
            &json!({"keyword": "sun"}),
            [("Sunday", true), ("sun and Sunday", false), ("", false)],
        );
        let kwargs = json!({"keyword1": "one", "keyword2": "two"});
        follows(
            "count:count_increment_word",
            &kwargs,
            [
                ("one two two", true),
                ("one two", false),
                ("One Two TWO two", false),
                ("two two", false),
            ],
        );
        refuses(
            "count:count_increment_word",
            [(json!({"keyword1": "a"}), "`keyword2` is missing")],
        );
    }

    #[test]
    fn forbidden_words_may_be_parts_of_words() {
        follows(
            "keywords:forbidden_words",
            &json!({"forbidden_words": ["part", "end"]}),
            [
                ("apart, ending", true),
                ("A PART.", false),
                ("the end", false),
                ("part_1", true),
                ("", true),
            ],
        );
        refuses("keywords:forbidden_words", [(json!({}), "`forbidden_words` is missing")]);
    }

    #[test]
    fn an_excluded_word_is_missed_at_the_edges() {
        let kwargs = json!({"keyword": "cat ", "instruction": "a cat sat"});
        follows(
            "keywords:exclude_word_harder",
            &kwargs,
            [
                ("a cat sat", false),
                ("cat sat", true),
                ("a cat", true),
                ("a cat, b", true),
                ("a Cat sat", true),
                ("a\ncat\nsat", true),
            ],
        );
        refuses(
            "keywords:exclude_word_harder",
            [(json!({"instruction": "a cat sat"}), "`keyword` is missing")],
        );
    }

    #[test]
    fn a_keyword_has_a_place_among_sentences_and_tokens() {
        let id = "keywords:keyword_specific_position";
        follows(
            id,
            &json!({"keyword": "dog", "n": 2, "m": 3}),
            [
                ("A cat. The big dog barks.", true),
                ("A cat. The big Dog barks.", false),
                ("A cat. Oh, dog!", true),
                ("A cat. dog", false),
                ("One sentence only", false),
                ("", false),
            ],
        );
        follows(id, &json!({"keyword": ["dog", "cat"], "n": 1, "m": 1}), [("dog", true)]);
        follows(id, &json!({"keyword": ".", "n": 1, "m": 2}), [("Stop. Go.", true)]);
        refuses(
            id,
            [
                (json!({"keyword": "a", "n": 0, "m": 1}), "`n` must be a whole number from 1 on"),
                (json!({"keyword": "a", "n": 1}), "`m` is missing"),
                (json!({"keyword": [], "n": 1, "m": 1}), "`keyword` must be text"),
            ],
        );
    }
}
