//! The deserializer that hands the values of the tree to serde, each with exactly the type that it has.

use std::{
    collections::{BTreeMap, btree_map},
    slice,
};

use serde::{
    Deserialize,
    de::{
        self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor,
        value::{BorrowedStrDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    super::{
        exposure::is_disclosed,
        key_path::KeyPath,
        placeholder::Placeholder,
        read_error::{ReadError, ValueCause},
        secret::SECRET_TYPE,
        tree::{Node, Value},
    },
    Run,
};

/// Deserializes one value of the tree.
pub(super) struct Reader<'a, 'r> {
    node: &'a Node,
    path: KeyPath,
    run: &'r Run,
}

impl<'a, 'r> Reader<'a, 'r> {
    /// Reads the value under `path`, with what earlier runs have learned.
    pub(super) fn new(node: &'a Node, path: KeyPath, run: &'r Run) -> Self {
        Self { node, path, run }
    }

    fn placeholder(&self) -> Option<Placeholder> {
        self.run.hole(&self.path, self.node).map(Placeholder::new)
    }

    fn entries<V: Visitor<'a>>(
        &self,
        entries: &'a BTreeMap<String, Node>,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let missing = self.run.missing_keys(&self.path, entries).into_iter();
        visitor.visit_map(Entries {
            entries: entries.iter(),
            missing,
            fields,
            next: None,
            path: self.path.clone(),
            run: self.run,
        })
    }

    fn items<V: Visitor<'a>>(&self, items: &'a [Node], visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_seq(Items {
            items: items.iter(),
            index: 0,
            path: self.path.clone(),
            run: self.run,
        })
    }

    /// Hands the value over with the type that it has.
    fn value<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Null | Value::Broken => visitor.visit_unit(),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => match u64::try_from(*value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i64(*value as i64),
            },
            Value::Float(value) if value.is_finite() => visitor.visit_f64(*value),
            Value::Float(value) => {
                Err(de::Error::invalid_value(Unexpected::Float(*value), &"a finite number"))
            }
            Value::Text(value) => visitor.visit_borrowed_str(value),
            Value::List(items) => self.items(items, visitor),
            Value::Map(entries) => self.entries(entries, None, visitor),
        }
    }
}

/// Reads a scalar as it is, or asks the placeholder for one of the type that is wanted.
macro_rules! scalars {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.placeholder() {
                Some(placeholder) => placeholder.$method(visitor),
                None => self.value(visitor),
            }
        })*
    };
}

/// An empty map, for null where a map is asked for.
static NO_ENTRIES: BTreeMap<String, Node> = BTreeMap::new();

