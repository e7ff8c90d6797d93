//! JSON as Python's `json.dumps` writes it by default: a space after every comma and colon, and nothing
//! but ASCII. Tools that answer with somebody else's JSON as text show models this.

use std::fmt::Write as _;

use super::{Float, Json};

/// `json.dumps(value)`.
pub fn dumps(value: &Json) -> String {
    let mut out = String::new();
    push(&mut out, value);
    out
}

fn push(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Integer(number) => out.push_str(number.as_str()),
        Json::Float(number) => out.push_str(&Float(*number).to_string()),
        Json::String(text) => push_text(out, text),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                push(out, item);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                push_text(out, key);
                out.push_str(": ");
                push(out, value);
            }
            out.push('}');
        }
    }
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::python::reference;

    #[test]
    fn values_are_written_as_python_writes_them() {
        let values = [
            "null",
            "[]",
            "{}",
            r#"[true,false,-0,1.0,1e-05,1e22,NaN,-Infinity,123456789012345678901234567890]"#,
            r#"{"a":{"b":[1,{"c":"d"}]},"a b":""}"#,
            r#"["\"\\\/\b\f\n\r\t\u0000\u001f\u007f\u0080é\u2028😀"]"#,
            r#"{"a":1,"b":2,"a":3}"#,
        ];
        let script = "import json,sys\nfor line in sys.stdin: print(json.dumps(json.loads(line)))";
        let Some(output) = reference::python(script, &values.join("\n")) else { return };
        for (value, expected) in values.iter().zip(output.lines()) {
            assert_eq!(dumps(&Json::parse(value).unwrap()), expected, "{value}");
        }
    }
}
