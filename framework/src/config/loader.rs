//! Gathers the layers and makes a configuration of them.
//!
//! Nothing is read that was not named: no working directory, no environment. So tests need no cleaning up.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Config,
    assignment::{self, Assignment},
    interpolation::{Leave, Variables, interpolate},
    key_path::KeyPath,
    layers::Layers,
    nemo::{self, Override, Vocabulary},
    problem::{Fault, Oddity, Origin, Problem, Problems, Warning},
    schema::{SECTIONS, Sections},
    secret, strict,
    tree::{Node, Secrecy, Value},
    yaml,
};
use crate::kinds::Kinds;

/// The file of secrets in the working directory.
const SECRETS_FILE: &str = "env.yaml";

/// Gathers layers; later ones win.
///
/// | Layer | From | Order |
/// |---|---|---|
/// | defaults | the code | lowest |
/// | [`file`](Self::file), [`text`](Self::text) | `--config` | as called |
/// | `env.yaml` | [`working_directory`](Self::working_directory) | |
/// | `REHEARSAL__A__B=…` | [`environment`](Self::environment) | by name |
/// | `a.b=…` | [`set`](Self::set) | as called |
/// | `+a.b=…`, `++a.b=…`, `~a.b` | [`overriding`](Self::overriding) | as called |
///
/// A configuration of NeMo Gym's among them is translated, if the [`kinds`](Self::kinds) are known; it lies
/// below everything else.
#[derive(Clone, Debug, Default)]
pub struct Loader {
    documents: Vec<Document>,
    directory: Option<PathBuf>,
    variables: Variables,
    assignments: Vec<String>,
    overrides: Vec<String>,
    vocabulary: Option<Vocabulary>,
}

/// A configuration of NeMo Gym's in our language.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The text, as a file may hold it: without any secret, and with what is left out in comments.
    pub yaml: String,
    /// What is lost or odd.
    pub warnings: Vec<Warning>,
    /// What is left out and loses nothing.
    pub notes: Vec<Warning>,
}
#[derive(Clone, Debug)]
enum Document {
    File(PathBuf),
    Text { name: String, yaml: String },
}

