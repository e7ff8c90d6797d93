//! What goes wrong on the web, as the texts that a model reads in place of an answer.
//!
//! NeMo Gym shows models the texts of Python's exceptions. Those of failed HTTP requests hold the URL,
//! and with it the key; here the URL is shown without its secrets, and every text goes through
//! [`Redactor`] in any case.

use std::fmt;

use framework::config::Secret;

/// Secrets shorter than this are words, such as `none`; they are not looked for in texts.
const TELLING_LENGTH: usize = 8;
/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// Why there is no answer: a text for the model, free of secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    text: String,
    pub(crate) cause: Cause,
}

/// Who is the reason for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// What was asked.
    Request,
    /// What we are allowed: a key, a quota, a rate.
    Allowance,
    /// The service, or the way to it.
    Outage,
}

impl Failure {
    /// A failure of the service: another call may fare better.
    pub(crate) fn outage(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), cause: Cause::Outage }
    }

    /// A failure of this request.
    pub(crate) fn refused(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), cause: Cause::Request }
    }

    /// A failure for want of a key, a quota or a turn.
    pub(crate) fn not_allowed(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), cause: Cause::Allowance }
    }
}

/// Takes secrets out of texts.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// One that knows these secrets, plain and as they stand in URLs.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets.into_iter().map(Secret::expose) {
            if secret.len() >= TELLING_LENGTH {
                forms.push(secret.to_owned());
                forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            }
        }
        // What is part of another would leave the rest of it.
        forms.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self { secrets: forms }
    }

    /// The text without secrets.
    pub(crate) fn clean(&self, mut text: String) -> String {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_plain_and_encoded_and_short_words_are_left() {
        let secrets = ["AIza+secret/key", "none", ""].map(Secret::new);
        let redactor = Redactor::new(&secrets);
        let text = "none: ?key=AIza%2Bsecret%2Fkey&q=none AIza+secret/key".to_owned();
        assert_eq!(redactor.clean(text), "none: ?key=***&q=none ***");
        assert_eq!(format!("{redactor:?}"), "Redactor(2 secrets)");
    }
}
