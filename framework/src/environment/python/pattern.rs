//! Python's `re`: patterns from datasets, found in what models say as Python finds them.
//!
//! Patterns in rows and in JSON Schemas are written for Python. Read by another engine, `$` would not
//! match before a final newline, `\d` might be ASCII, `\boxed{` an error. So a pattern is read by
//! Python's grammar (`translator.rs`), with its compile errors, and written out in the dialect of
//! `fancy-regex`, which has lookaround, backreferences and Python's order of preference. What matches
//! is what Python 3.11 finds; where the engine needs more steps than there may be, that is an error
//! of its own and never a "no match".
//!
//! # Differs from Python
//!
//! `\N{name}` and the flag `L` are refused. `\p{…}` is refused as Python refuses it. An upper case
//! letter is the same as its lower case one by Unicode's simple folding, to which Python's few
//! exceptions for `i` are added.

mod class;
mod escapes;
mod groups;
mod translator;

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fancy_regex::{Regex, RegexBuilder};
use translator::Translator;

use super::text::shown;

/// Steps back that one search may take: enough for 20 at each byte of a mebibyte, and about a second.
const STEPS_MAX: usize = if cfg!(test) { 200_000 } else { 20_000_000 };
/// How long all searches of one call may take. Beyond it there is an error, never a result.
const TIME_MAX: Duration = Duration::from_secs(20);
/// The longest pattern.
const PATTERN_MAX: usize = 64 << 10;

/// The flags that a pattern is compiled with, besides those that it sets itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `re.IGNORECASE`.
    pub ignore_case: bool,
    /// `re.MULTILINE`.
    pub multi_line: bool,
    /// `re.DOTALL`.
    pub dot_all: bool,
}

/// Why text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Python refuses it as well.
    #[error("{message} at position {position}")]
    Syntax {
        /// In Python's words.
        message: String,
        /// In characters, from 0.
        position: usize,
    },
    /// Python would take it, but it cannot be run here.
    #[error("cannot be run here: {reason}")]
    Unsupported {
        /// Why.
        reason: String,
    },
}

/// Matching takes too many steps. Python would go on, for hours or for ever.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("matching `{pattern}` takes too many steps; make it less ambiguous")]
pub struct TooManySteps {
    /// The pattern, or its beginning.
    pub pattern: String,
}

/// A compiled pattern.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    regex: Regex,
    /// The same for matches that are not empty, once it is needed; `None` if all of its matches are.
    regex_not_empty: OnceLock<Option<Regex>>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}

/// One match: where it is and where its groups are, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match(Vec<Option<Range<usize>>>);

impl Match {
    /// Where the whole match is.
    pub fn range(&self) -> Range<usize> {
        self.0[0].clone().expect("group 0 takes part in every match")
    }

    /// The text of a group, 0 being the whole match; `None` if it took no part or there is none.
    pub fn group<'t>(&self, text: &'t str, index: usize) -> Option<&'t str> {
        Some(&text[self.0.get(index)?.clone()?])
    }
}

