//! What a row adds to the metrics of its dataset, as NeMo Gym measures rows.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::tally::{FieldPortion, Portion};
use crate::responses::{CreateParams, Fields, Role};
use crate::task::Row;

/// Names of the metrics that every dataset has. Those of rows' own keys are the keys; a name with a NUL
/// in it is none of theirs.
pub(super) const TOOLS: &str = "\0tools";
pub(super) const WORDS: &str = "\0words";
pub(super) const TURNS: &str = "\0turns";
pub(super) const TEMPERATURE: &str = "\0temperature";

/// Counts what is to be measured of a row whose parameters have that text.
pub(super) fn observe(portion: &mut Portion, row: &Row, params: &RawValue) {
    portion.rows += 1;
    field(portion, WORDS).number(words(params.get()) as f64);
    let fields = row.params.fields();
    if let Some(count) = tools(fields) {
        field(portion, TOOLS).number(count as f64);
    }
    if let Some(turns) = turns(&row.params) {
        field(portion, TURNS).number(turns as f64);
    }
    let temperature = fields.get_set("temperature").map(|value| value.get().trim_matches('"'));
    if let Some(temperature) = temperature.and_then(|text| text.trim().parse().ok()) {
        field(portion, TEMPERATURE).number(temperature);
    }
    for (name, value) in row.extras.iter() {
        observe_extra(portion, name, value);
    }
}

fn field<'a>(portion: &'a mut Portion, name: &str) -> &'a mut FieldPortion {
    if !portion.fields.contains_key(name) {
        portion.fields.insert(name.into(), FieldPortion::default());
    }
    portion.fields.get_mut(name).expect("inserted above")
}

fn tools(fields: &Fields) -> Option<usize> {
    let tools: Vec<IgnoredAny> = serde_json::from_str(fields.get_set("tools")?.get()).ok()?;
    Some(tools.len())
}

/// Messages of the user; `None` if there is none.
fn turns(params: &CreateParams) -> Option<usize> {
    let turns = params.input().iter().filter(|item| item.is_message_of(Role::User)).count();
    (turns > 0).then_some(turns)
}

/// Numbers, truth values and texts, and those in a list. Anything else is not measured.
fn observe_extra(portion: &mut Portion, name: &str, value: &RawValue) {
    if !value.get().starts_with('[') {
        return observe_scalar(portion, name, value);
    }
    let values: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
    for value in values {
        observe_scalar(portion, name, value);
    }
}

fn observe_scalar(portion: &mut Portion, name: &str, value: &RawValue) {
    let text = value.get();
    match text.as_bytes()[0] {
        b't' => field(portion, name).number(1.0),
        b'f' => field(portion, name).number(0.0),
        b'"' => {
            let text: String = serde_json::from_str(text).unwrap_or_default();
            field(portion, name).text(&text);
        }
        b'-' | b'0'..=b'9' => {
            if let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) {
                field(portion, name).number(number);
            }
        }
        _ => {}
    }
}

/// How many words JSON has as Python's `json.dumps` would write it, parted at white space: a comma and a
/// colon are followed by a space, and of what stands in strings only a space is one, since all other
/// white space is escaped.
fn words(json: &str) -> u64 {
    let (mut words, mut is_in_word, mut is_in_string) = (0, false, false);
    let mut rest = json.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let is_space = match (is_in_string, byte) {
            (true, b' ') => true,
            (true, b'\\') if rest.starts_with(b"u0020") => {
                rest = &rest[5..];
                true
            }
            (true, b'\\') => {
                rest = rest.get(1..).unwrap_or_default();
                false
            }
            (_, b'"') => {
                is_in_string = !is_in_string;
                false
            }
            (false, b' ' | b'\t' | b'\n' | b'\r') => continue,
            (_, _) => false,
        };
        words += u64::from(!is_space && !is_in_word);
        let ends_word = !is_in_string && matches!(byte, b',' | b':');
        is_in_word = !is_space && !ends_word;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: what Python writes, parted at white space.
    #[test]
    fn words_are_those_of_pythons_json() {
        for (json, expected) in [
            (r#"{"input":[]}"#, 2),
            (r#"{ "input" : [ ] }"#, 2),
            (r#"{"input":"one two  three","a":1,"b":[1,2]}"#, 9),
            (r#"{"input":"tab\tand\nline \"quoted words\", c: d\\"}"#, 6),
            (r#"{"input":"\u0020x\u0020","é ü":null}"#, 7),
            ("{\"input\":\"\u{a0}no-break\"}", 2),
            ("{}", 1),
        ] {
            assert_eq!(words(json), expected, "{json}");
        }
    }
}
