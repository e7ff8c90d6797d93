//! Regular expressions of a script. Their named groups are what templates read of a match.

use std::sync::Arc;

use regex::Regex;

use super::Problems;
use super::template::Captures;

/// A regular expression and the names of its groups.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    names: Vec<Arc<str>>,
}

impl Pattern {
    /// Compiles a regular expression; `path` names it in errors.
    pub(super) fn new(path: &str, source: &str, problems: &mut Problems) -> Option<Self> {
        match Regex::new(source) {
            Ok(regex) => {
                let names = regex.capture_names().flatten().map(Arc::from).collect();
                Some(Self { regex, names })
            }
            Err(error) => {
                problems.add(path, error);
                None
            }
        }
    }

    /// Whether the text matches; if so, adds the named groups.
    pub(super) fn find(&self, text: &str, groups: &mut Captures) -> bool {
        if self.names.is_empty() {
            return self.regex.is_match(text);
        }
        let Some(found) = self.regex.captures(text) else {
            return false;
        };
        groups.extend(self.named(&found));
        true
    }

    /// The named groups of every match, in order.
    pub(super) fn find_all(&self, text: &str) -> impl Iterator<Item = Captures> {
        self.regex.captures_iter(text).map(|found| self.named(&found).collect())
    }

    /// Names of its groups.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// A group that took no part in the match is the empty text.
    fn named(&self, found: &regex::Captures<'_>) -> impl Iterator<Item = (Arc<str>, String)> {
        let text = |name: &str| found.name(name).map_or("", |group| group.as_str());
        self.names.iter().map(move |name| (name.clone(), text(name).to_owned()))
    }
}
