//! A question as its row states it, and the choice that a text makes.

use std::collections::BTreeSet;
use std::fmt;

use framework::environment::python::pattern::{Flags, Pattern, PatternError, TooManySteps};
use framework::environment::python::text::{join_words, only_letter, shown, strip};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Boxes, GradingMode, boxed, colon};

/// A row beyond its prompt, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Row {
    /// The options, mostly each in an object of its own: `{"A": "text"}`.
    options: Option<Vec<Choice>>,
    /// The letter that earns 1.
    expected_answer: String,
    /// How the choice must be stated.
    #[serde(default)]
    grading_mode: GradingMode,
    /// The template that made the prompt; its `output_regex` finds the choice.
    template_metadata: Option<TemplateMetadata>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct TemplateMetadata {
    output_regex: Option<OutputRegex>,
}

/// One pattern or several.
#[derive(Debug)]
struct OutputRegex(Vec<String>);

impl<'de> Deserialize<'de> for OutputRegex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Patterns;
        impl<'de> Visitor<'de> for Patterns {
            type Value = Vec<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a regular expression or a list of them")
            }

            fn visit_str<E>(self, pattern: &str) -> Result<Vec<String>, E> {
                Ok(vec![pattern.to_owned()])
            }

            fn visit_seq<S: serde::de::SeqAccess<'de>>(
                self,
                patterns: S,
            ) -> Result<Vec<String>, S::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(patterns))
            }
        }
        deserializer.deserialize_any(Patterns).map(Self)
    }
}

impl JsonSchema for OutputRegex {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OutputRegex".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

/// One object of the options, its keys in their order.
#[derive(Debug)]
struct Choice(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Choice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of option texts")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Choice, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Choice(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl JsonSchema for Choice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Choice".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": { "type": ["string", "null"] } })
    }
}

/// An option that can be chosen.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Its letter in upper case; a text, since some letters' upper case is two.
    pub(super) letter: Box<str>,
    /// Its text, normalised.
    pub(super) text: Box<str>,
    /// Which object of the options has it.
    object: usize,
}

/// A question, ready to be graded.
#[derive(Debug)]
pub struct Question {
    candidates: Vec<Candidate>,
    /// The letters of all options, and of those that are the first key of their object.
    letters: BTreeSet<Box<str>>,
    first_letters: BTreeSet<Box<str>>,
    pub(super) expected_answer: Box<str>,
    pub(super) grading_mode: GradingMode,
    pub(super) patterns: Vec<Pattern>,
}

/// Text as two of them are compared: lower case, with single spaces.
pub(super) fn normalise(text: &str) -> String {
    join_words(&text.to_lowercase())
}

impl TryFrom<Row> for Question {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        let expected_answer = strip(&row.expected_answer).to_uppercase();
        if expected_answer.is_empty() {
            return Err("`expected_answer` must not be empty".into());
        }
        if row.grading_mode == GradingMode::LenientAnswerColonMd {
            return Err(
                "`grading_mode`: `lenient_answer_colon_md` is for all rows; set it in the \
                        environment's `settings`"
                    .into(),
            );
        }
        let regex = row.template_metadata.and_then(|metadata| metadata.output_regex);
        let patterns = patterns(regex.map(|regex| regex.0).unwrap_or_default())?;
        let choices = row.options.unwrap_or_default();
        let candidates = candidates(&choices);
        let letters: BTreeSet<_> = candidates.iter().map(|option| option.letter.clone()).collect();
        if patterns.is_empty() && !letters.contains(&*expected_answer) {
            let letters: Vec<_> = letters.iter().map(|letter| &**letter).collect();
            let letters = letters.join(", ");
            return Err(format!(
                "`expected_answer`: `{expected_answer}` is none of the options ({letters})"
            ));
        }
        Ok(Self {
            candidates,
            letters,
            first_letters: choices.iter().filter_map(Choice::first_letter).collect(),
            expected_answer: expected_answer.into(),
            grading_mode: row.grading_mode,
            patterns,
        })
    }
}

impl Choice {
    /// The letter that its first key is.
    fn first_letter(&self) -> Option<Box<str>> {
        let (key, text) = self.0.first()?;
        text.as_ref()?;
        only_letter(key).map(upper)
    }
}

fn upper(letter: char) -> Box<str> {
    letter.to_uppercase().to_string().into()
}

/// The most patterns that a row may have.
const PATTERNS_MAX: usize = 100;

