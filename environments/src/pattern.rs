//! Regular expressions of datasets, which are Python's.
//!
//! A row's expression is translated to this crate's engine, so that it finds here what Python's `re`
//! finds: `\s` and `\w` are Python's sets of characters, brackets and braces that Python takes
//! literally are literal, and matches are found one after the other as `re.findall` finds them,
//! empty ones included. What Python refuses is refused, and so is the little that cannot be
//! translated: an expression is never silently another one.
//!
//! Word boundaries go by the engine's own idea of a word, which differs from Python's next to
//! combining marks and numerals that are no digits.

mod syntax;

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fancy_regex::{Captures, CompileError, Regex, RegexBuilder};
use framework::environment::python::strip;

/// How long a search may take for each KiB of text, and at least.
const SEARCH_TIME_PER_KIB: Duration = Duration::from_millis(50);
const SEARCH_TIME_MIN: Duration = Duration::from_secs(1);
/// Up to so many bytes, a search may backtrack a million times, beyond that sixteen million times.
const SHORT_TEXT: usize = 64 << 10;
const STEPS_MAX: usize = 1_000_000;
const STEPS_MAX_LONG: usize = 16_000_000;
/// The longest expression that is compiled.
const LENGTH_MAX: usize = 16 << 10;

/// How an expression is read, besides what it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// `^` and `$` match at every line (`re.MULTILINE`).
    pub(crate) multi_line: bool,
    /// `.` matches a line break as well (`re.DOTALL`).
    pub(crate) dot_all: bool,
}

/// A compiled expression.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    translated: Box<str>,
    /// For texts up to [`SHORT_TEXT`].
    short: Engine,
    /// For longer ones, which may take more steps.
    long: OnceLock<Engine>,
}

/// An expression with a limit of steps.
#[derive(Clone)]
struct Engine {
    /// Finds the next match from a position on.
    next: Regex,
    /// Matches at a position, and more than nothing; `None` if the expression never does.
    non_empty_here: OnceLock<Option<Regex>>,
    steps_max: usize,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.source)
    }
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// Python refuses it.
    #[error("no regular expression of Python's: {reason} at character {at}")]
    Invalid {
        /// Where, in characters from 0.
        at: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Python takes it, this engine does not.
    #[error("a regular expression that is not supported: {reason}")]
    Unsupported {
        /// What is not supported.
        reason: String,
    },
    /// Longer than any sensible expression.
    #[error("a regular expression of {length} bytes; {LENGTH_MAX} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

/// A search that was given up: the expression backtracks without end on this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the regular expression `{pattern}` takes too long on a text of {length} bytes")]
pub(crate) struct SearchError {
    pattern: Box<str>,
    length: usize,
}

impl Pattern {
    /// Compiles an expression of Python's.
    ///
    /// # Errors
    /// Fails if Python refuses the expression, or if it cannot be translated.
    pub(crate) fn compile(source: &str, flags: Flags) -> Result<Self, PatternError> {
        if source.len() > LENGTH_MAX {
            return Err(PatternError::TooLong { length: source.len() });
        }
        let translated = syntax::translate(source, flags)?;
        let unsupported = |error: fancy_regex::Error| {
            let reason = error.to_string();
            PatternError::Unsupported { reason }
        };
        let short = Engine::compile(&translated, STEPS_MAX).map_err(unsupported)?;
        let (source, translated) = (source.into(), translated.into());
        Ok(Self { source, translated, short, long: OnceLock::new() })
    }

    /// The last of all matches, as `re.finditer` enumerates them: its first group that holds more
    /// than whitespace, or all of it, without whitespace around. `None` if nothing matches.
    ///
    /// # Errors
    /// Fails if the search takes too long.
    pub(crate) fn last_value<'t>(&self, text: &'t str) -> Result<Option<&'t str>, SearchError> {
        Ok(self.last_match(text)?.map(|captures| value(&captures)))
    }

    fn last_match<'t>(&self, text: &'t str) -> Result<Option<Captures<'t, str>>, SearchError> {
        let kibibytes = u32::try_from(text.len() >> 10).unwrap_or(u32::MAX);
        let allowed = SEARCH_TIME_PER_KIB.saturating_mul(kibibytes).max(SEARCH_TIME_MIN);
        let started = Instant::now();
        let engine = self.engine(text);
        let mut last = None;
        let mut from = 0;
        let mut was_empty = false;
        loop {
            let found = engine.find(&self.translated, text, from, was_empty);
            let found = found.map_err(|_| self.too_slow(text))?;
            let Some(found) = found else { return Ok(last) };
            let whole = found.get(0).expect("a match has a whole");
            (from, was_empty) = (whole.end(), whole.start() == whole.end());
            last = Some(found);
            if started.elapsed() > allowed {
                return Err(self.too_slow(text));
            }
        }
    }

    fn engine(&self, text: &str) -> &Engine {
        if text.len() <= SHORT_TEXT {
            return &self.short;
        }
        self.long.get_or_init(|| {
            let engine = Engine::compile(&self.translated, STEPS_MAX_LONG);
            engine.unwrap_or_else(|_| self.short.clone())
        })
    }

    fn too_slow(&self, text: &str) -> SearchError {
        SearchError { pattern: self.source.clone(), length: text.len() }
    }
}

