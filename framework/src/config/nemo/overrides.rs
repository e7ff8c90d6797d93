//! Hydra's overrides, as NeMo Gym's command lines have them.
//!
//! | Written | Means |
//! |---|---|
//! | `+a.b=v` | sets a key, whether or not a file has it; adding it twice is a mistake |
//! | `++a.b=v` | sets it in any case |
//! | `a.b=v` | sets a key that is there |
//! | `~a.b`, `~a.b=v` | takes a key out; only if it has that value |
//!
//! A map is merged with the one that is there; `a.0=v` and `a[0]=v` reach into lists.

use std::collections::BTreeSet;

use super::{
    super::{
        exposure::disclosures,
        key_path::KeyPath,
        layers::{KeyCase, Layers, relabel},
        problem::{Fault, Origin, Problem, nearest},
        tree::{Node, Value},
    },
    value::read_value,
};

/// One override.
#[derive(Debug)]
pub(in super::super) struct Override {
    action: Action,
    /// The key that it is about.
    pub path: KeyPath,
    value: Option<Node>,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Add,
    Force,
    Change,
    Delete,
}

impl Override {
    /// Reads an argument of the command line.
    pub(in super::super) fn parse(argument: &str) -> Result<Self, Vec<Problem>> {
        let (action, rest) = if let Some(rest) = argument.strip_prefix("++") {
            (Action::Force, rest)
        } else if let Some(rest) = argument.strip_prefix('+') {
            (Action::Add, rest)
        } else if let Some(rest) = argument.strip_prefix('~') {
            (Action::Delete, rest)
        } else {
            (Action::Change, argument)
        };
        let (keys, text) = match rest.split_once('=') {
            Some((keys, text)) => (keys.trim(), Some(text)),
            None => (rest.trim(), None),
        };
        let origin = Origin { layer: format!("override `{keys}`").into(), line: None };
        let problem = |fault| vec![Problem::new(Some(origin.clone()), KeyPath::root(), fault)];
        if text.is_none() && action != Action::Delete {
            let text = keys.split_whitespace().next().unwrap_or_default().to_owned();
            return Err(vec![Problem::new(None, KeyPath::root(), Fault::NotAnOverride { text })]);
        }
        let bracketless = keys.replace("].", ".").replace('[', ".").replace(']', "");
        let path = KeyPath::parse(&bracketless).map_err(problem)?;
        let value = text.map(read_value).transpose().map_err(problem)?;
        let value = value.map(|mut value| {
            relabel(&mut value, &origin);
            value
        });
        Ok(Self { action, path, value, origin })
    }

    /// The secrets that are written out in it.
    pub(in super::super) fn disclosures(&mut self) -> Vec<Problem> {
        let value = self.value.as_mut();
        value.map(|value| disclosures(value, &self.path, &Fault::LiteralSecret)).unwrap_or_default()
    }

    fn problem(&self, fault: Fault) -> Problem {
        Problem::new(Some(self.origin.clone()), self.path.clone(), fault)
    }
}

/// Lays all overrides over what the files say, in order.
pub(in super::super) fn apply(overrides: &[Override], layers: &mut Layers) -> Vec<Problem> {
    let mut added = BTreeSet::new();
    let mut problems = Vec::new();
    for item in overrides {
        let is_again = item.action == Action::Add && !added.insert(&item.path);
        let applied = match is_again {
            true => Err(Fault::AddedTwice),
            false => apply_one(item, layers),
        };
        if let Err(fault) = applied {
            problems.push(item.problem(fault));
        }
    }
    problems
}

fn apply_one(item: &Override, layers: &mut Layers) -> Result<(), Fault> {
    let tree = layers.tree();
    let existing = tree.at(&item.path);
    let needs_one = matches!(item.action, Action::Change | Action::Delete);
    if needs_one && existing.is_none() {
        return Err(Fault::NothingToOverride { nearest: nearest_path(&tree, &item.path) });
    }
    match (item.action, &item.value) {
        (Action::Delete, None) => layers.remove(&item.path),
        (Action::Delete, Some(value)) => match existing {
            Some(found) if found.to_json() == value.to_json() => layers.remove(&item.path),
            Some(_) | None => Err(Fault::NothingToOverride { nearest: None }),
        },
        (Action::Add | Action::Force | Action::Change, Some(value)) => {
            let is_map = |value: &Value| matches!(value, Value::Map(_));
            let merges = is_map(&value.value) && existing.is_some_and(|found| is_map(&found.value));
            if merges {
                layers.merge(&item.path, value.clone())
            } else {
                layers.assign(&item.path, value.clone(), KeyCase::Exact)
            }
        }
        (Action::Add | Action::Force | Action::Change, None) => Ok(()),
    }
}

/// The key that was probably meant, where one in a path does not exist.
fn nearest_path(tree: &Node, path: &KeyPath) -> Option<String> {
    let mut node = tree;
    let mut here = KeyPath::root();
    for segment in path.segments() {
        match node.get(segment) {
            Some(child) => node = child,
            None => return nearest(segment, node.keys()).map(|key| here.child(key).to_string()),
        }
        here = here.child(segment);
    }
    None
}
