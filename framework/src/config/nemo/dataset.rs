//! NeMo Gym's datasets: what each must say, and what it becomes.

use std::path::{Path, PathBuf};

use super::{
    super::{
        key_path::KeyPath,
        problem::Oddity,
        tree::{Node, Value},
    },
    counterpart::says_nothing,
    includes::Search,
    instance::{Survey, is_count},
};

const TYPES: [&str; 4] = ["train", "validation", "example", "benchmark"];

const LICENSES: [&str; 10] = [
    "Apache 2.0",
    "MIT",
    "Creative Commons Attribution 4.0 International",
    "Creative Commons Attribution-ShareAlike 4.0 International",
    "TBD",
    "CC BY-SA 4.0",
    "CC BY-NC 3.0",
    "NVIDIA Internal Use Only, Do Not Distribute",
    "NVIDIA Evaluation Dataset License Agreement",
    "GNU General Public License v3.0",
];

/// Where a dataset can be had, and what such an entry must say.
const SOURCES: [(&str, &[&str]); 3] = [
    ("gitlab_identifier", &["dataset_name", "version", "artifact_fpath"]),
    ("huggingface_identifier", &["repo_id"]),
    ("source", &["type"]),
];

/// Notes every rule that a list of datasets breaks.
pub(super) fn review(datasets: &Node, path: &KeyPath, survey: &mut Survey<'_>) {
    let items = match &datasets.value {
        Value::List(items) => items.as_slice(),
        Value::Null => return,
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => &[],
        Value::Map(_) | Value::Broken => &[],
    };
    if !matches!(datasets.value, Value::List(_)) {
        survey.wrong(path.clone(), datasets, "a list of datasets");
    }
    for (index, dataset) in items.iter().enumerate() {
        review_one(dataset, &path.child(index), survey);
    }
}

fn review_one(dataset: &Node, path: &KeyPath, survey: &mut Survey<'_>) {
    if !dataset.is_map() {
        return survey.wrong(path.clone(), dataset, "a map");
    }
    for key in ["name", "jsonl_fpath"] {
        match dataset.get(key) {
            None => survey.missing(path, dataset, key),
            Some(node) if node.as_text().is_none() => {
                survey.wrong(path.child(key), node, "a string");
            }
            Some(_) => {}
        }
    }
    match dataset.get("type") {
        None => survey.missing(path, dataset, "type"),
        Some(node) => survey.word(path.child("type"), node, &TYPES),
    }
    if let Some(node) = dataset.get("num_repeats").filter(|node| is_wrong_count(node)) {
        survey.wrong(path.child("num_repeats"), node, "an integer of at least 1");
    }
    let license = dataset.get("license").filter(|node| !matches!(node.value, Value::Null));
    let needs_license = matches!(text_of(dataset, "type"), Some("train" | "validation"));
    match license {
        Some(node) => survey.word(path.child("license"), node, &LICENSES),
        None if needs_license => survey.missing(path, dataset, "license"),
        None => {}
    }
    let sources = SOURCES.iter().filter_map(|(key, needed)| Some((key, needed, dataset.get(key)?)));
    let sources: Vec<_> = sources.filter(|(_, _, node)| !says_nothing(node)).collect();
    for (key, needed, node) in &sources {
        let missing = needed.iter().filter(|needed| node.get(needed).is_none());
        missing.for_each(|needed| survey.missing(&path.child(key), node, needed));
        if **key == "source" && sources.len() > 1 {
            survey.flaw(path.child(key), node, "it cannot stand beside another identifier");
        }
        if let (true, Some(kind)) = (**key == "source", node.get("type")) {
            survey.word(path.child(key).child("type"), kind, &["gitlab", "huggingface"]);
        }
    }
}

fn is_wrong_count(node: &Node) -> bool {
    node.value != Value::Null && (!is_count(node) || node.value == Value::Integer(0))
}

fn text_of<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key)?.as_text()
}

/// What a dataset becomes, with what is odd about it: below its own path.
pub(super) struct Entry {
    pub node: Node,
    pub oddities: Vec<(KeyPath, Oddity)>,
}

/// Translates one dataset. `whole` is interpolated, in `kept` references to variables stand as written.
/// `None` if it says too little to be one.
pub(super) fn translate(
    whole: &Node,
    kept: &Node,
    search: &Search<'_>,
    named_in: Option<&Path>,
) -> Option<Entry> {
    let at = |key: &str| KeyPath::root().child(key);
    let mut node = Node { origin: kept.origin.clone(), ..Node::empty() };
    let mut oddities = Vec::new();
    let is_known = text_of(whole, "type").is_some_and(|kind| TYPES.contains(&kind));
    let has_repeats = whole.get("num_repeats").is_none_or(|node| !is_wrong_count(node));
    if !is_known || !has_repeats {
        return None;
    }
    node.put(&at("name"), kept.get("name")?.clone());
    let mut kind = kept.get("type")?.clone();
    if text_of(whole, "type") == Some("benchmark") {
        kind.set_text("validation");
    }
    node.put(&at("type"), kind);
    let (path, is_there) = located(text_of(whole, "jsonl_fpath")?, search, named_in);
    let mut shown = kept.get("jsonl_fpath")?.clone();
    if Some(path.as_str()) != text_of(whole, "jsonl_fpath") {
        shown.set_text(path.as_str());
    }
    node.put(&at("path"), shown);
    if let Some(repeats) = kept.get("num_repeats").filter(|node| node.value != Value::Null) {
        node.put(&at("repeats"), repeats.clone());
    }
    for (key, child) in whole.entries() {
        let reason = |text: &str| Some(text.to_owned());
        let oddity = match key.as_str() {
            "name" | "type" | "jsonl_fpath" | "num_repeats" => continue,
            "license" => Oddity::NotNeeded { reason: None },
            "gitlab_identifier" | "huggingface_identifier" | "source" if is_there => {
                Oddity::NotNeeded { reason: None }
            }
            "gitlab_identifier" | "huggingface_identifier" | "source" => match source(key, child) {
                Some(from) => Oddity::NotDownloaded { path: path.clone(), from },
                None => continue,
            },
            _ if says_nothing(child) => Oddity::NotNeeded { reason: None },
            "prepare_script" => {
                Oddity::NoCounterpart { reason: reason("run it yourself, before the file is read") }
            }
            "prompt_config" => Oddity::NoCounterpart {
                reason: reason("rows are read as they are; render prompts into them before"),
            },
            _ => Oddity::NoCounterpart { reason: None },
        };
        oddities.push((at(key), oddity));
    }
    Some(Entry { node, oddities })
}

/// Where the file is; as written if it is nowhere yet.
fn located(text: &str, search: &Search<'_>, named_in: Option<&Path>) -> (String, bool) {
    match search.find(&PathBuf::from(text), named_in) {
        Ok(path) => (path.display().to_string(), true),
        Err(_) => (text.to_owned(), false),
    }
}

/// Says in words where a file can be had.
fn source(key: &str, node: &Node) -> Option<String> {
    if says_nothing(node) {
        return None;
    }
    let get = |key| text_of(node, key).unwrap_or("?");
    let is_gitlab = key == "gitlab_identifier" || text_of(node, "type") == Some("gitlab");
    Some(if is_gitlab {
        let (file, name, version) = (get("artifact_fpath"), get("dataset_name"), get("version"));
        format!("`{file}` of the GitLab dataset `{name}`, version {version},")
    } else {
        let file = text_of(node, "artifact_fpath").map(|file| format!("`{file}` of "));
        format!("{}the Hugging Face dataset `{}`", file.unwrap_or_default(), get("repo_id"))
    })
}
