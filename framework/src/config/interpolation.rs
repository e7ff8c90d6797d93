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
    tree::{Node, Secrecy, Value},
};

mod functions;
mod syntax;

use syntax::{Part, split, split_outside_references};

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
        let mut secrecy = Secrecy::Open;
        for part in parts {
            match part {
                Part::Literal(text) => whole.push_str(&self.literal(text)),
                Part::Reference(reference) => match self.left(reference) {
                    Some(left) => whole.push_str(&left),
                    None => {
                        let node = self.reference(reference, site)?;
                        whole.push_str(&embedded_text(&node, reference)?);
                        secrecy = secrecy.and(node.secrecy);
                    }
                },
            }
        }
        let mut node = Node::new(Value::Text(whole), None);
        node.secrecy = secrecy;
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
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn resolve(tree: Json) -> (Node, Vec<String>) {
        let variables =
            [("PORT", "8000"), ("VERSION", "1.10"), ("EMPTY", ""), ("OPENAI_API_KEY", "sk-123")];
        let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let mut root = Node::from(tree);
        root.mark_secrets(Secrecy::Open);
        let (node, problems) = interpolate(&root, &variables, Leave::Nothing);
        (node, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn references_take_values_and_build_texts() {
        let cases = [
            (json!({"x": "${a}", "a": 4}), json!(4)),
            (json!({"x": "${a.b}", "a": {"b": [1, {"c": true}]}}), json!([1, {"c": true}])),
            (json!({"x": "${a.1}", "a": ["p", "q"]}), json!("q")),
            (json!({"x": "http://${h}:${p}/v1", "h": "host", "p": 80}), json!("http://host:80/v1")),
            (json!({"x": "${a.${b}}", "a": {"c": 3}, "b": "c"}), json!(3)),
            (json!({"x": "${a}", "a": "${b}", "b": "${c}", "c": null}), json!(null)),
            (json!({"x": "${a.k}", "a": "${b}", "b": {"k": 5}}), json!(5)),
            (json!({"x": "${a}", "a": "\\${b}"}), json!("${b}")),
            (json!({"x": "a\\${b}c"}), json!("a${b}c")),
            (json!({"x": "${\"a.b\"}", "a.b": 1}), json!(1)),
            (json!({"x": "${env:PORT}"}), json!(8000)),
            (json!({"x": "v${env:VERSION}"}), json!("v1.10")),
            (json!({"x": "${env:EMPTY,no}"}), json!("")),
            (json!({"x": "${env:NO,7}"}), json!(7)),
            (json!({"x": "${env:NO, http://h:1/}"}), json!("http://h:1/")),
            (json!({"x": "${env:NO,}"}), json!("")),
            (json!({"x": "${env:NO,${a}}", "a": [1]}), json!([1])),
            (json!({"x": "${env:PORT,${nothing}}"}), json!(8000)),
            (json!({"x": "${oc.env:${n}}", "n": "PORT"}), json!(8000)),
            (json!({"x": "$a {b} $ {c}"}), json!("$a {b} $ {c}")),
            (json!({"x": "${a[1][0]}", "a": [1, ["q"]]}), json!("q")),
            (json!({"x": "${a.b}", "a": {"b": "${.c}", "c": "${..d}"}, "d": 2}), json!(2)),
            (json!({"x": "${oc.select:a.b,${d}}", "a": 1, "d": 2}), json!(2)),
            (json!({"x": "${oc.select:a,2}", "a": 1}), json!(1)),
            (json!({"x": "${oc.decode:${env:PORT}}"}), json!(8000)),
            (json!({"x": "${env:NO,'a, b'}"}), json!("a, b")),
        ];
        for (tree, expected) in cases {
            let (node, problems) = resolve(tree.clone());
            assert_eq!(problems, [""; 0], "{tree}");
            assert_eq!(node.get("x").unwrap().to_json(), expected, "{tree}");
        }
    }

    #[test]
    fn what_cannot_be_interpolated_is_said_with_its_path() {
        let cases = [
            (
                json!({"x": "${polcy}", "policy": 1}),
                "`x`: `${polcy}` refers to nothing; did you mean `policy`?",
            ),
            (json!({"x": "${a.c1}", "a": {"c2": 1}}), "`x`: `${a.c1}` refers to nothing"),
            (
                json!({"x": "${a.modle}", "a": {"model": 1}}),
                "`x`: `${a.modle}` refers to nothing; did you mean `a.model`?",
            ),
            (json!({"x": "${env:NO}"}), "`x`: environment variable `NO` is not set"),
            (json!({"x": "${foo:1}"}), "`x`: unknown resolver `foo`"),
            (json!({"x": "a ${b"}), "`x`: `${` is never closed"),
            (
                json!({"x": "a ${b}", "b": {"c": 1}}),
                "`x`: `${b}` is a map and cannot stand inside a text",
            ),
            (
                json!({"x": "a ${b}", "b": null}),
                "`x`: `${b}` is null and cannot stand inside a text",
            ),
            (json!({"x": "${}"}), "`x`: `` is not a key path"),
            (json!({"x": "${x}"}), "`x`: interpolation cycle: `x` -> `x`"),
            (json!({"a": {"b": "${a}"}}), "`a.b`: interpolation cycle: `a` -> `a`"),
            (
                json!({"x": "${${api_key}}", "api_key": "s"}),
                "`x`: invalid value (not shown, since it holds a secret)",
            ),
        ];
        for (tree, message) in cases {
            assert_eq!(resolve(tree).1, [message]);
        }
    }

    #[test]
    fn a_cycle_is_reported_once_and_with_its_whole_chain() {
        let (node, problems) =
            resolve(json!({"a": "${b}", "b": "-${c}-", "c": "${a}", "d": "${a}"}));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].ends_with("interpolation cycle: `a` -> `b` -> `c` -> `a`"));
        assert_eq!(node.get("d").unwrap().value, Value::Broken);
    }

    #[test]
    fn one_mistake_that_many_refer_to_is_one_problem() {
        let (_, problems) =
            resolve(json!({"a": "${nothing}", "b": "${a}", "c": "x${a}", "d": ["${b}"]}));
        assert_eq!(problems, ["`a`: `${nothing}` refers to nothing"]);
    }

    #[test]
    fn what_is_made_of_a_secret_is_a_secret() {
        let (node, _) = resolve(json!({
            "api_key": "sk-123", "header": "Bearer ${api_key}", "copy": "${header}", "open": "${model}", "model": "m",
            "hf_token": "${model}", "from_env": "${env:OPENAI_API_KEY}", "tree": {"authorization": ["a"]}, "all": "${tree}",
        }));
        let masked = node.to_masked_json();
        let expected = json!({
            "api_key": "***", "header": "***", "copy": "***", "open": "m", "model": "m",
            "hf_token": "***", "from_env": "***", "tree": {"authorization": ["***"]}, "all": {"authorization": ["***"]},
        });
        assert_eq!(masked, expected);
    }

    #[test]
    fn interpolations_without_end_are_bounded() {
        let mut doubling = serde_json::Map::new();
        doubling.insert("a0".into(), json!("x"));
        for level in 1..20 {
            doubling.insert(format!("a{level}"), json!(format!("${{a{0}}}${{a{0}}}", level - 1)));
        }
        assert_eq!(resolve(Json::Object(doubling)).1.len(), 1);
        let mut chain = serde_json::Map::new();
        chain.insert("a00".into(), json!("x"));
        for level in 1..50 {
            chain.insert(format!("a{level:02}"), json!(format!("${{a{:02}}}", level - 1)));
        }
        let problems = resolve(Json::Object(chain)).1;
        assert!(
            problems
                .iter()
                .all(|problem| problem.ends_with("more than 32 interpolations inside each other"))
        );
        assert!(!problems.is_empty());
    }

    #[test]
    fn what_is_left_is_what_a_later_interpolation_finds() {
        let tree = json!({
            "url": "http://${host}:${port}/${a.b}", "a": {"b": "x", "c": "\\${d}", "e": "${.b}"},
            "host": "h", "port": "${env:PORT}", "copy": "${a.c}", "unknown": "${nothing} ${oc.env:NO}",
            "default": "${oc.env:NO,7}", "inner": "${${which}}", "which": "host",
        });
        let root = Node::from(tree);
        let variables = [("PORT".to_owned(), "8000".to_owned())].into();
        let names = ["host", "port", "which"].map(str::to_owned).into();
        let (kept, problems) = interpolate(&root, &variables, Leave::Variables(&names));
        assert_eq!(problems, []);
        let expected = json!({
            "url": "http://${host}:${port}/x", "a": {"b": "x", "c": "\\${d}", "e": "x"},
            "host": "h", "port": "${env:PORT}", "copy": "\\${d}", "unknown": "${nothing} ${env:NO}",
            "default": "${env:NO,7}", "inner": "h", "which": "host",
        });
        assert_eq!(kept.to_json(), expected);
        let (whole, problems) = interpolate(&root, &variables, Leave::Unknown);
        assert_eq!(problems, []);
        let url = whole.get("url").unwrap().to_json();
        assert_eq!(
            (url, whole.get("default").unwrap().to_json()),
            (json!("http://h:8000/x"), json!(7))
        );
        assert_eq!(whole.get("unknown").unwrap().to_json(), json!("${nothing} ${env:NO}"));
    }

    proptest! {
        #[test]
        fn interpolating_twice_is_interpolating_once(texts in prop::collection::vec("(a|\\$|\\{|b|\\$\\{[ab]\\}){0,5}", 1..5)) {
            let tree = json!({"a": 1, "b": "text", "texts": texts});
            let (once, problems) = resolve(tree);
            prop_assume!(problems.is_empty());
            let (twice, problems) = interpolate(&once, &Variables::new(), Leave::Nothing);
            prop_assert!(problems.is_empty());
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a$\\{}\\\\:,.\"é ]{0,12}") {
            resolve(json!({"a": text, "b": "${a}"}));
        }
    }
}