impl Engine {
    fn compile(translated: &str, steps_max: usize) -> Result<Self, fancy_regex::Error> {
        let next = RegexBuilder::new(translated).backtrack_limit(steps_max).build()?;
        Ok(Self { next, non_empty_here: OnceLock::new(), steps_max })
    }

    /// The next match. After an empty one, the next may begin at the same place, but is not empty
    /// there.
    fn find<'t>(
        &self,
        translated: &str,
        text: &'t str,
        from: usize,
        after_empty: bool,
    ) -> Result<Option<Captures<'t, str>>, fancy_regex::Error> {
        if !after_empty {
            return self.next.captures_from_pos(text, from);
        }
        if let Some(regex) = self.non_empty_here(translated)? {
            let here = regex.captures_from_pos(text, from)?;
            if here.is_some() {
                return Ok(here);
            }
        }
        match text[from..].chars().next() {
            Some(skipped) => self.next.captures_from_pos(text, from + skipped.len_utf8()),
            None => Ok(None),
        }
    }

    fn non_empty_here(&self, translated: &str) -> Result<Option<&Regex>, fancy_regex::Error> {
        if let Some(known) = self.non_empty_here.get() {
            return Ok(known.as_ref());
        }
        let here = format!("\\G(?:{translated})");
        let mut builder = RegexBuilder::new(&here);
        let regex = match builder.find_not_empty(true).backtrack_limit(self.steps_max).build() {
            Ok(regex) => Some(regex),
            Err(fancy_regex::Error::CompileError(error))
                if matches!(*error, CompileError::PatternCanNeverMatch) =>
            {
                None
            }
            Err(error) => return Err(error),
        };
        Ok(self.non_empty_here.get_or_init(|| regex).as_ref())
    }
}

