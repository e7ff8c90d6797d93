//! What NeMo Gym's implementations and their keys become. The tables belong to the crates that register kinds.

use std::collections::BTreeMap;
use std::fmt;

use super::super::{
    key_path::KeyPath,
    problem::{Fault, Problem, nearest},
    settings::Settings,
    tree::{Node, Value},
};

/// The three types of NeMo Gym's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// `responses_api_models`.
    Model,
    /// `resources_servers`.
    Resources,
    /// `responses_api_agents`.
    Agent,
}

impl Server {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Model, Self::Resources, Self::Agent];

    /// The key of the type in NeMo Gym's configurations.
    pub fn key(self) -> &'static str {
        match self {
            Self::Model => "responses_api_models",
            Self::Resources => "resources_servers",
            Self::Agent => "responses_api_agents",
        }
    }

    pub(super) fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|server| server.key() == key)
    }

    /// The section that its instances become components of.
    pub(in super::super) fn section(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Resources => "environments",
            Self::Agent => "agents",
        }
    }

    /// What users call it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Model => "model server",
            Self::Resources => "resources server",
            Self::Agent => "agent server",
        }
    }
}

/// What an implementation of NeMo Gym becomes.
///
/// Keys that the table does not name go into `settings:` as they are, if the kind has them; all others are
/// listed as having no counterpart.
#[derive(Clone, Copy, Debug)]
pub struct Counterpart {
    /// The type of the server.
    pub server: Server,
    /// The implementation's directory.
    pub implementation: &'static str,
    /// Applies only to configurations in which these keys have these values.
    pub when: &'static [(&'static str, &'static str)],
    /// The kind; or why there is none.
    pub becomes: Result<&'static str, &'static str>,
    /// What becomes of keys, written as paths; of several with the same name the first.
    pub keys: &'static [(&'static str, Fate)],
    /// Values, as YAML, for paths of the component that the configuration does not set.
    pub defaults: &'static [(&'static str, &'static str)],
    /// The kind of the environment that an agent without a resources server works in.
    pub environment: Option<&'static str>,
}

impl Counterpart {
    /// An implementation that is a kind.
    pub const fn of(server: Server, implementation: &'static str, kind: &'static str) -> Self {
        let (when, keys, defaults, environment) = (&[], &[], &[], None);
        Self { server, implementation, when, becomes: Ok(kind), keys, defaults, environment }
    }

    /// An implementation that is none, for this reason.
    pub const fn none(server: Server, implementation: &'static str, reason: &'static str) -> Self {
        let (when, keys, defaults, environment) = (&[], &[], &[], None);
        Self { server, implementation, when, becomes: Err(reason), keys, defaults, environment }
    }
}

