//! NeMo Gym's configurations, read as they are and translated.
//!
//! | Step | What happens |
//! |---|---|
//! | 1 | files with all that they include are merged (`includes`), then `env.yaml`, then overrides |
//! | 2 | `_inherit_from`, `_copy` and `_delete_key` are carried out (`inheritance`) |
//! | 3 | `${…}` is resolved but for references to variables, which go on to be variables |
//! | 4 | servers are checked by NeMo Gym's own rules (`instance`, `dataset`) |
//! | 5 | servers become components, by the tables of those who register kinds (`translation`) |
//!
//! The result is the lowest layer of a configuration of ours: whatever else there is lies over it. What has
//! no counterpart is listed with its place, in the warnings if something is lost by it.

use std::path::Path;

use super::{
    assignment::Assignment,
    interpolation::{Leave, Variables, interpolate},
    key_path::KeyPath,
    layers::Layers,
    loader::Layer,
    problem::{Fault, Oddity, Origin, Problem, Warning},
    schema::SECTIONS,
    tree::{Node, Value},
};

mod component;
mod counterpart;
mod dataset;
mod flat;
mod includes;
mod inheritance;
mod instance;
mod overrides;
mod printout;
mod translation;
mod value;

pub use counterpart::{Counterpart, Fate, Server, Vocabulary};
pub(super) use overrides::{Override, apply};
pub(super) use printout::print;
pub(super) use value::read_value;

use includes::{CONFIG_PATHS, Includes, Search};
use translation::Translated;

/// A value that has to be given.
const MISSING: &str = "???";
/// Folders in which files are looked for before the working directory, as in `PATH`.
const EXTRA_ROOTS: &str = "NEMO_GYM_EXTRA_ROOTS";
/// So many keys are named over which the order of includes decides.
const DISPUTED_MAX: usize = 20;

/// All that a configuration of NeMo Gym's is made of.
pub(super) struct Request<'a> {
    /// The files, in order.
    pub layers: Vec<Layer>,
    /// `env.yaml`.
    pub secrets: Option<Layer>,
    /// From environment variables and `--set`.
    pub assignments: Vec<Assignment>,
    pub overrides: Vec<Override>,
    pub variables: &'a Variables,
    pub directory: Option<&'a Path>,
    pub vocabulary: &'a Vocabulary,
}

/// The lowest layer, and what lies over it.
pub(super) struct Reading {
    /// The translation.
    pub tree: Node,
    /// The sections of ours that stood in the same files.
    pub layers: Vec<Layer>,
    pub assignments: Vec<Assignment>,
    pub overrides: Vec<Override>,
    /// The secrets that are written out.
    pub disclosed: Vec<Problem>,
    pub warnings: Vec<Warning>,
    pub notes: Vec<Warning>,
}

/// Whether this is a configuration of NeMo Gym's: a file has servers or includes, or the command line
/// names files to include.
pub(super) fn is_spoken<'a>(
    layers: impl Iterator<Item = &'a Layer>,
    overrides: &[Override],
) -> bool {
    let mut layers = layers;
    layers.any(|layer| speaks(&layer.root)) || names_files(overrides)
}

fn names_files(overrides: &[Override]) -> bool {
    overrides.iter().any(|it| it.path == KeyPath::root().child(CONFIG_PATHS))
}

/// Where the first file speaks NeMo Gym's language.
pub(super) fn first_origin<'a>(mut layers: impl Iterator<Item = &'a Layer>) -> Option<Origin> {
    let layer = layers.find(|layer| speaks(&layer.root))?;
    Some(Origin { layer: layer.name.as_str().into(), line: None })
}

/// Sets aside what the secrets file says to servers, where there are none.
pub(super) fn set_aside(layer: &mut Layer) {
    let speaks = |(key, node): &(&String, &Node)| *key == CONFIG_PATHS || instance::is_entry(node);
    let keys: Vec<String> =
        layer.root.entries().filter(speaks).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let path = KeyPath::root().child(key);
        let origin = layer.root.origin_of(&path);
        layer.root.remove(&path);
        let reason = Some("no configuration of NeMo Gym's is read".to_owned());
        layer.warnings.push(Warning { origin, path, oddity: Oddity::NotNeeded { reason } });
    }
}

