//! Marks and formats: bullets, highlights, titles, brackets, JSON, punctuation.

use std::sync::LazyLock;

use framework::environment::python::Json;
use framework::environment::python::pattern::Flags;
use regex::Regex;

use super::arguments::{self, Arguments};
use super::instruction::{Built, checked, rule};
use super::sentences::sentences;
use super::text::{lower, trim, words};

/// Spaces as Python's `\s`, in a class.
const SPACE: &str = r"\s\x1c-\x1f";

/// How deep JSON may be nested; Python's limit depends on its stack and is near this.
const DEPTH_MAX: usize = 990;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is well-formed")
}

/// A character is nowhere.
pub(super) fn without(character: char) -> Built {
    rule(move |answer| !answer.contains(character))
}

/// There are so many `[placeholders]` or more.
pub(super) fn placeholders(arguments: &mut Arguments<'_>) -> Built {
    let least = arguments.count("num_placeholders", 0)?;
    rule(move |answer| answer.split('\n').map(bracketed).sum::<usize>() >= least)
}

/// How many times a line has a bracket with a closing one after it.
fn bracketed(line: &str) -> usize {
    let next = |line: &str| {
        let (_, inside) = line.split_once('[')?;
        Some(inside.split_once(']')?.1.len())
    };
    let after = |rest: usize| next(&line[line.len() - rest..]);
    std::iter::successors(next(line), |rest| after(*rest)).count()
}

/// There is a postscript.
pub(super) fn postscript(arguments: &mut Arguments<'_>) -> Built {
    let marker = arguments.trimmed("postscript_marker")?;
    let expression = match marker {
        "P.P.S" => r"p\.\s?p\.\s?s".to_owned(),
        "P.S." => r"p\.\s?s\.".to_owned(),
        marker => format!(r"\s*{}.*$", lower(marker)),
    };
    let flags = Flags { multi_line: true, ..Flags::default() };
    let pattern = arguments::pattern("postscript_marker", &expression, flags)?;
    checked(move |answer| pattern.is_match(&lower(answer)))
}

/// There are exactly so many bullets.
pub(super) fn bullets(arguments: &mut Arguments<'_>) -> Built {
    static STARS: LazyLock<Regex> =
        LazyLock::new(|| regex(&format!(r"(?m)^[{SPACE}]*\*[^*][^\n]*$")));
    static DASHES: LazyLock<Regex> = LazyLock::new(|| regex(&format!(r"(?m)^[{SPACE}]*-[^\n]*$")));
    let expected = arguments.count("num_bullets", 0)?;
    rule(move |answer| {
        STARS.find_iter(answer).count() + DASHES.find_iter(answer).count() == expected
    })
}

/// One of three sentences is somewhere.
pub(super) fn constrained_response(_: &mut Arguments<'_>) -> Built {
    const CHOICES: [&str; 3] = ["My answer is yes.", "My answer is no.", "My answer is maybe."];
    rule(|answer| CHOICES.iter().any(|choice| answer.contains(choice)))
}

/// There are so many *highlights* or more.
pub(super) fn highlights(arguments: &mut Arguments<'_>) -> Built {
    static SINGLE: LazyLock<Regex> = LazyLock::new(|| regex(r"\*[^\n*]*\*"));
    static DOUBLE: LazyLock<Regex> = LazyLock::new(|| regex(r"\*\*[^\n*]*\*\*"));
    let least = arguments.count("num_highlights", 0)?;
    let count = |pattern: &Regex, answer: &str| {
        let texts = pattern.find_iter(answer).map(|found| found.as_str().trim_matches('*'));
        texts.filter(|text| !trim(text).is_empty()).count()
    };
    rule(move |answer| count(&SINGLE, answer) + count(&DOUBLE, answer) >= least)
}

/// There are so many numbered sections or more.
pub(super) fn sections(arguments: &mut Arguments<'_>) -> Built {
    let splitter = arguments.trimmed("section_spliter")?;
    let expression = format!(r"\s?{splitter}\s?\d+\s?");
    let pattern = arguments::pattern("section_spliter", &expression, Flags::default())?;
    let least = arguments.count("num_sections", 0)?;
    // NeMo Gym splits there and counts the pieces, among which are the groups of the splitter.
    let pieces = 1 + pattern.group_count();
    checked(move |answer| Ok(pattern.find_all(answer)?.len() * pieces >= least))
}

