//! Secrets: the type that never prints itself, and the rule by which a key is known to hold one.
//!
//! The rule is about whole words, because `max_output_tokens` and `tokenizer` are not secrets while `hf_token` is.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What stands in the place of a secret wherever it would be shown.
pub(super) const MASK: &str = "***";

/// What words of a key end at, beside a change of case.
const SEPARATORS: [char; 4] = ['_', '-', '.', ' '];

/// A key is secret if its last word is one of these.
const SECRET_WORDS: [&str; 14] = [
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
    // The id of a search engine of Google's.
    "cx",
];

/// A key is not secret if the word before its last is one of these: `eos_token`, `sort_key`.
const OPEN_WORDS: [&str; 24] = [
    "answer", "bos", "cache", "cls", "delete", "end", "eos", "group", "input", "label", "mask",
    "max", "output", "pad", "payload", "per", "primary", "prompt", "public", "question", "sep",
    "sort", "stop", "unk",
];

/// The last words of headers that carry credentials, beside those above.
const HEADER_WORDS: [&str; 2] = ["cookie", "auth"];

/// What stands before the credentials in a header.
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// What servers that ask for no key are given instead of one, in any case; `***`, as secrets are printed;
/// and NeMo Gym's `???`, which says that a value is missing.
const PLACEHOLDERS: [&str; 10] = [
    "empty",
    "none",
    "null",
    "dummy",
    "dummy_key",
    "dummy-key",
    "no-key",
    "not-needed",
    MASK,
    "???",
];

/// A text that is never printed: `Debug`, `Display` and `Serialize` all show `***`.
///
/// Read from a configuration, it has to come from the environment or from `env.yaml`, whatever its key; name
/// the key by one of the words of secrets (`api_key`), so that it is masked when the configuration is printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename = "rehearsal::Secret")]
pub struct Secret(String);

/// What deserializers know the type by.
pub(super) const SECRET_TYPE: &str = "rehearsal::Secret";

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
    let last = last_word(name);
    let before = name[..name.len() - last.len()].trim_end_matches(SEPARATORS);
    let is_one_of = |words: &[&str], word: &str| words.contains(&word.to_lowercase().as_str());
    is_one_of(&SECRET_WORDS, last) && !is_one_of(&OPEN_WORDS, last_word(before))
}

/// Whether a header of this name carries credentials.
pub(super) fn is_secret_header(name: &str) -> bool {
    is_secret_name(name) || HEADER_WORDS.contains(&last_word(name).to_lowercase().as_str())
}

/// Whether a header of any name carries credentials: `Bearer …`.
pub(super) fn has_scheme(value: &str) -> bool {
    without_scheme(value) != value.trim()
}

/// Whether a text stands where a secret could, and is none.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = without_scheme(text).to_lowercase();
    text.is_empty() || PLACEHOLDERS.contains(&text.as_str())
}

fn without_scheme(text: &str) -> &str {
    let text = text.trim();
    let rest = SCHEMES.iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
        (start.eq_ignore_ascii_case(scheme) && ends).then_some(rest)
    });
    rest.unwrap_or(text).trim_start()
}

/// Whether a text is a URL with a user, a password or a key in it: in front of the host, or in the query
/// under the name of a secret.
pub fn holds_url_credentials(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    if scheme.is_empty() || !scheme.chars().all(is_scheme) || text.contains(char::is_whitespace) {
        return false;
    }
    let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, _) = place.split_once('/').unwrap_or((place, ""));
    let is_user = |(user, _): (&str, &str)| {
        let credential = user.split_once(':').map_or(user, |(_, password)| password);
        !is_placeholder(credential)
    };
    let is_key = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        is_secret_name(name) && !is_placeholder(value)
    };
    authority.rsplit_once('@').is_some_and(is_user) || query.split('&').any(is_key)
}

/// Whether what stands under this key are headers, of which only some are secrets.
pub(super) fn holds_headers(name: &str) -> bool {
    last_word(name).eq_ignore_ascii_case("headers")
}

fn last_word(name: &str) -> &str {
    let last = name.rsplit(SEPARATORS).next().unwrap_or(name);
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
            "eos_token",
            "sortKey",
            "_delete_key",
            "key_path",
            "secretary",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_placeholder_is_no_secret_whatever_stands_before_it() {
        for text in ["", " ", "EMPTY", "None", "dummy_key", "Bearer EMPTY", "basic ", "***"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["sk-1", "Bearer sk-1", "emptyy", "bearer-of-news", "0"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn headers_carry_credentials_by_their_name_or_by_their_scheme() {
        for name in ["Authorization", "Proxy-Authorization", "x-api-key", "Cookie", "X-Auth"] {
            assert!(is_secret_header(name), "{name}");
        }
        assert!(!is_secret_header("X-Title") && !is_secret_header("author"));
        assert!(has_scheme("bearer x") && !has_scheme("Bearers of news") && !has_scheme("é"));
    }

    #[test]
    fn a_url_holds_credentials_before_its_host_or_in_its_query() {
        for url in [
            "http://user:pass@h",
            "https://sk-1@h/v1",
            "https://h/v1?a=b&api_key=c#d",
            "x+y://u:p@h:1/?q=@",
        ] {
            assert!(holds_url_credentials(url), "{url}");
        }
        for url in [
            "http://h/@me",
            "http://h?q=a@b",
            "http://user:EMPTY@h",
            "https://h/v1?api-version=1&key=",
            "see http://u:p@h",
            "://u:p@h",
            "u:p@h",
        ] {
            assert!(!holds_url_credentials(url), "{url}");
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
