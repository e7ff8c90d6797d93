//! Instructions: an id, and the rule that its arguments make.

use std::collections::BTreeMap;
use std::fmt;

use framework::environment::python::Json;
use framework::environment::python::pattern::TooManySteps;

use super::arguments::{ArgumentError, Arguments};
use super::text::trim;
use super::{copying, edges, format, keywords, length, letters};

/// Whether an answer follows an instruction.
pub(super) type Rule = Box<dyn Fn(&str) -> Result<bool, TooManySteps> + Send + Sync>;
/// A rule, or why its arguments make none.
pub(super) type Built = Result<Rule, ArgumentError>;
type Build = fn(&mut Arguments<'_>) -> Built;

/// A rule that always decides.
pub(super) fn rule(follows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Built {
    Ok(Box::new(move |answer| Ok(follows(answer))))
}

/// A rule with an expression of the row's, whose search may give up.
pub(super) fn checked(
    follows: impl Fn(&str) -> Result<bool, TooManySteps> + Send + Sync + 'static,
) -> Built {
    Ok(Box::new(follows))
}

/// Every id with its rule.
const RULES: [(&str, Build); 54] = [
    ("keywords:existence", keywords::existence),
    ("keywords:frequency", keywords::frequency),
    ("keywords:word_count_different_numbers", keywords::frequency),
    ("keywords:word_once", keywords::once),
    ("count:count_increment_word", keywords::once_and_twice),
    ("keywords:forbidden_words", keywords::forbidden),
    ("keywords:exclude_word_harder", keywords::excluded),
    ("keywords:letter_frequency", letters::frequency),
    ("letters:letter_counting2", letters::frequency),
    ("letters:letter_counting", letters::counting),
    ("keywords:no_adjacent_consecutive", letters::no_consecutive_initials),
    ("keywords:palindrome", letters::palindrome),
    ("keywords:keyword_specific_position", keywords::at_position),
    ("keywords:start_end", edges::same_ends),
    ("language:response_language", letters::response_language),
    ("length_constraints:number_sentences", length::number_sentences),
    ("length_constraints:number_paragraphs", length::number_paragraphs),
    ("paragraphs:paragraphs", length::two_starred_paragraphs),
    ("paragraphs:paragraphs2", length::two_spaced_paragraphs),
    ("length_constraints:number_words", length::number_words),
    ("length_constraints:nth_paragraph_first_word", length::nth_paragraph_first_word),
    ("detectable_content:number_placeholders", format::placeholders),
    ("detectable_content:postscript", format::postscript),
    ("detectable_format:number_bullet_lists", format::bullets),
    ("detectable_format:constrained_response", format::constrained_response),
    ("detectable_format:number_highlighted_sections", format::highlights),
    ("detectable_format:multiple_sections", format::sections),
    ("detectable_format:json_format", format::json),
    ("detectable_format:title", format::title),
    ("detectable_format:sentence_hyphens", format::sentence_hyphens),
    ("detectable_format:square_brackets", format::square_brackets),
    ("detectable_format:bigram_wrapping", format::bigrams),
    ("combination:two_responses", copying::two_responses),
    ("combination:repeat_prompt", copying::repeat_prompt),
    ("copy:copy", copying::copy),
    ("copy:copying_simple", copying::copy),
    ("copy:copying_multiple", copying::copy_multiple),
    ("new:copy_span_idx", copying::copy_span),
    ("copy:repeat_phrase", copying::repeat_phrase),
    ("startend:end_checker", edges::end_phrase),
    ("startend:quotation", edges::quotation),
    ("change_case:capital_word_frequency", letters::capital_words),
    ("change_case:english_capital", letters::english_capital),
    ("change_case:english_lowercase", letters::english_lowercase),
    ("punctuation:no_comma", |_| format::without(',')),
    ("punctuation:punctuation_dot", |_| format::without('.')),
    ("punctuation:punctuation_exclamation", |_| format::without('!')),
    ("first_word:first_word_answer", edges::first_word),
    ("first_word:first_word_sent", edges::first_words),
    ("last_word:last_word_answer", edges::last_word),
    ("last_word:last_word_sent", edges::last_words),
    ("count:lowercase_counting", letters::lowercase_words),
    ("count:count_unique", length::unique_words),
    ("count:counting_composition", length::composition),
];

/// Why a row has no such instruction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InstructionError {
    /// There is no such id.
    #[error("there is no instruction `{id}`; the nearest is `{nearest}`")]
    Unknown {
        /// The id.
        id: String,
        /// The known id that is most like it.
        nearest: &'static str,
    },
    /// The arguments make no rule.
    #[error("{}", list(.problems))]
    Arguments {
        /// All that is wrong with them.
        problems: Vec<ArgumentError>,
    },
}

fn list(problems: &[ArgumentError]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// One thing that an answer is to do.
pub(super) struct Instruction {
    id: &'static str,
    rule: Rule,
}

impl fmt::Debug for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instruction({})", self.id)
    }
}

impl Instruction {
    /// The instruction of an id, with its arguments.
    ///
    /// # Errors
    /// See [`InstructionError`].
    pub(super) fn new(
        id: &str,
        entries: &BTreeMap<String, Json>,
    ) -> Result<Self, InstructionError> {
        let Some((id, build)) = RULES.iter().find(|(known, _)| *known == id) else {
            return Err(InstructionError::Unknown { id: id.to_owned(), nearest: nearest(id) });
        };
        let mut arguments = Arguments::of(entries);
        let rule = build(&mut arguments);
        // An unknown key is often the missing one, misspelt: both are named.
        let is_missing = matches!(rule, Err(ArgumentError::Missing { .. }));
        let rest = if rule.is_ok() || is_missing { arguments.finish() } else { Ok(()) };
        match (rule, rest) {
            (Ok(rule), Ok(())) => Ok(Self { id, rule }),
            (rule, rest) => {
                let problems = rule.err().into_iter().chain(rest.err()).collect();
                Err(InstructionError::Arguments { problems })
            }
        }
    }

