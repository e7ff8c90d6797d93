//! The answer in the last `\boxed{…}`, and whether it is the expected one.

use std::sync::LazyLock;

use framework::environment::python::Json;
use framework::responses::{Item, ItemKind, Response, Role};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::math::verify;
use crate::transcript::texts;

/// How an answer is compared with the expected one.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// As a text.
    #[default]
    Exact,
    /// As a text without its wrapping, or as a number, with a tolerance.
    Numeric,
    /// As [mathematics](crate::math), whatever the notation.
    Math,
}

impl Comparison {
    /// The answer that counts: of the last assistant message that has one; compared as a number, also
    /// what code printed.
    pub(super) fn find(self, response: &Response) -> Option<String> {
        let messages = response.output.iter().rev().filter(|it| it.is_message_of(Role::Assistant));
        let said = messages.map(|item| texts(item).concat()).find_map(|text| last_box(&text));
        match self {
            Self::Exact => said,
            Self::Numeric | Self::Math => said.or_else(|| printed(response)),
        }
    }

    pub(super) fn is_equal(self, answer: &str, expected: &str) -> bool {
        match self {
            Self::Exact => answer == expected,
            Self::Numeric => {
                let (answer, expected) = (unwrapped(answer), unwrapped(expected));
                answer == expected || are_close(&answer, &expected)
            }
            Self::Math => verify(expected, &format!("\\boxed{{{answer}}}")).equal,
        }
    }
}

/// The last box that code printed, newest output first.
fn printed(response: &Response) -> Option<String> {
    let is_output = |item: &&Item| *item.kind() == ItemKind::FunctionCallOutput;
    let outputs = response.output.iter().rev().filter(is_output);
    outputs.filter_map(|item| item.field::<String>("output")).find_map(|output| {
        let Json::String(stdout) = Json::parse(&output).ok()?.get("stdout")?.clone() else {
            return None;
        };
        last_box(&stdout)
    })
}

/// What is inside the last box whose braces close, trimmed; nothing if that is nothing.
fn last_box(text: &str) -> Option<String> {
    const OPEN: &str = "\\boxed{";
    let starts = text.rmatch_indices(OPEN).map(|(index, _)| index + OPEN.len());
    let closed = starts.filter_map(|start| closed(&text[start..]));
    closed.map(str::trim).find(|inside| !inside.is_empty()).map(str::to_owned)
}

/// The text up to the brace that closes what was open before it.
fn closed(text: &str) -> Option<&str> {
    let mut depth = 1_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[..index]);
        }
    }
    None
}

/// Without `\(…\)`, `$…$` and `\text{…}` around it, and with single spaces.
fn unwrapped(text: &str) -> String {
    static WRAPPED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)^(?:\\\((.*)\\\)|\$(.*)\$|\\text\{([^{}]*)\})$").expect("it is a pattern")
    });
    let mut text = text.trim();
    while let Some(inside) =
        WRAPPED.captures(text).and_then(|it| it.iter().skip(1).flatten().next())
    {
        text = inside.as_str().trim();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether both are numbers within 10⁻⁶ of each other, relative to the expected one beyond 1.
fn are_close(answer: &str, expected: &str) -> bool {
    let (Ok(answer), Ok(expected)) = (answer.parse::<f64>(), expected.parse::<f64>()) else {
        return false;
    };
    expected.is_finite() && (answer - expected).abs() <= 1e-6 * expected.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_box_that_closes_counts_with_all_its_braces() {
        for (text, expected) in [
            (r"\boxed{1} then \boxed{2}", Some("2")),
            (r"\boxed{\frac{1}{2}}", Some(r"\frac{1}{2}")),
            (r"\boxed{ 3 }", Some("3")),
            (r"\boxed{1} and \boxed{2", Some("1")),
            (r"\boxed{1} \boxed{}", Some("1")),
            (r"\boxed{}", None),
            (r"\boxed {5}", None),
            ("", None),
            (r"\boxed{a \boxed{b}", Some("b")),
        ] {
            assert_eq!(last_box(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn answers_are_compared_as_asked() {
        use Comparison::{Exact, Math, Numeric};
        for (comparison, answer, expected, is_equal) in [
            (Exact, "9", "9", true),
            (Exact, "9", r"\(9\)", false),
            (Exact, "9.0", "9", false),
            (Numeric, "9", r"\(9\)", true),
            (Numeric, "$9$", "9.0", true),
            (Numeric, r"\text{two  words}", "two words", true),
            (Numeric, "1000000.5", "1000000", true),
            (Numeric, "1.00001", "1", false),
            (Numeric, "nan", "nan", true),
            (Numeric, "inf", "-inf", false),
            (Numeric, "x", "y", false),
            (Numeric, "0.5", r"\frac{1}{2}", false),
            (Math, "0.5", r"\frac{1}{2}", true),
            (Math, r"\frac{2}{4}", r"\(0.5\)", true),
            (Math, "x(x+1)", "x^2 + x", true),
            (Math, "0.6", r"\frac{1}{2}", false),
            (Math, "{{{", "1", false),
        ] {
            assert_eq!(comparison.is_equal(answer, expected), is_equal, "{answer} {expected}");
        }
    }
}