fn value<'t>(captures: &Captures<'t, str>) -> &'t str {
    let groups = captures.iter().skip(1).flatten().map(|group| strip(group.as_str()));
    let whole = || strip(captures.get(0).map_or("", |whole| whole.as_str()));
    groups.into_iter().find(|group| !group.is_empty()).unwrap_or_else(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use serde_json::{Value, json};

    use super::*;
    use crate::trials;

    const BOTH: Flags = Flags { multi_line: true, dot_all: true };

    fn last(regex: &str, text: &str) -> Option<String> {
        let pattern = Pattern::compile(regex, BOTH).unwrap_or_else(|error| panic!("{error}"));
        pattern.last_value(text).unwrap().map(str::to_owned)
    }

    #[test]
    fn the_last_match_counts_and_its_first_group_that_says_something() {
        for (regex, text, expected) in [
            (r"\(\((.*?)\)\)", "((a)) and (( b ))", Some("b")),
            (r"\(\((.*?)\)\)", "((a\nb))", Some("a\nb")),
            (
                r"<final_answer>\s*(.+?)\s*</final_answer>",
                "<final_answer> 4\n</final_answer>",
                Some("4"),
            ),
            (
                r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}",
                r"\boxed{1} \boxed{\frac{1}{2}}",
                Some(r"\frac{1}{2}"),
            ),
            (r"\*\*(.*?)\*\*", "**a** b **c**", Some("c")),
            (r"\*\*(.*?)\*\*", "**a** ****", Some("****")),
            (
                r"Answer:\s*```(?:\w+)?\s*([\s\S]*?)\s*```(?=[\s\S]*$)",
                "Answer:\n```bash\nls -la\n```\n",
                Some("ls -la"),
            ),
            (r"^QUESTION:\s*(.*)$|</text>\n\n(.*)$", "<text>x</text>\n\nwhy?", Some("why?")),
            (r"(a)?(b)", "b", Some("b")),
            (r"( )(b)", " b", Some("b")),
            ("b", "a b", Some("b")),
            ("x", "a b", None),
            // The whole text, and then the nothing at its end.
            ("(.*)", "all of it", Some("")),
            ("(?i)ANSWER: (.)", "answer: b", Some("b")),
            ("^.$", "a\nb\n", Some("b")),
        ] {
            assert_eq!(last(regex, text).as_deref(), expected, "{regex} in {text:?}");
        }
    }

    #[test]
    fn what_python_takes_literally_is_literal() {
        for (regex, text, expected) in [
            (r"\<a\>(.*?)\</a\>", "<a>1</a>", Some("1")),
            (r"x{(.)}", "x{1}", Some("1")),
            (r"x{,2}y", "xxy", Some("xxy")),
            ("[[]a]", "[a]", Some("[a]")),
            ("[]a]+", "x]a", Some("]a")),
            ("[a&&b]+", "a&b", Some("a&b")),
            ("[+--]+", "+,-", Some("+,-")),
            (r"[\]\-a]+", "a-]", Some("a-]")),
            ("a]}", "a]}", Some("a]}")),
            (r"\x41\u00e9\n\101", "Aé\nA", Some("Aé\nA")),
            (r"(?P<q>['~]).*?(?P=q)", "~a'b~", Some("~")),
            (r"(.)\1", "abb", Some("b")),
            (r"a(?#no{t [this)b", "ab", Some("ab")),
            (r"a\Z", "a", Some("a")),
            (r"a\Z", "a\n", None),
            ("(?x) a b # c\n c", "abc", Some("abc")),
            (r"[\s]x\S", "\u{1c}xy", Some("xy")),
        ] {
            assert_eq!(last(regex, text).as_deref(), expected, "{regex} in {text:?}");
        }
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for (regex, expected) in [
            ("(", "Opening parenthesis"),
            (")", "unbalanced parenthesis at character 0"),
            ("[a", "unterminated character set"),
            ("*a", "nothing to repeat"),
            ("(*FAIL)", "nothing to repeat at character 1"),
            ("a**", "multiple repeat"),
            ("a{2}{3}", "multiple repeat"),
            (r"\h", "bad escape"),
            (r"\p{L}", "bad escape"),
            (r"a\K", "bad escape"),
            ("a\\", "bad escape (end of pattern)"),
            ("[b-a]", "bad character range"),
            (r"[\d-a]", "bad character range"),
            ("(?<n>a)", "unknown extension"),
            ("a(?i)b", "global flags not at the start"),
            (r"(?<=a+)b", "supported"),
            (r"\N{BULLET}", "not supported"),
            (&"(".repeat(5000), "supported"),
        ] {
            let error = Pattern::compile(regex, BOTH).unwrap_err().to_string();
            assert!(error.contains(expected), "{regex:.40}: {error}");
        }
        let long = "a".repeat(LENGTH_MAX + 1);
        assert!(matches!(Pattern::compile(&long, BOTH), Err(PatternError::TooLong { .. })));
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        let pattern = Pattern::compile(r"(a+)+\1b", BOTH).unwrap();
        let error = pattern.last_value(&"a".repeat(1 << 12)).unwrap_err();
        assert!(error.to_string().contains("takes too long on a text of 4096 bytes"), "{error}");
    }

    #[test]
    fn a_mebibyte_is_searched() {
        let text = "**a** ((".repeat(1 << 17);
        for regex in [r"\*\*(.*?)\*\*", r"\(\((.*?)\)\)", "(.*)", r"(?=x)y"] {
            let pattern = Pattern::compile(regex, BOTH).unwrap();
            pattern.last_value(&text).unwrap();
        }
    }

    /// Expressions and texts that stress what differs between engines.
    fn cases() -> impl Strategy<Value = (String, String)> {
        let atom = prop_oneof![
            Just("a"),
            Just("b"),
            Just("."),
            Just(r"\s"),
            Just(r"\w"),
            Just(r"\d"),
            Just("[^a]"),
            Just("[a-]"),
            Just("[]b]"),
            Just(r"\{"),
            Just("{"),
            Just("}"),
            Just("\n"),
            Just("^"),
            Just("$"),
            Just(r"\S"),
            Just(r"\W"),
            Just("[[a]"),
            Just(r"\*"),
            Just("é"),
            Just("[é1]"),
        ];
        let quantifier = prop_oneof![
            4 => Just(""), 1 => Just("*"), 1 => Just("+"), 1 => Just("?"), 1 => Just("*?"),
            1 => Just("+?"), 1 => Just("{2}"), 1 => Just("{,2}"), 1 => Just("{1,2}?"),
        ];
        let piece = (atom, quantifier).prop_map(|(atom, quantifier)| {
            let repeatable = !matches!(atom, "^" | "$");
            format!("{atom}{}", if repeatable { quantifier } else { "" })
        });
        let sequence = proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat());
        let wrapped = (sequence.clone(), sequence, 0..6).prop_map(|(a, b, shape)| match shape {
            0 => format!("({a}){b}"),
            1 => format!("({a})|({b})"),
            2 => format!("{a}(?:{b})?"),
            3 => format!("(?={a}){b}"),
            4 => format!("({a})?{b}"),
            _ => a,
        });
        (wrapped, "[ab1 {}\\]é_\n*\u{1c}\u{a0}-]{0,12}")
    }

    const REFERENCE: &str = r"
