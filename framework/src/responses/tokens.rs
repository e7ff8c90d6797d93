//! Token ids and log-probabilities of one model call, on their way to the trainer.
//!
//! They are most of a training record, and nobody between the engine and the trainer looks at them. So
//! they stay the text that they came in: a list is checked once, number by number, and copied from
//! then on. Who wants the numbers reads them.

mod excised;
mod scan;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

pub use excised::Excised;

/// What a model call read and wrote, in tokens. It stands on the last item of the call's output and
/// covers the whole call: reasoning, text and tool calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenData {
    /// Ids of the prompt.
    pub prompt_token_ids: TokenIds,
    /// Ids of what was generated.
    pub generation_token_ids: TokenIds,
    /// Natural logarithm of each generated token's probability; as many as generated ids.
    pub generation_log_probs: LogProbs,
}

/// The three fields, in the order in which they are written.
pub(super) const TOKEN_FIELDS: [&str; 3] =
    ["prompt_token_ids", "generation_token_ids", "generation_log_probs"];

impl TokenData {
    /// Appends the three fields to the inside of an object's text that is not empty.
    pub(super) fn write_into(&self, object: &mut String) {
        let lists = [
            self.prompt_token_ids.json(),
            self.generation_token_ids.json(),
            self.generation_log_probs.json(),
        ];
        let length = lists.iter().map(|list| list.len() + 32).sum();
        object.reserve(length);
        for (name, list) in TOKEN_FIELDS.into_iter().zip(lists) {
            super::fields::push_key(object, name);
            object.push_str(list);
        }
    }
}

/// A list of numbers as JSON text, checked.
#[derive(Clone)]
struct Numbers {
    text: Box<str>,
    len: usize,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { text: "[]".into(), len: 0 }
    }
}

impl Numbers {
    /// The numbers' texts, joined.
    fn join<T>(values: impl IntoIterator<Item = T>, push: impl Fn(&mut String, T)) -> Self {
        let (mut text, mut len) = (String::from("["), 0);
        for value in values {
            if len > 0 {
                text.push(',');
            }
            push(&mut text, value);
            len += 1;
        }
        text.push(']');
        Self { text: text.into(), len }
    }

    /// The text between the brackets.
    fn inside(&self) -> &str {
        self.text[1..self.text.len() - 1].trim()
    }
}

/// A list of token ids.
#[derive(Clone, Default)]
pub struct TokenIds(Numbers);

/// A list of log-probabilities.
#[derive(Clone, Default)]
pub struct LogProbs(Numbers);

impl TokenIds {
    /// Takes a JSON list. Ids that are written as text (`"5"`, `"token_id:5"`) become numbers.
    ///
    /// # Errors
    /// Fails if it is no list, or an entry is no id.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let text = text.trim();
        if let Some(len) = scan::ids(text) {
            return Ok(Self(Numbers { text: text.into(), len }));
        }
        let ids: Vec<TokenId> = serde_json::from_str(text)?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The list as JSON.
    pub fn json(&self) -> &str {
        &self.0.text
    }

    /// The ids themselves.
    pub fn to_vec(&self) -> Vec<u32> {
        self.iter().collect()
    }

    /// The ids one by one.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let entries = self.0.inside().split(',').filter(|entry| !entry.is_empty());
        entries.map(|entry| entry.trim().parse().expect("the list was checked"))
    }

    /// Where this prompt parts from what a conversation came to before: an earlier prompt and what
    /// was generated upon it; `None` if it goes on from there. Counted in tokens.
    pub fn parts_from(&self, prompt: &Self, generated: &Self) -> Option<usize> {
        if self.begins_as_text_with(prompt, generated) {
            return None;
        }
        let expected = prompt.len() + generated.len();
        let earlier = prompt.iter().chain(generated.iter());
        let same = earlier.zip(self.iter()).take_while(|(before, now)| before == now).count();
        (same < expected).then_some(same)
    }

    /// Whether the texts say the same. If not, the numbers still may.
    fn begins_as_text_with(&self, prompt: &Self, generated: &Self) -> bool {
        let mut rest = self.0.inside();
        for list in [prompt, generated].into_iter().filter(|list| !list.is_empty()) {
            let Some(after) = rest.strip_prefix(list.0.inside()) else { return false };
            rest = match after.strip_prefix(',') {
                Some(after) => after,
                None if after.is_empty() => after,
                None => return false,
            };
        }
        true
    }
}

impl LogProbs {
    /// Takes a JSON list of finite numbers.
    ///
    /// # Errors
    /// Fails if it is no list, or an entry is no number.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let text = text.trim();
        if let Some(len) = scan::numbers(text) {
            return Ok(Self(Numbers { text: text.into(), len }));
        }
        let values: Vec<f64> = serde_json::from_str(text)?;
        let largest = f64::from(f32::MAX);
        match values.iter().find(|value| value.abs() > largest) {
            Some(value) => Err(Error::custom(format_args!("{value:e} is no log-probability"))),
            None => Ok(Self(Numbers { text: text.into(), len: values.len() })),
        }
    }

    /// Joins the texts of JSON numbers.
    ///
    /// # Errors
    /// Fails if one of them is no number.
    pub fn join<'a>(numbers: impl Iterator<Item = &'a str>) -> Result<Self, serde_json::Error> {
        Self::parse(&Numbers::join(numbers, |text, number| text.push_str(number)).text)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The list as JSON.
    pub fn json(&self) -> &str {
        &self.0.text
    }

    /// The values themselves.
    pub fn to_vec(&self) -> Vec<f32> {
        let entries = self.0.inside().split(',').filter(|entry| !entry.is_empty());
        entries.map(|entry| entry.trim().parse().expect("the list was checked")).collect()
    }
}

