//! An ordered JSON object whose values stay text: what is passed on is copied, not re-encoded.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::tokens::Excised;

/// The fields of a JSON object, in their order, each value as the JSON text it came in.
///
/// A key that occurs twice keeps its last value, as JSON parsers commonly do.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(Box<str>, Box<RawValue>)>);

impl Fields {
    /// Parses the text of a JSON object.
    ///
    /// # Errors
    /// Fails if the text is not one JSON object.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The JSON text of a field.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// The JSON text of a field, unless it is absent or `null`.
    pub fn get_set(&self, name: &str) -> Option<&RawValue> {
        self.get(name).filter(|value| value.get() != "null")
    }

    /// Whether the field is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a field to a value's JSON text; an existing one keeps its place.
    ///
    /// # Panics
    /// Panics if the value's `Serialize` fails, which only maps with keys that are not text do.
    pub fn set(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        let text = to_raw_value(value).expect("plain data serialises to JSON");
        self.set_raw(name, text);
    }

    /// Sets a field to JSON text; an existing one keeps its place.
    pub fn set_raw(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| &**key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Box<RawValue>> {
        let index = self.0.iter().position(|(key, _)| &**key == name)?;
        Some(self.0.remove(index).1)
    }

    /// Puts lists of tokens back that were taken out of the text of these fields.
    ///
    /// # Errors
    /// Fails if one of them is no JSON.
    pub(super) fn restore(&mut self, excised: &Excised<'_>) -> Result<(), serde_json::Error> {
        for (_, value) in &mut self.0 {
            if let Cow::Owned(restored) = excised.restore(value)? {
                *value = restored;
            }
        }
        Ok(())
    }

    /// The fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the fields to the inside of an object's text, each preceded by a comma unless the
    /// object is still empty (ends in `{`).
    pub fn write_into(&self, object: &mut String) {
        for (key, value) in self.iter() {
            push_key(object, key);
            object.push_str(value.get());
        }
    }
}

/// Appends `"key":` to the inside of an object's text, with the comma that it needs.
pub(crate) fn push_key(object: &mut String, key: &str) {
    if !object.ends_with('{') {
        object.push(',');
    }
    push_json_string(object, key);
    object.push(':');
}

/// Appends a string as JSON text, quoted and escaped.
pub(crate) fn push_json_string(out: &mut String, text: &str) {
    let plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).expect("a string serialises to JSON"));
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut fields = Fields::default();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.set_raw(&key, value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_text() {
        let text = r#"{"a":1.50,"b":[1, 2],"c":"\u00e9"}"#;
        let fields = Fields::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&fields).unwrap(), text);
    }

    #[test]
    fn a_key_that_occurs_twice_keeps_its_last_value() {
        let fields = Fields::parse(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn fields_are_written_with_the_commas_they_need() {
        let fields = Fields::parse(r#"{"a":1,"b\"":2}"#).unwrap();
        let mut object = String::from("{");
        fields.write_into(&mut object);
        assert_eq!(object, r#"{"a":1,"b\"":2"#);
    }
}