import json, re, sys
for line in sys.stdin:
    regex, text = json.loads(line)
    found = list(re.finditer(regex, text, re.MULTILINE | re.DOTALL))
    value = None
    if found:
        groups = [group.strip() for group in found[-1].groups() if group]
        value = next((group for group in groups if group), found[-1].group(0).strip())
    print(json.dumps(value))
";

    /// What Python finds is found, for 2,500 generated expressions and texts. Nothing is known to
    /// differ.
    #[test]
    fn generated_expressions_find_what_python_finds() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let cases: Vec<_> =
            (0..2500).map(|_| cases().new_tree(&mut runner).unwrap().current()).collect();
        let input: String =
            cases.iter().map(|case| format!("{}\n", json!([case.0, case.1]))).collect();
        let Some(output) = trials::python(REFERENCE, &input) else { return };
        let answers: Vec<Value> =
            output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), cases.len());
        for ((regex, text), expected) in cases.iter().zip(answers) {
            assert_eq!(json!(last(regex, text)), expected, "{regex:?} in {text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_expression_panics(regex in r"[ab(){}\[\]|?*+.^$\\\-&~#<>=!:PdswDSW0-9, \n]{0,24}", text in "[ab0 \n]{0,16}") {
            if let Ok(pattern) = Pattern::compile(&regex, BOTH) {
                let _ = pattern.last_value(&text);
            }
        }
    }
}