    /// Whether an answer follows it to the letter.
    ///
    /// # Errors
    /// Fails if the search for an expression of the row's gives up.
    pub(super) fn is_followed(&self, answer: &str) -> Result<bool, TooManySteps> {
        (self.rule)(answer)
    }

    /// Whether an answer follows it once decoration is taken away: asterisks, the first line, the
    /// last line, or any of these together.
    ///
    /// # Errors
    /// As [`Instruction::is_followed`].
    pub(super) fn is_followed_loosely(&self, answer: &str) -> Result<bool, TooManySteps> {
        for variant in variants(answer) {
            if !trim(&variant).is_empty() && self.is_followed(&variant)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// An answer with and without its decoration; itself first.
fn variants(answer: &str) -> impl Iterator<Item = String> {
    let after_first = answer.split_once('\n').map_or("", |(_, rest)| rest);
    let before_last = answer.rsplit_once('\n').map_or("", |(rest, _)| rest);
    let between = after_first.rsplit_once('\n').map_or("", |(rest, _)| rest);
    let texts = [answer, trim(after_first), trim(before_last), trim(between)];
    texts.into_iter().flat_map(|text| [text.to_owned(), text.replace('*', "")])
}

/// The known id that is most like another.
fn nearest(id: &str) -> &'static str {
    let similarity = |known: &str| strsim::normalized_damerau_levenshtein(id, known);
    let known = RULES.iter().map(|(known, _)| *known);
    known.max_by(|a, b| similarity(a).total_cmp(&similarity(b))).expect("there are instructions")
}

/// All ids.
#[cfg(test)]
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(id, _)| *id)
}

/// What the tests of the families do.
#[cfg(test)]
pub(super) mod trials {
    use serde_json::Value;

    use super::*;

    /// The instruction of an id, with its arguments as JSON.
    pub(in super::super) fn instruction(
        id: &str,
        kwargs: &Value,
    ) -> Result<Instruction, InstructionError> {
        let kwargs: BTreeMap<String, Json> = serde_json::from_str(&kwargs.to_string()).unwrap();
        Instruction::new(id, &kwargs)
    }

    /// Says of every answer whether it follows the instruction.
    pub(in super::super) fn follows<const N: usize>(
        id: &str,
        kwargs: &Value,
        cases: [(&str, bool); N],
    ) {
        let instruction = instruction(id, kwargs).unwrap();
        for (answer, expected) in cases {
            let followed = instruction.is_followed(answer).unwrap();
            assert_eq!(followed, expected, "{id} {kwargs}: {answer:?}");
        }
    }

    /// Says that arguments are malformed, and how.
    pub(in super::super) fn refuses<const N: usize>(id: &str, cases: [(Value, &str); N]) {
        for (kwargs, expected) in cases {
            let error = instruction(id, &kwargs).expect_err(&kwargs.to_string()).to_string();
            assert!(error.contains(expected), "{id} {kwargs}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_id_names_the_nearest() {
        for (id, nearest) in [
            ("keywords:existance", "keywords:existence"),
            ("number_words", "length_constraints:number_words"),
            ("punctuation:no_commas", "punctuation:no_comma"),
            ("Copy:copy", "copy:copy"),
        ] {
            let error = trials::instruction(id, &json!({})).unwrap_err().to_string();
            let expected = format!("there is no instruction `{id}`; the nearest is `{nearest}`");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn every_id_is_there_once() {
        let ids: std::collections::BTreeSet<_> = RULES.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 54);
    }

    #[test]
    fn an_unknown_key_is_named_with_those_there_are() {
        trials::refuses(
            "punctuation:no_comma",
            [(json!({"keyword": "x"}), "`keyword` is unknown here; the instruction takes none")],
        );
        trials::refuses(
            "keywords:word_once",
            [(
                json!({"keywrd": "x"}),
                "`keyword` is missing; `keywrd` is unknown here; there are `keyword`",
            )],
        );
        trials::follows("punctuation:no_comma", &json!({"keyword": null}), [("a", true)]);
    }

    #[test]
    fn an_answer_has_eight_variants() {
        let texts = |answer| variants(answer).collect::<Vec<_>>();
        assert_eq!(
            texts("*a*\nb\n*c*"),
            ["*a*\nb\n*c*", "a\nb\nc", "b\n*c*", "b\nc", "*a*\nb", "a\nb", "b", "b",]
        );
        assert_eq!(texts("*a*"), ["*a*", "a", "", "", "", "", "", ""]);
    }

    #[test]
    fn loose_checking_forgives_decoration() {
        let quoted = trials::instruction("startend:quotation", &json!({})).unwrap();
        for (answer, strict, loose) in [
            ("\"a\"", true, true),
            ("**\"a\"**", false, true),
            ("Here you are:\n\"a\"", false, true),
            ("\"a\"\nGlad to help.", false, true),
            ("Sure!\n\n*\"a\"*\n\nBye.", false, true),
            ("One\nTwo\n\"a\"", false, false),
            ("", false, false),
        ] {
            assert_eq!(quoted.is_followed(answer), Ok(strict), "{answer:?}");
            assert_eq!(quoted.is_followed_loosely(answer), Ok(loose), "{answer:?}");
        }
        let no_comma = trials::instruction("punctuation:no_comma", &json!({})).unwrap();
        assert_eq!(no_comma.is_followed_loosely(" \n"), Ok(false));
    }
}
