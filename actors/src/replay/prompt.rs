//! When two prompts are the same.
//!
//! Tools that write rollouts fill in what the task left out: `type: message`, null fields, a text as
//! a list of one part. Prompts that differ in nothing else are equal.

use std::hash::{DefaultHasher, Hash, Hasher};

use framework::responses::Item;
use serde_json::Value;

/// A prompt's canonical form, hashed to 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Prompt(u64, u64);

impl Prompt {
    pub(super) fn of_items(items: &[Item]) -> Self {
        let mut text = String::new();
        for item in items {
            let item = serde_json::from_str(item.json().get());
            write(&canonical_item(item.expect("an item's text is JSON")), &mut text);
            text.push('\n');
        }
        let hash = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (salt, &text).hash(&mut hasher);
            hasher.finish()
        };
        Self(hash(0), hash(1))
    }
}

fn canonical_item(mut item: Value) -> Value {
    let Some(fields) = item.as_object_mut() else {
        return item;
    };
    if fields.get("type").is_some_and(|tag| tag == "message") {
        fields.remove("type");
    }
    for name in ["content", "output"] {
        let text = fields.get(name).and_then(single_text);
        if let Some(text) = text {
            fields.insert(name.to_owned(), Value::String(text));
        }
    }
    item
}

/// The text of content that is a list of one text part.
fn single_text(content: &Value) -> Option<String> {
    let [part] = content.as_array()?.as_slice() else {
        return None;
    };
    let is_text = matches!(part["type"].as_str(), Some("input_text" | "output_text"));
    part["text"].as_str().filter(|_| is_text).map(str::to_owned)
}

/// Writes a value with sorted keys and without null fields.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in fields {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for value in values {
                write(value, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use framework::responses::CreateParams;

    use super::*;

    fn prompt(input: &str) -> Prompt {
        let params = CreateParams::parse(&format!(r#"{{"input":{input}}}"#)).unwrap();
        Prompt::of_items(params.input())
    }

    #[test]
    fn forms_of_the_same_prompt_are_equal() {
        let text = prompt(r#""hi""#);
        for input in [
            r#"[{"role":"user","content":"hi"}]"#,
            r#"[{"content":"hi","type":"message","role":"user","status":null}]"#,
            r#"[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]"#,
        ] {
            assert_eq!(prompt(input), text, "{input}");
        }
    }

    #[test]
    fn what_says_something_else_is_another_prompt() {
        let text = prompt(r#""hi""#);
        for input in [
            r#""Hi""#,
            "[]",
            r#"[{"role":"system","content":"hi"}]"#,
            r#"[{"role":"user","content":"hi"},{"role":"user","content":""}]"#,
            r#"[{"role":"user","content":[{"type":"input_text","text":"h"},{"type":"input_text","text":"i"}]}]"#,
        ] {
            assert_ne!(prompt(input), text, "{input}");
        }
    }
}