/// The answer is JSON, perhaps in a fence.
pub(super) fn json(_: &mut Arguments<'_>) -> Built {
    rule(|answer| {
        let mut text = trim(answer);
        for fence in ["```json", "```Json", "```JSON", "```"] {
            text = text.strip_prefix(fence).unwrap_or(text);
        }
        let text = trim(text.strip_suffix("```").unwrap_or(text));
        Json::parse_nested(text, DEPTH_MAX).is_ok()
    })
}

/// There is a <<title>>.
pub(super) fn title(_: &mut Arguments<'_>) -> Built {
    rule(|answer| answer.split('\n').any(has_title))
}

/// Whether something stands between the first two `<` and the last two `>` of a line.
fn has_title(line: &str) -> bool {
    let Some(start) = line.find("<<") else { return false };
    let Some(end) = line.rfind(">>").filter(|end| *end > start + 2) else { return false };
    let title = line[start..end].trim_start_matches('<').trim_end_matches('>');
    !trim(title).is_empty()
}

/// Hyphens, and nothing else, stand between the sentences.
pub(super) fn sentence_hyphens(_: &mut Arguments<'_>) -> Built {
    rule(|answer| {
        let expected = sentences(&answer.replace('-', " "));
        // What is left over on either side is not looked at, as in NeMo Gym.
        answer.split('-').zip(&expected).all(|(piece, sentence)| piece == sentence)
    })
}

/// Every word is in brackets of its own.
pub(super) fn square_brackets(_: &mut Arguments<'_>) -> Built {
    rule(|answer| words(answer).all(|word| word.starts_with('[') && word.ends_with(']')))
}