fn speaks(root: &Node) -> bool {
    root.entries().any(|(key, node)| key == CONFIG_PATHS || instance::is_entry(node))
}

/// Reads and translates.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn read(request: Request<'_>) -> Result<Reading, Vec<Problem>> {
    let Request { layers, secrets, assignments, overrides, variables, directory, vocabulary } =
        request;
    let roots = variables.get(EXTRA_ROOTS).map(|roots| std::env::split_paths(roots).collect());
    let search = Search { directory, roots: roots.unwrap_or_default() };
    let is_ours = |path: &KeyPath| {
        SECTIONS.iter().any(|section| {
            path.segments().first().is_some_and(|first| first.eq_ignore_ascii_case(section))
        })
    };
    let (ours, assignments) = assignments.into_iter().partition(|it| is_ours(&it.path));
    let (our_overrides, overrides): (Vec<_>, Vec<_>) =
        overrides.into_iter().partition(|it| is_ours(&it.path));
    let mut above = Above { secrets, assignments, overrides };
    above.secrets.iter_mut().for_each(read_booleans);

    let mut settings = Layers::default();
    // Problems are found where everything is merged.
    let _ = above.lay(&mut settings);
    let settings = settings.tree();
    let mut includes = Includes::new(&search, variables, &settings);
    // Files that are named one by one stand for the list of the command line, which wins over that of
    // the secrets file.
    let is_listed = layers.is_empty() || names_files(&above.overrides);
    layers.into_iter().for_each(|layer| includes.add_top(layer));
    if let Some(paths) = settings.get(CONFIG_PATHS).filter(|_| is_listed) {
        includes.add_paths(paths.clone());
    }

    let translated = translated(&mut includes, &above, variables, vocabulary);
    let (mut layers, mut disclosed) = (includes.layers, Vec::new());
    layers.extend(above.secrets);
    layers.iter_mut().for_each(|layer| disclosed.append(&mut layer.disclosed));
    let Translated { tree, mut warnings, notes } = match translated {
        Ok(translated) => translated,
        Err(problems) => return Err(problems.into_iter().chain(disclosed).collect()),
    };
    layers.iter_mut().for_each(|layer| {
        layer.root = sections(&layer.root);
        warnings.append(&mut layer.warnings);
    });
    let (assignments, overrides) = (ours, our_overrides);
    Ok(Reading { tree, layers, assignments, overrides, disclosed, warnings, notes })
}

/// Merges everything, resolves it and translates it.
fn translated(
    includes: &mut Includes<'_>,
    above: &Above,
    variables: &Variables,
    vocabulary: &Vocabulary,
) -> Result<Translated, Vec<Problem>> {
    let mut problems = std::mem::take(&mut includes.problems);
    let mut warnings = std::mem::take(&mut includes.warnings);
    let mut merged = Layers::default();
    lay_all(includes.layers.iter(), &mut merged, &mut problems);
    problems.extend(above.lay(&mut merged));
    let mut tree = merged.tree();
    warnings.extend(disputes(includes, above, &tree));
    tree.remove(&KeyPath::root().child(CONFIG_PATHS));

    let (tree, found) = inheritance::carry_out(&tree);
    problems.extend(found);
    missing(&tree, &KeyPath::root(), &mut problems);
    let (whole, found) = interpolate(&tree, variables, Leave::Unknown);
    problems.extend(found);
    let mut names = translation::variables(&whole);
    names.retain(|name| !above.wins(name, &tree));
    let (kept, _) = interpolate(&tree, variables, Leave::Variables(&names));
    match translation::translate(&whole, &kept, vocabulary, includes.search) {
        Ok(mut translation) if problems.is_empty() => {
            translation.warnings.splice(..0, warnings);
            Ok(translation)
        }
        Ok(_) => Err(problems),
        Err(found) => {
            problems.extend(found);
            Err(problems)
        }
    }
}

/// What lies over all files.
struct Above {
    secrets: Option<Layer>,
    assignments: Vec<Assignment>,
    overrides: Vec<Override>,
}

impl Above {
    /// Whether the command line says another value of a variable than the secrets file. To refer to it would
    /// be to refer to that file, once the translation is a file of its own.
    fn wins(&self, name: &str, tree: &Node) -> bool {
        let below = self.secrets.as_ref().and_then(|layer| layer.root.get(name));
        below.is_some() && below.map(|node| &node.value) != tree.get(name).map(|node| &node.value)
    }

