//! How what a program printed is compared with what it should have printed: line by line, as text, and
//! as decimal numbers where a line consists of nothing else. There is no tolerance.

use framework::environment::python::text::{is_space, strip};

use super::decimal::{Decimal, InvalidOperation};

/// Why an output is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// There are more lines than expected, or fewer.
    LineCount,
    /// The first line that differs.
    Line { index: usize, printed: Box<str>, expected: Box<str> },
    /// A line holds a signaling NaN, which Python refuses to compare.
    Undecided,
}

/// Compares an output with the expected one. Spaces at the ends of either and of each line do not
/// count.
pub(super) fn compare(output: &str, expected: &str) -> Result<(), Mismatch> {
    let (output, expected) = (strip(output), strip(expected));
    let count = |text: &str| text.matches('\n').count();
    if count(output) != count(expected) {
        return Err(Mismatch::LineCount);
    }
    let lines = output.split('\n').zip(expected.split('\n'));
    for (index, (printed, expected)) in lines.enumerate() {
        let (printed, expected) = (strip(printed), strip(expected));
        if printed == expected {
            continue;
        }
        match equal_numbers(printed, expected) {
            Ok(true) => {}
            Ok(false) => {
                let (printed, expected) = (printed.into(), expected.into());
                return Err(Mismatch::Line { index, printed, expected });
            }
            Err(InvalidOperation) => return Err(Mismatch::Undecided),
        }
    }
    Ok(())
}

/// Whether both lines consist of numbers alone, and of the same ones.
fn equal_numbers(printed: &str, expected: &str) -> Result<bool, InvalidOperation> {
    let Some((printed, expected)) = numbers(printed).zip(numbers(expected)) else {
        return Ok(false);
    };
    if printed.len() != expected.len() {
        return Ok(false);
    }
    for (printed, expected) in printed.iter().zip(&expected) {
        if !printed.equals(expected)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn numbers(line: &str) -> Option<Vec<Decimal>> {
    line.split(is_space).filter(|word| !word.is_empty()).map(Decimal::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_equal_as_text_or_as_numbers() {
        for (output, expected, equal) in [
            ("4\n", "4", true),
            ("  4 \n\n", "\n4", true),
            ("1.0 2", "1 2.00", true),
            ("-0", "0", true),
            ("1\t2", "1 2", true),
            ("a\tb", "a b", false),
            ("1 a", "1.0 a", false),
            ("1 a", "1 a", true),
            ("yes", "YES", false),
            ("1e3", "1000", true),
            ("1_000", "1000", true),
            ("+5", "05", true),
            ("inf", "Infinity", true),
            ("nan", "NaN", false),
            ("nan", "nan", true),
            ("0.30000000000000004", "0.3", false),
            ("1\n2", "1 2", false),
            ("1\r\n2", "1\n2", true),
            ("1\u{a0}2", "1 2", true),
            ("", "", true),
            (" \n ", "", true),
            ("1\n\n2", "1\n2", false),
            ("1\n\n2", "1\n \n2", true),
            ("1 2 3", "1 2", false),
            ("12", "1 2", false),
        ] {
            assert_eq!(compare(output, expected).is_ok(), equal, "{output:?} and {expected:?}");
        }
    }

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(compare("1", "1\n2"), Err(Mismatch::LineCount));
        let line = Mismatch::Line { index: 1, printed: "4".into(), expected: "9".into() };
        assert_eq!(compare("1\n 4 \n5", "1\n9\n6"), Err(line));
        assert_eq!(compare("sNaN", "1"), Err(Mismatch::Undecided));
        assert!(matches!(compare("2 sNaN", "1 1"), Err(Mismatch::Line { .. })), "2 differs first");
    }

    #[test]
    fn pythons_own_comparison_agrees() {
        const SCRIPT: &str = r#"
import json, sys
from decimal import Decimal
def lines(text): return [line.strip() for line in text.strip().split("\n")]
def numbers(line):
    try: return [Decimal(word) for word in line.split()]
    except Exception: return None
def same(a, b):
    a, b = lines(a), lines(b)
    if len(a) != len(b): return False
    for x, y in zip(a, b):
        if x == y: continue
        x, y = numbers(x), numbers(y)
        if x is None or y is None or x != y: return False
    return True
print(json.dumps([same(a, b) for a, b in json.load(sys.stdin)]))
"#;
        use proptest::strategy::{Strategy as _, ValueTree as _};
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let text = "([01a\u{1c}\u{a0}\u{3000}]|[.]| |\t|\r|\n|1[.]0|e1){0,6}";
        let pairs = proptest::collection::vec((text, text), 2000);
        let pairs = pairs.new_tree(&mut runner).unwrap().current();
        let input = serde_json::to_string(&pairs).unwrap();
        let Some(output) = crate::trials::python(SCRIPT, &input) else { return };
        let expected: Vec<bool> = serde_json::from_str(&output).unwrap();
        assert!(expected.iter().any(|same| *same) && expected.iter().any(|same| !*same));
        for ((a, b), same) in pairs.iter().zip(expected) {
            assert_eq!(compare(a, b).is_ok(), same, "{a:?} and {b:?}");
        }
    }
}
