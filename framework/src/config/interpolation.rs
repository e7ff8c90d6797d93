//! Replaces `${…}` in texts, after all layers are merged.
//!
//! | Written | Means |
//! |---|---|
//! | `${name}`, `${a.b.0}` | the value under that path, itself interpolated |
//! | `${a.${b}}` | the inner one first |
//! | `${.a}`, `${..a}`, `${a[0]}` | from where the text stands: beside it, beside what holds it; an element |
//! | `${env:VAR}`, `${env:VAR,default}` | an environment variable; read as a scalar, as its text where a string is needed |
//! | `${oc.env:…}`, `${oc.select:…}`, … | the functions that OmegaConf brings along, see `functions` |
//! | `\${` | a literal `${` |
//!
//! A text that is one reference and nothing else takes the value with its type and structure;
//! inside a longer text only scalars can stand. What is made of a secret is a secret.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    key_path::KeyPath,
    problem::{Fault, Problem, nearest},
    tree::{Exposure, Node, Secrecy, Value},
};

mod functions;
mod syntax;

use syntax::split_outside_references;
pub(super) use syntax::{Part, default_of, split};

/// A configuration may have this many interpolations, those within interpolated values counted each time.
const COUNT_MAX: usize = 10_000;
/// Interpolations may lead into each other this deep.
const DEPTH_MAX: usize = 32;

/// The variables of the process, as they were handed to the loader.
pub(super) type Variables = BTreeMap<String, String>;

/// What is left as it is written, to be interpolated later.
#[derive(Clone, Copy)]
pub(super) enum Leave<'a> {
    /// Nothing: what refers to nothing is a problem.
    Nothing,
    /// Plain names that nothing has, and environment variables that are not set.
    Unknown,
    /// As `Unknown`, and these names at the top, and all environment variables. What is a literal stays
    /// one in a second interpolation.
    Variables(&'a BTreeSet<String>),
}

/// Interpolates all texts of a tree; what cannot be is `Value::Broken` in the result and a problem beside it.
pub(super) fn interpolate(
    root: &Node,
    variables: &Variables,
    leave: Leave<'_>,
) -> (Node, Vec<Problem>) {
    let (open, problems) = (Vec::new(), Vec::new());
    let mut resolver = Resolver { root, variables, leave, open, depth: 0, count: 0, problems };
    let resolved = resolver.node(root, &KeyPath::root());
    (resolved, resolver.problems)
}

/// Why a text has no value.
enum Failure {
    /// For this reason.
    Fault(Fault),
    /// For a reason that is among the problems already.
    Reported,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Resolver<'a> {
    root: &'a Node,
    variables: &'a Variables,
    leave: Leave<'a>,
    /// The paths whose values are being found out, the outermost first.
    open: Vec<KeyPath>,
    depth: usize,
    count: usize,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    fn node(&mut self, node: &Node, path: &KeyPath) -> Node {
        let value = match &node.value {
            Value::Map(entries) => {
                let resolve = |(key, child): (&String, &Node)| {
                    (key.clone(), self.node(child, &path.child(key)))
                };
                Value::Map(entries.iter().map(resolve).collect())
            }
            Value::List(items) => {
                let resolve = |(index, item)| self.node(item, &path.child(index));
                Value::List(items.iter().enumerate().map(resolve).collect())
            }
            Value::Text(text) if text.contains("${") => return self.text(text, node, path),
            Value::Null | Value::Boolean(_) | Value::Integer(_) => node.value.clone(),
            Value::Float(_) | Value::Text(_) | Value::Broken => node.value.clone(),
        };
        Node { value, ..node.clone() }
    }

    /// Interpolates one text; `site` is the node that it is written in.
    fn text(&mut self, text: &str, site: &Node, path: &KeyPath) -> Node {
        let mut resolved = match self.template(text, path) {
            Ok(resolved) => resolved,
            Err(failure) => {
                self.report(failure, site, path);
                Node::new(Value::Broken, None)
            }
        };
        resolved.mark_secrets(site.secrecy);
        if site.exposure != Exposure::Shared {
            resolved.expose(site.exposure);
        }
        resolved.origin = site.origin.clone();
        resolved
    }

