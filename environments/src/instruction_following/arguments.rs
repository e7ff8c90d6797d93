//! What a row says about one instruction, read strictly.
//!
//! Where NeMo Gym draws what is missing or senseless at random, or fails the instruction whatever the
//! answer, the row is malformed and says why.

use std::collections::BTreeMap;

use framework::environment::python::Json;
use framework::environment::python::pattern::{Flags, Pattern, PatternError};
use framework::environment::python::text::shown;

use super::search::Keyword;
use super::text::trim;

/// The keyword arguments of one instruction. `null` counts as absent.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    values: Vec<(&'a str, &'a Json)>,
    /// Keys that somebody asked for, so that the others are unknown.
    known: Vec<&'static str>,
}

/// Why arguments do not make an instruction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArgumentError {
    /// A key is absent.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value is not what the key needs.
    #[error("`{key}` must be {expected}, not {found}")]
    Unfit {
        /// The key.
        key: &'static str,
        /// What is needed.
        expected: String,
        /// What is there, as JSON.
        found: String,
    },
    /// A key that the instruction does not have.
    #[error("`{key}` is unknown here{}", known_keys(.known))]
    Unknown {
        /// The key.
        key: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// A value is no regular expression.
    #[error("`{key}` is no regular expression: {source}")]
    Pattern {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        source: PatternError,
    },
}

fn known_keys(known: &[&str]) -> String {
    if known.is_empty() {
        return "; the instruction takes none".to_owned();
    }
    format!("; there are `{}`", known.join("`, `"))
}

/// How an amount is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Fewer than the bound.
    LessThan,
    /// The bound or more.
    AtLeast,
}

/// An amount that an answer is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    relation: Relation,
    limit: i64,
}

impl Bound {
    /// Whether an amount is within the bound.
    pub(super) fn holds(self, amount: usize) -> bool {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        match self.relation {
            Relation::LessThan => amount < self.limit,
            Relation::AtLeast => amount >= self.limit,
        }
    }
}

type Read<T> = Result<T, ArgumentError>;

