//! One thing that is wrong with a value: as pydantic lists it to a model, and as a line for people.

use std::fmt;

use serde_path_to_error::Segment;

use super::super::python::lax::Refusal;
use super::super::python::{Json, Quoted};

/// One thing that does not fit.
#[derive(Clone, Debug)]
pub(in crate::environment) struct Problem {
    kind: &'static str,
    location: Vec<Step>,
    message: String,
    input: Json,
    /// What was expected instead, for values of a closed list.
    expected: Option<String>,
}

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an object's key.
    Key(Box<str>),
    /// Into a list's item.
    Index(usize),
}

impl Problem {
    /// A required key is absent; `input` is what lacks it.
    pub(super) fn missing(location: Vec<Step>, input: &Json) -> Self {
        Self::new(Refusal { kind: "missing", message: "Field required" }, location, input)
    }

    /// A value is of the wrong type.
    pub(super) fn new(refusal: Refusal, location: Vec<Step>, input: &Json) -> Self {
        let Refusal { kind, message } = refusal;
        Self { kind, location, message: message.to_owned(), input: input.clone(), expected: None }
    }

    /// A value is not one of those that there are.
    pub(super) fn not_listed(expected: String, location: Vec<Step>, input: &Json) -> Self {
        let message = format!("Input should be {expected}");
        Self { kind: "enum", location, message, input: input.clone(), expected: Some(expected) }
    }

    /// A value fits its schema, but not the type behind it.
    pub(super) fn of_type(
        error: &serde_path_to_error::Error<serde_json::Error>,
        body: &Json,
    ) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.as_str().into())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        let location: Vec<_> = error.path().iter().filter_map(step).collect();
        let place_follows = error.inner().to_string();
        let message = place_follows.split(" at line ").next().unwrap_or_default();
        let input = location.iter().try_fold(body, |value, step| step.enter(value));
        let input = input.unwrap_or(body).clone();
        let message = format!("Value error, {message}");
        Self { kind: "value_error", location, message, input, expected: None }
    }

    /// As an entry of the answer's `detail`.
    fn write_json(&self, out: &mut String) {
        let Self { kind, location, message, input, expected } = self;
        let steps: String = location.iter().map(|step| format!(",{}", step.json())).collect();
        let message = Quoted(message);
        *out +=
            &format!(r#"{{"type":"{kind}","loc":["body"{steps}],"msg":{message},"input":{input}"#);
        if let Some(expected) = expected {
            *out += &format!(r#","ctx":{{"expected":{}}}"#, Quoted(expected));
        }
        out.push('}');
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.location.is_empty() {
            return f.write_str(&self.message);
        }
        f.write_str("`")?;
        for (depth, step) in self.location.iter().enumerate() {
            match step {
                Step::Key(key) if depth == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        write!(f, "`: {}", self.message)
    }
}

impl Step {
    fn json(&self) -> String {
        match self {
            Self::Key(key) => Quoted(key).to_string(),
            Self::Index(index) => index.to_string(),
        }
    }

    fn enter<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        match (self, value) {
            (Self::Key(key), value) => value.get(key),
            (Self::Index(index), Json::Array(items)) => items.get(*index),
            (Self::Index(_), _) => None,
        }
    }
}

/// The body of the answer with status 422. A number that JSON cannot hold makes Python fail to write
/// that body too; its error is what the model then reads.
pub(super) fn body(problems: &[Problem]) -> String {
    if !problems.iter().all(|problem| problem.input.is_finite()) {
        return r#""ValueError('Out of range float values are not JSON compliant')""#.to_owned();
    }
    let mut text = String::from(r#"{"detail":["#);
    for (index, problem) in problems.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        problem.write_json(&mut text);
    }
    text + "]}"
}

/// All problems in one line.
pub(super) fn list(problems: &[Problem]) -> String {
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
