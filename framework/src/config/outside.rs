//! Values from outside of YAML, which are numbers or texts as they are needed: `--set models.m.settings.model=123`.
//!
//! YAML knows no such value: `123` is a number there, and `"123"` a text. So whoever prints one has to find out
//! what it is needed as. That is done by trial: what is refused as a number is needed as a text. A variable
//! that is needed as both is printed as `${oc.decode:'123'}`, which comes to the same as what was given.

use std::collections::BTreeSet;

use super::{
    interpolation::{Leave, Variables, interpolate},
    key_path::KeyPath,
    loader::split_variables,
    nemo::{Server, Vocabulary},
    schema::Sections,
    settings::Settings,
    strict,
    tree::{Node, Value},
};

/// Stands for a value whose uses are looked for; no configuration has this letter in it.
const MARK: &str = "\u{1}";

/// Makes texts of what is needed as a text, in a tree that is interpolated.
pub(super) fn settle(resolved: &mut Node, vocabulary: &Vocabulary) {
    for path in needed_as_texts(resolved, vocabulary) {
        if let Some(node) = resolved.at_mut(&path) {
            make_text(node);
        }
    }
}

/// Makes of every value in a tree that is not interpolated what YAML can say.
pub(super) fn settle_written(tree: &mut Node, variables: &Variables, vocabulary: &Vocabulary) {
    let places = ambiguous(tree);
    if places.is_empty() {
        return;
    }
    let (resolved, _) = interpolate(tree, variables, Leave::Unknown);
    let texts = needed_as_texts(&resolved, vocabulary);
    for place in places {
        let uses = Uses::of(&place, tree, variables);
        let Some(node) = tree.at_mut(&place) else { continue };
        let (as_texts, as_values): (Vec<_>, Vec<_>) =
            uses.whole.iter().partition(|path| texts.contains(path));
        let changes_inside = uses.is_inside_texts && !reads_as_written(node);
        match (as_texts.is_empty() && !changes_inside, as_values.is_empty()) {
            (true, _) => {}
            (false, true) => make_text(node),
            (false, false) => make_decoded(node),
        }
    }
}

/// Where a value is used.
struct Uses {
    whole: Vec<KeyPath>,
    is_inside_texts: bool,
}

impl Uses {
    fn of(place: &KeyPath, tree: &Node, variables: &Variables) -> Self {
        let mut marked = tree.clone();
        if let Some(node) = marked.at_mut(place) {
            *node = Node { value: Value::Text(MARK.to_owned()), text: None, ..node.clone() };
        }
        let (resolved, _) = interpolate(&marked, variables, Leave::Unknown);
        let (sections, _) = split_variables(resolved, &marked);
        let mut uses = Self { whole: Vec::new(), is_inside_texts: false };
        each(&sections, &KeyPath::root(), &mut |node, path| match node.as_text() {
            Some(MARK) => uses.whole.push(path.clone()),
            Some(text) => uses.is_inside_texts |= text.contains(MARK),
            None => {}
        });
        uses
    }
}

/// The values that are refused if they are no texts.
fn needed_as_texts(resolved: &Node, vocabulary: &Vocabulary) -> BTreeSet<KeyPath> {
    let (sections, _) = split_variables(resolved.clone(), resolved);
    let mut places = ambiguous(&sections);
    if places.is_empty() {
        return places;
    }
    let mut values = sections.clone();
    for place in &places {
        if let Some(node) = values.at_mut(place) {
            node.text = None;
        }
    }
    let (before, after) = (refused(&sections, vocabulary), refused(&values, vocabulary));
    let refused: Vec<_> = after.difference(&before).collect();
    places.retain(|place| refused.iter().any(|refused| place.starts_with(refused)));
    places
}

/// The paths that are wrong, in the framework's sections and in the settings of all kinds.
fn refused(sections: &Node, vocabulary: &Vocabulary) -> BTreeSet<KeyPath> {
    let mut problems =
        strict::read::<Sections>(sections, &KeyPath::root()).err().unwrap_or_default();
    for server in Server::ALL {
        let section = server.section();
        let Some(components) = sections.get(section) else { continue };
        for (name, component) in components.entries() {
            let path = KeyPath::root().child(section).child(name).child("settings");
            let kind = component.get("kind").and_then(Node::as_text);
            let (Some(kind), Some(settings)) = (kind, component.get("settings")) else { continue };
            let settings = Settings::new(settings.clone(), path);
            problems.extend(vocabulary.check(server, kind, &settings));
        }
    }
    problems.into_iter().map(|problem| problem.path).collect()
}

fn ambiguous(tree: &Node) -> BTreeSet<KeyPath> {
    let mut found = BTreeSet::new();
    each(tree, &KeyPath::root(), &mut |node, path| {
        let is_text = matches!(node.value, Value::Text(_) | Value::Null | Value::Broken);
        if node.text.is_some() && !is_text {
            found.insert(path.clone());
        }
    });
    found
}

fn each(node: &Node, path: &KeyPath, visit: &mut impl FnMut(&Node, &KeyPath)) {
    visit(node, path);
    match &node.value {
        Value::Map(entries) => {
            entries.iter().for_each(|(key, child)| each(child, &path.child(key), visit));
        }
        Value::List(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| each(item, &path.child(index), visit));
        }
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {}
        Value::Text(_) | Value::Broken => {}
    }
}

/// Whether a number stands in a longer text as it was given, once YAML has been over it: not so `1.10`.
fn reads_as_written(node: &Node) -> bool {
    let text = match &node.value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Null | Value::Text(_) | Value::List(_) | Value::Map(_) | Value::Broken => {
            return true;
        }
    };
    node.text.as_ref() == Some(&text)
}

fn make_text(node: &mut Node) {
    if let Some(text) = node.text.take() {
        node.set_text(text);
    }
}

fn make_decoded(node: &mut Node) {
    if let (true, Some(text)) = (node.is_scalar(), node.text.take()) {
        node.set_text(format!("${{oc.decode:'{text}'}}"));
    }
}