impl Pattern {
    /// Compiles a pattern as `re.compile` does.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn compile(pattern: &str, flags: Flags) -> Result<Self, PatternError> {
        let unsupported = |reason: &dyn fmt::Display| PatternError::Unsupported {
            reason: reason.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        if pattern.len() > PATTERN_MAX {
            return Err(unsupported(&format_args!("longer than {PATTERN_MAX} bytes")));
        }
        let translated = Translator::translate(pattern, flags)?;
        let regex = build(&translated, false).map_err(|error| unsupported(&error))?;
        Ok(Self { source: pattern.into(), regex, regex_not_empty: OnceLock::new() })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// How many groups it has, without the whole match.
    pub fn group_count(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Whether `re.search` finds something.
    ///
    /// # Errors
    /// Fails if that takes too many steps.
    pub fn is_match(&self, text: &str) -> Result<bool, TooManySteps> {
        self.regex.is_match(text).map_err(|_| self.too_many_steps())
    }

    /// What `re.search` finds.
    ///
    /// # Errors
    /// Fails if that takes too many steps.
    pub fn search(&self, text: &str) -> Result<Option<Match>, TooManySteps> {
        self.search_from(&self.regex, text, 0)
    }

    /// What `re.finditer` finds, in order.
    ///
    /// An empty match may follow upon another match, but no two empty ones are at the same place.
    ///
    /// # Errors
    /// Fails if that takes too many steps.
    pub fn find_all(&self, text: &str) -> Result<Vec<Match>, TooManySteps> {
        let mut matches = Vec::new();
        self.each_match(text, |found| matches.push(found))?;
        Ok(matches)
    }

    /// The last of what `re.finditer` finds.
    ///
    /// # Errors
    /// Fails if that takes too many steps.
    pub fn find_last(&self, text: &str) -> Result<Option<Match>, TooManySteps> {
        let mut last = None;
        self.each_match(text, |found| last = Some(found))?;
        Ok(last)
    }

    fn each_match(&self, text: &str, mut take: impl FnMut(Match)) -> Result<(), TooManySteps> {
        let started = Instant::now();
        let (mut at, mut must_advance) = (0, false);
        while at <= text.len() {
            let found = if must_advance {
                self.search_after_empty(text, at)?
            } else {
                self.search_from(&self.regex, text, at)?
            };
            let Some(found) = found else { break };
            let range = found.range();
            (at, must_advance) = (range.end, range.is_empty());
            take(found);
            if started.elapsed() > TIME_MAX {
                return Err(self.too_many_steps());
            }
        }
        Ok(())
    }

    /// The match after an empty one at `at`: Python takes one at the same place if it is not empty,
    /// and any further on.
    fn search_after_empty(&self, text: &str, at: usize) -> Result<Option<Match>, TooManySteps> {
        let not_empty = || build(self.regex.as_str(), true).ok();
        if let Some(regex) = self.regex_not_empty.get_or_init(not_empty) {
            let found = self.search_from(regex, text, at)?;
            if found.as_ref().is_some_and(|found| found.range().start == at) {
                return Ok(found);
            }
        }
        let Some(next) = text[at..].chars().next() else { return Ok(None) };
        self.search_from(&self.regex, text, at + next.len_utf8())
    }

    fn search_from(
        &self,
        regex: &Regex,
        text: &str,
        at: usize,
    ) -> Result<Option<Match>, TooManySteps> {
        let captures = regex.captures_from_pos(text, at).map_err(|_| self.too_many_steps())?;
        Ok(captures.map(|captures| {
            Match(captures.iter().map(|group| group.map(|group| group.range())).collect())
        }))
    }

    fn too_many_steps(&self) -> TooManySteps {
        TooManySteps { pattern: shown(&self.source) }
    }
}

fn build(translated: &str, not_empty: bool) -> Result<Regex, fancy_regex::Error> {
    let mut builder = RegexBuilder::new(translated);
    builder.backtrack_limit(STEPS_MAX).find_not_empty(not_empty);
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;

    const CASELESS: Flags = Flags { ignore_case: true, multi_line: false, dot_all: false };

    /// All matches, as Python's `[m.group(*range(n)) for m in re.finditer(…)]` would show them.
    fn found(pattern: &Pattern, text: &str) -> Vec<Vec<Option<String>>> {
        let matches = pattern.find_all(text).unwrap();
        let groups = |found: &Match| {
            let group = |index| found.group(text, index).map(str::to_owned);
            (0..=pattern.group_count()).map(group).collect()
        };
        matches.iter().map(groups).collect()
    }

    fn whole(pattern: &str, flags: Flags, text: &str) -> Vec<String> {
        let pattern = Pattern::compile(pattern, flags).unwrap();
        found(&pattern, text).into_iter().map(|groups| groups[0].clone().unwrap()).collect()
    }

    #[test]
    fn what_other_engines_read_differently_is_read_as_python_does() {
        for (pattern, text, expected) in [
            (r"^\d+$", "\u{663}\n", vec!["\u{663}"]),
            ("a$", "a\n\n", vec![]),
            (r"a\Z", "a\n", vec![]),
            (r"\boxed{(\w)}", "\\boxed{A}", vec![]),
            ("x{,2}y", "xxxy", vec!["xxy"]),
            ("x{a}", "x{a}", vec!["x{a}"]),
            ("[[]", "[", vec!["["]),
            (r"[\]-a]", "^", vec!["^"]),
            (r"\s", "\u{1c}", vec!["\u{1c}"]),
            (r"\w+", "a\u{301}b", vec!["a", "b"]),
            (".", "\r\u{2028}", vec!["\r", "\u{2028}"]),
            ("a*", "baac", vec!["", "aa", "", ""]),
            ("|a", "a", vec!["", "a", ""]),
            (r"(?<!\d)\d(?!\d)", "12 3", vec!["3"]),
            (r"(a)|b\1", "bab", vec!["a"]),
            (r"(a)?b(?(1)c|d)", "abc bd bc", vec!["abc", "bd"]),
            ("(?x) a b # c\n *", "abbb", vec!["abbb"]),
            (r"\B", "", vec![]),
            ("(?s:.)(?-s:.)", "\n\n", vec![]),
        ] {
            assert_eq!(whole(pattern, Flags::default(), text), expected, "{pattern} on {text:?}");
        }
        assert_eq!(
            whole("[a-z]+", CASELESS, "\u{130}\u{131}\u{17f}\u{212a}Z"),
            ["\u{130}\u{131}\u{17f}\u{212a}Z"]
        );
    }

    #[test]
    fn groups_that_take_no_part_are_none() {
        let matches = found(&Pattern::compile("(a)|(b)", Flags::default()).unwrap(), "b");
        assert_eq!(matches, [[Some("b".to_owned()), None, Some("b".to_owned())]]);
    }

    #[test]
    fn what_python_refuses_is_refused_in_its_words() {
        for (pattern, expected) in [
            ("([", "unterminated character set at position 1"),
            ("(", "missing ), unterminated subpattern at position 0"),
            ("a)", "unbalanced parenthesis at position 1"),
            ("*", "nothing to repeat at position 0"),
            ("a**", "multiple repeat at position 2"),
            (r"\p{L}", r"bad escape \p at position 0"),
            (r"\u{41}", r"incomplete escape \u at position 0"),
            ("(?<=a+)b", "look-behind requires fixed-width pattern"),
            ("a(?i)b", "global flags not at the start of the expression at position 1"),
            (r"\1", "invalid group reference 1 at position 1"),
            ("[z-a]", "bad character range z-a at position 1"),
            ("(?<n>a)", "unknown extension ?<n at position 1"),
            ("a{2,1}", "min repeat greater than max repeat"),
            ("\\", "bad escape (end of pattern) at position 0"),
        ] {
            let error = Pattern::compile(pattern, Flags::default()).unwrap_err();
            assert!(matches!(error, PatternError::Syntax { .. }), "{pattern}: {error}");
            assert!(error.to_string().starts_with(expected), "{pattern}: {error}");
        }
    }

    #[test]
    fn a_pattern_that_python_would_match_for_ever_is_an_error_and_no_mismatch() {
        let pattern = Pattern::compile(r"(?=(a+)+$)(a|aa)+\1b", Flags::default()).unwrap();
        let error = pattern.search(&"a".repeat(5000)).unwrap_err().to_string();
        assert!(error.contains("takes too many steps"), "{error}");
    }

    #[test]
    fn hostile_patterns_neither_panic_nor_exhaust_the_stack() {
        for pattern in [
            "(".repeat(10_000),
            "(?:".repeat(99) + "a" + &")".repeat(99),
            "a{9999}{1}".to_owned(),
            "((((a{1,999}){1,999}){1,999}){1,999})".to_owned(),
            "[".repeat(60_000),
            "a|".repeat(30_000),
            "x".repeat(PATTERN_MAX + 1),
        ] {
            if let Ok(pattern) = Pattern::compile(&pattern, Flags::default()) {
                let _ = pattern.search("aaaa");
            }
        }
    }

    /// Parts of which patterns are put together.
    const PARTS: [&str; 57] = [
        "a",
        "b",
        "A",
        "é",
        "İ",
        "ß",
        "ſ",
        "1",
        "_",
        " ",
        "\\n",
        ".",
        "^",
        "$",
        "\\b",
        "\\B",
        "\\d",
        "\\w",
        "\\s",
        "\\S",
        "\\W",
        "\\A",
        "\\Z",
        "[ab]",
        "[^a]",
        "[a-c1]",
        "[\\w-]",
        "[^\\W\\d]",
        "(",
        ")",
        "(?:",
        "(?=",
        "(?!",
        "(?<=",
        "(?<!",
        "(?P<n>",
        "(?P=n)",
        "(?i:",
        "(?>",
        "|",
        "*",
        "+",
        "?",
        "*?",
        "+?",
        "{2}",
        "{1,2}",
        "{,1}",
        "{",
        "}",
        "{1,2}?",
        "\\1",
        "\\2",
        "\\x41",
        "(?(1)",
        "]",
        "-",
    ];
    const TEXTS: [&str; 10] = [
        "",
        "a",
        "ab",
        "aab Abé\n",
        "bA1_ a\n\n",
        "ıİiI ſsSß",
        "a\u{301}b \u{663}1",
        "{1,2} -]",
        "aaabbb",
        "\u{1c}a\u{a0}b\r\n",
    ];

    /// Prints what Python finds, an `E` where it refuses the pattern.
    const SCRIPT: &str = r#"
import json, re, sys, warnings
warnings.simplefilter("ignore")
assert sys.version_info >= (3, 11)
patterns, texts = json.load(sys.stdin)
for flags, pattern in patterns:
    try: compiled = re.compile(pattern, flags)
    except re.error: print("E"); continue
    matches = lambda text: [[m[i] for i in range(compiled.groups + 1)] for m in compiled.finditer(text)]
    print(json.dumps([matches(text) for text in texts]))
"#;

    #[test]
    fn pythons_own_engine_agrees() {
        let mut state = 7_u64;
        let mut below = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % bound
        };
        let mut patterns = Vec::new();
        for _ in 0..3000 {
            let length = 1 + below(6);
            let pattern: String = (0..length).map(|_| PARTS[below(PARTS.len())]).collect();
            // Closed, most patterns that are put together at random are patterns.
            let open = pattern.matches('(').count().saturating_sub(pattern.matches(')').count());
            patterns.push(([0, 2, 8, 16][below(4)], pattern + &")".repeat(open)));
        }
        let input = serde_json::to_string(&(&patterns, &TEXTS[..])).unwrap();
        let Some(output) = reference::python(SCRIPT, &input) else { return };
        let mut accepted = 0;
        for ((bits, pattern), line) in patterns.iter().zip(output.lines()) {
            let flags =
                Flags { ignore_case: *bits == 2, multi_line: *bits == 8, dot_all: *bits == 16 };
            let ours = Pattern::compile(pattern, flags);
            if let Err(PatternError::Unsupported { .. }) = ours {
                continue;
            }
            assert_eq!(ours.is_err(), line == "E", "{pattern:?}: {ours:?}");
            let Ok(ours) = ours else { continue };
            accepted += 1;
            let theirs: Vec<Vec<Vec<Option<String>>>> = serde_json::from_str(line).unwrap();
            for (text, theirs) in TEXTS.iter().zip(theirs) {
                assert_eq!(found(&ours, text), theirs, "{pattern:?} on {text:?}");
            }
        }
        assert!(accepted > 700, "only {accepted} of the patterns are any");
    }
}
