//! The columns that rows need in Parquet: one for each key, as narrow as all its values are.

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::responses::Fields;

/// Keys that rows may have between them, at most: each is a column, and every row group has them all.
pub(super) const COLUMNS_MAX: usize = 1024;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Integer,
    Double,
    Text,
    /// Anything, as JSON.
    Json,
}

/// The columns of all rows so far, in the order of their first appearance.
#[derive(Debug, Default)]
pub(super) struct Columns(IndexMap<Box<str>, Shape>);

/// More keys than a table should have.
#[derive(Debug, thiserror::Error)]
#[error("rows have more than {COLUMNS_MAX} keys between them; write JSONL")]
pub(super) struct TooManyColumns;

impl Columns {
    /// Makes room for a row's values. A `null` needs none.
    pub(super) fn observe(&mut self, row: &Fields) -> Result<(), TooManyColumns> {
        for (name, value) in row.iter() {
            let Some(shape) = Shape::of(value) else { continue };
            if let Some(known) = self.0.get_mut(name) {
                if *known != shape {
                    *known = Shape::Json;
                }
            } else if self.0.len() < COLUMNS_MAX {
                self.0.insert(name.into(), shape);
            } else {
                return Err(TooManyColumns);
            }
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Shape)> {
        self.0.iter().map(|(name, shape)| (&**name, *shape))
    }
}

impl Shape {
    /// The shape of a value; `None` of a `null`.
    fn of(value: &RawValue) -> Option<Self> {
        let text = value.get();
        match text.as_bytes()[0] {
            b'n' => None,
            b't' | b'f' => Some(Self::Bool),
            b'"' => Some(Self::Text),
            b'[' | b'{' => Some(Self::Json),
            // What a double does not hold exactly stays JSON.
            _ if text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => {
                let finite = text.parse().is_ok_and(f64::is_finite);
                Some(if finite { Self::Double } else { Self::Json })
            }
            _ if text == "-0" => Some(Self::Json),
            _ => Some(if text.parse::<i64>().is_ok() { Self::Integer } else { Self::Json }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_narrow_as_all_its_values() {
        let mut columns = Columns::default();
        for row in [
            r#"{"a":1,"b":true,"c":"x","d":0.5,"e":[1],"f":1,"g":null,"h":18446744073709551615}"#,
            r#"{"a":-7,"b":null,"c":"","d":2e3,"e":{},"f":1.0,"i":"late"}"#,
        ] {
            columns.observe(&Fields::parse(row).unwrap()).unwrap();
        }
        let found: Vec<_> = columns.iter().collect();
        let expected = [
            ("a", Shape::Integer),
            ("b", Shape::Bool),
            ("c", Shape::Text),
            ("d", Shape::Double),
            ("e", Shape::Json),
            ("f", Shape::Json),
            ("h", Shape::Json),
            ("i", Shape::Text),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_without_end_are_no_table() {
        let mut columns = Columns::default();
        let row = |key: usize| Fields::parse(&format!(r#"{{"k{key}":1}}"#)).unwrap();
        for key in 0..COLUMNS_MAX {
            columns.observe(&row(key)).unwrap();
        }
        columns.observe(&row(0)).unwrap();
        let error = columns.observe(&row(COLUMNS_MAX)).unwrap_err();
        assert!(error.to_string().contains("1024 keys"));
    }
}
