//! Prints a translation as a file of its own: sections in the order in which one reads them, no secret in
//! it, and what is left out in comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use yaml_rust2::{Yaml, YamlEmitter, yaml::Hash};

use super::super::{
    key_path::KeyPath,
    problem::{Oddity, Warning},
    schema::SECTIONS,
    secret::is_placeholder,
    tree::{Node, Secrecy, Value},
};

/// The keys that stand before the others, in this order.
const FIRST: [&str; 6] = ["kind", "environment", "model", "name", "type", "path"];

/// Prints a tree that is not interpolated. What was written in the secrets file stays there, and what
/// should have been is printed as a reference.
pub(in super::super) fn print(
    mut tree: Node,
    secrets_file: &str,
    warnings: &[Warning],
    notes: &[Warning],
) -> String {
    let mut elsewhere = BTreeSet::new();
    let names: Vec<String> = tree.keys().map(str::to_owned).collect();
    for name in names.iter().filter(|name| !SECTIONS.contains(&name.as_str())) {
        let path = KeyPath::root().child(name);
        let is_elsewhere = tree.at(&path).is_some_and(|node| {
            let is_secret = node.secrecy == Secrecy::Secret && !is_reference(node);
            is_secret || is_of(node, secrets_file)
        });
        if is_elsewhere {
            tree.remove(&path);
            elsewhere.insert(name.clone());
        }
    }
    hide(&mut tree, secrets_file, &mut Vec::new(), &mut elsewhere);
    referred_to(&tree, &mut elsewhere);
    elsewhere.retain(|name| tree.get(name).is_none());
    let mut text = comments(secrets_file, &elsewhere, warnings, notes);
    let (sections, variables): (Vec<_>, Vec<_>) =
        tree.entries().partition(|(key, _)| SECTIONS.contains(&key.as_str()));
    let mut parts = vec![variables];
    for section in SECTIONS {
        parts.push(sections.iter().filter(|(key, _)| *key == section).copied().collect());
    }
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&emitted(part));
    }
    text
}

/// Whether a value was written in a file of that name, wherever it is.
fn is_of(node: &Node, file: &str) -> bool {
    let layer = node.origin.as_ref().map(|origin| Path::new(&*origin.layer));
    layer.and_then(Path::file_name).is_some_and(|name| name == file)
}

fn is_reference(node: &Node) -> bool {
    node.as_text().is_some_and(|text| is_placeholder(text) || text.contains("${"))
}

/// Puts a reference in the place of every secret that is written out, and of all that the secrets file says.
fn hide(
    node: &mut Node,
    secrets_file: &str,
    place: &mut Vec<String>,
    elsewhere: &mut BTreeSet<String>,
) {
    let is_literal = node.is_scalar() && node.value != Value::Null && !is_reference(node);
    if is_literal && (node.secrecy == Secrecy::Secret || is_of(node, secrets_file)) {
        let words = place.iter().skip(1).filter(|word| *word != "settings");
        let words: Vec<String> =
            words.map(|word| word.replace(|c: char| !c.is_alphanumeric(), "_")).collect();
        let name = words.join("_");
        node.set_text(format!("${{{name}}}"));
        elsewhere.insert(name);
        return;
    }
    match &mut node.value {
        Value::Map(entries) => {
            for (key, child) in entries {
                place.push(key.clone());
                hide(child, secrets_file, place, elsewhere);
                place.pop();
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                place.push(index.to_string());
                hide(item, secrets_file, place, elsewhere);
                place.pop();
            }
        }
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {}
        Value::Text(_) | Value::Broken => {}
    }
}

/// Collects the plain names that texts refer to.
fn referred_to(node: &Node, names: &mut BTreeSet<String>) {
    let pieces = node.as_text().unwrap_or_default().split("${").skip(1);
    let inner = pieces.filter_map(|piece| piece.split_once('}'));
    let plain = inner.map(|(name, _)| name).filter(|name| !name.contains([':', '.']));
    names.extend(plain.map(str::to_owned));
    node.children().for_each(|child| referred_to(child, names));
}

fn comments(
    secrets_file: &str,
    elsewhere: &BTreeSet<String>,
    warnings: &[Warning],
    notes: &[Warning],
) -> String {
    let mut text = String::new();
    let mut comment = |line: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {line}");
    };
    if !elsewhere.is_empty() {
        let names: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
        comment(&format!("`{secrets_file}` has to hold: {}.", names.join(", ")));
    }
    let lost = warnings.iter().filter(|it| matches!(it.oddity, Oddity::NoCounterpart { .. }));
    lost.for_each(|warning| comment(&warning.to_string()));
    let (explained, plain): (Vec<_>, Vec<_>) =
        notes.iter().partition(|note| !matches!(note.oddity, Oddity::NotNeeded { reason: None }));
    explained.iter().for_each(|note| comment(&note.to_string()));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for note in plain {
        let key = note.path.segments().last().map(String::as_str).unwrap_or_default();
        *counts.entry(key).or_default() += 1;
    }
    if !counts.is_empty() {
        let counts: Vec<String> =
            counts.iter().map(|(key, count)| format!("{key} ({count})")).collect();
        comment(&format!("Not needed here: {}.", counts.join(", ")));
    }
    text
}

fn emitted(entries: Vec<(&String, &Node)>) -> String {
    let entries = entries.into_iter();
    let hash: Hash = entries
        .map(|(key, node)| (Yaml::String(key.clone()), yaml_of(node, Order::Reading)))
        .collect();
    let mut text = String::new();
    match YamlEmitter::new(&mut text).dump(&Yaml::Hash(hash)) {
        Ok(()) => format!("{}\n", text.trim_start_matches("---\n")),
        Err(error) => format!("# cannot be printed: {error:?}\n"),
    }
}

/// How the keys of a map follow each other.
#[derive(Clone, Copy)]
enum Order {
    /// As one reads them.
    Reading,
    /// By the alphabet, as in what belongs to kinds.
    Alphabet,
}

fn yaml_of(node: &Node, order: Order) -> Yaml {
    match &node.value {
        Value::Null | Value::Broken => Yaml::Null,
        Value::Boolean(value) => Yaml::Boolean(*value),
        Value::Integer(value) => match i64::try_from(*value) {
            Ok(value) => Yaml::Integer(value),
            Err(_) => Yaml::Real(value.to_string()),
        },
        Value::Float(value) => Yaml::Real(format!("{value:?}")),
        Value::Text(text) => Yaml::String(text.clone()),
        Value::List(items) => Yaml::Array(items.iter().map(|item| yaml_of(item, order)).collect()),
        Value::Map(entries) => {
            let rank = |key: &str| match order {
                Order::Reading => FIRST.iter().position(|first| *first == key),
                Order::Alphabet => None,
            };
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| rank(key).unwrap_or(FIRST.len()));
            let pair = |(key, child): (&String, &Node)| {
                let order = if key == "settings" { Order::Alphabet } else { order };
                (Yaml::String(key.clone()), yaml_of(child, order))
            };
            Yaml::Hash(entries.into_iter().map(pair).collect())
        }
    }
}
