//! What can be wrong with a configuration, said so that the reader can put it right.
//!
//! A problem names the layer and line that a value came from, its key path, and the fault.
//! A configuration is refused with all of its problems at once: one run, one list, one round of corrections.

use std::{fmt, sync::Arc};

use super::{key_path::KeyPath, secret::is_secret_name};

/// Where a value was written: a file, an environment variable or a `--set`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, `environment variable …` or `--set …`.
    pub layer: Arc<str>,
    /// The line in the file, counted from 1.
    pub line: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.layer)?;
        match self.line {
            Some(line) => write!(formatter, ":{line}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with one value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the words of the message above them")]
pub enum Fault {
    /// A file that should be read cannot be.
    #[error("cannot be read: {reason}")]
    Unreadable { reason: String },
    /// A text that is not YAML, or uses a part of YAML that has no meaning here.
    #[error("not valid YAML: {reason}")]
    Syntax { reason: String },
    /// The same key twice in one map.
    #[error("duplicate key; it is first set on line {first_line}")]
    DuplicateKey { first_line: usize },
    /// A key path with an empty segment or an open quote.
    #[error("`{text}` is not a key path")]
    MalformedPath { text: String },
    /// A `--set` without `=`.
    #[error("`--set {text}` assigns nothing")]
    NotAnAssignment { text: String },
    /// An argument that is no override.
    #[error("`{text}` is no override")]
    NotAnOverride { text: String },
    /// An override of a key that does not exist.
    #[error("cannot be overridden, since there is nothing there{}", suggestion(nearest))]
    NothingToOverride { nearest: Option<String> },
    /// Two overrides that add the same key.
    #[error("added twice")]
    AddedTwice,
    /// The text behind `=` of an override is no value.
    #[error("not a value: {reason}")]
    MalformedValue { reason: &'static str },
    /// `???`: a value that NeMo Gym leaves to its user.
    #[error("`???` stands for a value that has to be given")]
    MandatoryValue,
    /// A NeMo Gym directive to take over what is not there.
    #[error("`{directive}: {reference}` refers to nothing{}", suggestion(nearest))]
    UnknownSource { directive: &'static str, reference: String, nearest: Option<String> },
    /// A file that is in none of the places where it is looked for.
    #[error("`{path}` is not there; looked in {}", quoted(tried))]
    NotFound { path: String, tried: Vec<String> },
    /// What NeMo Gym would take for a server if it were not for a mistake.
    #[error("almost a server: {reason}")]
    AlmostServer { reason: String },
    /// A NeMo Gym configuration, and no kinds to translate it to.
    #[error(
        "this is a configuration of NeMo Gym, and no kinds are known that it could be translated to"
    )]
    NoVocabulary,
    /// An assignment to a key below a value that is neither map nor list.
    #[error("cannot be set, since `{parent}` is {found}")]
    BelowScalar { parent: KeyPath, found: String },
    /// An assignment to an element that a list does not have.
    #[error("cannot be set, since `{list}` has no element `{index}` but {length} in all")]
    NoSuchElement { list: KeyPath, index: String, length: usize },
    /// An environment variable that matches several keys which differ in case only.
    #[error("matches several keys: {}", quoted(keys))]
    AmbiguousCase { keys: Vec<String> },
    /// `${name}` where nothing has that name.
    #[error("`${{{reference}}}` refers to nothing{}", suggestion(nearest))]
    UnknownReference { reference: String, nearest: Option<String> },
    /// `${env:NAME}` without a default where the variable is not set.
    #[error("environment variable `{variable}` is not set")]
    UnsetVariable { variable: String },
    /// `${a:b}` where `a` is not `env`.
    #[error("unknown resolver `{resolver}`")]
    UnknownResolver { resolver: String },
    /// A `${` without its `}`.
    #[error("`${{` is never closed")]
    UnclosedReference,
    /// A reference inside a longer text to something that is not one piece of text.
    #[error("`${{{reference}}}` is {found} and cannot stand inside a text")]
    NotText { reference: String, found: String },
    /// References that lead back to themselves.
    #[error("interpolation cycle: {}", chain(paths))]
    Cycle { paths: Vec<KeyPath> },
    /// More references than any honest configuration has.
    #[error("more than {limit} interpolations {extent}")]
    TooManyInterpolations { limit: usize, extent: &'static str },
    /// A key that means nothing here.
    #[error("unknown key{}", suggestion(nearest))]
    UnknownKey { nearest: Option<String>, known: Vec<String> },
    /// A required key that is not there.
    #[error("missing key")]
    MissingKey,
    /// A value of another type than the key needs.
    #[error("expected {expected}, found {found}")]
    WrongType { expected: String, found: String },
    /// A value that its type refuses, in the words of the type.
    #[error("{reason}")]
    Refused { reason: String },
    /// As `Refused`, where the words might contain a secret.
    #[error("invalid value (not shown, since it holds a secret)")]
    RefusedSecret,
    /// A secret where others read it: in a file, in a program's text or on a command line.
    #[error("a secret is written out where others can read it")]
    LiteralSecret,
    /// A secret that is made of what is written out there under a name that tells of no secret.
    #[error("a secret that refers to what is written out where others can read it")]
    DisclosedReference,
    /// A text that is none of the possible ones.
    #[error("unknown value `{value}`{}", suggestion(nearest))]
    UnknownValue { value: String, nearest: Option<String>, known: Vec<String> },
    /// A kind that no one registered.
    #[error("unknown kind `{kind}`{}", suggestion(nearest))]
    UnknownKind { kind: String, nearest: Option<String>, known: Vec<String> },
    /// A name that refers to no component or dataset.
    #[error("no {what} is named `{name}`{}", suggestion(nearest))]
    UnknownName { what: &'static str, name: String, nearest: Option<String>, known: Vec<String> },
    /// A dataset that is to be read and does not exist.
    #[error("there is no file `{path}`{}", had_from(from))]
    MissingFile { path: String, from: Option<String> },
    /// Two datasets of one agent under one name.
    #[error("another dataset of this agent is named `{name}` too")]
    DuplicateDataset { name: String },
    /// An output path that cannot become a file.
    #[error("cannot write to `{path}`: `{obstacle}` is {found}")]
    OutputBlocked { path: String, obstacle: String, found: &'static str },
    /// A limit of no time at all.
    #[error("must be longer than 0")]
    ZeroTime,
    /// A collection that does not say which of several agents it runs.
    #[error("missing key; {}", agents(known))]
    AgentNotChosen { known: Vec<String> },
    /// A collection with both `agent` and `agents`.
    #[error("cannot stand beside `agent`")]
    AgentChosenTwice,
    /// A collection whose agents have nothing to read.
    #[error("agent `{agent}` has no datasets")]
    NoDatasets { agent: String },
}

const OVERRIDES: &str = "`+key=value` adds a key, `++key=value` sets it in any case, `key=value` changes one that is there, `~key` takes it out";
const VALUES: &str =
    "put a text with special characters in quotes: `'+key=\"a, b\"'`; write lists as `[a,b]`";
const MANDATORY: &str =
    "give it on the command line, `+key.path=value`, or under the same keys in `env.yaml`";
const PLACES: &str = "relative paths start at the working directory, a folder of `NEMO_GYM_EXTRA_ROOTS`, or a folder above the file that names them";
const ALMOST_SERVERS: &str = "`+error_on_almost_servers=false` goes on without what is wrong";
const SECRETS: &str = "write `${env:NAME}` and set that variable, or write `${name}`, and `name: …` into `env.yaml` in the working directory, which is not shared; where no key is asked for, leave it out or write `EMPTY`";
const RESOLVERS: &str = "resolvers are `env`, `oc.env`, `oc.select`, `oc.decode`, `oc.create`, `oc.deprecated`, `oc.dict.keys`, `oc.dict.values`";

impl Fault {
    /// What the reader can do about it, where that is not plain from the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => Some(
                "name a YAML file that can be read; relative paths start at the working directory"
                    .to_owned(),
            ),
            Self::Syntax { .. } => Some(
                "close every bracket and quote, indent with spaces, and quote a text that begins with a sign"
                    .to_owned(),
            ),
            Self::OutputBlocked { .. } => {
                Some("name a file in a folder that is there or can be made".to_owned())
            }
            Self::DuplicateDataset { .. } => {
                Some("give each dataset of an agent a name of its own".to_owned())
            }
            Self::NoDatasets { agent } => Some(format!(
                "add `agents.{agent}.datasets: [{{ name: mine, type: train, path: tasks.jsonl }}]`"
            )),
            Self::NotAnAssignment { .. } => Some("write `--set key.path=value`".to_owned()),
            Self::MalformedPath { .. } => Some(
                "separate keys with dots and put a key that contains dots in double quotes"
                    .to_owned(),
            ),
            Self::NoSuchElement { .. } => {
                Some("elements are counted from 0; set the whole list to add one".to_owned())
            }
            Self::UnsetVariable { variable } => Some(unset_hint(variable)),
            Self::UnknownResolver { .. } => Some(RESOLVERS.to_owned()),
            Self::UnknownReference { reference, .. } => Some(unknown_hint(reference).to_owned()),
            Self::UnclosedReference => Some("write `\\${` for a literal `${`".to_owned()),
            Self::UnknownKey { known, .. } if !known.is_empty() => {
                Some(format!("known keys: {}", quoted(known)))
            }
            Self::UnknownValue { known, .. } if !known.is_empty() => {
                Some(format!("known values: {}", quoted(known)))
            }
            Self::UnknownKind { known, .. } => Some(listed("known kinds", known)),
            Self::UnknownName { what, known, .. } => Some(listed(&format!("known {what}s"), known)),
            Self::AgentNotChosen { .. } => {
                Some("choose one with `collect.agent` or several with `collect.agents`".to_owned())
            }
            Self::AgentChosenTwice => Some("keep one of `agent` and `agents`".to_owned()),
            Self::MissingFile { .. } => {
                Some("relative paths start at the working directory".to_owned())
            }
            Self::WrongType { expected, found } => type_hint(expected, found),
            Self::DuplicateKey { .. }
            | Self::BelowScalar { .. }
            | Self::AmbiguousCase { .. } => None,
            Self::NotText { .. } | Self::Cycle { .. } | Self::TooManyInterpolations { .. } => None,
            Self::LiteralSecret | Self::DisclosedReference => Some(SECRETS.to_owned()),
            Self::UnknownKey { .. } | Self::UnknownValue { .. } | Self::MissingKey => None,
            Self::Refused { .. } | Self::RefusedSecret | Self::UnknownSource { .. } => None,
            Self::NotAnOverride { .. } | Self::NothingToOverride { .. } | Self::AddedTwice => {
                Some(OVERRIDES.to_owned())
            }
            Self::MalformedValue { .. } => Some(VALUES.to_owned()),
            Self::MandatoryValue => Some(MANDATORY.to_owned()),
            Self::NotFound { .. } => Some(PLACES.to_owned()),
            Self::AlmostServer { .. } => Some(ALMOST_SERVERS.to_owned()),
            Self::NoVocabulary => Some("give the loader the kinds: `Loader::kinds`".to_owned()),
            Self::ZeroTime => None,
        }
    }
}