/// Every two words are in <<double brackets>>; a last word without a partner is free.
pub(super) fn bigrams(_: &mut Arguments<'_>) -> Built {
    rule(|answer| {
        let words: Vec<_> = words(answer).collect();
        words.chunks_exact(2).all(|pair| pair[0].starts_with("<<") && pair[1].ends_with(">>"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::instruction::trials::{follows, refuses};

    #[test]
    fn marks_are_nowhere() {
        follows(
            "punctuation:no_comma",
            &json!({}),
            [("a; b", true), ("a, b", false), ("，", true)],
        );
        follows("punctuation:punctuation_dot", &json!({}), [("a!", true), ("3.5", false)]);
        follows("punctuation:punctuation_exclamation", &json!({}), [("a.", true), ("a!", false)]);
    }

    #[test]
    fn placeholders_close_on_their_line() {
        let id = "detectable_content:number_placeholders";
        follows(
            id,
            &json!({"num_placeholders": 2}),
            [
                ("[name], [address] and [date]", true),
                ("[] []", true),
                ("[[a] b]", false),
                ("[a\n] [b]", false),
                ("][ ][ ", false),
            ],
        );
        follows(id, &json!({"num_placeholders": 0}), [("", true)]);
        refuses(id, [(json!({"num_placeholders": -2}), "from 0 on")]);
    }

    #[test]
    fn a_postscript_is_found_by_its_marker() {
        let id = "detectable_content:postscript";
        follows(
            id,
            &json!({"postscript_marker": " P.S. "}),
            [("Bye\np.s. more", true), ("P. S. more", true), ("PS more", false), ("P.S", false)],
        );
        follows(
            id,
            &json!({"postscript_marker": "P.P.S"}),
            [("p. p. s more", true), ("P.P.S.", true), ("P.S.", false)],
        );
        follows(
            id,
            &json!({"postscript_marker": "P.P.S."}),
            [("P.P.S. more", true), ("papas!", true)],
        );
        follows(
            id,
            &json!({"postscript_marker": "Note|^Nb$"}),
            [("a note", true), ("a\nNB", true), ("a NB b", false)],
        );
        refuses(
            id,
            [
                (json!({}), "`postscript_marker` is missing"),
                (
                    json!({"postscript_marker": "(("}),
                    "`postscript_marker` is no regular expression",
                ),
            ],
        );
    }

    #[test]
    fn bullets_are_stars_and_dashes_at_the_start_of_lines() {
        let id = "detectable_format:number_bullet_lists";
        follows(
            id,
            &json!({"num_bullets": 2}),
            [
                ("* a\n* b", true),
                ("  * a\n\n  - b", true),
                ("* a\n* b\n* c", false),
                ("** a\n* b\n* c", true),
                ("---\n-5", true),
                ("a * b\n- c", false),
                ("*\n- a\nb\n* c", false),
                ("*\na\n* b", true),
                ("+ a\n+ b", false),
            ],
        );
        follows(id, &json!({"num_bullets": 0}), [("", true), ("- a", false)]);
    }

    #[test]
    fn one_of_three_sentences_is_there() {
        follows(
            "detectable_format:constrained_response",
            &json!({}),
            [
                ("Well: My answer is no. Sorry", true),
                ("my answer is yes.", false),
                ("My answer is maybe", false),
            ],
        );
    }

    #[test]
    fn highlights_are_not_blank() {
        let id = "detectable_format:number_highlighted_sections";
        follows(
            id,
            &json!({"num_highlights": 1}),
            [("*a*", true), ("**a**", true), ("* *", false), ("**", false), ("*a\nb*", false)],
        );
        follows(
            id,
            &json!({"num_highlights": 2}),
            [("**a**", false), ("*a* **b**", true), ("*a* *b*", true), ("*a*b*", false)],
        );
    }

    #[test]
    fn sections_have_numbers() {
        let id = "detectable_format:multiple_sections";
        follows(
            id,
            &json!({"section_spliter": " Section ", "num_sections": 2}),
            [
                ("Section 1\na\nSection2\nb", true),
                ("Section 1", false),
                ("SECTION 1 SECTION 2", false),
                ("Section  1 Section  2", false),
            ],
        );
        follows(
            id,
            &json!({"section_spliter": "(Part|Day)", "num_sections": 2}),
            [("Part 1", true), ("Part", false)],
        );
        refuses(
            id,
            [
                (json!({"section_spliter": "Section"}), "`num_sections` is missing"),
                (json!({"num_sections": 2}), "`section_spliter` is missing"),
            ],
        );
    }

    #[test]
    fn json_is_pythons_and_may_be_fenced() {
        let deep = "[".repeat(200_000);
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        follows(
            "detectable_format:json_format",
            &json!({}),
            [
                (r#"{"a": 1}"#, true),
                ("```json\n{\"a\": 1}\n```", true),
                ("```Json [1] ```", true),
                ("``` NaN ```", true),
                ("```json```JSON 1", true),
                ("\"text\"", true),
                ("{'a': 1}", false),
                ("{\"a\": 1,}", false),
                ("Here: {}", false),
                ("", false),
                (&deep, false),
                (&nested(900), true),
                (&nested(1100), false),
            ],
        );
    }

    #[test]
    fn a_title_is_not_blank() {
        follows(
            "detectable_format:title",
            &json!({}),
            [
                ("<<My title>>\nText", true),
                ("text <<a>> text", true),
                ("No title", false),
                ("<<>>", false),
                ("<< >>", false),
                ("<<\na>>", false),
                ("<<<>>>", false),
                ("<<a> >>", true),
                ("<a>", false),
                ("<<>> x <<a>>", true),
            ],
        );
    }

    #[test]
    fn hyphens_stand_between_sentences() {
        follows(
            "detectable_format:sentence_hyphens",
            &json!({}),
            [
                ("Hello there.-How are you?", true),
                ("Hello there. - How are you?", false),
                ("well-known fact.", false),
                ("One sentence.", true),
                ("One. Two.", false),
                ("", true),
            ],
        );
    }

    #[test]
    fn brackets_are_around_words() {
        follows(
            "detectable_format:square_brackets",
            &json!({}),
            [("[a] [b,]", true), ("[a b]", false), ("[a] b", false), ("", true)],
        );
        follows(
            "detectable_format:bigram_wrapping",
            &json!({}),
            [
                ("<<a b>> <<c d>>", true),
                ("<<a b>> c", true),
                ("<<a>> <<b>>", true),
                ("<<a b c>>", false),
                ("", true),
            ],
        );
    }
}
