//! `str.contains`: a search for a pattern of Python's `re`, whatever the case.
//!
//! Most of what models search for is plain text, perhaps an address with its dots; for that no regular
//! expression is compiled. What is one may take long, and is given a limit that Python has not.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use framework::environment::python::Json;
use framework::environment::python::pattern::{Flags, Pattern, PatternError};

use super::call::{Exception, type_name};
use super::table::Cell;

/// How long the searches of one call may take together.
const TIME_MAX: Duration = Duration::from_secs(2);

/// What is searched for.
pub(super) struct Filter<'a> {
    source: &'a str,
    /// The text in lower case, if it is plain: letters, digits and such, and dots.
    plain: Option<Vec<u8>>,
    pattern: OnceCell<Pattern>,
    started: Instant,
}

/// Whether a pattern is plain text to Python, apart from dots, which stand for any character.
pub(super) fn is_plain(pattern: &str) -> bool {
    pattern.bytes().all(|byte| byte.is_ascii() && !br"\^$*+?{}[]|()".contains(&byte))
}

impl<'a> Filter<'a> {
    /// Reads what is searched for.
    pub(super) fn new(pattern: &'a Json) -> Result<Self, Exception> {
        let Json::String(source) = pattern else {
            return Err(match pattern {
                Json::Array(_) | Json::Object(_) => {
                    Exception(format!("unhashable type: '{}'", type_name(pattern)))
                }
                _ => Exception::new("first argument must be string or compiled pattern"),
            });
        };
        Self::of_text(source)
    }

    /// Reads what is searched for from text.
    pub(super) fn of_text(source: &'a str) -> Result<Self, Exception> {
        let plain = is_plain(source).then(|| source.to_ascii_lowercase().into_bytes());
        let is_plain = plain.is_some();
        let filter = Self { source, plain, pattern: OnceCell::new(), started: Instant::now() };
        if !is_plain {
            filter.pattern()?;
        }
        Ok(filter)
    }

    fn pattern(&self) -> Result<&Pattern, Exception> {
        if let Some(pattern) = self.pattern.get() {
            return Ok(pattern);
        }
        let flags = Flags { ignore_case: true, ..Flags::default() };
        let pattern = Pattern::compile(self.source, flags);
        let pattern = pattern.map_err(|error| self.exception(&error))?;
        Ok(self.pattern.get_or_init(|| pattern))
    }

    /// Python's words for what is no pattern. In patterns of several lines it says where by line too.
    fn exception(&self, error: &PatternError) -> Exception {
        let PatternError::Syntax { position, .. } = error else { return Exception::new(error) };
        if !self.source.contains('\n') {
            return Exception::new(error);
        }
        let before: String = self.source.chars().take(*position).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Exception(format!("{error} (line {line}, column {column})"))
    }

    /// Whether a cell contains it; `None` for a cell that is no text.
    pub(super) fn finds(&self, cell: &Cell) -> Result<Option<bool>, Exception> {
        cell.as_text().map(|text| self.finds_in(text)).transpose()
    }

    /// Whether text contains it.
    pub(super) fn finds_in(&self, text: &str) -> Result<bool, Exception> {
        if let Some(plain) = &self.plain
            && text.is_ascii()
        {
            return Ok(contains(text.as_bytes(), plain));
        }
        let pattern = self.pattern()?;
        if self.started.elapsed() > TIME_MAX {
            let text = "takes too long; make it less ambiguous";
            return Err(Exception(format!("matching `{}` {text}", self.source)));
        }
        pattern.is_match(text).map_err(Exception::new)
    }
}

/// Whether bytes in lower case, in which a dot stands for any but a newline, are in a text.
fn contains(text: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return true };
    let matches = |byte: u8, wanted: u8| {
        byte.to_ascii_lowercase() == wanted || (wanted == b'.' && byte != b'\n')
    };
    let mut windows = text.windows(needle.len());
    windows.any(|window| {
        matches(window[0], *first)
            && window[1..].iter().zip(rest).all(|(byte, wanted)| matches(*byte, *wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finds(pattern: &str, text: &str) -> bool {
        Filter::of_text(pattern).unwrap().finds_in(text).unwrap()
    }

    #[test]
    fn letters_that_are_the_same_in_another_case_are_found_in_any_script() {
        for (pattern, text, found) in [
            ("RAJ.PATEL@", "raj.patel@atlas.com", true),
            ("raj.patel", "rajXpatel", true),
            ("a.b", "a\nb", false),
            ("", "", true),
            ("k", "\u{212a}", true),
            ("straße", "STRASSE", false),
            ("É", "é", true),
            ("a|z", "xyz", true),
            ("^b", "ab", false),
        ] {
            assert_eq!(finds(pattern, text), found, "{pattern} in {text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_said_in_pythons_words() {
        let error = |pattern: &str| Filter::of_text(pattern).err().unwrap().0;
        assert_eq!(error("(a"), "missing ), unterminated subpattern at position 0");
        assert_eq!(error("a\n*b\n**"), "multiple repeat at position 6 (line 3, column 2)");
        let number = Json::Integer(5.into());
        let error = Filter::new(&number).err().unwrap().0;
        assert_eq!(error, "first argument must be string or compiled pattern");
        assert_eq!(Filter::new(&Json::Array(vec![])).err().unwrap().0, "unhashable type: 'list'");
    }

    #[test]
    fn a_pattern_that_would_take_for_ever_is_an_error() {
        let filter = Filter::of_text(r"(?=(a+)+$)(a|aa)+\1b").unwrap();
        let error = filter.finds_in(&"a".repeat(5000)).unwrap_err().0;
        assert!(error.contains("takes too many steps"), "{error}");
    }

    proptest! {
        #[test]
        fn plain_text_is_found_as_its_pattern_finds_it(
            pattern in "[a-cA-C. \n-]{0,4}",
            text in "[a-cA-C. \n-]{0,12}",
        ) {
            let flags = Flags { ignore_case: true, ..Flags::default() };
            let expected = Pattern::compile(&pattern, flags).unwrap().is_match(&text).unwrap();
            prop_assert!(is_plain(&pattern));
            prop_assert_eq!(finds(&pattern, &text), expected);
        }
    }
}