/// A secret has no default that is written out.
fn unset_hint(variable: &str) -> String {
    if is_secret_name(variable) {
        return "set it, or write `${name}`, and `name: …` into `env.yaml`".to_owned();
    }
    format!("set it, or give a default: `${{env:{variable},default}}`")
}

/// Nor is it given on the command line.
fn unknown_hint(reference: &str) -> &'static str {
    if is_secret_name(reference) {
        return "set the variable in `env.yaml`, or as `REHEARSAL__NAME`";
    }
    "set the variable in `env.yaml`, with `--set name=value`, or as `REHEARSAL__NAME`"
}

/// Explains the two mistakes of type that YAML itself invites.
fn type_hint(expected: &str, found: &str) -> Option<String> {
    let found_yaml_1_1_boolean =
        super::scalar::YAML_1_1_BOOLEANS.iter().any(|word| found == format!("text `{word}`"));
    if expected == "a boolean" && found_yaml_1_1_boolean {
        return Some("booleans are written `true` and `false`".to_owned());
    }
    let found_bare_value = found.starts_with("number") || found.starts_with("boolean");
    (expected == "a string" && found_bare_value).then(|| "put the value in quotes".to_owned())
}

/// One thing that is wrong: where it was written, under which key, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// Where the value was written, if it was written at all.
    pub origin: Option<Origin>,
    /// The key that it is about; the root for a file as a whole.
    pub path: KeyPath,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