impl Loader {
    /// Creates a loader without layers: it loads the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a YAML file; a relative path starts at the working directory.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.documents.push(Document::File(path.into()));
        self
    }

    /// Adds a YAML text, which problems call `name`.
    pub fn text(mut self, name: impl Into<String>, yaml: &str) -> Self {
        self.documents.push(Document::Text { name: name.into(), yaml: yaml.to_owned() });
        self
    }

    /// Names the directory that relative paths start at, and whose `env.yaml` is a layer if it exists.
    pub fn working_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Adds environment variables: `REHEARSAL__A__B` is a layer, all of them are there for `${env:…}`.
    pub fn environment(mut self, variables: impl Iterator<Item = (String, String)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// Adds an assignment such as `collect.repeats=4`, as `--set` takes it.
    pub fn set(mut self, assignment: impl Into<String>) -> Self {
        self.assignments.push(assignment.into());
        self
    }

    /// Adds an override as Hydra has it, such as `+a.b=4`, `++a.b=4`, `a.b=4` or `~a.b`.
    pub fn overriding(mut self, argument: impl Into<String>) -> Self {
        self.overrides.push(argument.into());
        self
    }

    /// Names the kinds that configurations of NeMo Gym's are translated to.
    pub fn kinds(mut self, kinds: &Kinds) -> Self {
        self.vocabulary = Some(kinds.vocabulary());
        self
    }

    /// Merges the layers, interpolates, and reads the result by its types.
    ///
    /// # Errors
    /// All problems of all layers; problems of types only if every layer could be parsed.
    pub fn load(self) -> Result<Config, Problems> {
        let stack = self.stack()?;
        self.read(&stack.layers.tree(), (stack.warnings, stack.notes))
    }

    /// Merges the layers and prints what they come to, before interpolation: the translation, if they are a
    /// configuration of NeMo Gym's.
    ///
    /// # Errors
    /// All problems of all layers.
    pub fn translate(self) -> Result<Translation, Problems> {
        let Stack { layers, warnings, notes, .. } = self.stack()?;
        let yaml = nemo::print(layers.tree(), SECRETS_FILE, &warnings, &notes);
        Ok(Translation { yaml, warnings, notes })
    }

    fn stack(&self) -> Result<Stack, Problems> {
        let mut stack = Stack::default();
        let documents = self.documents.iter();
        let layers = documents.filter_map(|document| stack.taken(self.layer(document))).collect();
        let secrets = self.secrets_layer().and_then(|layer| stack.taken(layer));
        let assignments = self.assignments(&mut stack);
        let overrides = self.overrides.iter().map(|text| Override::parse(text));
        let overrides = overrides.filter_map(|it| stack.taken(it)).collect();
        let all = self.translated(&mut stack, (layers, secrets, assignments, overrides));
        let (layers, secrets, assignments, overrides) = all;
        layers.into_iter().chain(secrets).for_each(|layer| stack.add(layer));
        assignments.into_iter().for_each(|assignment| stack.assign(assignment));
        stack.problems.extend(nemo::apply(&overrides, &mut stack.layers));
        if stack.problems.is_empty() { Ok(stack) } else { Err(Problems(stack.problems)) }
    }

    /// Translates what is a configuration of NeMo Gym's; what is left lies over it.
    fn translated(&self, stack: &mut Stack, all: Parts) -> Parts {
        let (layers, mut secrets, assignments, overrides) = all;
        // The secrets file may name files, but only if nothing else does.
        let named = secrets.iter().filter(|_| layers.is_empty());
        let spoken = || layers.iter().chain(named.clone());
        if !nemo::is_spoken(spoken(), &overrides) {
            secrets.iter_mut().for_each(nemo::set_aside);
            return (layers, secrets, assignments, overrides);
        }
        let Some(vocabulary) = &self.vocabulary else {
            let origin = nemo::first_origin(spoken());
            stack.problems.push(Problem::new(origin, KeyPath::root(), Fault::NoVocabulary));
            return Parts::default();
        };
        let (variables, directory) = (&self.variables, self.directory.as_deref());
        let request = nemo::Request {
            layers,
            secrets,
            assignments,
            overrides,
            variables,
            directory,
            vocabulary,
        };
        let reading = nemo::read(request);
        let Some(reading) = stack.taken(reading) else { return Parts::default() };
        stack.warnings.extend(reading.warnings);
        stack.notes.extend(reading.notes);
        let warnings = Vec::new();
        stack.add(Layer { name: String::new(), file: None, root: reading.tree, warnings });
        (reading.layers, None, reading.assignments, reading.overrides)
    }

    fn layer(&self, document: &Document) -> Result<Layer, Vec<Problem>> {
        match document {
            Document::Text { name, yaml } => Layer::parse(name, None, yaml),
            Document::File(path) => {
                let name = path.display().to_string();
                match fs::read_to_string(self.located(path)) {
                    Ok(yaml) => Layer::parse(&name, Some(path.clone()), &yaml),
                    Err(error) => Err(vec![unreadable(&name, &error)]),
                }
            }
        }
    }

    fn secrets_layer(&self) -> Option<Result<Layer, Vec<Problem>>> {
        match fs::read_to_string(self.directory.as_ref()?.join(SECRETS_FILE)) {
            Ok(yaml) => Some(Layer::parse(SECRETS_FILE, None, &yaml)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(vec![unreadable(SECRETS_FILE, &error)])),
        }
    }

    fn assignments(&self, stack: &mut Stack) -> Vec<Assignment> {
        let variables = self.variables.iter();
        let of_variables = variables.filter_map(|(name, text)| assignment::of_variable(name, text));
        let of_arguments = self.assignments.iter().map(|text| assignment::of_argument(text));
        of_variables.chain(of_arguments).filter_map(|it| stack.taken(it)).collect()
    }

    fn located(&self, path: &Path) -> PathBuf {
        match &self.directory {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        }
    }

    fn read(self, tree: &Node, odd: (Vec<Warning>, Vec<Warning>)) -> Result<Config, Problems> {
        let (resolved, mut problems) = interpolate(tree, &self.variables, Leave::Nothing);
        let (sections, variables) = split_variables(resolved, tree);
        match strict::read::<Sections>(&sections, &KeyPath::root()) {
            Ok(typed) if problems.is_empty() => {
                Ok(Config::new(typed, sections, variables, odd, self.directory))
            }
            Ok(_) => Err(Problems(problems)),
            Err(found) => {
                problems.extend(found);
                Err(Problems(problems))
            }
        }
    }
}