    fn report(&mut self, failure: Failure, site: &Node, path: &KeyPath) {
        let Failure::Fault(fault) = failure else { return };
        let is_cycle = matches!(fault, Fault::Cycle { .. });
        let is_known = self
            .problems
            .iter()
            .any(|known| known.fault == fault && (is_cycle || known.path == *path));
        if !is_known {
            self.problems.push(Problem::new(site.origin.clone(), path.clone(), fault));
        }
    }

    fn template(&mut self, text: &str, site: &KeyPath) -> Result<Node, Failure> {
        let parts = split(text)?;
        if let [Part::Reference(reference)] = parts.as_slice() {
            return match self.left(reference) {
                Some(left) => Ok(Node::new(Value::Text(left), None)),
                None => self.reference(reference, site),
            };
        }
        let mut whole = String::new();
        let (mut secrecy, mut exposure) = (Secrecy::Open, Exposure::Shared);
        for part in parts {
            match part {
                Part::Literal(text) => whole.push_str(&self.literal(text)),
                Part::Reference(reference) => match self.left(reference) {
                    Some(left) => whole.push_str(&left),
                    None => {
                        let node = self.reference(reference, site)?;
                        let text = embedded_text(&node, reference)?;
                        secrecy = secrecy.and(node.secrecy);
                        if !text.is_empty() {
                            exposure = exposure.and(node.exposure);
                        }
                        whole.push_str(&text);
                    }
                },
            }
        }
        let mut node = Node::new(Value::Text(whole), None);
        (node.secrecy, node.exposure) = (secrecy, exposure);
        Ok(node)
    }

    fn literal(&self, text: String) -> String {
        match self.leave {
            Leave::Variables(_) => text.replace("${", "\\${"),
            Leave::Nothing | Leave::Unknown => text,
        }
    }

    /// A reference that is left to a later interpolation, as that reads it.
    fn left(&self, reference: &str) -> Option<String> {
        let names = match self.leave {
            Leave::Nothing => return None,
            Leave::Unknown => None,
            Leave::Variables(names) => Some(names),
        };
        if reference.contains("${") {
            return None;
        }
        match split_outside_references(reference, ':') {
            (name, None) => {
                let name = name.trim();
                let is_plain = !name.is_empty() && !name.contains(['.', '[', '"']);
                let is_left = self.root.get(name).is_none()
                    || names.is_some_and(|names| names.contains(name));
                (is_plain && is_left).then(|| format!("${{{name}}}"))
            }
            ("env" | "oc.env", Some(arguments)) => {
                let (name, default) = split_outside_references(arguments, ',');
                let is_unset = !self.variables.contains_key(name.trim()) && default.is_none();
                let is_left = names.is_some() || is_unset;
                is_left.then(|| format!("${{env:{}}}", arguments.trim()))
            }
            (_, Some(_)) => None,
        }
    }

    /// Finds the value of what stands between `${` and `}`.
    fn reference(&mut self, reference: &str, site: &KeyPath) -> Result<Node, Failure> {
        self.count += 1;
        if self.count == COUNT_MAX + 1 {
            return Err(Fault::TooManyInterpolations { limit: COUNT_MAX, extent: "in all" }.into());
        }
        if self.count > COUNT_MAX {
            return Err(Failure::Reported);
        }
        if self.depth == DEPTH_MAX {
            return Err(Fault::TooManyInterpolations {
                limit: DEPTH_MAX,
                extent: "inside each other",
            }
            .into());
        }
        self.depth += 1;
        let node = match split_outside_references(reference, ':') {
            (name, None) => self.value_of(name, site),
            (function, Some(arguments)) => self.call(function.trim(), arguments, site),
        };
        self.depth -= 1;
        node
    }

