//! The parts of a message's content.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::messages::Unsupported;
use crate::object::{Object, first, text as text_of};

/// The text of what the model said: its string, or the texts of its parts without a separator.
pub(super) fn said(content: &RawValue) -> Result<String, Unsupported> {
    match first(content) {
        b'"' => Ok(text_of(content).unwrap_or_default().into_owned()),
        b'[' => {
            let parts = list(content.get())?;
            Ok(parts.iter().filter_map(|part| part.text("text")).collect())
        }
        _ => Err(Unsupported("an assistant's content that is neither text nor parts".to_owned())),
    }
}

/// What somebody else says, as a list of a chat's parts.
pub(super) fn heard(content: &RawValue) -> Result<String, Unsupported> {
    written(content, |part, tag| match tag {
        "input_text" | "output_text" => Ok(json!({ "type": "text", "text": value(part, "text")? })),
        "input_image" => image(part),
        "input_video" => {
            let url = url(part, &["video_url", "video"], tag)?;
            Ok(json!({ "type": "video_url", "video_url": url }))
        }
        "input_file" => file(part),
        "input_audio" | "text" | "image_url" | "video_url" | "audio_url" | "file" => whole(part),
        _ => Err(unknown(tag, "a message")),
    })
}

/// What a tool answered, as a list of a chat's parts, of which tools may only use text.
pub(super) fn answered(output: &RawValue) -> Result<String, Unsupported> {
    written(output, |part, tag| match tag {
        "input_text" | "output_text" | "text" => {
            Ok(json!({ "type": "text", "text": value(part, "text")? }))
        }
        _ => Err(unknown(tag, "a tool's output")),
    })
}

/// The texts of a list of parts, without a separator.
pub(super) fn text(parts: &str) -> String {
    let parts = list(parts).unwrap_or_default();
    parts.iter().filter_map(|part| part.text("text")).collect()
}

/// Whether a list of parts has none but text.
pub(super) fn are_text(parts: &str) -> bool {
    list(parts).is_ok_and(|parts| {
        parts.iter().all(|part| part.text("type").is_some_and(|tag| tag == "text"))
    })
}

fn list(text: &str) -> Result<Vec<Object<'_>>, Unsupported> {
    serde_json::from_str(text)
        .map_err(|error| Unsupported(format!("parts that cannot be read: {error}")))
}

fn written(
    content: &RawValue,
    part: impl Fn(&Object<'_>, &str) -> Result<Value, Unsupported>,
) -> Result<String, Unsupported> {
    let parts = list(content.get())?;
    let written = parts.iter().map(|object| {
        let tag = object.text("type").unwrap_or_default();
        part(object, &tag)
    });
    let written: Vec<Value> = written.collect::<Result<_, _>>()?;
    Ok(Value::Array(written).to_string())
}

fn unknown(tag: &str, place: &str) -> Unsupported {
    Unsupported(format!("a part of type `{tag}` in {place}, which a chat does not have"))
}

fn value(part: &Object<'_>, name: &str) -> Result<Value, Unsupported> {
    let value = part.get(name).and_then(|value| serde_json::from_str(value.get()).ok());
    value.ok_or_else(|| Unsupported(format!("a part without `{name}`")))
}

fn whole(part: &Object<'_>) -> Result<Value, Unsupported> {
    let names = part.0.iter().map(|(name, _)| name);
    let fields = names.map(|name| Ok((name.to_string(), value(part, name).unwrap_or(Value::Null))));
    fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

fn image(part: &Object<'_>) -> Result<Value, Unsupported> {
    let mut url = url(part, &["image_url"], "input_image")?;
    let detail = part.text("detail").unwrap_or("auto".into());
    url["detail"] = Value::String(detail.into_owned());
    Ok(json!({ "type": "image_url", "image_url": url }))
}

/// A URL, which may stand in an object, as such an object.
fn url(part: &Object<'_>, names: &[&str], tag: &str) -> Result<Value, Unsupported> {
    let found = names.iter().find_map(|name| part.get(name));
    let found = found.and_then(|value| serde_json::from_str::<Value>(value.get()).ok());
    let url = match &found {
        Some(Value::Object(object)) => object.get("url").and_then(Value::as_str),
        Some(value) => value.as_str(),
        None => None,
    };
    let url = url.filter(|url| !url.trim().is_empty());
    let missing = || Unsupported(format!("a part of type `{tag}` without a URL"));
    url.map(|url| json!({ "url": url })).ok_or_else(missing)
}

fn file(part: &Object<'_>) -> Result<Value, Unsupported> {
    let names = ["file_id", "file_data", "filename"];
    let set = names.iter().filter_map(|name| {
        Some(((*name).to_owned(), Value::String(part.text(name)?.into_owned())))
    });
    let file: Map<_, _> = set.collect();
    let has_content = file.contains_key("file_id") || file.contains_key("file_data");
    if !has_content {
        return Err(Unsupported("a part of type `input_file` without `file_data`".to_owned()));
    }
    Ok(json!({ "type": "file", "file": file }))
}
