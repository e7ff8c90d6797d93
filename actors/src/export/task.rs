//! Chats that trainers read, as tasks.

use framework::responses::{Fields, Item};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::chat_completions::{items, split};

/// Keys that hold what a model said, or what was made of it.
const ANSWERS: [&str; 7] =
    ["messages", "prompt", "completion", "chosen", "rejected", "chosen_reward", "rejected_reward"];

/// Gives a row that is an example of a trainer its `responses_create_params`: of `messages` what comes
/// before the model's first words, or all of `prompt`, with the `tools`. Answers are dropped, other keys
/// stay. A row that is no such example stays as it is.
///
/// # Errors
/// Fails if the messages or tools are malformed, or nothing comes before the model's first words.
pub fn to_task(row: &mut Fields) -> Result<(), String> {
    let input = match (row.get_set("messages"), row.get_set("prompt")) {
        (Some(messages), _) => {
            let all = chat("messages", messages)?;
            let (asked, _) = split(&all);
            if asked.is_empty() {
                return Err("`messages`: nothing comes before the model's first words".to_owned());
            }
            json_of(asked)?
        }
        (None, Some(prompt)) if prompt.get().starts_with('"') => prompt.to_owned(),
        (None, Some(prompt)) => json_of(&chat("prompt", prompt)?)?,
        (None, None) => return Ok(()),
    };
    let mut params = Fields::default();
    params.set_raw("input", input);
    if let Some(listed) = row.remove("tools").filter(|tools| tools.get() != "null") {
        params.set("tools", &tools(&listed)?);
    }
    for key in ANSWERS {
        row.remove(key);
    }
    row.set("responses_create_params", &params);
    Ok(())
}

fn chat(name: &str, messages: &RawValue) -> Result<Vec<Item>, String> {
    items(messages.get()).map_err(|error| format!("`{name}`: {error}"))
}

fn json_of(items: &[Item]) -> Result<Box<RawValue>, String> {
    to_raw_value(items).map_err(|error| error.to_string())
}

/// A chat's tools as those of the Responses API. They may be JSON in a string, as tables have them.
fn tools(listed: &RawValue) -> Result<Vec<Value>, String> {
    let malformed = |error: &dyn std::fmt::Display| format!("`tools`: {error}");
    let mut listed: Value =
        serde_json::from_str(listed.get()).map_err(|error| malformed(&error))?;
    if let Value::String(text) = &listed {
        listed = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    }
    let Value::Array(listed) = listed else { return Err(malformed(&"not a list")) };
    listed
        .into_iter()
        .enumerate()
        .map(|(index, tool)| {
            let Value::Object(mut tool) = tool else {
                return Err(malformed(&format_args!("[{index}] is no object")));
            };
            match tool.remove("function") {
                Some(Value::Object(mut function)) => {
                    function.insert("type".to_owned(), "function".into());
                    // NeMo Gym needs these two; what they say by default is what their absence says.
                    function
                        .entry("parameters")
                        .or_insert_with(|| json!({ "type": "object", "properties": {} }));
                    function.entry("strict").or_insert(Value::Bool(false));
                    Ok(function.into())
                }
                Some(_) => Err(malformed(&format_args!("[{index}].function is no object"))),
                None => Ok(tool.into()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(row: Value) -> Result<Value, String> {
        let mut fields = Fields::parse(&row.to_string()).unwrap();
        to_task(&mut fields)?;
        Ok(serde_json::to_value(&fields).unwrap())
    }

    #[test]
    fn what_comes_before_the_models_first_words_is_the_task() {
        let tool = json!({ "type": "function", "function": { "name": "f", "parameters": {} } });
        let messages = json!([
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [{ "type": "text", "text": "Hi" }] },
            { "role": "assistant", "content": "Hello" },
            { "role": "user", "content": "Bye" },
        ]);
        let expected = json!({
            "responses_create_params": {
                "input": [
                    { "role": "system", "content": "Be brief.", "type": "message" },
                    { "role": "user", "content": [{ "type": "input_text", "text": "Hi" }], "type": "message" },
                ],
                "tools": [{ "type": "function", "name": "f", "parameters": {}, "strict": false }],
            },
            "level": 3,
        });
        let row = json!({ "messages": messages, "tools": [tool], "level": 3 });
        assert_eq!(task(row).unwrap(), expected);
        let text = json!([tool]).to_string();
        let pair = json!({ "prompt": messages.as_array().unwrap()[..2], "chosen": [], "rejected": [],
            "tools": text, "level": 3 });
        assert_eq!(task(pair).unwrap(), expected);
        let plain = task(json!({ "prompt": "Hi", "completion": "Hello" })).unwrap();
        assert_eq!(plain, json!({ "responses_create_params": { "input": "Hi" } }));
        let other = json!({ "question": "?" });
        assert_eq!(task(other.clone()).unwrap(), other);
    }

    #[test]
    fn malformed_chats_say_what_is_wrong() {
        for (row, expected) in [
            (json!({ "messages": "hi" }), "`messages`: not a list of messages"),
            (
                json!({ "messages": [{ "role": "chef", "content": "" }] }),
                "`messages[0]`: unknown role `chef`",
            ),
            (
                json!({ "messages": [{ "role": "assistant", "content": "" }] }),
                "nothing comes before",
            ),
            (json!({ "prompt": [{ "role": "user" }, 5] }), "`prompt`: "),
            (json!({ "prompt": "x", "tools": "[" }), "`tools`: "),
            (json!({ "prompt": "x", "tools": [{ "function": 1 }] }), "`tools`: [0].function"),
        ] {
            let error = task(row).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
