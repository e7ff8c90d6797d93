//! Reads a plain scalar by the core schema of YAML 1.2, and by nothing else.
//!
//! So `yes` and `1_000` are strings, `0x10` is 16, and `1e9` is a float and no integer.

use super::tree::{Node, Value};

/// The words that YAML 1.1, and with it Python's `PyYAML`, reads as booleans beside `true` and `false`.
pub(super) const YAML_1_1_BOOLEANS: [&str; 12] =
    ["yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"];

/// Reads an unquoted scalar of a YAML text.
pub(super) fn read_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Boolean(true),
        "false" | "False" | "FALSE" => return Value::Boolean(false),
        _ => {}
    }
    let number = read_integer(text).map(Value::Integer).or_else(|| read_float(text));
    number.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// Reads a text from outside of YAML: an environment variable, say.
///
/// The text itself is kept beside the reading, for where a string is needed.
/// The empty text stays a text, since an empty variable means "nothing in it" and not "as before".
pub(super) fn read_outside_text(text: &str) -> Node {
    let value = if text.is_empty() { Value::Text(String::new()) } else { read_scalar(text) };
    let mut node = Node::new(value, None);
    node.text = Some(text.to_owned());
    node
}

/// Reads an integer that fits `i64` or `u64`.
fn read_integer(text: &str) -> Option<i128> {
    let magnitude = |digits: &str, radix| {
        let is_plain = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        is_plain.then(|| i128::from_str_radix(digits, radix).ok()).flatten()
    };
    let integer = if let Some(digits) = text.strip_prefix("0x") {
        magnitude(digits, 16)?
    } else if let Some(digits) = text.strip_prefix("0o") {
        magnitude(digits, 8)?
    } else if let Some(digits) = text.strip_prefix('-') {
        -magnitude(digits, 10)?
    } else {
        magnitude(text.strip_prefix('+').unwrap_or(text), 10)?
    };
    let is_representable = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer);
    is_representable.then_some(integer)
}

fn read_float(text: &str) -> Option<Value> {
    let special = match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ => None,
    };
    let has_digit = text.contains(|letter: char| letter.is_ascii_digit());
    let is_numeric =
        text.chars().all(|letter| matches!(letter, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
    let plain = || (has_digit && is_numeric).then(|| text.parse().ok()).flatten();
    special.or_else(plain).map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_follow_the_core_schema() {
        let cases = [
            ("", Value::Null),
            ("~", Value::Null),
            ("true", Value::Boolean(true)),
            ("False", Value::Boolean(false)),
            ("12", Value::Integer(12)),
            ("+12", Value::Integer(12)),
            ("-12", Value::Integer(-12)),
            ("0x10", Value::Integer(16)),
            ("0o10", Value::Integer(8)),
            ("010", Value::Integer(10)),
            ("18446744073709551615", Value::Integer(i128::from(u64::MAX))),
            ("18446744073709551616", Value::Float(18_446_744_073_709_551_616.0)),
            ("1e9", Value::Float(1e9)),
            ("2.7", Value::Float(2.7)),
            (".5", Value::Float(0.5)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
        ];
        for (text, value) in cases {
            assert_eq!(read_scalar(text), value, "{text}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for text in
            ["yes", "off", "1_000", "0x", "-", ".", "e9", "1.2.3", "inf", "nan", "--1", "0xg", "1e"]
        {
            assert_eq!(read_scalar(text), Value::Text(text.to_owned()));
        }
    }

    #[test]
    fn text_from_outside_keeps_its_exact_form() {
        let node = read_outside_text("1.10");
        assert_eq!((node.value, node.text.as_deref()), (Value::Float(1.1), Some("1.10")));
        assert_eq!(read_outside_text("").value, Value::Text(String::new()));
    }
}
