//! A response that comes as events: the last one has it whole.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::object::Text;
use crate::upstream::{Assembly, Event};

/// What the last event said.
#[derive(Debug, Default)]
pub(super) struct Events(Option<String>);

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

impl Assembly for Events {
    fn take(&mut self, data: &str) -> Result<Event, String> {
        // Some servers close the stream as chats do.
        if data == "[DONE]" {
            return Ok(Event::Last);
        }
        let head: Head<'_> = serde_json::from_str(data).map_err(|error| error.to_string())?;
        match &*head.r#type.0 {
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled" => {
                let response = head.response.ok_or("it has no `response`")?;
                self.0 = Some(response.get().to_owned());
                Ok(Event::Last)
            }
            "error" => {
                // Read as the error of a response would be.
                self.0 = Some(format!("{{\"error\":{data}}}"));
                Ok(Event::Last)
            }
            name if name.ends_with(".delta") => Ok(Event::Said),
            _ => Ok(Event::Other),
        }
    }

    fn whole(self: Box<Self>) -> Option<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What some events come to: the answer, or why there is none.
    fn answer(events: &[&str]) -> Result<Option<String>, String> {
        let mut assembly = Box::new(Events::default());
        for data in events {
            if assembly.take(data)? == Event::Last {
                break;
            }
        }
        Ok(assembly.whole())
    }

    const CREATED: &str =
        r#"{"type":"response.created","response":{"id":"r","status":"in_progress"}}"#;
    const DELTA: &str = r#"{"type":"response.output_text.delta","delta":"a"}"#;

    #[test]
    fn the_last_event_has_the_response() {
        for name in ["completed", "incomplete", "failed", "cancelled"] {
            let last = format!(r#"{{"type":"response.{name}","response":{{"id":"r","x": 1.50}}}}"#);
            let answer = answer(&[CREATED, DELTA, &last, "never read"]).unwrap();
            assert_eq!(answer.as_deref(), Some(r#"{"id":"r","x": 1.50}"#));
        }
    }

    #[test]
    fn an_error_is_one_and_a_stream_without_an_end_is_no_answer() {
        let error = r#"{"type":"error","code":"rate_limit_exceeded","message":"slow down"}"#;
        let answered = answer(&[CREATED, error]).unwrap().unwrap();
        assert_eq!(answered, format!("{{\"error\":{error}}}"));
        assert_eq!(answer(&[CREATED, DELTA]), Ok(None));
        assert_eq!(answer(&[CREATED, DELTA, "[DONE]"]), Ok(None));
        for garbage in ["<html>", "{}", r#"{"type":5}"#, r#"{"type":"response.completed"}"#] {
            assert!(answer(&[CREATED, garbage]).is_err(), "{garbage}");
        }
    }

    #[test]
    fn only_what_the_model_says_is_said() {
        let mut events = Events::default();
        for (data, expected) in [(CREATED, Event::Other), (DELTA, Event::Said)] {
            assert_eq!(events.take(data), Ok(expected));
        }
    }
}
