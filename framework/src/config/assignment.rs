//! Assignments from outside of YAML: `--set a.b=value` and `REHEARSAL__A__B=value`.

use super::{
    key_path::KeyPath,
    layers::{Form, KeyCase, read_outside_value},
    problem::{Fault, Origin, Problem},
    tree::{Exposure, Node},
};

/// What environment variables of the configuration begin with, and what separates their keys.
const PREFIX: &str = "REHEARSAL__";
const SEPARATOR: &str = "__";

/// A value and where it goes.
#[derive(Debug)]
pub(super) struct Assignment {
    /// Where it goes.
    pub path: KeyPath,
    /// The value.
    pub value: Node,
    /// How the path is compared with existing keys.
    pub case: KeyCase,
}

/// Reads an environment variable; `None` if it is not about the configuration.
pub(super) fn of_variable(name: &str, text: &str) -> Option<Result<Assignment, Vec<Problem>>> {
    let keys = name.strip_prefix(PREFIX)?;
    let origin = Origin { layer: format!("environment variable `{name}`").into(), line: None };
    let path: KeyPath = keys.split(SEPARATOR).map(str::to_owned).collect();
    if path.segments().iter().any(String::is_empty) {
        let fault = Fault::MalformedPath { text: name.to_owned() };
        return Some(Err(vec![Problem::new(Some(origin), KeyPath::root(), fault)]));
    }
    let mut value = read_outside_value(text, Form::Variable, &origin);
    value.expose(Exposure::Private);
    Some(Ok(Assignment { path, value, case: KeyCase::Ignored }))
}

/// Reads the argument of a `--set`.
pub(super) fn of_argument(argument: &str) -> Result<Assignment, Vec<Problem>> {
    let problem = |origin, fault| vec![Problem::new(origin, KeyPath::root(), fault)];
    let Some((keys, text)) = argument.split_once('=') else {
        return Err(problem(None, Fault::NotAnAssignment { text: harmless_start(argument) }));
    };
    let keys = keys.trim();
    let shown = harmless_start(keys);
    let origin = Origin { layer: format!("--set {shown}").into(), line: None };
    let Ok(path) = KeyPath::parse(keys) else {
        return Err(problem(Some(origin), Fault::MalformedPath { text: shown }));
    };
    let value = read_outside_value(text.trim_start(), Form::Argument, &origin);
    Ok(Assignment { path, value, case: KeyCase::Exact })
}

/// The part of a malformed assignment that can only be a key: the rest might be a secret.
fn harmless_start(text: &str) -> String {
    let is_key = |letter: char| letter.is_alphanumeric() || "._-/\"".contains(letter);
    text.chars().take_while(|&letter| is_key(letter)).collect()
}
