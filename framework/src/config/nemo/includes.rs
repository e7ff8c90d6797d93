//! The files that a configuration names: where they are found, and in which order they are laid over each other.
//!
//! What a file includes by `config_paths` lies below it, and of its includes the later lie above the earlier.
//! NeMo Gym's first version appends includes to the end of the list instead, where they win over what
//! includes them; where that makes a difference, a warning names the key.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use super::super::{
    interpolation::{Leave, Variables, interpolate},
    key_path::KeyPath,
    loader::{Layer, unreadable},
    problem::{Fault, Oddity, Origin, Problem, Warning},
    tree::{Node, Value},
};

/// The key that names files to include.
pub(super) const CONFIG_PATHS: &str = "config_paths";

/// Where files with relative paths are looked for.
pub(super) struct Search<'a> {
    /// The working directory.
    pub directory: Option<&'a Path>,
    /// The folders of `NEMO_GYM_EXTRA_ROOTS`.
    pub roots: Vec<PathBuf>,
}

impl Search<'_> {
    /// Finds a file: in the extra roots, in the working directory, or in a folder above the file that names
    /// it. The result is relative to the working directory if the parts that it is made of are.
    ///
    /// # Errors
    /// The folders that it is in none of.
    pub(super) fn find(
        &self,
        path: &Path,
        named_in: Option<&Path>,
    ) -> Result<PathBuf, Vec<String>> {
        let above = named_in.into_iter().flat_map(|file| file.ancestors().skip(1));
        let here = std::iter::once(Path::new(""));
        let folders = self.roots.iter().map(PathBuf::as_path).chain(here).chain(above);
        let mut tried: Vec<String> = Vec::new();
        for folder in folders {
            let candidate = folder.join(path);
            if self.opened(&candidate).is_file() {
                return Ok(candidate);
            }
            let shown = match folder.as_os_str().is_empty() {
                true => ".".to_owned(),
                false => folder.display().to_string(),
            };
            if !tried.contains(&shown) {
                tried.push(shown);
            }
            if path.is_absolute() {
                break;
            }
        }
        Err(tried)
    }

    fn opened(&self, path: &Path) -> PathBuf {
        match self.directory {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        }
    }
}

/// All files of a configuration.
pub(super) struct Includes<'a> {
    pub search: &'a Search<'a>,
    variables: &'a Variables,
    /// What paths may refer to: the secrets file and the command line, but no other file.
    settings: &'a Node,
    /// In the order in which they are laid over each other.
    pub layers: Vec<Layer>,
    /// The names of the layers that nothing includes.
    tops: Vec<String>,
    /// The names of those that each includes.
    children: BTreeMap<String, Vec<String>>,
    pub warnings: Vec<Warning>,
    pub problems: Vec<Problem>,
}

impl<'a> Includes<'a> {
    pub(super) fn new(
        search: &'a Search<'a>,
        variables: &'a Variables,
        settings: &'a Node,
    ) -> Self {
        Self {
            search,
            variables,
            settings,
            layers: Vec::new(),
            tops: Vec::new(),
            children: BTreeMap::new(),
            warnings: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Adds a layer that was named on its own.
    pub(super) fn add_top(&mut self, layer: Layer) {
        self.tops.push(layer.name.clone());
        self.add(layer);
    }

    /// Adds the files of a list that stands in no file that could include.
    pub(super) fn add_paths(&mut self, paths: Node) {
        for path in self.paths(paths) {
            if let Some(layer) = self.read(&path, None) {
                self.add_top(layer);
            }
        }
    }

    fn add(&mut self, mut layer: Layer) {
        if self.children.contains_key(&layer.name) {
            let oddity = Oddity::IncludedTwice { path: layer.name };
            self.warnings.push(Warning { origin: None, path: KeyPath::root(), oddity });
            return;
        }
        self.children.insert(layer.name.clone(), Vec::new());
        super::read_booleans(&mut layer);
        if let Some(paths) = layer.root.remove(&KeyPath::root().child(CONFIG_PATHS)) {
            for path in self.paths(paths) {
                if let Some(child) = self.read(&path, layer.file.as_deref()) {
                    self.children.entry(layer.name.clone()).or_default().push(child.name.clone());
                    self.add(child);
                }
            }
        }
        self.layers.push(layer);
    }

    /// The layers in the order of NeMo Gym's first version, unless that is the same.
    pub(super) fn first_order(&self) -> Option<Vec<&Layer>> {
        let mut names: Vec<&String> = Vec::new();
        let tops: Vec<&String> = self.tops.iter().collect();
        let mut queue = std::collections::VecDeque::from(tops);
        let mut seen = BTreeSet::new();
        while let Some(name) = queue.pop_front() {
            if seen.insert(name) {
                names.push(name);
                queue.extend(self.children.get(name).into_iter().flatten());
            }
        }
        let is_same = names.iter().copied().eq(self.layers.iter().map(|layer| &layer.name));
        let layer = |name: &&String| self.layers.iter().find(|layer| layer.name == **name);
        (!is_same).then(|| names.iter().filter_map(layer).collect())
    }

    /// Reads a list of paths, which may refer to the secrets file and the command line.
    fn paths(&mut self, node: Node) -> Vec<(PathBuf, Option<Origin>)> {
        let here = KeyPath::root().child(CONFIG_PATHS);
        let mut tree = self.settings.clone();
        tree.put(&here, node);
        let (resolved, problems) = interpolate(&tree, self.variables, Leave::Nothing);
        self.problems
            .extend(problems.into_iter().filter(|problem| problem.path.starts_with(&here)));
        let Some(node) = resolved.get(CONFIG_PATHS) else { return Vec::new() };
        if matches!(node.value, Value::Null | Value::Broken) {
            return Vec::new();
        }
        let items: Vec<&Node> = match &node.value {
            Value::List(items) => items.iter().collect(),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => vec![node],
            Value::Text(_) | Value::Map(_) | Value::Broken => vec![node],
        };
        let mut paths = Vec::new();
        for item in items {
            match item.as_text() {
                Some(text) if node.as_text().is_none() => {
                    paths.push((PathBuf::from(text), item.origin.clone()));
                }
                Some(_) | None => {
                    let expected = "a list of paths".to_owned();
                    let fault = Fault::WrongType { expected, found: item.description() };
                    self.problems.push(Problem::new(item.origin.clone(), here.clone(), fault));
                }
            }
        }
        paths
    }

    fn read(
        &mut self,
        (path, origin): &(PathBuf, Option<Origin>),
        named_in: Option<&Path>,
    ) -> Option<Layer> {
        let here = KeyPath::root().child(CONFIG_PATHS);
        let found = match self.search.find(path, named_in) {
            Ok(found) => found,
            Err(tried) => {
                let fault = Fault::NotFound { path: path.display().to_string(), tried };
                self.problems.push(Problem::new(origin.clone(), here, fault));
                return None;
            }
        };
        let read =
            || -> Result<String, io::Error> { fs::read_to_string(self.search.opened(&found)) };
        let name = found.display().to_string();
        let layer = match read() {
            Ok(text) => Layer::of_file(&name, found, &text),
            Err(error) => Err(vec![unreadable(&name, &error)]),
        };
        layer.map_err(|problems| self.problems.extend(problems)).ok()
    }
}
