//! A record small enough to be looked at: long texts and lists are cut, and can be asked for whole.
//!
//! JSON is copied as it is written, never decoded: a model may have written what no string of ours can
//! hold, such as half of a surrogate pair.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Bytes of a text that are shown at first.
const TEXT: usize = 16 << 10;
/// Numbers of a list, such as token ids, that are shown at first.
const NUMBERS: usize = 256;
/// Elements of any other list.
const ELEMENTS: usize = 1_000;
/// Levels below which nothing is shown at first.
const DEPTH: usize = 64;
/// Bytes of everything together; what comes after is cut short.
const TOTAL: usize = 4 << 20;
/// Bytes of a text or a list once that is used up.
const REST: usize = 200;

/// An abridged record.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    /// JSON.
    pub(super) text: String,
    /// What has been cut, by JSON pointer (RFC 6901): how many bytes of text or elements there are.
    pub(super) cut: BTreeMap<String, usize>,
}

impl Excerpt {
    /// Abridges a JSON text.
    ///
    /// # Errors
    /// Fails if it is no JSON.
    pub(super) fn of(json: &str) -> Result<Self, serde_json::Error> {
        let mut excerpt = Self::default();
        excerpt.add(serde_json::from_str(json)?, &mut String::new(), 0)?;
        Ok(excerpt)
    }

    fn add(
        &mut self,
        json: &RawValue,
        at: &mut String,
        depth: usize,
    ) -> Result<(), serde_json::Error> {
        let json = json.get();
        match json.as_bytes().first() {
            Some(b'"') => self.add_text(json, at),
            Some(b'[') if depth < DEPTH => self.add_list(json, at, depth)?,
            Some(b'{') if depth < DEPTH => self.add_object(json, at, depth)?,
            Some(b'[' | b'{') => {
                self.cut.insert(at.clone(), json.len());
                self.text.push_str("null");
            }
            _ => self.text.push_str(json),
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.text.len() >= TOTAL
    }

    fn add_text(&mut self, json: &str, at: &str) {
        let room = if self.is_full() { REST } else { TEXT };
        let kept = text_start(json, room);
        self.text.push_str(&json[..kept]);
        if kept < json.len() {
            self.text.push('"');
            self.cut.insert(at.to_owned(), json.len() - 2);
        }
    }

    fn add_list(
        &mut self,
        json: &str,
        at: &mut String,
        depth: usize,
    ) -> Result<(), serde_json::Error> {
        let elements: Vec<&RawValue> = serde_json::from_str(json)?;
        let is_numbers =
            elements.first().is_some_and(|first| !first.get().starts_with(['{', '[', '"']));
        let room = match (self.is_full(), is_numbers) {
            (true, _) => REST,
            (false, true) => NUMBERS,
            (false, false) => ELEMENTS,
        };
        if elements.len() > room {
            self.cut.insert(at.clone(), elements.len());
        }
        self.text.push('[');
        for (index, element) in elements.into_iter().take(room).enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            let length = at.len();
            at.push_str(&format!("/{index}"));
            self.add(element, at, depth + 1)?;
            at.truncate(length);
        }
        self.text.push(']');
        Ok(())
    }

    fn add_object(
        &mut self,
        json: &str,
        at: &mut String,
        depth: usize,
    ) -> Result<(), serde_json::Error> {
        let Members(members) = serde_json::from_str(json)?;
        self.text.push('{');
        for (index, (name, value)) in members.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.text.push_str(&serde_json::to_string(&name)?);
            self.text.push(':');
            let length = at.len();
            at.push('/');
            at.push_str(&name.replace('~', "~0").replace('/', "~1"));
            self.add(value, at, depth + 1)?;
            at.truncate(length);
        }
        self.text.push('}');
        Ok(())
    }
}

/// How much of a JSON string, quote included, can be kept without cutting an escape or a character.
fn text_start(json: &str, room: usize) -> usize {
    if json.len() <= room + 2 {
        return json.len();
    }
    let bytes = json.as_bytes();
    let mut at = 1;
    loop {
        let step = match bytes[at] {
            b'\\' if bytes[at + 1] == b'u' => 6,
            b'\\' => 2,
            _ => 1,
        };
        if at + step > room {
            break;
        }
        at += step;
    }
    while !json.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The value at a JSON pointer, as it is written.
pub(super) fn value_at<'a>(json: &'a str, pointer: &str) -> Option<&'a str> {
    let mut value: &RawValue = serde_json::from_str(json).ok()?;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        value = if value.get().starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            elements.get(step.parse::<usize>().ok()?)?
        } else {
            let Members(members) = serde_json::from_str(value.get()).ok()?;
            members.into_iter().find(|(name, _)| *name == step)?.1
        };
    }
    Some(value.get())
}

/// The members of an object in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_small_stays_as_it_is() {
        let json = r#"{"a":[1,2.50,{"b/c":"x\n\ud800"}],"d":null}"#;
        let excerpt = Excerpt::of(json).unwrap();
        assert_eq!((excerpt.text.as_str(), excerpt.cut.len()), (json, 0));
        assert!(Excerpt::of("{").is_err());
    }

    #[test]
    fn long_texts_and_lists_are_cut_and_can_be_asked_for() {
        let long = "é\n".repeat(TEXT);
        let json = json!({ "a": [{ "b/c~": long }], "ids": vec![7; 1_000] }).to_string();
        let excerpt = Excerpt::of(&json).unwrap();
        let shown: Value = serde_json::from_str(&excerpt.text).unwrap();
        let text = shown["a"][0]["b/c~"].as_str().unwrap();
        assert!(long.starts_with(text) && text.len() > TEXT / 2);
        assert_eq!(shown["ids"].as_array().unwrap().len(), NUMBERS);
        let cut: Vec<_> = excerpt.cut.keys().map(String::as_str).collect();
        assert_eq!(cut, ["/a/0/b~1c~0", "/ids"]);
        let whole = value_at(&json, "/a/0/b~1c~0").unwrap();
        assert_eq!(serde_json::from_str::<Value>(whole).unwrap(), long.as_str());
        assert_eq!(value_at(&json, "/a/1"), None);
        assert_eq!(value_at(&json, "").unwrap().len(), json.len());
    }

    #[test]
    fn a_text_is_cut_between_escapes() {
        for room in 3..14 {
            let json = r#""\\\"\u00e9é\n0123456789""#;
            let kept = text_start(json, room);
            let cut = format!("{}\"", &json[..kept]);
            let text: String = serde_json::from_str(&cut).unwrap();
            assert!("\\\"éé\n0123456789".starts_with(&text), "{room}: {cut}");
        }
    }

    #[test]
    fn nothing_makes_an_excerpt_long_or_deep() {
        let texts: Vec<_> = (0..2_000).map(|_| "x".repeat(TEXT)).collect();
        let excerpt = Excerpt::of(&json!({ "a": texts }).to_string()).unwrap();
        assert!(excerpt.text.len() < TOTAL + ELEMENTS * (REST + 8));
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let excerpt = Excerpt::of(&deep).unwrap();
        assert_eq!(excerpt.cut.len(), 1);
        let _: Value = serde_json::from_str(&excerpt.text).unwrap();
    }
}
