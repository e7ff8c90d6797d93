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
    exposure::disclosures,
    interpolation::{Leave, Variables, interpolate},
    key_path::KeyPath,
    layers::Layers,
    nemo::{self, Override, Vocabulary},
    outside,
    problem::{Fault, Oddity, Origin, Problem, Problems, Warning},
    schema::{SECTIONS, Sections},
    strict,
    tree::{Exposure, Node, Value},
    yaml,
};
use crate::kinds::Kinds;

/// The file of secrets in the working directory. A file of that name is one wherever it is.
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

    /// Adds a YAML file; a relative path starts at the working directory. Unless it is called `env.yaml`, no
    /// secret may be written out in it.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.documents.push(Document::File(path.into()));
        self
    }

    /// Adds a YAML text, which problems call `name`. No secret may be written out in it.
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
    ///
    /// They need not be those of the process, and may come by and by. So a program gives what it fetched from
    /// a vault:
    ///
    /// ```
    /// # use framework::config::Loader;
    /// # let fetched = String::from("sk-of-the-vault");
    /// let yaml = "models: { policy: { kind: openai, settings: { api_key: '${env:POLICY_KEY}' } } }";
    /// let loader = Loader::new().text("mine", yaml).environment(std::env::vars());
    /// let key = ("POLICY_KEY".to_owned(), fetched);
    /// let config = loader.environment(std::iter::once(key)).load()?;
    /// # Ok::<(), framework::config::Problems>(())
    /// ```
    pub fn environment(mut self, variables: impl Iterator<Item = (String, String)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// Adds an assignment such as `collect.repeats=4`, as `--set` takes it. No secret may be written out in
    /// it, nor in an override: on a command line others read it.
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
        let Stack { layers, disclosed, warnings, notes, .. } = self.stack()?;
        self.read(&layers.tree(), disclosed, (warnings, notes))
    }

    /// Merges the layers and prints what they come to, before interpolation: the translation, if they are a
    /// configuration of NeMo Gym's.
    ///
    /// # Errors
    /// All problems of all layers.
    pub fn translate(self) -> Result<Translation, Problems> {
        let Stack { layers, disclosed, mut warnings, notes, .. } = self.stack()?;
        warnings.extend(disclosed.into_iter().map(|Problem { origin, path, .. }| Warning {
            origin,
            path,
            oddity: Oddity::LiteralSecret,
        }));
        let mut tree = layers.tree();
        if let Some(vocabulary) = &self.vocabulary {
            outside::settle_written(&mut tree, &self.variables, vocabulary);
        }
        let yaml = nemo::print(tree, SECRETS_FILE, &warnings, &notes);
        Ok(Translation { yaml, warnings, notes })
    }

    fn stack(&self) -> Result<Stack, Problems> {
        let mut stack = Stack::default();
        let documents = self.documents.iter();
        let layers = documents.filter_map(|document| stack.taken(self.layer(document))).collect();
        let secrets = self.secrets_layer().and_then(|layer| stack.taken(layer));
        let assignments = self.assignments(&mut stack);
        let overrides = self.overrides.iter().map(|text| Override::parse(text));
        let mut overrides: Vec<_> = overrides.filter_map(|it| stack.taken(it)).collect();
        stack.disclosed.extend(overrides.iter_mut().flat_map(Override::disclosures));
        let all = self.translated(&mut stack, (layers, secrets, assignments, overrides));
        let (layers, secrets, assignments, overrides) = all;
        layers.into_iter().chain(secrets).for_each(|layer| stack.add(layer));
        assignments.into_iter().for_each(|assignment| stack.assign(assignment));
        stack.problems.extend(nemo::apply(&overrides, &mut stack.layers));
        if stack.problems.is_empty() {
            return Ok(stack);
        }
        stack.problems.extend(stack.disclosed);
        Err(Problems(stack.problems))
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
        stack.disclosed.extend(reading.disclosed);
        stack.warnings.extend(reading.warnings);
        stack.notes.extend(reading.notes);
        let (disclosed, warnings) = (Vec::new(), Vec::new());
        let name = String::new();
        stack.add(Layer { name, file: None, root: reading.tree, disclosed, warnings });
        (reading.layers, None, reading.assignments, reading.overrides)
    }

    fn layer(&self, document: &Document) -> Result<Layer, Vec<Problem>> {
        match document {
            Document::Text { name, yaml } => Layer::parse(name, None, yaml, Exposure::Shared),
            Document::File(path) => {
                let name = path.display().to_string();
                match fs::read_to_string(self.located(path)) {
                    Ok(yaml) => Layer::of_file(&name, path.clone(), &yaml),
                    Err(error) => Err(vec![unreadable(&name, &error)]),
                }
            }
        }
    }

    fn secrets_layer(&self) -> Option<Result<Layer, Vec<Problem>>> {
        match fs::read_to_string(self.directory.as_ref()?.join(SECRETS_FILE)) {
            Ok(yaml) => Some(Layer::parse(SECRETS_FILE, None, &yaml, Exposure::Private)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(vec![unreadable(SECRETS_FILE, &error)])),
        }
    }

    fn assignments(&self, stack: &mut Stack) -> Vec<Assignment> {
        let variables = self.variables.iter();
        let of_variables = variables.filter_map(|(name, text)| assignment::of_variable(name, text));
        let of_arguments = self.assignments.iter().map(|text| assignment::of_argument(text));
        let assignments = of_variables.chain(of_arguments);
        let mut assignments: Vec<_> = assignments.filter_map(|it| stack.taken(it)).collect();
        for Assignment { path, value, .. } in &mut assignments {
            stack.disclosed.extend(disclosures(value, path, &Fault::LiteralSecret));
        }
        assignments
    }

    fn located(&self, path: &Path) -> PathBuf {
        match &self.directory {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        }
    }

    fn read(
        self,
        tree: &Node,
        mut problems: Vec<Problem>,
        odd: (Vec<Warning>, Vec<Warning>),
    ) -> Result<Config, Problems> {
        let (mut resolved, found) = interpolate(tree, &self.variables, Leave::Nothing);
        problems.extend(found);
        problems.extend(disclosures(&mut resolved, &KeyPath::root(), &Fault::DisclosedReference));
        if let Some(vocabulary) = &self.vocabulary {
            outside::settle(&mut resolved, vocabulary);
        }
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
    /// The secrets that are written out.
    disclosed: Vec<Problem>,
    warnings: Vec<Warning>,
    notes: Vec<Warning>,
}

