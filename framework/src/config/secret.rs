//! Secrets: the type that never prints itself, and the rule by which a key is known to hold one.
//!
//! The rule is about whole words, because `max_output_tokens` and `tokenizer` are not secrets while `hf_token` is.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What stands in the place of a secret wherever it would be shown.
pub(super) const MASK: &str = "***";

/// A key is secret if its last word is one of these.
const SECRET_WORDS: [&str; 13] = [
    "key",
    "keys",
    "token",
    "secret",
    "secrets",
    "password",
    "passwords",
    "passphrase",
    "credential",
    "credentials",
    "authorization",
    "bearer",
    "headers",
];

/// A text that is never printed: `Debug`, `Display` and `Serialize` all show `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for the one place that sends it to where it belongs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all, as where a key is not needed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Whether what stands under this key is a secret.
///
/// Words end at `_`, `-`, `.`, a space, and where a lower-case letter meets an upper-case one.
pub(super) fn is_secret_name(name: &str) -> bool {
    let last_word = last_word(name).to_lowercase();
    SECRET_WORDS.contains(&last_word.as_str())
}

/// Whether what stands under this key are headers, of which only some are secrets.
pub(super) fn holds_headers(name: &str) -> bool {
    last_word(name).eq_ignore_ascii_case("headers")
}

fn last_word(name: &str) -> &str {
    let last = name.rsplit(['_', '-', '.', ' ']).next().unwrap_or(name);
    let mut start = 0;
    let mut after_lower_case = false;
    for (position, letter) in last.char_indices() {
        if letter.is_uppercase() && after_lower_case {
            start = position;
        }
        after_lower_case = letter.is_lowercase();
    }
    &last[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_end_with_a_secret_word_are_secret() {
        for name in [
            "key",
            "api_key",
            "OPENAI_API_KEY",
            "apiKey",
            "x-api-key",
            "hf_token",
            "Authorization",
            "password",
            "default_headers",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn keys_that_merely_contain_a_secret_word_are_not() {
        for name in [
            "max_output_tokens",
            "tokenizer",
            "token_count",
            "monkey",
            "keyboard",
            "key_path",
            "secretary",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("sk-123");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(secret.expose(), "sk-123");
    }
}