/// Everything that is laid over each other: files, `env.yaml`, assignments, overrides.
type Parts = (Vec<Layer>, Option<Layer>, Vec<Assignment>, Vec<Override>);

/// The layers so far with what was wrong or odd about them.
#[derive(Default)]
struct Stack {
    layers: Layers,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
    notes: Vec<Warning>,
}

impl Stack {
    fn add(&mut self, layer: Layer) {
        self.warnings.extend(layer.warnings);
        if let Err(error) = self.layers.add(&layer.root) {
            let origin = Origin { layer: layer.name.into(), line: None };
            let fault = Fault::Syntax { reason: error.to_string() };
            self.problems.push(Problem::new(Some(origin), KeyPath::root(), fault));
        }
    }

    fn assign(&mut self, assignment: Assignment) {
        let Assignment { path, value, case } = assignment;
        let origin = value.origin.clone();
        if let Err(fault) = self.layers.assign(&path, value, case) {
            self.problems.push(Problem::new(origin, path, fault));
        }
    }

    /// Keeps the problems of what cannot be read.
    fn taken<T>(&mut self, result: Result<T, Vec<Problem>>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems)).ok()
    }
}

/// One parsed file or text.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// What problems call it.
    pub name: String,
    /// The file, from the working directory.
    pub file: Option<PathBuf>,
    /// The map at the top.
    pub root: Node,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
}

impl Layer {
    /// Parses a text. One that comes from a file is one for everyone to see.
    pub(super) fn parse(
        name: &str,
        file: Option<PathBuf>,
        text: &str,
    ) -> Result<Self, Vec<Problem>> {
        let yaml::Document { root, mut warnings } = yaml::parse(name, text)?;
        if file.is_some() {
            literal_secrets(&root, &KeyPath::root(), Secrecy::Open, &mut warnings);
        }
        Ok(Self { name: name.to_owned(), file, root, warnings })
    }
}

/// Warns of keys, tokens and passwords that are written out. Headers are secret only by their own names.
fn literal_secrets(node: &Node, path: &KeyPath, secrecy: Secrecy, warnings: &mut Vec<Warning>) {
    match (&node.value, secrecy) {
        (Value::Map(entries), _) => {
            for (key, child) in entries {
                let secrecy = match secret::holds_headers(key) {
                    true => Secrecy::Open,
                    false => Secrecy::of_name(key),
                };
                literal_secrets(child, &path.child(key), secrecy, warnings);
            }
        }
        (Value::List(items), _) => {
            for (index, item) in items.iter().enumerate() {
                literal_secrets(item, &path.child(index), secrecy, warnings);
            }
        }
        (Value::Text(text), Secrecy::Secret) if !text.is_empty() && !text.contains("${") => {
            let (origin, path) = (node.origin.clone(), path.clone());
            warnings.push(Warning { origin, path, oddity: Oddity::LiteralSecret });
        }
        (Value::Integer(_) | Value::Float(_), Secrecy::Secret) => {
            let (origin, path) = (node.origin.clone(), path.clone());
            warnings.push(Warning { origin, path, oddity: Oddity::LiteralSecret });
        }
        (Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_), _) => {}
        (Value::Text(_) | Value::Broken, _) => {}
    }
}

/// Says that a file cannot be read.
pub(super) fn unreadable(name: &str, error: &io::Error) -> Problem {
    let origin = Origin { layer: name.into(), line: None };
    Problem::new(Some(origin), KeyPath::root(), Fault::Unreadable { reason: error.to_string() })
}

/// Takes the variables out: the keys at the top that are written as scalars and are no sections.
fn split_variables(resolved: Node, written: &Node) -> (Node, BTreeMap<String, Node>) {
    let Value::Map(entries) = resolved.value else {
        return (resolved, BTreeMap::new());
    };
    let is_variable = |key: &str| {
        let is_scalar = written
            .get(key)
            .is_some_and(|node| !matches!(node.value, Value::Map(_) | Value::List(_)));
        is_scalar && !SECTIONS.contains(&key)
    };
    let (variables, sections) = entries.into_iter().partition(|(key, _)| is_variable(key));
    (Node { value: Value::Map(sections), ..resolved }, variables)
}

#[cfg(test)]
mod tests;
