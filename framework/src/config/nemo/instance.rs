//! NeMo Gym's server instances: three levels, what each must hold, and the references between them.
//!
//! An entry that has a type and an `entrypoint` and breaks a rule is *almost a server*: NeMo Gym refuses to
//! start with it, unless `error_on_almost_servers` is false. All rules that are broken are said at once.

use super::{
    super::{
        key_path::KeyPath,
        problem::{Fault, Oddity, Problem, Warning, nearest},
        tree::{Node, Value},
    },
    counterpart::Server,
    dataset,
};

/// What resources servers are about.
const DOMAINS: [&str; 12] = [
    "math",
    "coding",
    "agent",
    "knowledge",
    "instruction_following",
    "long_context",
    "safety",
    "games",
    "e2e",
    "other",
    "translation",
    "rlhf",
];

/// One server of a configuration.
pub(super) struct Instance<'a> {
    pub name: &'a str,
    pub server: Server,
    pub implementation: &'a str,
    /// What stands below the implementation.
    pub inner: &'a Node,
    /// Where that is.
    pub path: KeyPath,
}

/// All servers of a configuration, and what keeps others from being one.
#[derive(Default)]
pub(super) struct Survey<'a> {
    pub instances: Vec<Instance<'a>>,
    /// What makes an entry almost a server.
    pub flaws: Vec<Problem>,
    /// References to nothing.
    pub dangling: Vec<Problem>,
    pub warnings: Vec<Warning>,
}

/// Whether an entry at the top is a server or meant to be one.
pub(super) fn is_entry(node: &Node) -> bool {
    node.keys().any(|key| Server::of_key(key).is_some())
}

impl<'a> Survey<'a> {
    /// Looks at all entries of an interpolated tree.
    pub(super) fn of(tree: &'a Node) -> Self {
        let mut survey = Self::default();
        for (name, entry) in tree.entries().filter(|(_, entry)| is_entry(entry)) {
            survey.entry(name, entry);
        }
        survey.references();
        survey
    }

    fn entry(&mut self, name: &'a str, entry: &'a Node) {
        let path = KeyPath::root().child(name);
        let mut types =
            entry.entries().filter_map(|(key, child)| Some((Server::of_key(key)?, child)));
        let Some((server, implementations)) = types.next() else { return };
        if let Some((other, child)) = types.next() {
            let reason = format!("it is a {} already", server.title());
            self.flaw(path.child(other.key()), child, &reason);
        }
        for (key, child) in entry.entries().filter(|(key, _)| Server::of_key(key).is_none()) {
            let oddity = Oddity::NoCounterpart { reason: None };
            let (origin, path) = (child.origin.clone(), path.child(key));
            self.warnings.push(Warning { origin, path, oddity });
        }
        let path = path.child(server.key());
        let mut entries = implementations.entries();
        let Some((implementation, inner)) = entries.next() else {
            let found = implementations.description();
            let reason = format!("expected the name of an implementation, found {found}");
            return self.flaw(path, implementations, &reason);
        };
        for (key, other) in entries {
            let reason = format!("it is implemented by `{implementation}` already");
            self.flaw(path.child(key), other, &reason);
        }
        let path = path.child(implementation);
        if inner.get("entrypoint").is_none() {
            let reason = "without an `entrypoint` NeMo Gym starts no server".to_owned();
            let oddity = Oddity::NoCounterpart { reason: Some(reason) };
            self.warnings.push(Warning { origin: inner.origin.clone(), path, oddity });
            return;
        }
        let instance = Instance { name, server, implementation, inner, path };
        self.instance(&instance);
        self.instances.push(instance);
    }

    fn instance(&mut self, instance: &Instance<'a>) {
        let Instance { inner, path, .. } = instance;
        for key in ["entrypoint", "host"] {
            if let Some(node) = inner.get(key).filter(|node| node.as_text().is_none()) {
                self.wrong(path.child(key), node, "a string");
            }
        }
        let port = inner.get("port").filter(|node| !matches!(node.value, Value::Null));
        if let Some(node) = port.filter(|node| !is_count(node)) {
            self.wrong(path.child("port"), node, "an integer");
        }
        let domain = inner.get("domain");
        match (instance.server, domain) {
            (Server::Resources, None) => self.missing(path, inner, "domain"),
            (Server::Resources, Some(domain)) => self.word(path.child("domain"), domain, &DOMAINS),
            (Server::Model | Server::Agent, _) => {}
        }
        if let Some(datasets) = inner.get("datasets") {
            dataset::review(datasets, &path.child("datasets"), self);
        }
    }

    /// Checks that whatever has the shape of a reference refers to a server of its type.
    fn references(&mut self) {
        let mut dangling = Vec::new();
        for instance in &self.instances {
            for (key, node) in instance.inner.entries() {
                let Some((server, name)) = reference(node) else { continue };
                let of_type = self.instances.iter().filter(|other| other.server == server);
                let known: Vec<String> = of_type.map(|other| other.name.to_owned()).collect();
                // What is missing altogether is said elsewhere.
                if name == super::MISSING || known.iter().any(|known| known == name) {
                    continue;
                }
                let fault = Fault::UnknownName {
                    what: server.title(),
                    name: name.to_owned(),
                    nearest: nearest(name, known.iter().map(String::as_str)),
                    known,
                };
                let path = instance.path.child(key).child("name");
                let origin = node.get("name").and_then(|name| name.origin.clone());
                dangling.push(Problem::new(origin, path, fault));
            }
        }
        self.dangling = dangling;
    }

    /// Notes what makes an entry almost a server.
    pub(super) fn flaw(&mut self, path: KeyPath, node: &Node, reason: &str) {
        let fault = Fault::AlmostServer { reason: reason.to_owned() };
        self.flaws.push(Problem::new(node.origin.clone(), path, fault));
    }

    /// Notes a key that is not there and has to be.
    pub(super) fn missing(&mut self, path: &KeyPath, map: &Node, key: &str) {
        self.flaw(path.child(key), map, &Fault::MissingKey.to_string());
    }

    /// Notes a value of a wrong type.
    pub(super) fn wrong(&mut self, path: KeyPath, node: &Node, expected: &str) {
        let (expected, found) = (expected.to_owned(), node.description());
        self.flaw(path, node, &Fault::WrongType { expected, found }.to_string());
    }

    /// Notes a value that is none of some words.
    pub(super) fn word(&mut self, path: KeyPath, node: &Node, known: &[&str]) {
        let Some(word) = node.as_text() else { return self.wrong(path, node, "a string") };
        if known.contains(&word) || word == super::MISSING {
            return;
        }
        let nearest = nearest(word, known.iter().copied());
        let reason = match &nearest {
            Some(_) => String::new(),
            None => format!("; known are `{}`", known.join("`, `")),
        };
        let fault = Fault::UnknownValue { value: word.to_owned(), nearest, known: Vec::new() };
        self.flaw(path, node, &format!("{fault}{reason}"));
    }
}

/// Whether a value is an integer that is not negative.
pub(super) fn is_count(node: &Node) -> bool {
    let text = || node.as_text()?.parse::<u64>().ok();
    matches!(node.value, Value::Integer(number) if number >= 0) || text().is_some()
}

/// Reads `{type: resources_servers, name: …}`.
pub(super) fn reference(node: &Node) -> Option<(Server, &str)> {
    let server = Server::of_key(node.get("type")?.as_text()?)?;
    let name = node.get("name")?.as_text()?;
    (node.keys().count() == 2).then_some((server, name))
}
