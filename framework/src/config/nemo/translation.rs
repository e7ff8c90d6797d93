//! The translation itself: server instances become components, flat keys a collection, and what is left over
//! is listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    super::{
        key_path::KeyPath,
        problem::{Oddity, Problem, Warning},
        schema::SECTIONS,
        tree::{Node, Value},
    },
    component::{Draft, fill, path},
    counterpart::{Counterpart, Fate, Meaning, Server, Vocabulary, says_nothing},
    dataset,
    flat::{self, Flat},
    includes::Search,
    instance::{Instance, Survey, is_entry},
};

/// A configuration of ours, made of one of NeMo Gym's.
#[derive(Debug)]
pub(in super::super) struct Translated {
    /// Variables and sections; references to variables stand as they were written.
    pub tree: Node,
    /// What is lost or odd.
    pub warnings: Vec<Warning>,
    /// What is left out and loses nothing.
    pub notes: Vec<Warning>,
}

/// Translates a tree. `whole` is interpolated, in `kept` references to variables stand as they were written.
pub(super) fn translate(
    whole: &Node,
    kept: &Node,
    vocabulary: &Vocabulary,
    search: &Search<'_>,
) -> Result<Translated, Vec<Problem>> {
    let Survey { instances, flaws, dangling, warnings } = Survey::of(whole);
    let mut writer = Writer {
        whole,
        kept,
        vocabulary,
        search,
        tree: Node::empty(),
        for_environments: Vec::new(),
        warnings,
        notes: Vec::new(),
    };
    let mut problems = dangling;
    match whole.get("error_on_almost_servers").map(|node| &node.value) {
        Some(Value::Boolean(false)) => flaws.iter().for_each(|flaw| writer.almost(flaw)),
        Some(_) | None => problems.splice(..0, flaws).for_each(drop),
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    instances.iter().for_each(|instance| writer.instance(instance));
    writer.environments();
    writer.variables();
    writer.collection(&instances);
    let Writer { tree, warnings, notes, .. } = writer;
    Ok(Translated { tree, warnings, notes })
}

/// The variables of a tree: what a reference may still refer to once it is translated.
pub(super) fn variables(whole: &Node) -> BTreeSet<String> {
    let is_variable = |(key, node): &(&String, &Node)| {
        node.is_scalar() && !SECTIONS.contains(&key.as_str()) && flat::meaning(key).is_none()
    };
    whole.entries().filter(is_variable).map(|(key, _)| key.clone()).collect()
}

struct Writer<'a> {
    whole: &'a Node,
    kept: &'a Node,
    vocabulary: &'a Vocabulary,
    search: &'a Search<'a>,
    tree: Node,
    /// What agents say of their environments: name, kind if there is no such server, values by path.
    for_environments: Vec<ForEnvironment>,
    warnings: Vec<Warning>,
    notes: Vec<Warning>,
}

struct ForEnvironment {
    name: String,
    kind: Option<&'static str>,
    values: Vec<(KeyPath, Node)>,
}

impl<'a> Writer<'a> {
    fn instance(&mut self, instance: &Instance<'a>) {
        let Instance { name, server, implementation, inner, path: inner_path } = instance;
        let counterpart = match self.vocabulary.meaning(*server, implementation, inner) {
            Meaning::Counterpart(counterpart) => counterpart,
            Meaning::None { reason } => {
                let reason = Some(reason.to_owned());
                return self.odd(inner_path.clone(), inner, Oddity::NoCounterpart { reason });
            }
            Meaning::Unknown { nearest } => {
                let nearest = nearest.map(|name| format!("did you mean `{name}`?"));
                return self.odd(
                    inner_path.clone(),
                    inner,
                    Oddity::NoCounterpart { reason: nearest },
                );
            }
        };
        let kept = self.kept.at(inner_path).unwrap_or(inner);
        let mut draft = Draft::of(&counterpart, inner, kept);
        self.locate_files(instance, &counterpart, &mut draft);
        self.forget_unknown(instance, &counterpart, &mut draft);
        for (key, node, oddity) in std::mem::take(&mut draft.left_out) {
            let key = key.segments().iter().fold(inner_path.clone(), |path, key| path.child(key));
            self.odd(key, &node, oddity);
        }
        if *server == Server::Agent {
            self.agent(instance, &counterpart, kept, &mut draft);
        }
        let target = path(server.section()).child(name);
        self.tree.put(&target, draft.component);
    }