    /// The value under a path, itself interpolated.
    fn value_of(&mut self, name: &str, site: &KeyPath) -> Result<Node, Failure> {
        let (name, _) = self.name(name, site)?;
        let path = absolute(&name, site)?;
        let mut current = Cow::Borrowed(self.root);
        let mut here = KeyPath::root();
        let mut is_resolved = false;
        for segment in path.segments() {
            if matches!(&current.value, Value::Text(text) if !is_resolved && text.contains("${")) {
                current = Cow::Owned(self.opened(&current, &here)?);
                is_resolved = true;
            }
            let Some(child) = current.get(segment) else {
                let nearest =
                    nearest(segment, current.keys()).map(|key| here.child(key).to_string());
                return Err(Fault::UnknownReference { reference: name, nearest }.into());
            };
            current = Cow::Owned(child.clone());
            here = here.child(segment);
        }
        if is_resolved { Ok(current.into_owned()) } else { self.opened(&current, &here) }
    }

    /// Interpolates a value that is referred to, unless that leads back to where it came from.
    fn opened(&mut self, node: &Node, path: &KeyPath) -> Result<Node, Failure> {
        if let Some(start) = self.open.iter().position(|open| open == path) {
            return Err(Fault::Cycle { paths: closed_chain(&self.open[start..]) }.into());
        }
        self.open.push(path.clone());
        let resolved = self.node(node, path);
        self.open.pop();
        match resolved.value {
            Value::Broken => Err(Failure::Reported),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => Ok(resolved),
            Value::Text(_) | Value::List(_) | Value::Map(_) => Ok(resolved),
        }
    }

    /// Interpolates the inside of a reference, which must come to a name.
    fn name(&mut self, text: &str, site: &KeyPath) -> Result<(String, Secrecy), Failure> {
        if !text.contains("${") {
            return Ok((text.trim().to_owned(), Secrecy::Open));
        }
        let leave = self.leave;
        if matches!(leave, Leave::Variables(_)) {
            self.leave = Leave::Unknown;
        }
        let node = self.template(text, site);
        self.leave = leave;
        let node = node?;
        let name = embedded_text(&node, text)?;
        match node.secrecy {
            Secrecy::Open => Ok((name, Secrecy::Open)),
            Secrecy::Secret => Err(Fault::RefusedSecret.into()),
        }
    }
}

/// Reads `a.b`, `a[0].b`, and `.a` or `..a`, which start beside the text and beside what holds it.
fn absolute(name: &str, site: &KeyPath) -> Result<KeyPath, Fault> {
    let rest = name.trim_start_matches('.');
    let up = name.len() - rest.len();
    let bracketless = match rest.contains('[') && !rest.contains('"') {
        true => Cow::Owned(rest.replace("].", ".").replace('[', ".").replace(']', "")),
        false => Cow::Borrowed(rest),
    };
    let path = KeyPath::parse(&bracketless)?;
    let Some(above) = site.segments().len().checked_sub(up) else {
        return Err(Fault::UnknownReference { reference: name.to_owned(), nearest: None });
    };
    let above = if up == 0 { &[] } else { &site.segments()[..above] };
    Ok(above.iter().chain(path.segments()).cloned().collect())
}

/// A cycle as a chain that ends where it begins, whichever of its members was looked at first.
fn closed_chain(members: &[KeyPath]) -> Vec<KeyPath> {
    let mut chain = members.to_vec();
    let first =
        chain.iter().enumerate().min_by_key(|(_, path)| *path).map_or(0, |(index, _)| index);
    chain.rotate_left(first);
    chain.push(chain[0].clone());
    chain
}

/// Returns a scalar as it stands inside a longer text: as it was written, where that is known.
fn embedded_text(node: &Node, reference: &str) -> Result<String, Failure> {
    match (&node.value, &node.text) {
        (Value::Text(text), _) => Ok(text.clone()),
        (Value::Boolean(_) | Value::Integer(_) | Value::Float(_), Some(text)) => Ok(text.clone()),
        (Value::Boolean(value), None) => Ok(value.to_string()),
        (Value::Integer(value), None) => Ok(value.to_string()),
        (Value::Float(value), None) => Ok(format!("{value:?}")),
        (Value::Null | Value::List(_) | Value::Map(_), _) => {
            let reference = reference.to_owned();
            Err(Fault::NotText { reference, found: node.description() }.into())
        }
        (Value::Broken, _) => Err(Failure::Reported),
    }
}

#[cfg(test)]
mod tests;
