//! Secrets that are written out where others read them: in a configuration file, or on a command line, which
//! `ps` and the shell's history show.
//!
//! Keys come from the environment or from `env.yaml`, and from nowhere else. So the layers are looked through
//! one by one, what they say wins or not, and then the whole, where a secret may refer to what is no secret by
//! its name. What is found is refused, by its place and never by its text.
//!
//! | Written under a secret name, or as a header | In a file, text, `--set` or override |
//! |---|---|
//! | `sk-…`, `Bearer sk-…`, a number | refused |
//! | `${env:NAME}`, `${name}`, `Bearer ${name}` | fine, if what it refers to is |
//! | `${env:NAME,sk-…}` | refused: the default is written out |
//! | an empty text, null, a placeholder such as `EMPTY` | fine |
//! | a header that carries no credentials | fine |
//! | `http://user:password@host`, under any name | refused |

use super::{
    interpolation::{Part, default_of, split},
    key_path::KeyPath,
    problem::{Fault, Problem},
    secret::{
        has_scheme, holds_headers, holds_url_credentials, is_placeholder, is_secret_header,
        is_secret_name,
    },
    tree::{Exposure, Node, Value},
};

/// What stands below these keys are the words of a scripted model, and the names in a JSON schema.
const WORDS: [&str; 2] = ["arguments", "properties"];

/// Finds the secrets that are written out in a value; `fault` says what is wrong with them. None is found
/// twice, whoever refers to it.
pub(super) fn disclosures(node: &mut Node, path: &KeyPath, fault: &Fault) -> Vec<Problem> {
    let mut search = Search { fault, found: Vec::new() };
    search.node(node, path, place_of(path));
    search.found
}

/// Whether a value that is read as a secret is written out, whatever its key is called.
pub(super) fn is_disclosed(node: &Node, path: &KeyPath) -> bool {
    let place = match place_of(path) {
        Place::Header => Place::Header,
        Place::Open | Place::Secret | Place::Words => Place::Secret,
    };
    let is_text = node.as_text().is_some_and(|text| discloses(text, place));
    is_text && node.exposure == Exposure::Shared
}

fn place_of(path: &KeyPath) -> Place {
    path.segments().iter().fold(Place::Open, |place, key| place.below(key))
}

/// What the keys above a value say about it.
#[derive(Clone, Copy)]
enum Place {
    Open,
    Secret,
    /// A header that is not secret by its name.
    Header,
    /// Whatever its keys are, they are no settings.
    Words,
}

impl Place {
    fn below(self, key: &str) -> Self {
        match self {
            Self::Secret | Self::Words => self,
            Self::Header if is_secret_header(key) => Self::Secret,
            Self::Header => self,
            Self::Open if WORDS.contains(&key) => Self::Words,
            Self::Open if holds_headers(key) => Self::Header,
            Self::Open if is_secret_name(key) => Self::Secret,
            Self::Open => self,
        }
    }
}

struct Search<'a> {
    fault: &'a Fault,
    found: Vec<Problem>,
}

impl Search<'_> {
    fn node(&mut self, node: &mut Node, path: &KeyPath, place: Place) {
        let is_disclosed = match &mut node.value {
            Value::Map(entries) => {
                for (key, child) in entries {
                    self.node(child, &path.child(key), place.below(key));
                }
                return;
            }
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(item, &path.child(index), place);
                }
                return;
            }
            Value::Text(text) => discloses(text, place),
            Value::Integer(_) | Value::Float(_) => matches!(place, Place::Secret),
            Value::Null | Value::Boolean(_) | Value::Broken => false,
        };
        if is_disclosed && node.exposure == Exposure::Shared {
            node.exposure = Exposure::Reported;
            self.found.push(Problem::new(node.origin.clone(), path.clone(), self.fault.clone()));
        }
    }
}

/// Whether a text shows a secret, itself or as the default of what it refers to.
fn discloses(text: &str, place: Place) -> bool {
    match place {
        Place::Words => false,
        Place::Secret => shows(text),
        Place::Header => has_scheme(text) && shows(text),
        Place::Open => text.contains("://") && holds_url_credentials(&without_references(text)),
    }
}

fn shows(text: &str) -> bool {
    let Ok(parts) = split(text) else { return false };
    let references: Vec<&str> = parts.iter().filter_map(reference).collect();
    match references.as_slice() {
        [] => !is_placeholder(text),
        references => references.iter().copied().filter_map(default_of).any(shows),
    }
}

fn reference<'a>(part: &Part<'a>) -> Option<&'a str> {
    match part {
        Part::Reference(reference) => Some(reference),
        Part::Literal(_) => None,
    }
}

/// A text with what it spells out itself in the place of references, or a placeholder.
fn without_references(text: &str) -> String {
    let spelt = |part: Part<'_>| match part {
        Part::Literal(text) => text,
        Part::Reference(reference) => default_of(reference).unwrap_or("EMPTY").to_owned(),
    };
    split(text).unwrap_or_default().into_iter().map(spelt).collect()
}
