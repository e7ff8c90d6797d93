//! Reads typed values from the tree: strictly, and reporting everything that is wrong.
//!
//! A serde deserializer stops at its first error. So this one is run again and again: after each error the
//! value to blame becomes a *hole*, which the next run fills with a placeholder of whatever type is asked for,
//! until a run succeeds. A result that is made of placeholders is thrown away, its problems are kept.
//!
//! | Written | Asked for | Result |
//! |---|---|---|
//! | `2.7`, `2.0` | an integer | refused (the `config` crate would say 3) |
//! | `true` | an integer | refused (the `config` crate would say 1) |
//! | `5` | a string | refused, unless it came as text from outside of YAML |
//! | `5` | a float | 5.0 |
//! | null | a map, struct or list | an empty one |
//! | an unknown key | a struct | refused, `deny_unknown_fields` or not |

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use serde::Deserialize;

use super::{
    key_path::KeyPath,
    placeholder::PLACEHOLDERS,
    problem::{Fault, Origin, Problem, nearest},
    read_error::{Cause, ReadError},
    tree::{Node, Value},
};

mod reader;

use reader::Reader;

/// This many errors are looked for; a configuration with more has been read in the wrong format.
const RUNS_MAX: usize = 500;

/// Reads a value of type `T` from the node under `path`, or says everything that keeps it from being one.
pub(super) fn read<'a, T: Deserialize<'a>>(
    node: &'a Node,
    path: &KeyPath,
) -> Result<T, Vec<Problem>> {
    let run = Run::default();
    let mut problems = Vec::new();
    for _ in 0..RUNS_MAX {
        let reader = Reader::new(node, path.clone(), &run);
        let next = match T::deserialize(reader) {
            Ok(value) if problems.is_empty() && run.is_clean() => return Ok(value),
            Ok(_) => Next::Stop,
            Err(error) => run.learn(error, node, path, &mut problems),
        };
        match next {
            Next::Run => {}
            Next::Stop => break,
        }
    }
    problems.extend(run.unknown_keys(node, path));
    problems.sort_by(|left, right| left.path.cmp(&right.path));
    Err(problems)
}

/// Whether another run can find out more.
enum Next {
    Run,
    Stop,
}

/// What earlier runs have learned.
#[derive(Default)]
struct Run {
    /// Values to be filled by a placeholder, with the number of placeholders that did not fit.
    holes: RefCell<BTreeMap<KeyPath, usize>>,
    /// Keys that no struct knows, with those that it does.
    unknown: RefCell<BTreeMap<KeyPath, Vec<String>>>,
    /// Whether a value was met whose absence was reported before.
    met_broken: RefCell<BTreeSet<KeyPath>>,
}

impl Run {
    fn is_clean(&self) -> bool {
        self.unknown.borrow().is_empty() && self.met_broken.borrow().is_empty()
    }

    /// Records what an error says, and arranges that the next run gets past it.
    fn learn(
        &self,
        error: ReadError,
        root: &Node,
        root_path: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Next {
        let path = error.path.unwrap_or_else(|| root_path.clone());
        let (path, fault) = match error.cause {
            Cause::UnknownKey { key, known } => {
                let is_new = self.unknown.borrow_mut().insert(path.child(key), known).is_none();
                return if is_new { Next::Run } else { Next::Stop };
            }
            Cause::MissingKey { key } => (path.child(key), Fault::MissingKey),
            Cause::Value(value_cause) => {
                let node = below(root, root_path, &path);
                (path, value_cause.into_fault(node))
            }
        };
        if let Some(next) = self.after_placeholder(&path) {
            return next;
        }
        self.holes.borrow_mut().insert(path.clone(), 0);
        problems.push(Problem::new(origin(root, root_path, &path), path, fault));
        Next::Run
    }

    /// What to do about an error that is none of the configuration but comes of a placeholder.
    fn after_placeholder(&self, path: &KeyPath) -> Option<Next> {
        let mut holes = self.holes.borrow_mut();
        if let Some((_, attempts)) = holes.iter_mut().find(|(hole, _)| path.starts_with(hole)) {
            *attempts += 1;
            return Some(if *attempts < PLACEHOLDERS { Next::Run } else { Next::Stop });
        }
        holes.keys().any(|hole| hole.starts_with(path)).then_some(Next::Stop)
    }

    fn unknown_keys(&self, root: &Node, root_path: &KeyPath) -> Vec<Problem> {
        let unknown = self.unknown.borrow();
        let problem = |(path, known): (&KeyPath, &Vec<String>)| {
            let written = path.segments().last().map(String::as_str).unwrap_or_default();
            let nearest = nearest(written, known.iter().map(String::as_str));
            let fault = Fault::UnknownKey { nearest, known: known.clone() };
            Problem::new(origin(root, root_path, path), path.clone(), fault)
        };
        unknown.iter().map(problem).collect()
    }

    /// The number of placeholders tried, if the value under a path is to be filled by one.
    fn hole(&self, path: &KeyPath, node: &Node) -> Option<usize> {
        if node.value == Value::Broken {
            self.met_broken.borrow_mut().insert(path.clone());
            self.holes.borrow_mut().entry(path.clone()).or_insert(0);
        }
        self.holes.borrow().get(path).copied()
    }

    /// The missing keys of a map that placeholders stand in for.
    fn missing_keys(
        &self,
        map: &KeyPath,
        entries: &BTreeMap<String, Node>,
    ) -> Vec<(String, usize)> {
        let holes = self.holes.borrow();
        let is_missing = |(path, attempts): (&KeyPath, &usize)| {
            let key = path.segments().last()?;
            let is_here = path.parent().as_ref() == Some(map) && !entries.contains_key(key);
            is_here.then(|| (key.clone(), *attempts))
        };
        holes.iter().filter_map(is_missing).collect()
    }

    /// Whether a key is refused; remembers it if a struct does not know it.
    fn refuses(&self, map: &KeyPath, key: &str, fields: Option<&[&str]>) -> bool {
        let path = map.child(key);
        if fields.is_some_and(|fields| !fields.contains(&key)) {
            let known = fields.unwrap_or_default().iter().map(|&field| field.to_owned()).collect();
            self.unknown.borrow_mut().insert(path, known);
            return true;
        }
        self.unknown.borrow().contains_key(&path)
    }
}

fn relative(root_path: &KeyPath, path: &KeyPath) -> KeyPath {
    path.segments().iter().skip(root_path.segments().len()).cloned().collect()
}

fn below<'a>(root: &'a Node, root_path: &KeyPath, path: &KeyPath) -> Option<&'a Node> {
    root.at(&relative(root_path, path))
}

fn origin(root: &Node, root_path: &KeyPath, path: &KeyPath) -> Option<Origin> {
    root.origin_of(&relative(root_path, path))
}