/// The patterns that Python would take as such.
fn patterns(sources: Vec<String>) -> Result<Vec<Pattern>, String> {
    const KEY: &str = "`template_metadata.output_regex`";
    if sources.len() > PATTERNS_MAX {
        return Err(format!("{KEY}: {} patterns, and there may be {PATTERNS_MAX}", sources.len()));
    }
    let flags = Flags { ignore_case: true, ..Flags::default() };
    let mut patterns = Vec::new();
    for source in sources {
        match Pattern::compile(&source, flags) {
            Ok(pattern) if pattern.group_count() > 1 => {
                let (groups, source) = (pattern.group_count(), shown(&source));
                return Err(format!("{KEY}: `{source}` has {groups} groups, and may have one"));
            }
            Ok(pattern) => patterns.push(pattern),
            Err(PatternError::Syntax { .. }) => {}
            Err(error) => return Err(format!("{KEY}: `{}` {error}", shown(&source))),
        }
    }
    Ok(patterns)
}

fn candidates(choices: &[Choice]) -> Vec<Candidate> {
    let of_choice = |(object, Choice(entries)): (usize, &Choice)| {
        let candidates = entries.iter().filter_map(move |(key, text)| {
            let text = normalise(text.as_ref()?).into();
            Some(Candidate { letter: upper(only_letter(key)?), text, object })
        });
        candidates.collect::<Vec<_>>()
    };
    choices.iter().enumerate().flat_map(of_choice).collect()
}

/// The options that may be chosen.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    all: &'a [Candidate],
    letters: &'a BTreeSet<Box<str>>,
    boxes: Boxes,
}

impl<'a> Options<'a> {
    /// Whether a letter is one of theirs.
    pub(super) fn has(self, letter: &str) -> bool {
        self.letters.contains(letter)
    }

    /// A letter in upper case, if it is one of theirs.
    pub(super) fn letter(self, letter: char) -> Option<String> {
        let letter = upper(letter);
        self.has(&letter).then(|| letter.into())
    }

    /// Those whose letters count, in their order.
    fn iter(self) -> impl Iterator<Item = &'a Candidate> {
        self.all.iter().filter(move |option| self.has(&option.letter))
    }

    /// Those that may be told by a part of their text: of each object one letter, at first.
    pub(super) fn by_part(self) -> impl Iterator<Item = &'a Candidate> {
        let mut last = None;
        self.iter().filter(move |option| match self.boxes {
            Boxes::Last | Boxes::LastLabelled => true,
            Boxes::First => last.replace(option.object) != Some(option.object),
        })
    }

    /// The letter of the first whose text is this one.
    fn of_text(self, text: &str) -> Option<String> {
        let text = normalise(text);
        self.iter().find(|option| *option.text == *text).map(|option| option.letter.to_string())
    }

    /// The letter that a text is, or whose option's text it is.
    pub(super) fn letter_or_text(self, text: &str) -> Option<String> {
        only_letter(text).and_then(|letter| self.letter(letter)).or_else(|| self.of_text(text))
    }
}

impl Question {
    /// The letter that a text, stripped, chooses.
    ///
    /// # Errors
    /// Fails if one of the row's own patterns takes too many steps.
    pub(super) fn choice(
        &self,
        text: &str,
        mode: GradingMode,
        boxes: Boxes,
    ) -> Result<Option<String>, TooManySteps> {
        if text.is_empty() {
            return Ok(None);
        }
        let letters = match boxes {
            Boxes::Last | Boxes::LastLabelled => &self.letters,
            Boxes::First => &self.first_letters,
        };
        let options = Options { all: &self.candidates, letters, boxes };
        for pattern in &self.patterns {
            let letter = captured(pattern, text, options)?;
            if letter.is_some() {
                return Ok(letter);
            }
        }
        Ok(match mode {
            GradingMode::StrictSingleLetterBoxed => boxed::letter(text, options, boxes),
            GradingMode::LenientBoxed => {
                boxed::letter(text, options, boxes).or_else(|| boxed::by_text(text, options, boxes))
            }
            GradingMode::LenientAnswerColon => colon::first(text, options),
            GradingMode::LenientAnswerColonMd => colon::last(text, options),
        })
    }
}

/// The choice that the last match of a row's own pattern captures. A letter needs to be no option's.
fn captured(
    pattern: &Pattern,
    text: &str,
    options: Options<'_>,
) -> Result<Option<String>, TooManySteps> {
    let Some(found) = pattern.find_last(text)? else { return Ok(None) };
    let captured = found.group(text, pattern.group_count()).unwrap_or_default();
    let captured = strip(&transliterated(captured)).to_uppercase();
    if only_letter(&captured).is_some() {
        return Ok(Some(captured));
    }
    Ok(options.of_text(&captured))
}

/// Letters of other scripts as the Latin ones in whose place they are used.
pub(super) fn transliterated(text: &str) -> String {
    let mut latin = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'أ' | 'অ' | 'Ａ' => latin.push_str(" A"),
            'ب' | 'ব' | 'Ｂ' => latin.push_str(" B"),
            'ج' | 'ড' | 'Ｃ' => latin.push_str(" C"),
            'د' | 'ঢ' | 'Ｄ' => latin.push_str(" D"),
            other => latin.push(other),
        }
    }
    latin
}
