//! Regular expressions of a script, and the texts in which they are looked for.

use std::sync::Arc;

use regex::Regex;

use super::conversation::Conversation;
use super::template::Captures;
use super::{Each, Problems};

/// A regular expression and where it is looked for.
#[derive(Debug)]
pub(super) struct Pattern {
    place: Place,
    regex: Regex,
    names: Vec<Arc<str>>,
}

/// A text that a regular expression can be looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    User,
    Prompt,
    Output,
}

impl Place {
    fn text<'a>(self, conversation: &'a Conversation<'_>) -> &'a str {
        match self {
            Self::User => conversation.user(),
            Self::Prompt => conversation.prompt(),
            Self::Output => conversation.output(),
        }
    }
}

impl Pattern {
    /// Compiles a regular expression; `path` names it in errors.
    pub(super) fn new(
        path: &str,
        place: Place,
        source: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        match Regex::new(source) {
            Ok(regex) => {
                let names = regex.capture_names().flatten().map(Arc::from).collect();
                Some(Self { place, regex, names })
            }
            Err(error) => {
                problems.add(path, error);
                None
            }
        }
    }

    /// Compiles what a call is repeated for.
    pub(super) fn each(path: &str, each: &Each, problems: &mut Problems) -> Option<Self> {
        let (place, name, source) = match each {
            Each::User(source) => (Place::User, "user", source),
            Each::Prompt(source) => (Place::Prompt, "prompt", source),
            Each::Output(source) => (Place::Output, "output", source),
        };
        Self::new(&format!("{path}.{name}"), place, source, problems)
    }

    /// Whether the text matches; if so, adds the named groups.
    pub(super) fn find(&self, conversation: &Conversation<'_>, groups: &mut Captures) -> bool {
        let text = self.place.text(conversation);
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
    pub(super) fn find_all(
        &self,
        conversation: &Conversation<'_>,
    ) -> impl Iterator<Item = Captures> {
        let text = self.place.text(conversation);
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