impl Problem {
    /// Creates a problem of the value under `path`.
    pub(super) fn new(origin: Option<Origin>, path: KeyPath, fault: Fault) -> Self {
        Self { origin, path, fault }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        self.fault.hint()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(formatter, "{origin}: ")?;
        }
        if !self.path.is_root() {
            write!(formatter, "`{}`: ", self.path)?;
        }
        self.fault.fmt(formatter)
    }
}

/// Everything that is wrong with a configuration; one line each when displayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// What the reader can do: one line for each piece of advice, none twice.
    pub fn hint(&self) -> Option<String> {
        let mut hints: Vec<String> = Vec::new();
        for hint in self.0.iter().filter_map(Problem::hint) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

/// Something that is allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where the value was written, if it was written at all.
    pub origin: Option<Origin>,
    /// The key that it is about.
    pub path: KeyPath,
    /// What is odd about it.
    pub oddity: Oddity,
}

/// What is odd about a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the words of the message above them")]
pub enum Oddity {
    /// A word that YAML 1.1 reads as a boolean.
    #[error(
        "`{word}` is a string here, though YAML 1.1 reads it as a boolean; quote it, or write `true` or `false`"
    )]
    Yaml11Boolean { word: String },
    /// A dataset that does not exist, and that this run does not read.
    #[error("there is no file `{path}`{}; this run does not read it", had_from(from))]
    MissingFile { path: String, from: Option<String> },
    /// A secret where others read it, in what is only translated; to load it is refused.
    #[error(
        "a secret is written out where others can read it; the translation refers to `env.yaml` instead"
    )]
    LiteralSecret,
    /// Something in a NeMo Gym configuration that means nothing here; it is left out.
    #[error("left out, it has no counterpart{}", because(reason))]
    NoCounterpart { reason: Option<String> },
    /// What a NeMo Gym server is told and one process need not know.
    #[error("not needed here{}", because(reason))]
    NotNeeded { reason: Option<String> },
    /// A dataset that NeMo Gym would fetch.
    #[error("`{path}` does not exist, and nothing is downloaded; put {from} there")]
    NotDownloaded { path: String, from: String },
    /// What NeMo Gym would take for a server if it were not for a mistake.
    #[error("almost a server: {reason}")]
    AlmostServer { reason: String },
    /// A key that two files set, of which one includes the other.
    #[error(
        "`{winner}` wins over `{loser}`; in NeMo Gym's first version, in which an included file wins over the one that includes it, it was the other way round"
    )]
    IncludeOrder { winner: String, loser: String },
    /// A file that is included more than once.
    #[error("`{path}` is included more than once; the first time counts")]
    IncludedTwice { path: String },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(formatter, "{origin}: ")?;
        }
        if !self.path.is_root() {
            write!(formatter, "`{}`: ", self.path)?;
        }
        self.oddity.fmt(formatter)
    }
}

