//! One server as a component: its keys in their new places, and what becomes of those that have none.

use super::{
    super::{
        key_path::KeyPath,
        problem::Oddity,
        tree::{Node, Value},
        yaml,
    },
    counterpart::{Counterpart, Fate, Server, says_nothing},
    instance::reference,
};

/// What becomes of the keys that all servers of a type have.
const COMMON: [(&str, Fate); 9] = [
    ("entrypoint", Fate::NotNeeded),
    ("host", Fate::NotNeeded),
    ("port", Fate::NotNeeded),
    ("name", Fate::NotNeeded),
    ("num_workers", Fate::NotNeeded),
    ("domain", Fate::NotNeeded),
    ("verified", Fate::NotNeeded),
    ("description", Fate::NotNeeded),
    ("value", Fate::NotNeeded),
];
const OF_RESOURCES: [(&str, Fate); 2] = [
    ("datasets", Fate::Nothing("tasks are given to agents: move it to one")),
    ("expose_tools_over_mcp", Fate::Nothing("tools are not served over MCP")),
];
const OF_MODELS: [(&str, Fate); 1] =
    [("datasets", Fate::Nothing("tasks are given to agents: move it to one"))];
const OF_AGENTS: [(&str, Fate); 5] = [
    ("resources_server", Fate::Name("environment")),
    ("model_server", Fate::Name("model")),
    ("skip_verification", Fate::Nothing("every rollout is verified")),
    ("skip_verification_reward", Fate::Nothing("every rollout is verified")),
    ("token_id_capture", Fate::Nothing("models keep token ids: `return_token_id_information`")),
];

/// A component in the making.
pub(super) struct Draft {
    pub component: Node,
    /// Values for the environment of an agent, by their path within it.
    pub for_environment: Vec<(KeyPath, Node)>,
    /// The keys that became nothing.
    pub left_out: Vec<(KeyPath, Node, Oddity)>,
}

/// Reads a path of a table.
pub(super) fn path(text: &str) -> KeyPath {
    text.split('.').map(str::to_owned).collect()
}

/// Adds the entries of a map to one that has got some from other keys.
fn add(component: &mut Node, target: &KeyPath, map: &Node) {
    for (key, value) in map.entries() {
        let target = target.child(key);
        if component.at(&target).is_none() {
            component.put(&target, value.clone());
        }
    }
}

/// Puts values, as YAML, where there are none yet.
pub(super) fn fill(component: &mut Node, defaults: &[(&str, &str)]) {
    for (key, value) in defaults {
        if component.at(&path(key)).is_none() {
            let value = yaml::parse_value(value).unwrap_or_else(|_| Node::empty());
            component.put(&path(key), Node { origin: component.origin.clone(), ..value });
        }
    }
}

fn is_set(node: &Node) -> bool {
    node.value != Value::Null
}

impl Draft {
    /// Puts the keys of a server where they belong. `whole` is interpolated, in `kept` references to
    /// variables stand as written; names are taken from `whole`, everything else from `kept`.
    pub(super) fn of(counterpart: &Counterpart, whole: &Node, kept: &Node) -> Self {
        let mut component = Node { origin: kept.origin.clone(), ..Node::empty() };
        let kind = Value::Text(counterpart.becomes.unwrap_or_default().to_owned());
        component.put(&path("kind"), Node::new(kind, kept.origin.clone()));
        let mut draft = Self { component, for_environment: Vec::new(), left_out: Vec::new() };
        let mut rest = kept.clone();
        let special: &[(&str, Fate)] = match counterpart.server {
            Server::Model => &OF_MODELS,
            Server::Resources => &OF_RESOURCES,
            Server::Agent => &OF_AGENTS,
        };
        for (key, fate) in counterpart.keys.iter().chain(special).chain(&COMMON) {
            let key = path(key);
            let Some(value) = rest.remove(&key) else { continue };
            forget_empty(&mut rest, &key);
            let whole = whole.at(&key).cloned().unwrap_or_else(|| value.clone());
            draft.settle(key, *fate, value, &whole);
        }
        if counterpart.server == Server::Agent {
            rest.remove(&path("datasets"));
        }
        for (key, value) in rest.entries() {
            let target = path("settings").child(key);
            match draft.component.at(&target) {
                Some(_) => add(&mut draft.component, &target, value),
                None => draft.component.put(&target, value.clone()),
            }
        }
        fill(&mut draft.component, counterpart.defaults);
        draft
    }

    fn settle(&mut self, key: KeyPath, fate: Fate, value: Node, whole: &Node) {
        match fate {
            Fate::To(target) | Fate::File(target) if is_set(whole) => {
                self.component.put(&path(target), value)
            }
            Fate::ToEnvironment(target) if is_set(whole) => {
                self.for_environment.push((path(target), value));
            }
            Fate::Words(target, words) if is_set(whole) => {
                self.component.put(&path(target), translated(value, whole, words));
            }
            Fate::WordsToEnvironment(target, words) if is_set(whole) => {
                self.for_environment.push((path(target), translated(value, whole, words)));
            }
            Fate::Name(target) if is_set(whole) => {
                let mut named = Node { value: whole.value.clone(), ..value.clone() };
                if let Some((_, name)) = reference(whole) {
                    named.set_text(name);
                    named.origin = value.get("name").and_then(|name| name.origin.clone());
                }
                self.component.put(&path(target), named);
            }
            Fate::To(_) | Fate::File(_) | Fate::ToEnvironment(_) | Fate::Name(_) => {}
            Fate::Words(..) | Fate::WordsToEnvironment(..) => {}
            Fate::NotNeeded => {
                self.left_out.push((key, value, Oddity::NotNeeded { reason: None }));
            }
            Fate::Nothing(_) if says_nothing(whole) => {
                self.left_out.push((key, value, Oddity::NotNeeded { reason: None }));
            }
            Fate::Nothing(reason) => {
                let reason = Some(reason.to_owned());
                self.left_out.push((key, value, Oddity::NoCounterpart { reason }));
            }
        }
    }
}

/// A word of NeMo Gym's as the one beside it; any other value as it is, for the kind to refuse.
fn translated(mut value: Node, whole: &Node, words: &[(&str, &str)]) -> Node {
    let word = whole.as_text();
    if let Some((_, here)) = words.iter().find(|(there, _)| word == Some(there)) {
        value.set_text(*here);
    }
    value
}

/// Takes the map out that a key was the last of.
fn forget_empty(rest: &mut Node, key: &KeyPath) {
    let Some(parent) = key.parent().filter(|parent| !parent.is_root()) else { return };
    if rest.at(&parent).is_some_and(|map| map.keys().next().is_none()) {
        rest.remove(&parent);
    }
}
