//! What NeMo Gym's servers refuse of a row's parameters where Rehearsal takes them: its models of the
//! Responses API are closed where ours are open.

use serde_json::{Map, Value};

/// Fields of the API that are younger than NeMo Gym's model of it.
const UNKNOWN: [&str; 4] =
    ["conversation", "prompt_cache_key", "safety_identifier", "stream_options"];
/// Fields that may be absent but not null.
const NEVER_NULL: [&str; 3] = ["input", "parallel_tool_calls", "tools"];
/// Fields of a function tool; the first four are required.
const OF_FUNCTIONS: [&str; 5] = ["type", "name", "parameters", "strict", "description"];
const SERVICE_TIERS: [&str; 5] = ["auto", "default", "flex", "scale", "priority"];

/// Why NeMo Gym would refuse a row with these parameters, if it would.
pub(super) fn refusal(params: &str) -> Option<String> {
    let Ok(params) = serde_json::from_str::<Map<String, Value>>(params) else {
        return Some("`responses_create_params` is no object".to_owned());
    };
    if let Some(name) = UNKNOWN.iter().find(|name| params.contains_key(**name)) {
        return Some(format!("`{name}` is a field that it does not know"));
    }
    if let Some(name) = NEVER_NULL.iter().find(|name| params.get(**name) == Some(&Value::Null)) {
        return Some(format!("`{name}` is null"));
    }
    for (name, words) in
        [("truncation", &["auto", "disabled"][..]), ("service_tier", &SERVICE_TIERS)]
    {
        let word = params.get(name).and_then(Value::as_str);
        if word.is_some_and(|word| !words.contains(&word)) {
            return Some(format!("`{name}` is none of `{}`", words.join("`, `")));
        }
    }
    let tools = list(&params, "tools").enumerate();
    let of_tool = |(index, tool)| Some(format!("`tools[{index}]`: {}", of_tool(tool)?));
    let items = list(&params, "input").enumerate();
    let of_item = |(index, item)| Some(format!("`input[{index}]`: {}", of_item(item)?));
    tools.filter_map(of_tool).chain(items.filter_map(of_item)).next()
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn of_tool(tool: &Value) -> Option<String> {
    let tool = tool.as_object()?;
    if tool.get("type")? != "function" {
        return None;
    }
    if let Some(name) = OF_FUNCTIONS[..4].iter().find(|name| !tool.contains_key(**name)) {
        return Some(format!("`{name}` is missing"));
    }
    if let Some(name) = tool.keys().find(|name| !OF_FUNCTIONS.contains(&name.as_str())) {
        return Some(format!("unknown field `{name}`"));
    }
    let fits = |name: &str, fits: fn(&Value) -> bool| tool[name].is_null() || fits(&tool[name]);
    if !fits("parameters", Value::is_object) {
        return Some("`parameters` is neither an object nor null".to_owned());
    }
    (!fits("strict", Value::is_boolean))
        .then(|| "`strict` is neither a truth value nor null".to_owned())
}

fn of_item(item: &Value) -> Option<String> {
    let item = item.as_object()?;
    let role = item.get("role")?.as_str()?;
    let part = |part: &Value| {
        let tag = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match tag {
            "output_text" if role == "assistant" && !item.contains_key("id") => {
                Some("an assistant's `output_text` needs the `id` of its message".to_owned())
            }
            "output_text" | "refusal" if role == "assistant" => None,
            "input_image" if part.get("detail").is_none() => {
                Some("an `input_image` needs `detail`".to_owned())
            }
            "input_text" | "input_image" | "input_file" | "input_audio" | "input_video" => None,
            _ => Some(format!("a part of type `{tag}`")),
        }
    };
    list(item, "content").find_map(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::CreateParams;

    /// Inputs and verdicts of NeMo Gym's own models.
    #[test]
    fn rows_are_refused_as_nemo_gym_refuses_them() {
        let item = |item: &str| format!(r#"{{"input":[{item}]}}"#);
        let tool = |tool: &str| format!(r#"{{"input":"a","tools":[{tool}]}}"#);
        let cases = [
            (r#"{"input":"a","seed":1}"#.to_owned(), true),
            (tool(r#"{"type":"function","name":"f","parameters":{}}"#), true),
            (tool(r#"{"type":"function","name":"f","strict":true}"#), true),
            (tool(r#"{"type":"function","name":"f","strict":null,"parameters":null}"#), false),
            (tool(r#"{"type":"function","name":"f","strict":true,"parameters":{},"x":1}"#), true),
            (tool(r#"{"type":"web_search"}"#), false),
            (
                item(
                    r#"{"role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}"#,
                ),
                true,
            ),
            (
                item(
                    r#"{"id":"m","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}"#,
                ),
                false,
            ),
            (item(r#"{"role":"assistant","content":"a","extra":1}"#), false),
            (item(r#"{"name":"f","arguments":"{}","call_id":"c"}"#), false),
            (item(r#"{"type":"function_call_output","call_id":"c","output":{}}"#), true),
            (item(r#"{"type":"reasoning","id":"r","summary":[],"status":"completed"}"#), false),
            (item(r#"{"type":"web_search_call","id":"w","status":"completed"}"#), false),
            (item(r#"{"role":"assistant","content":"a","prompt_token_ids":[1]}"#), true),
            (
                item(
                    r#"{"role":"assistant","content":"a","prompt_token_ids":[1],"generation_token_ids":["2"],"generation_log_probs":[0]}"#,
                ),
                false,
            ),
            (r#"{"input":"a","metadata":{"a":1}}"#.to_owned(), true),
            (r#"{"input":"a","temperature":"0.5"}"#.to_owned(), false),
            (r#"{"input":"a","tool_choice":"zzz"}"#.to_owned(), true),
            (r#"{"input":"a","tool_choice":{"type":"function","name":"f"}}"#.to_owned(), false),
            (item(r#"{"role":"user","content":[{"type":"input_image","image_url":"u"}]}"#), true),
            (item(r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#), true),
            (item(r#"{"role":"user","content":[{"type":"input_text","text":"a"}]}"#), false),
            (item(r#"{"role":"user","content":null}"#), true),
            (item("{}"), true),
            (r#"{"input":"a","stream":true}"#.to_owned(), true),
            (r#"{"input":"a","stream":false,"truncation":"auto"}"#.to_owned(), false),
            (r#"{"input":"a","truncation":"never"}"#.to_owned(), true),
            (r#"{"input":[],"tools":null}"#.to_owned(), true),
            (r#"{"input":[]}"#.to_owned(), false),
        ];
        for (params, refused) in cases {
            let found = CreateParams::parse(&params).err().map(|error| error.to_string());
            let found = found.or_else(|| refusal(&params));
            assert_eq!(found.is_some(), refused, "{params}: {found:?}");
        }
    }
}
