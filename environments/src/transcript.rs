//! What the model said: the texts of a response, as verifiers of text take them.

use framework::responses::{Item, ItemKind, Response, Role};
use serde::Deserialize;
use serde_json::Value;

/// The `output_text` parts of all messages, in order, whoever speaks.
pub(crate) fn output_texts(response: &Response) -> Vec<String> {
    let messages =
        response.output.iter().filter(|item| matches!(item.kind(), ItemKind::Message(_)));
    messages.flat_map(|item| parts(item).unwrap_or_default()).collect()
}

/// What the assistant says: the `output_text` parts of its messages, or their plain text.
pub(crate) fn assistant_texts(response: &Response) -> Vec<String> {
    let messages = response.output.iter().filter(|item| item.is_message_of(Role::Assistant));
    messages.flat_map(texts).collect()
}

/// What the assistant's last message says, in the same way; nothing if there is none.
pub(crate) fn last_assistant_texts(response: &Response) -> Vec<String> {
    let mut items = response.output.iter().rev();
    items.find(|item| item.is_message_of(Role::Assistant)).map(texts).unwrap_or_default()
}

/// The texts of one message.
pub(crate) fn texts(item: &Item) -> Vec<String> {
    match parts(item) {
        Some(parts) => parts,
        None => item.field::<String>("content").into_iter().collect(),
    }
}

/// The texts of the `output_text` parts; `None` if the content is no list of parts.
fn parts(item: &Item) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Part {
        r#type: Option<Value>,
        text: Option<Value>,
    }
    let parts: Vec<Part> = item.field("content")?;
    let texts = parts.into_iter().filter(|part| part.r#type == Some("output_text".into()));
    Some(texts.filter_map(|part| Some(part.text?.as_str()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_input_and_reasoning_are_nothing_said() {
        let items = [
            r#"{"type":"reasoning","id":"r","summary":[]}"#,
            r#"{"role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"b"},{"type":"output_text","text":"c"}]}"#,
            r#"{"role":"assistant","content":[{"type":"input_text","text":"d"},{"text":"e"},{"type":"output_text","text":5}]}"#,
            r#"{"role":"assistant","content":"f"}"#,
            r#"{"role":"user","content":"g"}"#,
            r#"{"role":"developer","content":[{"type":"output_text","text":"h"}]}"#,
        ];
        let items = items.iter().map(|item| Item::parse(item).unwrap()).collect();
        let response = Response::new("r", "m".into(), items);
        assert_eq!(output_texts(&response), ["a", "c", "h"]);
        assert_eq!(assistant_texts(&response), ["a", "c", "f"]);
        assert_eq!(last_assistant_texts(&response), ["f"]);
    }
}