    fn lay(&self, layers: &mut Layers) -> Vec<Problem> {
        let mut problems = Vec::new();
        lay_all(self.secrets.iter(), layers, &mut problems);
        for Assignment { path, value, case } in &self.assignments {
            if let Err(fault) = layers.assign(path, value.clone(), *case) {
                problems.push(Problem::new(value.origin.clone(), path.clone(), fault));
            }
        }
        problems.extend(overrides::apply(&self.overrides, layers));
        problems
    }
}

fn lay_all<'a>(
    all: impl Iterator<Item = &'a Layer>,
    layers: &mut Layers,
    problems: &mut Vec<Problem>,
) {
    for layer in all {
        if let Err(error) = layers.add(&foreign(&layer.root)) {
            let origin = Origin { layer: layer.name.as_str().into(), line: None };
            let fault = Fault::Syntax { reason: error.to_string() };
            problems.push(Problem::new(Some(origin), KeyPath::root(), fault));
        }
    }
}

/// The sections of ours in a file.
fn sections(root: &Node) -> Node {
    filtered(root, is_section)
}

/// What is not.
fn foreign(root: &Node) -> Node {
    filtered(root, |key, node| !is_section(key, node))
}

fn is_section(key: &str, node: &Node) -> bool {
    SECTIONS.contains(&key) && !instance::is_entry(node)
}

fn filtered(root: &Node, is_wanted: impl Fn(&str, &Node) -> bool) -> Node {
    let wanted = root.entries().filter(|(key, node)| is_wanted(key, node));
    let entries = wanted.map(|(key, node)| (key.clone(), node.clone())).collect();
    Node { value: Value::Map(entries), ..root.clone() }
}

/// Reports every `???`.
fn missing(node: &Node, path: &KeyPath, problems: &mut Vec<Problem>) {
    if node.as_text() == Some(MISSING) {
        problems.push(Problem::new(node.origin.clone(), path.clone(), Fault::MandatoryValue));
    }
    match &node.value {
        Value::List(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| missing(item, &path.child(index), problems));
        }
        Value::Map(entries) => {
            entries.iter().for_each(|(key, child)| missing(child, &path.child(key), problems));
        }
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {}
        Value::Text(_) | Value::Broken => {}
    }
}

/// The keys over which the order of includes decides.
fn disputes(includes: &Includes<'_>, above: &Above, tree: &Node) -> Vec<Warning> {
    let Some(order) = includes.first_order() else { return Vec::new() };
    let mut layers = Layers::default();
    lay_all(order.into_iter(), &mut layers, &mut Vec::new());
    let _ = above.lay(&mut layers);
    let mut warnings = Vec::new();
    differences(tree, &layers.tree(), &KeyPath::root(), &mut warnings);
    warnings.truncate(DISPUTED_MAX);
    warnings
}

fn differences(ours: &Node, first: &Node, path: &KeyPath, warnings: &mut Vec<Warning>) {
    if ours.is_map() && first.is_map() {
        for (key, child) in ours.entries() {
            if let Some(other) = first.get(key) {
                differences(child, other, &path.child(key), warnings);
            }
        }
    } else if ours.to_json() != first.to_json() {
        let shown = |node: &Node| node.origin.as_ref().map(Origin::to_string).unwrap_or_default();
        let oddity = Oddity::IncludeOrder { winner: shown(ours), loser: shown(first) };
        warnings.push(Warning { origin: None, path: path.clone(), oddity });
    }
}

/// Reads the words as booleans that YAML 1.1, and so NeMo Gym, takes for such; in our sections they are texts.
fn read_booleans(layer: &mut Layer) {
    let Layer { root, warnings, .. } = layer;
    warnings.retain(|Warning { path, oddity, .. }| {
        let first = path.segments().first().map(String::as_str).unwrap_or_default();
        let is_ours = root.get(first).is_some_and(|node| is_section(first, node));
        let Oddity::Yaml11Boolean { word } = oddity else { return true };
        if let (false, Some(node)) = (is_ours, root.at_mut(path)) {
            node.value = Value::Boolean(["yes", "on"].contains(&word.to_lowercase().as_str()));
        }
        is_ours
    });
}