fn had_from(from: &Option<String>) -> String {
    match from {
        Some(from) => format!("; put {from} there"),
        None => String::new(),
    }
}

fn because(reason: &Option<String>) -> String {
    match reason {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    }
}

/// Names at least this similar (0 to 1, Damerau-Levenshtein) are worth suggesting.
const SIMILARITY_MIN: f64 = 0.6;

/// Returns the known name that is most similar to the one that was written.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name.to_owned())
}

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn listed(title: &str, names: &[String]) -> String {
    match names {
        [] => format!("{title}: none"),
        names => format!("{title}: {}", quoted(names)),
    }
}

fn agents(known: &[String]) -> String {
    match known {
        [] => "there are no agents".to_owned(),
        known => format!("there are {} agents: {}", known.len(), quoted(known)),
    }
}

fn chain(paths: &[KeyPath]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    paths.join(" -> ")
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown_key(nearest: Option<&str>) -> Problem {
        let origin = Origin { layer: "file.yaml".into(), line: Some(7) };
        let fault = Fault::UnknownKey {
            nearest: nearest.map(str::to_owned),
            known: vec!["model".to_owned()],
        };
        Problem::new(Some(origin), KeyPath::parse("agents.solver.modle").unwrap(), fault)
    }

    #[test]
    fn a_problem_names_file_line_path_and_nearest_name() {
        let problem = unknown_key(Some("model"));
        assert_eq!(
            problem.to_string(),
            "file.yaml:7: `agents.solver.modle`: unknown key; did you mean `model`?"
        );
    }

    #[test]
    fn problems_are_shown_one_a_line_and_advice_is_given_once() {
        let problems = Problems(vec![unknown_key(None), unknown_key(None)]);
        assert_eq!(problems.to_string().lines().count(), 2);
        assert_eq!(problems.hint().unwrap(), "known keys: `model`");
    }

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["model", "models", "environment"];
        assert_eq!(nearest("modle", known).unwrap(), "model");
        assert_eq!(nearest("Enviroment", known).unwrap(), "environment");
        assert_eq!(nearest("kind", known), None);
    }
}
