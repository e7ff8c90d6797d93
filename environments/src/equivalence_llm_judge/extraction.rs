//! How an answer is cut out of a text: by the last match of a regular expression of Python's.

use std::sync::Arc;

use framework::environment::python::pattern::{Flags, Pattern, PatternError, TooManySteps};
use framework::environment::python::text::strip;
use serde::{Deserialize, Deserializer};

/// As NeMo Gym applies them.
const FLAGS: Flags = Flags { ignore_case: false, multi_line: true, dot_all: true };

/// Reads a regular expression; an empty one is none.
pub(super) fn read_regex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let source = Option::<String>::deserialize(deserializer)?;
    regex(source.as_deref().unwrap_or_default()).map_err(serde::de::Error::custom)
}

/// A regular expression, if there is one.
pub(super) type Regex = Option<Arc<Pattern>>;

/// Compiles a regular expression; an empty one is none.
///
/// # Errors
/// Fails if it is none of Python's, or cannot be run here.
pub(super) fn regex(source: &str) -> Result<Regex, PatternError> {
    match source {
        "" => Ok(None),
        _ => Pattern::compile(source, FLAGS).map(Arc::new).map(Some),
    }
}

/// The last of all matches: its first group that holds more than whitespace, or all of it, without
/// whitespace around. `None` if nothing matches.
///
/// # Errors
/// Fails if matching takes too many steps.
pub(super) fn last_value<'t>(
    regex: &Pattern,
    text: &'t str,
) -> Result<Option<&'t str>, TooManySteps> {
    let Some(found) = regex.find_last(text)? else { return Ok(None) };
    let groups = (1..=regex.group_count()).filter_map(|index| found.group(text, index));
    let value = groups.map(strip).find(|group| !group.is_empty());
    Ok(value.or_else(|| found.group(text, 0).map(strip)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use serde_json::{Value, json};

    use super::*;
    use crate::judge::Labels;
    use crate::trials;

    /// Nothing panics or goes on without end; what takes too many steps says so.
    #[test]
    fn a_mebibyte_of_anything_is_searched() {
        let labels = Labels::new("[[A=B]]", "[[A!=B]]").unwrap();
        for unit in ["a", "ab ", "\\boxed{", "{", "}", "[[A=B]", "[[A!=", "\n", "Answer: ", "é"] {
            let text = unit.repeat((1 << 20) / unit.len());
            for source in [
                r"\\boxed\{(.*?)\}",
                r"Answer:\s*(.*)$",
                r"(?:a+)+b",
                r"(?<!a)(a|b)+(?=c)",
                r"^(.*)\1$",
                r"(\{)*\}",
            ] {
                let regex = regex(source).unwrap().unwrap();
                if let Ok(Some(value)) = last_value(&regex, &text) {
                    assert!(text.contains(value), "{source} in {unit}");
                }
            }
            assert!(labels.ruling(&text).is_none(), "{unit}");
        }
    }

    fn last(regex: &str, text: &str) -> Option<String> {
        let pattern =
            Pattern::compile(regex, FLAGS).unwrap_or_else(|error| panic!("{regex:?}: {error}"));
        last_value(&pattern, text).unwrap().map(str::to_owned)
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

    /// Expressions and texts that stress what differs between engines.
    fn cases() -> impl Strategy<Value = (String, Vec<String>)> {
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
        (wrapped, proptest::collection::vec("[ab1 {}\\]é_\n*\u{1c}\u{a0}-]{0,12}", 5))
    }

    const REFERENCE: &str = r"
import json, re, sys
def last(regex, text):
    found = list(re.finditer(regex, text, re.MULTILINE | re.DOTALL))
    if not found: return None
    groups = [group.strip() for group in found[-1].groups() if group]
    return next((group for group in groups if group), found[-1].group(0).strip())
for line in sys.stdin:
    regex, texts = json.loads(line)
    print(json.dumps([last(regex, text) for text in texts]))
";

    /// What Python finds is found, for 400 generated expressions on five texts each. The few that
    /// cannot be run here would have their rows refused.
    #[test]
    fn generated_expressions_find_what_python_finds() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let cases: Vec<_> =
            (0..400).map(|_| cases().new_tree(&mut runner).unwrap().current()).collect();
        let input: String =
            cases.iter().map(|case| format!("{}\n", json!([case.0, case.1]))).collect();
        let Some(output) = trials::python(REFERENCE, &input) else { return };
        let answers: Vec<Value> =
            output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), cases.len());
        let mut refused = 0;
        for ((regex, texts), expected) in cases.iter().zip(answers) {
            if let Err(PatternError::Unsupported { .. }) = Pattern::compile(regex, FLAGS) {
                refused += 1;
                continue;
            }
            let found: Vec<_> = texts.iter().map(|text| last(regex, text)).collect();
            assert_eq!(json!(found), expected, "{regex:?} in {texts:?}");
        }
        assert!(refused <= 4, "{refused} expressions cannot be run");
    }
}