impl FromIterator<u32> for TokenIds {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut buffer = itoa::Buffer::new();
        let mut ids = ids.into_iter().peekable();
        let (mut text, mut len) = (String::from("["), 0);
        while let Some(id) = ids.next() {
            text.push_str(buffer.format(id));
            if ids.peek().is_some() {
                text.push(',');
            }
            len += 1;
        }
        text.push(']');
        Self(Numbers { text: text.into(), len })
    }
}

impl FromIterator<f32> for LogProbs {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        Self(Numbers::join(values, |text, value| {
            text.push_str(&serde_json::to_string(&value).expect("a number serialises to JSON"));
        }))
    }
}

impl PartialEq for TokenIds {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json() || (self.len() == other.len() && self.iter().eq(other.iter()))
    }
}

impl PartialEq for LogProbs {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json() || self.to_vec() == other.to_vec()
    }
}

impl fmt::Debug for TokenIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for LogProbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.to_vec()).finish()
    }
}

/// A token id; vLLM and adapters of it have been seen to send it as text.
struct TokenId(u32);

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = TokenId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token id")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<TokenId, E> {
                let id = u32::try_from(value);
                id.map(TokenId).map_err(|_| E::custom(format!("token id {value} is too large")))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<TokenId, E> {
                let id = value.strip_prefix("token_id:").unwrap_or(value).parse();
                id.map(TokenId).map_err(|_| E::custom(format!("`{value}` is not a token id")))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_and_stay_as_they_are() {
        for (text, expected) in [
            ("[]", vec![]),
            ("[ ]", vec![]),
            ("[1]", vec![1]),
            ("[1,22,333]", vec![1, 22, 333]),
            (" [1 ,\n 2] ", vec![1, 2]),
            ("[0,4294967295,123456789]", vec![0, u32::MAX, 123_456_789]),
            (r#"["2",3,"token_id:4"]"#, vec![2, 3, 4]),
        ] {
            let ids = TokenIds::parse(text).unwrap();
            assert_eq!((ids.to_vec(), ids.len()), (expected.clone(), expected.len()), "{text}");
            assert_eq!(TokenIds::parse(ids.json()).unwrap(), ids);
            assert_eq!(expected.into_iter().collect::<TokenIds>(), ids);
        }
        assert_eq!(TokenIds::parse("[7, 8]").unwrap().json(), "[7, 8]");
    }

    #[test]
    fn what_is_no_list_of_ids_is_refused() {
        for (text, expected) in [
            ("[1,,2]", "expected value"),
            ("[1,]", "trailing comma"),
            ("[,1]", "expected value"),
            ("[1 2]", "expected `,` or `]`"),
            ("[01]", "invalid number"),
            ("[1,2", "EOF"),
            ("[1,2,", "EOF"),
            ("[1, 2, ", "EOF"),
            ("1", "invalid type"),
            ("null", "invalid type"),
            ("{}", "invalid type"),
            ("[1]x", "trailing characters"),
            ("[-1]", "a token id"),
            ("[1.0]", "a token id"),
            ("[4294967296]", "too large"),
            ("[99999999999999999999]", "a token id"),
            (r#"["x"]"#, "`x` is not a token id"),
            ("[[1]]", "a token id"),
        ] {
            let error = TokenIds::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn log_probabilities_are_checked_and_stay_as_they_are() {
        for (text, expected) in [
            ("[]", vec![]),
            ("[0,-0.5]", vec![0.0, -0.5]),
            ("[-1.1920928955078125e-07, -0.0]", vec![-1.192_092_9e-7, -0.0]),
            ("[-9999.0,1E2,1e+2]", vec![-9999.0, 100.0, 100.0]),
        ] {
            let values = LogProbs::parse(text).unwrap();
            assert_eq!((values.to_vec(), values.json()), (expected, text));
        }
        for text in [
            "[1.]",
            "[.5]",
            "[-]",
            "[1e]",
            "[1.2.3]",
            "[1e5e5]",
            "[00.5]",
            "[+1]",
            "[1,,2]",
            "[1,2,",
            "[1, 2, ",
            "[NaN]",
            "[-Infinity]",
            "[1e39]",
            "[-1e400]",
            "[null]",
            "[\"1\"]",
            "[1]]",
            "[0x1]",
            "[--1]",
            "[1-]",
        ] {
            assert!(LogProbs::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_prompt_goes_on_from_where_the_conversation_stood_or_parts_from_it() {
        let ids = |text| TokenIds::parse(text).unwrap();
        for (prompt, before, generated, expected) in [
            ("[1,2,3,9]", "[1,2]", "[3]", None),
            ("[1,2,3]", "[1,2]", "[3]", None),
            ("[1, 2,3]", "[1,2]", "[3]", None),
            ("[1,2,33]", "[1,2]", "[3]", Some(2)),
            ("[12,3]", "[1]", "[2,3]", Some(0)),
            ("[1,2]", "[1,2]", "[3]", Some(2)),
            ("[]", "[1]", "[]", Some(0)),
            ("[5]", "[]", "[]", None),
            ("[]", "[]", "[]", None),
        ] {
            let found = ids(prompt).parts_from(&ids(before), &ids(generated));
            assert_eq!(found, expected, "{prompt} after {before} and {generated}");
        }
    }
}
