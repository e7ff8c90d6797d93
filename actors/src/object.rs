//! JSON objects read in place: keys in their order, values as text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of an object, borrowed from its text. Of a key that occurs twice the last value counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads an object's text.
    ///
    /// # Errors
    /// Fails if the text is no object.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// A field's value, unless it is absent or null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| *value).filter(|value| value.get() != "null")
    }

    /// A text field; `None` if it is absent, null or no text.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }

    /// The fields that say something and have none of these names.
    pub(crate) fn others(
        self,
        known: &[&str],
    ) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        let says_nothing = |value: &RawValue| matches!(value.get(), "null" | "[]" | "{}");
        self.0
            .into_iter()
            .filter(move |(key, value)| !known.contains(&&**key) && !says_nothing(value))
    }
}

/// The text that a JSON string holds, borrowed where nothing in it is escaped.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

/// What kind of value a JSON text is, by its first character.
pub(crate) fn first(value: &RawValue) -> u8 {
    value.get().as_bytes()[0]
}

/// A JSON string's text, borrowed where nothing in it is escaped.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    fields.push((key, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Appends `"key":` to the inside of an object's text, with the comma that it needs.
pub(crate) fn push_key(object: &mut String, key: &str) {
    if !object.ends_with('{') {
        object.push(',');
    }
    push_text(object, key);
    object.push(':');
}

/// Appends text as a JSON string.
pub(crate) fn push_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("text serialises to JSON"));
}
