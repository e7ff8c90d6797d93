//! What Python's `str()` makes of JSON: some rows hold answers that are no text, and its verifiers compare
//! that text.

use std::fmt::Write as _;

use super::{Json, float_repr};

/// What Python's `str()` makes of a value: text as it is, everything else by `repr`.
pub fn text_of(value: &Json) -> String {
    if let Json::String(text) = value {
        return text.to_string();
    }
    let mut out = String::new();
    push_repr(&mut out, value);
    out
}

fn push_repr(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("None"),
        Json::Bool(true) => out.push_str("True"),
        Json::Bool(false) => out.push_str("False"),
        Json::Integer(number) => out.push_str(number.as_str()),
        Json::Float(number) => out.push_str(&float_repr(*number)),
        Json::String(text) => push_quoted(out, text),
        Json::Array(items) => {
            let pushes = items.iter().map(|item| move |out: &mut String| push_repr(out, item));
            push_list(out, "[", pushes, "]");
        }
        Json::Object(entries) => {
            let pushes = entries.iter().map(|(key, value)| {
                move |out: &mut String| {
                    push_quoted(out, key);
                    out.push_str(": ");
                    push_repr(out, value);
                }
            });
            push_list(out, "{", pushes, "}");
        }
    }
}

fn push_list(
    out: &mut String,
    open: &str,
    pushes: impl Iterator<Item = impl FnOnce(&mut String)>,
    close: &str,
) {
    out.push_str(open);
    for (index, push) in pushes.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push(out);
    }
    out.push_str(close);
}

/// Text in the quotes that Python chooses. Of what it does not print, only control characters and
/// invisible spaces are escaped here.
fn push_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        let code = u32::from(character);
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            ' ' => out.push(' '),
            _ if code <= 0xff && (character.is_control() || matches!(code, 0xa0 | 0xad)) => {
                let _ = write!(out, "\\x{code:02x}");
            }
            _ if character.is_whitespace() || matches!(code, 0x200b..=0x200f | 0xfeff) => {
                let _ = write!(out, "\\u{code:04x}");
            }
            _ => out.push(character),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::python::reference;

    #[test]
    fn values_become_the_text_that_python_makes() {
        let values = [
            "null",
            "true",
            "false",
            "42",
            "-0",
            "1.0",
            "1e-05",
            "1e22",
            "NaN",
            "\"it's\"",
            "[]",
            "{}",
            r#"["a",1,null,[true]]"#,
            r#"["it's"]"#,
            r#"["a\"b'c"]"#,
            r#"{"k":{"x":[1.5]}}"#,
            r#"["\n\t\r\\\u0000\u007f\u0085\u00a0\u00ad\u2028\u200b\u00e9"]"#,
        ];
        let script =
            "import json,sys\nfor line in sys.stdin: print(json.dumps(str(json.loads(line))))";
        let Some(output) = reference::python(script, &values.join("\n")) else { return };
        for (value, expected) in values.iter().zip(output.lines()) {
            let expected: String = serde_json::from_str(expected).unwrap();
            assert_eq!(text_of(&Json::parse(value).unwrap()), expected, "{value}");
        }
    }
}