    /// Finds files that are named from the implementation's directory.
    fn locate_files(&self, instance: &Instance<'a>, counterpart: &Counterpart, draft: &mut Draft) {
        let files = counterpart.keys.iter().filter_map(|(_, fate)| {
            let Fate::File(target) = fate else { return None };
            Some(path(target))
        });
        let directory = Path::new(instance.server.key()).join(instance.implementation);
        for target in files {
            let Some(node) = draft.component.at_mut(&target) else { continue };
            let Some(text) = node.as_text() else { continue };
            let named_in = node.origin.as_ref().map(|origin| Path::new(&*origin.layer));
            let found = self.search.find(&directory.join(text), named_in);
            if let Ok(found) = found.or_else(|_| self.search.find(Path::new(text), named_in)) {
                node.set_text(found.display().to_string());
            }
        }
    }

    /// Lists the settings that the kind does not have, and leaves them out.
    fn forget_unknown(
        &mut self,
        instance: &Instance<'a>,
        counterpart: &Counterpart,
        draft: &mut Draft,
    ) {
        let kind = counterpart.becomes.unwrap_or_default();
        let whole = Draft::of(counterpart, instance.inner, instance.inner).component;
        let Some(settings) = whole.get("settings") else { return };
        for (key, nearest) in self.vocabulary.unknown_keys(counterpart.server, kind, settings) {
            let below =
                |start: KeyPath| key.segments().iter().fold(start, |path, key| path.child(key));
            let Some(node) = draft.component.remove(&below(path("settings"))) else { continue };
            let oddity = match says_nothing(&node) {
                true => Oddity::NotNeeded { reason: None },
                false => {
                    let hint = nearest.map(|near| format!("; did you mean `{near}`?"));
                    let reason = format!("`{kind}` does not have it{}", hint.unwrap_or_default());
                    Oddity::NoCounterpart { reason: Some(reason) }
                }
            };
            self.odd(below(instance.path.clone()), &node, oddity);
        }
    }

    fn agent(
        &mut self,
        instance: &Instance<'a>,
        counterpart: &Counterpart,
        kept: &Node,
        draft: &mut Draft,
    ) {
        let mut kind = None;
        let name = match draft.component.get("environment").and_then(Node::as_text) {
            Some(name) => name.to_owned(),
            None => {
                kind = counterpart.environment;
                if kind.is_some() {
                    let name = Value::Text(instance.name.to_owned());
                    draft.component.put(&path("environment"), Node::new(name, kept.origin.clone()));
                }
                instance.name.to_owned()
            }
        };
        let values = std::mem::take(&mut draft.for_environment);
        self.for_environments.push(ForEnvironment { name, kind, values });
        let datasets = self.datasets(instance, kept);
        if !datasets.is_empty() {
            let origin = kept.get("datasets").and_then(|node| node.origin.clone());
            draft.component.put(&path("datasets"), Node::new(Value::List(datasets), origin));
        }
    }

    fn datasets(&mut self, instance: &Instance<'a>, kept: &Node) -> Vec<Node> {
        let list = |node: &'a Node| node.get("datasets").into_iter().flat_map(Node::children);
        let here = instance.path.child("datasets");
        let mut datasets = Vec::new();
        for (index, whole) in list(instance.inner).enumerate() {
            let index = index.to_string();
            let Some(kept) = kept.get("datasets").and_then(|list| list.get(&index)) else {
                continue;
            };
            let written = whole.get("jsonl_fpath").and_then(|node| node.origin.clone());
            let named_in = written.as_ref().map(|origin| Path::new(&*origin.layer));
            let Some(translated) = dataset::translate(whole, kept, self.search, named_in) else {
                continue;
            };
            for (key, oddity) in translated.oddities {
                let key =
                    key.segments().iter().fold(here.child(&index), |path, key| path.child(key));
                let node = self.whole.at(&key).unwrap_or(whole);
                self.odd(key, node, oddity);
            }
            datasets.push(translated.node);
        }
        datasets
    }