impl<'a> de::Deserializer<'a> for Reader<'a, '_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.placeholder() {
            Some(placeholder) => placeholder.deserialize_any(visitor),
            None => self.value(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match (self.placeholder(), &self.node.text) {
            (Some(placeholder), _) => placeholder.deserialize_str(visitor),
            (None, Some(text)) => visitor.visit_borrowed_str(text),
            (None, None) => self.value(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match (self.placeholder(), &self.node.value) {
            (Some(_), _) | (None, Value::Null) => visitor.visit_none(),
            (None, Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_)) => {
                visitor.visit_some(self)
            }
            (None, Value::List(_) | Value::Map(_) | Value::Broken) => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match (self.placeholder(), &self.node.value) {
            (Some(placeholder), _) => placeholder.deserialize_seq(visitor),
            (None, Value::Null) => self.items(&[], visitor),
            (None, Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_)) => {
                self.value(visitor)
            }
            (None, Value::List(_) | Value::Map(_) | Value::Broken) => self.value(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match (self.placeholder(), &self.node.value) {
            (Some(placeholder), _) => placeholder.deserialize_map(visitor),
            (None, Value::Null) => self.entries(&NO_ENTRIES, None, visitor),
            (None, Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_)) => {
                self.value(visitor)
            }
            (None, Value::List(_) | Value::Map(_) | Value::Broken) => self.value(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match (self.placeholder(), &self.node.value) {
            (Some(placeholder), _) => placeholder.deserialize_struct(name, fields, visitor),
            (None, Value::Null) => self.entries(&NO_ENTRIES, Some(fields), visitor),
            (None, Value::Map(entries)) => self.entries(entries, Some(fields), visitor),
            // A derived struct would take a list for its fields in order, which no one means in YAML.
            (None, Value::List(_)) => Err(de::Error::invalid_type(Unexpected::Seq, &visitor)),
            (
                None,
                Value::Boolean(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Text(_)
                | Value::Broken,
            ) => self.value(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(placeholder) = self.placeholder() {
            return placeholder.deserialize_enum(name, variants, visitor);
        }
        let text = self.node.text.as_deref();
        match (&self.node.value, text) {
            (
                Value::Text(_) | Value::Boolean(_) | Value::Integer(_) | Value::Float(_),
                Some(text),
            ) => visitor.visit_enum(StrDeserializer::<ReadError>::new(text)),
            (Value::Text(text), None) => {
                visitor.visit_enum(StrDeserializer::<ReadError>::new(text))
            }
            (Value::Map(entries), _) => match entries.iter().next() {
                Some((variant, content)) if entries.len() == 1 => {
                    let content =
                        Reader { node: content, path: self.path.child(variant), run: self.run };
                    visitor.visit_enum(Variant { variant, content })
                }
                Some(_) | None => {
                    Err(de::Error::invalid_type(Unexpected::Map, &"one of its variants"))
                }
            },
            (Value::Null | Value::List(_) | Value::Broken, _) => self.value(visitor),
            (Value::Boolean(_) | Value::Integer(_) | Value::Float(_), None) => self.value(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let is_hole = self.placeholder().is_some();
        if name == SECRET_TYPE && !is_hole && is_disclosed(self.node, &self.path) {
            return Err(ReadError::from(ValueCause::Disclosed).at(&self.path));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_tuple<V: Visitor<'a>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.placeholder() {
            Some(placeholder) => placeholder.deserialize_tuple(length, visitor),
            None => self.value(visitor),
        }
    }

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
        deserialize_char deserialize_unit
    }

    forward_to_deserialize_any! { <V: Visitor<'a>> i128 u128 bytes byte_buf unit_struct tuple_struct identifier }
}

/// The entries of a map, then the placeholders for those that are missing.
struct Entries<'a, 'r> {
    entries: btree_map::Iter<'a, String, Node>,
    missing: std::vec::IntoIter<(String, usize)>,
    fields: Option<&'static [&'static str]>,
    next: Option<Entry<'a>>,
    path: KeyPath,
    run: &'r Run,
}

enum Entry<'a> {
    Present { key: &'a str, node: &'a Node },
    Missing { key: String, attempts: usize },
}

impl<'a> MapAccess<'a> for Entries<'a, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        for (key, node) in self.entries.by_ref() {
            if !self.run.refuses(&self.path, key, self.fields) {
                self.next = Some(Entry::Present { key, node });
                let key = BorrowedStrDeserializer::new(key);
                return seed.deserialize(key).map(Some);
            }
        }
        let Some((key, attempts)) = self.missing.next() else { return Ok(None) };
        let field = seed.deserialize(key.as_str().into_deserializer());
        self.next = Some(Entry::Missing { key, attempts });
        field.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        match self.next.take() {
            Some(Entry::Present { key, node }) => {
                let path = self.path.child(key);
                let reader = Reader { node, path: path.clone(), run: self.run };
                seed.deserialize(reader).map_err(|error| error.at(&path))
            }
            Some(Entry::Missing { key, attempts }) => {
                let path = self.path.child(key);
                seed.deserialize(Placeholder::new(attempts)).map_err(|error| error.at(&path))
            }
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

struct Items<'a, 'r> {
    items: slice::Iter<'a, Node>,
    index: usize,
    path: KeyPath,
    run: &'r Run,
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let path = self.path.child(self.index);
        self.index += 1;
        let reader = Reader { node, path: path.clone(), run: self.run };
        seed.deserialize(reader).map(Some).map_err(|error| error.at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// An enum variant with content: a map of one key.
struct Variant<'a, 'r> {
    variant: &'a str,
    content: Reader<'a, 'r>,
}

impl<'a, 'r> EnumAccess<'a> for Variant<'a, 'r> {
    type Error = ReadError;
    type Variant = VariantContent<'a, 'r>;

    fn variant_seed<V: DeserializeSeed<'a>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), ReadError> {
        let variant = seed.deserialize(StrDeserializer::<ReadError>::new(self.variant))?;
        Ok((variant, VariantContent(self.content)))
    }
}

struct VariantContent<'a, 'r>(Reader<'a, 'r>);

impl<'a> VariantAccess<'a> for VariantContent<'a, '_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, ReadError> {
        let path = self.0.path.clone();
        seed.deserialize(self.0).map_err(|error| error.at(&path))
    }

    fn tuple_variant<V: Visitor<'a>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let path = self.0.path.clone();
        de::Deserializer::deserialize_tuple(self.0, length, visitor)
            .map_err(|error| error.at(&path))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let path = self.0.path.clone();
        de::Deserializer::deserialize_struct(self.0, "", fields, visitor)
            .map_err(|error| error.at(&path))
    }
}
