//! What a judge says: one of two labels.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The words for equivalent and not equivalent.
#[derive(Clone, Debug)]
pub struct Labels {
    equal: Arc<str>,
    not_equal: Arc<str>,
}

/// What an answer without a label means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoLabel {
    /// Nothing: the verification fails, and the rollout has no reward.
    #[default]
    Fail,
    /// Not equivalent, as NeMo Gym has it.
    NotEqual,
}

/// A verdict, and the label that says it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ruling {
    pub(super) equal: bool,
    pub(super) label: Arc<str>,
}

impl Labels {
    /// Two labels; `None` if they cannot be told apart.
    pub fn new(equal: &str, not_equal: &str) -> Option<Self> {
        let are_distinct = !equal.is_empty() && !not_equal.is_empty() && equal != not_equal;
        are_distinct.then(|| Self { equal: equal.into(), not_equal: not_equal.into() })
    }

    /// The label that stands first. Where both stand at the same place, since one begins with the
    /// other, that means not equivalent.
    pub(crate) fn ruling(&self, text: &str) -> Option<Ruling> {
        let (equal, not_equal) = (text.find(&*self.equal), text.find(&*self.not_equal));
        let is_equal = match (equal, not_equal) {
            (None, None) => return None,
            (Some(equal), Some(not_equal)) => equal < not_equal,
            (equal, None) => equal.is_some(),
            (None, Some(_)) => false,
        };
        let label = if is_equal { &self.equal } else { &self.not_equal };
        Some(Ruling { equal: is_equal, label: label.clone() })
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` nor `{}`", self.equal, self.not_equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_decides() {
        for (labels, text, expected) in [
            (["[[A=B]]", "[[A!=B]]"], "some text [[A=B]] trailing", Some(true)),
            (["[[A=B]]", "[[A!=B]]"], "[[A!=B]] they are not equivalent", Some(false)),
            (["[[A=B]]", "[[A!=B]]"], "not [[A!=B]] but [[A=B]]", Some(false)),
            (["[[A=B]]", "[[A!=B]]"], "not [[A=B]] but [[A!=B]]", Some(true)),
            (["[[A=B]]", "[[A!=B]]"], "[[a=b]] [[A = B]]", None),
            (["[[A=B]]", "[[A!=B]]"], "", None),
            // The longer word is found two characters before the shorter one inside it.
            (["CORRECT", "INCORRECT"], "INCORRECT", Some(false)),
            (["CORRECT", "INCORRECT"], "CORRECT", Some(true)),
            (["yes", "yes, but"], "yes, but no", Some(false)),
        ] {
            let labels = Labels::new(labels[0], labels[1]).unwrap();
            let ruling = labels.ruling(text).map(|ruling| ruling.equal);
            assert_eq!(ruling, expected, "{labels} in {text}");
        }
    }

    #[test]
    fn labels_can_be_told_apart() {
        for (equal, not_equal) in [("", "b"), ("a", ""), ("a", "a")] {
            assert!(Labels::new(equal, not_equal).is_none());
        }
    }
}
