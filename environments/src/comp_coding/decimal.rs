//! Decimal numbers as Python's `decimal.Decimal` reads and compares them.
//!
//! Follows CPython's `_decimal` (the C module): underscores mean nothing wherever they stand, digits
//! may be of any script, and a number whose exponent does not fit is none. Values compare exactly, so
//! `1.0` is `1`, and `0.30000000000000004` is not `0.3`.

use std::borrow::Cow;

use framework::environment::python::text::ascii_digit;

/// The greatest exponent of a number in scientific notation (`MAX_EMAX`).
const EXPONENT_MAX: i128 = 999_999_999_999_999_999;
/// The least exponent of a last digit (`MIN_ETINY`).
const EXPONENT_MIN: i128 = -1_999_999_999_999_999_997;

/// A number that `Decimal` has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decimal {
    /// A number; a zero has no sign and no exponent here, others no zeros at either end.
    Finite { negative: bool, digits: Box<str>, exponent: i128 },
    /// An infinity.
    Infinite { negative: bool },
    /// `NaN`, which equals nothing.
    Nan,
    /// `sNaN`: whoever compares it gets an exception.
    SignalingNan,
}

/// The exception that comparing with a signaling NaN raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidOperation;

impl Decimal {
    /// Reads a word without spaces in it.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let text = plain(word)?;
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, &*text),
        };
        let lower = unsigned.to_ascii_lowercase();
        if lower == "inf" || lower == "infinity" {
            return Some(Self::Infinite { negative });
        }
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if lower.strip_prefix("snan").is_some_and(is_number) {
            return Some(Self::SignalingNan);
        }
        if lower.strip_prefix("nan").is_some_and(is_number) {
            return Some(Self::Nan);
        }
        finite(negative, &lower)
    }

    /// What `==` says.
    pub(super) fn equals(&self, other: &Self) -> Result<bool, InvalidOperation> {
        match (self, other) {
            (Self::SignalingNan, _) | (_, Self::SignalingNan) => Err(InvalidOperation),
            (Self::Nan, _) | (_, Self::Nan) => Ok(false),
            _ => Ok(self == other),
        }
    }
}

/// The word in ASCII and without underscores; `None` if it has characters that no number has.
fn plain(word: &str) -> Option<Cow<'_, str>> {
    if word.bytes().all(|byte| byte.is_ascii() && byte != b'_') {
        return Some(Cow::Borrowed(word));
    }
    let characters = word.chars().filter(|character| *character != '_');
    let ascii = |c: char| if c.is_ascii() { Some(c) } else { ascii_digit(c) };
    characters.map(ascii).collect::<Option<String>>().map(Cow::Owned)
}

/// Reads digits with an optional point and exponent, all lower case.
fn finite(negative: bool, text: &str) -> Option<Decimal> {
    let (coefficient, exponent) = match text.split_once('e') {
        Some((coefficient, exponent)) => (coefficient, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = coefficient.split_once('.').unwrap_or((coefficient, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let last = exponent - fraction.len() as i128;
    let significant = digits.trim_start_matches('0');
    let first = last + significant.len().saturating_sub(1) as i128;
    if first > EXPONENT_MAX || last < EXPONENT_MIN {
        return None;
    }
    let stripped = significant.trim_end_matches('0');
    if stripped.is_empty() {
        return Some(Decimal::Finite { negative: false, digits: "".into(), exponent: 0 });
    }
    let zeros = (significant.len() - stripped.len()) as i128;
    Some(Decimal::Finite { negative, digits: stripped.into(), exponent: last + zeros })
}

/// Reads an exponent; one that is too long to count is as good as the largest.
fn read_exponent(text: &str) -> Option<i128> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = digits.trim_start_matches('0');
    let value = match digits.len() {
        0 => 0,
        1..=30 => digits.parse().ok()?,
        _ => 10_i128.pow(30),
    };
    is_number.then_some(sign * value)
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy as _, ValueTree as _};

    use super::*;
    use crate::trials::python;

    /// What `Decimal` makes of words, and what `==` says of all pairs of those that it reads.
    const SCRIPT: &str = r#"
import json, sys
from decimal import Decimal
words, values = json.load(sys.stdin), []
for word in words:
    try: values.append(Decimal(word))
    except Exception: values.append(None)
def equal(a, b):
    if a is None or b is None: return None
    try: return "yes" if [a] == [b] else "no"
    except Exception: return "raises"
# A value is itself in a list, so every pair is of two objects.
again = [None if value is None else Decimal(word) for word, value in zip(words, values)]
print(json.dumps([[equal(a, b) for b in again] for a in values]))
"#;

    fn agrees_with_python(words: &[&str]) {
        let Some(output) = python(SCRIPT, &serde_json::to_string(words).unwrap()) else { return };
        let expected: Vec<Vec<Option<String>>> = serde_json::from_str(&output).unwrap();
        for (left, row) in words.iter().zip(expected) {
            for (right, verdict) in words.iter().zip(row) {
                let ours = Decimal::parse(left).zip(Decimal::parse(right));
                let ours = ours.map(|(left, right)| match left.equals(&right) {
                    Ok(true) => "yes",
                    Ok(false) => "no",
                    Err(InvalidOperation) => "raises",
                });
                assert_eq!(ours, verdict.as_deref(), "{left:?} == {right:?}");
            }
        }
    }

    #[test]
    fn python_reads_and_compares_the_same_numbers() {
        const WORDS: &str = "
            1 1.0 1. 01 +1 1e0 10e-1 0.1e1 1_0 10 _1_ 1__ _ -_ 1_000 1e3 1E+3 1e+_3 0 -0 0.0
            -0e5 .5 0.5 5e-1 . e5 .e5 5.e1 50 1e 1e+ 1e5. 1.2.3 --1 +-1 0x1 1,000 + inf Infinity
            -inf +INF in_f infi nan NaN -nan nan123 nan1x snan sNaN9 -sNaN １２ 12 1.٣ 1.3 ٣e٢ 300
            𝟙 ² ½ é 0.30000000000000004 0.3 9007199254740993 9007199254740992
            1e999999999999999999 10e999999999999999998 1e1000000000000000000
            10e999999999999999999 0.1e1000000000000000000 0e1000000000000000000
            0e999999999999999999 1e-1999999999999999997 1e-1999999999999999998
            10e-1999999999999999998 0e-1999999999999999998
            1e99999999999999999999999999999999999999999999
            1e-99999999999999999999999999999999999999999999
            1e000000000000000000000000000000000000000000000000001";
        let words: Vec<&str> = WORDS.split_whitespace().chain([""]).collect();
        agrees_with_python(&words);
    }

    #[test]
    fn python_agrees_on_words_made_of_what_numbers_are_made_of() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let word = "[-+]?[0-9_.٣]{0,4}(e[-+]?[0-9_]{0,3})?|[-+]?(s?nan|inf)[0-9a-z]{0,2}";
        let words = proptest::collection::vec(word, 150);
        let words = words.new_tree(&mut runner).unwrap().current();
        agrees_with_python(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
