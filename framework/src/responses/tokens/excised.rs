//! A JSON text without its long lists of tokens, so that reading it does not walk through them again
//! and again.
//!
//! Where such a list stood there is an object that says which one it was. The lists are found by their
//! keys: between quotes that are not escaped, a key cannot be part of a text. A list ends at the first
//! bracket; if it has others inside, what is left is no JSON, and whoever reads it falls back to the
//! whole.

use std::borrow::Cow;

use memchr::{memchr, memmem};
use serde_json::value::RawValue;

/// Every key of a list of tokens ends in one of these.
const TOKEN_IDS: &str = "token_ids\"";
const LOG_PROBS: &str = "log_probs\"";
/// Shorter lists stay where they are.
const LENGTH_MIN: usize = 256;
/// What stands in a list's place, before its number.
const MARK: &str = "{\"<list of tokens>\":";

/// A text and the lists that were taken out of it.
#[derive(Debug)]
pub struct Excised<'a> {
    text: Cow<'a, str>,
    lists: Vec<&'a str>,
}

impl<'a> Excised<'a> {
    /// Takes the long lists of tokens out of a JSON text.
    pub fn new(text: &'a str) -> Self {
        let (mut rest, mut lists, mut copied) = (String::new(), Vec::new(), 0);
        let mut keys = Keys::new(text);
        while let Some(place) = keys.next_after(copied) {
            let Some((start, end)) = list_after(text, place) else { continue };
            rest.push_str(&text[copied..start]);
            rest.push_str(MARK);
            rest.push_str(&lists.len().to_string());
            rest.push('}');
            lists.push(&text[start..end]);
            copied = end;
        }
        if lists.is_empty() {
            return Self { text: Cow::Borrowed(text), lists };
        }
        rest.push_str(&text[copied..]);
        Self { text: Cow::Owned(rest), lists }
    }

    /// A text from which nothing is taken.
    pub fn whole(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), lists: Vec::new() }
    }

    /// How many lists were taken out.
    pub fn lists(&self) -> usize {
        self.lists.len()
    }

    /// Whether a value stands for a list.
    pub fn is_list(&self, value: &RawValue) -> bool {
        self.excised(value.get()).is_some()
    }

    /// What is left.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The list that a value stands for, or the value itself.
    pub fn list<'b>(&self, value: &'b RawValue) -> &'b str
    where
        'a: 'b,
    {
        self.excised(value.get()).unwrap_or(value.get())
    }

    /// A value with its lists in their places.
    ///
    /// # Errors
    /// Fails if one of them is no JSON.
    pub fn restore<'b>(&self, value: &'b RawValue) -> Result<Cow<'b, RawValue>, serde_json::Error> {
        let text = value.get();
        if self.lists.is_empty() || !text.contains(MARK) {
            return Ok(Cow::Borrowed(value));
        }
        let mut parts = text.split(MARK);
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let marked = part.split_once('}').and_then(|(number, rest)| {
                Some((self.lists.get(number.parse::<usize>().ok()?)?, rest))
            });
            match marked {
                Some((list, rest)) => whole.extend([list, rest]),
                None => whole.extend([MARK, part]),
            }
        }
        RawValue::from_string(whole).map(Cow::Owned)
    }

    fn excised(&self, text: &str) -> Option<&'a str> {
        let number = text.strip_prefix(MARK)?.strip_suffix('}')?;
        self.lists.get(number.parse::<usize>().ok()?).copied()
    }
}

/// Finds the ends of keys one after the other, without looking into the lists between them.
struct Keys<'a> {
    bytes: &'a [u8],
    /// The end of the next key of log-probabilities, `None` if there is no more of it.
    log_probs: Option<usize>,
    at: usize,
}

impl<'a> Keys<'a> {
    fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        match bytes.len() > LENGTH_MIN {
            true => Self { bytes, log_probs: Some(0), at: 0 },
            false => Self { bytes, log_probs: None, at: bytes.len() },
        }
    }

    fn find(&self, key: &str, from: usize, to: usize) -> Option<usize> {
        memmem::find(&self.bytes[from..to], key.as_bytes()).map(|at| from + at + key.len())
    }

    /// The end of the next key that ends after `from` and after the last one.
    fn next_after(&mut self, from: usize) -> Option<usize> {
        let (from, end) = (from.max(self.at), self.bytes.len());
        if self.log_probs.is_some_and(|place| place <= from) {
            self.log_probs = self.find(LOG_PROBS, from, end);
        }
        // Ids mostly come first; beyond the next log-probabilities is for the next time.
        let ids = self.find(TOKEN_IDS, from, self.log_probs.unwrap_or(end));
        self.at = ids.or(self.log_probs)?;
        Some(self.at)
    }
}

/// The list that is the value of the key that ends before `place`, if it is a long one.
fn list_after(text: &str, place: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let key = text[..place - 1].rfind('"')?;
    let is_escaped = key > 0 && bytes[key - 1] == b'\\';
    let colon = place + blanks(&bytes[place..]);
    if is_escaped || bytes.get(colon) != Some(&b':') {
        return None;
    }
    let start = colon + 1 + blanks(&bytes[colon + 1..]);
    if bytes.get(start) != Some(&b'[') {
        return None;
    }
    let end = start + memchr(b']', &bytes[start..])? + 1;
    (end - start >= LENGTH_MIN).then_some((start, end))
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: u32) -> String {
        serde_json::to_string(&(0..count).collect::<Vec<_>>()).unwrap()
    }

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn long_lists_are_taken_out_and_put_back() {
        let (long, short) = (list(200), list(3));
        let text = format!(
            r#"{{"a":{{"prompt_token_ids" : {long},"token_ids":{short}}},"generation_log_probs":{long},"b":"\"token_ids\":[1]"}}"#
        );
        let excised = Excised::new(&text);
        assert!(excised.text().len() < 200);
        assert_eq!(excised.restore(raw(excised.text())).unwrap().get(), text);
        let value: std::collections::HashMap<&str, &RawValue> =
            serde_json::from_str(excised.text()).unwrap();
        assert_eq!(excised.list(value["generation_log_probs"]), long);
        assert_eq!(excised.list(value["b"]), value["b"].get());
    }

    #[test]
    fn what_only_looks_like_a_list_of_tokens_stays() {
        let long = list(200);
        let escaped = serde_json::to_string(&format!(r#"{{"token_ids":{long}}}"#)).unwrap();
        for text in [
            escaped,
            format!(r#"{{"x\"token_ids":{long}}}"#),
            format!(r#"{{"token_idx":{long}}}"#),
            format!(r#"["token_ids",{long}]"#),
            format!(r#"{{"token_ids":"{long}"}}"#),
            "token_ids\"".repeat(100),
        ] {
            let excised = Excised::new(&text);
            assert_eq!(excised.text(), text);
        }
    }

    #[test]
    fn nothing_is_lost_where_a_list_is_no_list_of_numbers() {
        let nested = format!("[[{}],[1]]", "1,".repeat(200) + "1");
        let text = format!(r#"{{"token_ids":{nested}}}"#);
        let excised = Excised::new(&text);
        // It cannot be read, which is what becomes of it without taking anything out, too.
        assert!(serde_json::from_str::<&RawValue>(excised.text()).is_err());
    }
}