impl<'a> Arguments<'a> {
    /// The arguments in a dictionary.
    pub(super) fn of(entries: &'a BTreeMap<String, Json>) -> Self {
        let set = entries.iter().filter(|(_, value)| !matches!(value, Json::Null));
        let values = set.map(|(key, value)| (key.as_str(), value)).collect();
        Self { values, known: Vec::new() }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Fails if there are keys that nobody asked for.
    pub(super) fn finish(self) -> Read<()> {
        let Self { values, known } = self;
        match values.into_iter().find(|(key, _)| !known.contains(key)) {
            Some((key, _)) => Err(ArgumentError::Unknown { key: key.to_owned(), known }),
            None => Ok(()),
        }
    }

    /// Takes note of a key that has no meaning for the rule.
    pub(super) fn ignore(&mut self, key: &'static str) {
        self.known.push(key);
    }

    fn value(&mut self, key: &'static str) -> Read<&'a Json> {
        self.known.push(key);
        let found = self.values.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| *value).ok_or(ArgumentError::Missing { key })
    }

    /// Says that the value of a key does not fit what is said elsewhere.
    pub(super) fn unfit(&mut self, key: &'static str, expected: String) -> ArgumentError {
        self.value(key).map_or_else(|missing| missing, |value| unfit(key, expected, value))
    }

    /// A text that is not blank, as it is written.
    pub(super) fn text(&mut self, key: &'static str) -> Read<&'a str> {
        let value = self.value(key)?;
        text_of(key, value)
    }

    /// A text that is not blank, without the spaces around it.
    pub(super) fn trimmed(&mut self, key: &'static str) -> Read<&'a str> {
        self.text(key).map(trim)
    }

    /// A trimmed text, or the first of a list of texts.
    pub(super) fn trimmed_or_first(&mut self, key: &'static str) -> Read<&'a str> {
        let value = self.value(key)?;
        match value {
            Json::Array(items) if !items.is_empty() => text_of(key, &items[0]).map(trim),
            value => text_of(key, value).map(trim),
        }
    }

    /// Texts. A single text is one text for each of its characters, as it is in NeMo Gym.
    fn texts(&mut self, key: &'static str) -> Read<Vec<String>> {
        let value = self.value(key)?;
        match value {
            Json::Array(items) if !items.is_empty() => {
                items.iter().map(|item| text_of(key, item).map(str::to_owned)).collect()
            }
            Json::String(text) if !trim(text).is_empty() => {
                Ok(text.chars().map(String::from).collect())
            }
            other => Err(unfit(key, "a list of texts", other)),
        }
    }

    /// A list of keywords, each made by `read`.
    pub(super) fn keywords(
        &mut self,
        key: &'static str,
        read: fn(&str) -> Result<Keyword, PatternError>,
    ) -> Read<Vec<Keyword>> {
        let failed = |source| ArgumentError::Pattern { key, source };
        self.texts(key)?.iter().map(|text| read(text).map_err(failed)).collect()
    }

    /// A keyword, trimmed, that may stand inside a word.
    pub(super) fn keyword(&mut self, key: &'static str) -> Read<Keyword> {
        let text = self.trimmed(key)?;
        Keyword::anywhere(text).map_err(|source| ArgumentError::Pattern { key, source })
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &'static str, least: i64) -> Read<i64> {
        let value = self.value(key)?;
        let number = match value {
            Json::Integer(number) => number.as_str().parse().ok(),
            Json::Float(float) => whole(*float),
            Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => None,
        };
        let expected = || match least {
            i64::MIN => "a whole number".to_owned(),
            least => format!("a whole number from {least} on"),
        };
        number.filter(|number| *number >= least).ok_or_else(|| unfit(key, expected(), value))
    }

    /// A whole number that counts something.
    pub(super) fn count(&mut self, key: &'static str, least: i64) -> Read<usize> {
        self.number(key, least).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// A bound: its limit under one key, its relation under another.
    pub(super) fn bound(
        &mut self,
        limit: &'static str,
        least: i64,
        relation: &'static str,
    ) -> Read<Bound> {
        let limit = self.number(limit, least)?;
        Ok(Bound { limit, relation: self.relation(relation)? })
    }

    fn relation(&mut self, key: &'static str) -> Read<Relation> {
        let value = self.value(key)?;
        match value {
            Json::String(text) if &**text == "less than" => Ok(Relation::LessThan),
            Json::String(text) if &**text == "at least" => Ok(Relation::AtLeast),
            other => Err(unfit(key, "`less than` or `at least`", other)),
        }
    }

    /// A letter from a to z, in lower case.
    pub(super) fn letter(&mut self, key: &'static str) -> Read<char> {
        let value = self.value(key)?;
        let letter = match value {
            Json::String(text) if text.chars().count() == 1 => text.chars().next(),
            _ => None,
        };
        let lower = letter.map(|letter| letter.to_lowercase().collect::<String>());
        let lower = lower.and_then(|lower| lower.parse::<char>().ok());
        lower
            .filter(char::is_ascii_lowercase)
            .ok_or_else(|| unfit(key, "one letter from a to z", value))
    }

    /// One of the texts of a closed list.
    pub(super) fn one_of(
        &mut self,
        key: &'static str,
        choices: &[&'static str],
    ) -> Read<&'static str> {
        let value = self.value(key)?;
        let chosen = choices.iter().find(|choice| match value {
            Json::String(text) => **text == ***choice,
            _ => false,
        });
        let expected = || format!("one of `{}`", choices.join("`, `"));
        chosen.copied().ok_or_else(|| unfit(key, expected(), value))
    }
}

/// A text that is not blank.
fn text_of<'a>(key: &'static str, value: &'a Json) -> Read<&'a str> {
    match value {
        Json::String(text) if !trim(text).is_empty() => Ok(text),
        other => Err(unfit(key, "text that is not blank", other)),
    }
}

/// Compiles an expression with a part that a row has under a key.
pub(super) fn pattern(key: &'static str, expression: &str, flags: Flags) -> Read<Pattern> {
    let failed = |source| ArgumentError::Pattern { key, source };
    Pattern::compile(expression, flags).map_err(failed)
}

/// A value that is not what its key needs.
fn unfit(key: &'static str, expected: impl Into<String>, found: &Json) -> ArgumentError {
    let found = format!("`{}`", shown(&found.to_string()));
    ArgumentError::Unfit { key, expected: expected.into(), found }
}

/// The whole number that a float is, within the range where floats are exact.
fn whole(float: f64) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the range")]
    let number = float as i64;
    (float.fract() == 0.0 && float.abs() <= EXACT_MAX).then_some(number)
}