impl Stack {
    fn add(&mut self, layer: Layer) {
        self.disclosed.extend(layer.disclosed);
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
    /// The secrets that are written out in it.
    pub disclosed: Vec<Problem>,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
}

impl Layer {
    /// Parses a file, which is for everyone to see unless its name says otherwise.
    pub(super) fn of_file(name: &str, file: PathBuf, text: &str) -> Result<Self, Vec<Problem>> {
        let is_secret = file.file_name().is_some_and(|name| name == SECRETS_FILE);
        let exposure = if is_secret { Exposure::Private } else { Exposure::Shared };
        Self::parse(name, Some(file), text, exposure)
    }

    /// Parses a text.
    fn parse(
        name: &str,
        file: Option<PathBuf>,
        text: &str,
        exposure: Exposure,
    ) -> Result<Self, Vec<Problem>> {
        let yaml::Document { mut root, warnings } = yaml::parse(name, text)?;
        root.expose(exposure);
        let disclosed = disclosures(&mut root, &KeyPath::root(), &Fault::LiteralSecret);
        Ok(Self { name: name.to_owned(), file, root, disclosed, warnings })
    }
}

/// Says that a file cannot be read.
pub(super) fn unreadable(name: &str, error: &io::Error) -> Problem {
    let origin = Origin { layer: name.into(), line: None };
    Problem::new(Some(origin), KeyPath::root(), Fault::Unreadable { reason: error.to_string() })
}

/// Takes the variables out: the keys at the top that are written as scalars and are no sections.
pub(super) fn split_variables(resolved: Node, written: &Node) -> (Node, BTreeMap<String, Node>) {
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