/// What becomes of a key. Paths start at the component: `settings.base_url`, `max_in_flight`.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// The value goes to this path.
    To(&'static str),
    /// The value is a file, which NeMo Gym looks for from the implementation's directory; it goes to this path.
    File(&'static str),
    /// The value is one of these words, and goes to this path as the word beside it.
    Words(&'static str, &'static [(&'static str, &'static str)]),
    /// The name of the server that it refers to goes to this path.
    Name(&'static str),
    /// The value goes to this path of the environment that the agent works in.
    ToEnvironment(&'static str),
    /// The same, as a word.
    WordsToEnvironment(&'static str, &'static [(&'static str, &'static str)]),
    /// One process has no need of it.
    NotNeeded,
    /// It means nothing here, for this reason.
    Nothing(&'static str),
}

/// Whether settings are those of a kind.
pub(crate) type Check = fn(&Settings) -> Result<(), Vec<Problem>>;

/// The kinds that there are, and what NeMo Gym calls them.
#[derive(Clone, Default)]
pub struct Vocabulary {
    counterparts: Vec<Counterpart>,
    kinds: BTreeMap<(Server, &'static str), Check>,
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.kinds.keys()).finish()
    }
}

/// What an implementation is called here.
pub(super) enum Meaning<'a> {
    Counterpart(Counterpart),
    None { reason: &'a str },
    Unknown { nearest: Option<String> },
}

impl Vocabulary {
    pub(crate) fn new(
        counterparts: Vec<Counterpart>,
        kinds: impl Iterator<Item = (Server, &'static str, Check)>,
    ) -> Self {
        let kinds = kinds.map(|(server, name, check)| ((server, name), check)).collect();
        Self { counterparts, kinds }
    }

    /// Looks an implementation up; without an entry of its own it is the kind of its name.
    pub(super) fn meaning(
        &self,
        server: Server,
        implementation: &str,
        inner: &Node,
    ) -> Meaning<'_> {
        let is_called =
            |it: &&Counterpart| it.server == server && it.implementation == implementation;
        let holds = |(key, value): &(&str, &str)| {
            inner
                .get(key)
                .is_some_and(|node| node.to_json().to_string().trim_matches('"') == *value)
        };
        let mut entries = self.counterparts.iter().filter(is_called);
        if let Some(entry) = entries.find(|entry| entry.when.iter().all(holds)) {
            return match entry.becomes {
                Ok(_) => Meaning::Counterpart(*entry),
                Err(reason) => Meaning::None { reason },
            };
        }
        let kind = self.kinds.keys().find(|kind| **kind == (server, implementation));
        match kind {
            Some((_, kind)) => Meaning::Counterpart(Counterpart::of(server, kind, kind)),
            None => Meaning::Unknown { nearest: self.nearest(server, implementation) },
        }
    }

    fn nearest(&self, server: Server, implementation: &str) -> Option<String> {
        // Endings that all of a type have make nothing similar.
        let bare =
            |name: &str| name.trim_end_matches("_agent").trim_end_matches("_model").to_owned();
        let named = self.counterparts.iter().filter(|it| it.server == server);
        let named = named.filter(|it| it.becomes.is_ok()).map(|it| it.implementation);
        let kinds = self.kinds.keys().filter(|(of, _)| *of == server).map(|(_, kind)| *kind);
        let names: BTreeMap<String, &str> =
            named.chain(kinds).map(|name| (bare(name), name)).collect();
        let found = nearest(&bare(implementation), names.keys().map(String::as_str))?;
        names.get(&found).map(|name| (*name).to_owned())
    }

    /// What is wrong with the settings of a component; nothing if its kind is not known.
    pub(in super::super) fn check(
        &self,
        server: Server,
        kind: &str,
        settings: &Settings,
    ) -> Vec<Problem> {
        let check = self.kinds.iter().find(|((of, name), _)| *of == server && *name == kind);
        check.and_then(|(_, check)| check(settings).err()).unwrap_or_default()
    }

    /// The defaults of an environment that no server of NeMo Gym's stands for.
    pub(super) fn defaults(&self, kind: &str) -> &'static [(&'static str, &'static str)] {
        let is_kind = |it: &&Counterpart| it.server == Server::Resources && it.becomes == Ok(kind);
        self.counterparts.iter().find(is_kind).map_or(&[], |it| it.defaults)
    }

    /// The keys in a component's settings that its kind does not know, as paths within the settings,
    /// each with the nearest that it does know.
    pub(super) fn unknown_keys(
        &self,
        server: Server,
        kind: &str,
        settings: &Node,
    ) -> Vec<(KeyPath, Option<String>)> {
        let problems = self.check(server, kind, &Settings::new(settings.clone(), KeyPath::root()));
        let unknown = problems.into_iter().filter_map(|problem| {
            let Fault::UnknownKey { nearest, .. } = problem.fault else { return None };
            Some((problem.path, nearest))
        });
        unknown.collect()
    }
}

/// Whether a value switches something off or says nothing, so that nothing is lost without it.
pub(super) fn says_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Boolean(false) => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Boolean(true) | Value::Integer(_) | Value::Float(_) | Value::Broken => false,
    }
}