    /// Gives environments what agents say of them.
    fn environments(&mut self) {
        for ForEnvironment { name, kind, values } in std::mem::take(&mut self.for_environments) {
            let here = path("environments").child(&name);
            match (self.tree.at(&here), kind) {
                (None, Some(kind)) => {
                    let mut component = Node::empty();
                    component.put(&path("kind"), Node::new(Value::Text(kind.to_owned()), None));
                    fill(&mut component, self.vocabulary.defaults(kind));
                    self.tree.put(&here, component);
                }
                (None, None) => continue,
                (Some(_), _) => {}
            }
            for (key, value) in values {
                let key = key.segments().iter().fold(here.clone(), |path, key| path.child(key));
                self.tree.put(&key, value);
            }
        }
    }

    /// Keeps what references may refer to, and lists all else at the top that is no server.
    fn variables(&mut self) {
        let names = variables(self.whole);
        for (key, whole) in self.whole.entries().filter(|(_, node)| !is_entry(node)) {
            let here = KeyPath::root().child(key);
            let kept = self.kept.get(key).unwrap_or(whole);
            if names.contains(key) {
                if kept.is_scalar() {
                    self.tree.put(&here, kept.clone());
                }
                continue;
            }
            let reason = |text: &str| Some(text.to_owned());
            let oddity = match flat::meaning(key) {
                Some(Flat::Collection) => continue,
                Some(Flat::Nothing(why)) if !says_nothing(whole) => {
                    Oddity::NoCounterpart { reason: reason(why) }
                }
                Some(Flat::NotNeeded | Flat::Nothing(_)) => Oddity::NotNeeded { reason: None },
                None => Oddity::NotNeeded {
                    reason: reason("its values stand where they are referred to"),
                },
            };
            self.odd(here, whole, oddity);
        }
    }

    /// Makes a collection of the flat keys that NeMo Gym's collector takes.
    fn collection(&mut self, instances: &[Instance<'a>]) {
        let agents = instances.iter().filter(|instance| instance.server == Server::Agent);
        let agents: Vec<&str> = agents.map(|instance| instance.name).collect();
        let (section, input) = flat::collection(self.whole, self.kept);
        if let Some(input) = input {
            let chosen = section.get("agent").and_then(Node::as_text).map(str::to_owned);
            let only = || match agents.as_slice() {
                [only] => Some((*only).to_owned()),
                _ => None,
            };
            match chosen.or_else(only) {
                // That there is no such agent is said when names are looked up.
                Some(agent) if !agents.contains(&agent.as_str()) => {}
                Some(agent) => self.input(&agent, &input),
                None => {
                    let reason =
                        "several agents could take it: name one with `agent_name`".to_owned();
                    let here = KeyPath::root().child(flat::INPUT);
                    self.odd(here, &input, Oddity::NoCounterpart { reason: Some(reason) });
                }
            }
        }
        for (key, value) in section.entries() {
            self.tree.put(&path("collect").child(key), value.clone());
        }
    }

    /// Makes the collector's input a dataset of the agent that it is for.
    fn input(&mut self, agent: &str, input: &Node) {
        const NAME: &str = "input";
        let text = |text: &str| Node::new(Value::Text(text.to_owned()), input.origin.clone());
        let fields: BTreeMap<String, Node> = [
            ("name".to_owned(), text(NAME)),
            ("type".to_owned(), text("example")),
            ("path".to_owned(), input.clone()),
        ]
        .into();
        let datasets = path("agents").child(agent).child("datasets");
        let mut list = match self.tree.at(&datasets).map(|node| &node.value) {
            Some(Value::List(items)) => items.clone(),
            Some(_) | None => Vec::new(),
        };
        list.push(Node::new(Value::Map(fields), input.origin.clone()));
        self.tree.put(&datasets, Node::new(Value::List(list), input.origin.clone()));
        self.tree.put(&path("collect.dataset"), text(NAME));
    }

    fn almost(&mut self, flaw: &Problem) {
        let reason = flaw.fault.to_string();
        let reason = reason.trim_start_matches("almost a server: ").to_owned();
        let (origin, path) = (flaw.origin.clone(), flaw.path.clone());
        self.warnings.push(Warning { origin, path, oddity: Oddity::AlmostServer { reason } });
    }

    fn odd(&mut self, path: KeyPath, node: &Node, oddity: Oddity) {
        let is_lost = matches!(oddity, Oddity::NoCounterpart { .. });
        let list = if is_lost { &mut self.warnings } else { &mut self.notes };
        list.push(Warning { origin: node.origin.clone(), path, oddity });
    }
}
