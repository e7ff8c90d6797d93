//! Writes rows as a table. Which columns there are is known after the last row, so rows wait on the disk
//! until then, in a file without a name, which goes when the process does.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::super::columns::{Columns, Shape};
use crate::responses::Fields;

/// Rows of a row group, at most.
const ROWS_MAX: usize = 65_536;
/// A row group with so many bytes of JSON is full.
const BYTES_ENOUGH: usize = 64 << 20;

/// A table being written.
pub(in crate::rows) struct Table {
    waiting: BufWriter<File>,
    columns: Columns,
    file: File,
}

impl Table {
    /// A table for that file; rows wait in the folder.
    pub(in crate::rows) fn new(file: File, folder: &Path) -> io::Result<Self> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let waiting = BufWriter::with_capacity(256 << 10, tempfile::tempfile_in(folder)?);
        Ok(Self { waiting, columns: Columns::default(), file })
    }

    pub(in crate::rows) fn add(&mut self, row: &str) -> io::Result<()> {
        let fields = Fields::parse(row)?;
        self.columns.observe(&fields).map_err(io::Error::other)?;
        self.waiting.write_all(row.as_bytes())?;
        self.waiting.write_all(b"\n")
    }

    pub(in crate::rows) fn finish(self) -> io::Result<()> {
        let Self { waiting, columns, file } = self;
        let has_rows = waiting.get_ref().metadata()?.len() > 0 || !waiting.buffer().is_empty();
        if has_rows && columns.iter().next().is_none() {
            return Err(io::Error::other("rows without any value are no table; write JSONL"));
        }
        let mut waiting = waiting.into_inner().map_err(io::IntoInnerError::into_error)?;
        waiting.rewind()?;
        let columns: Vec<(&str, Shape)> = columns.iter().collect();
        let schema = schema(&columns).map_err(io::Error::other)?;
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties));
        let mut writer = writer.map_err(io::Error::other)?;
        let mut group = Group::new(&columns);
        let mut rows = BufReader::with_capacity(256 << 10, waiting);
        let mut line = String::new();
        while rows.read_line(&mut line)? > 0 {
            group.add(&Fields::parse(&line)?, line.len());
            line.clear();
            if group.is_full() {
                group.write(&mut writer).map_err(io::Error::other)?;
            }
        }
        if group.rows > 0 {
            group.write(&mut writer).map_err(io::Error::other)?;
        }
        writer.close().map(|_| ()).map_err(io::Error::other)
    }
}

fn schema(columns: &[(&str, Shape)]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|(name, shape)| {
        let (physical, logical) = match shape {
            Shape::Bool => (Physical::BOOLEAN, None),
            Shape::Integer => (Physical::INT64, None),
            Shape::Double => (Physical::DOUBLE, None),
            Shape::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Shape::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        };
        let column = Type::primitive_type_builder(name, physical);
        let column = column.with_repetition(Repetition::OPTIONAL).with_logical_type(logical);
        column.build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("row").with_fields(fields).build().map(Arc::new)
}

/// The values of some rows, by column.
struct Group<'a> {
    columns: Vec<Column<'a>>,
    rows: usize,
    bytes: usize,
}

struct Column<'a> {
    name: &'a str,
    values: Values,
    /// For each row, 1 if it has a value and else 0.
    present: Vec<i16>,
}

enum Values {
    Bool(Vec<bool>),
    Integer(Vec<i64>),
    Double(Vec<f64>),
    Text(Vec<ByteArray>),
    Json(Vec<ByteArray>),
}

impl<'a> Group<'a> {
    fn new(columns: &[(&'a str, Shape)]) -> Self {
        let column = |(name, shape): &(&'a str, Shape)| {
            let values = match shape {
                Shape::Bool => Values::Bool(Vec::new()),
                Shape::Integer => Values::Integer(Vec::new()),
                Shape::Double => Values::Double(Vec::new()),
                Shape::Text => Values::Text(Vec::new()),
                Shape::Json => Values::Json(Vec::new()),
            };
            Column { name, values, present: Vec::new() }
        };
        Self { columns: columns.iter().map(column).collect(), rows: 0, bytes: 0 }
    }

    fn add(&mut self, row: &Fields, bytes: usize) {
        for column in &mut self.columns {
            let value = row.get_set(column.name);
            column.present.push(i16::from(value.is_some()));
            if let Some(value) = value {
                column.values.push(value.get());
            }
        }
        self.rows += 1;
        self.bytes += bytes;
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.bytes >= BYTES_ENOUGH
    }

    /// Writes a row group and is empty again.
    fn write(&mut self, file: &mut SerializedFileWriter<File>) -> Result<(), ParquetError> {
        let mut group = file.next_row_group()?;
        for column in &mut self.columns {
            let mut writer = group.next_column()?.expect("the schema has these columns");
            column.write(writer.untyped())?;
            writer.close()?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Column<'_> {
    fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let present = std::mem::take(&mut self.present);
        let present = Some(present.as_slice());
        match (&mut self.values, writer) {
            (Values::Bool(values), ColumnWriter::BoolColumnWriter(writer)) => {
                writer.write_batch(&std::mem::take(values), present, None)?;
            }
            (Values::Integer(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(&std::mem::take(values), present, None)?;
            }
            (Values::Double(values), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(&std::mem::take(values), present, None)?;
            }
            (
                Values::Text(values) | Values::Json(values),
                ColumnWriter::ByteArrayColumnWriter(writer),
            ) => {
                writer.write_batch(&std::mem::take(values), present, None)?;
            }
            _ => unreachable!("the schema is made from these columns"),
        }
        Ok(())
    }
}

impl Values {
    fn push(&mut self, json: &str) {
        const FITS: &str = "the column's shape was made from this value";
        match self {
            Self::Bool(values) => values.push(json == "true"),
            Self::Integer(values) => values.push(json.parse().expect(FITS)),
            Self::Double(values) => values.push(json.parse().expect(FITS)),
            Self::Text(values) => {
                let text: String = serde_json::from_str(json).expect(FITS);
                values.push(text.into_bytes().into());
            }
            Self::Json(values) => values.push(json.as_bytes().to_vec().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use crate::rows::{RowReader, RowWriter, count_rows};

    /// What comes back of rows that were written.
    fn round_trip(rows: &[Value]) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        let mut writer = RowWriter::create(&path).unwrap();
        for row in rows {
            writer.write(&row.to_string()).unwrap();
        }
        writer.seal().unwrap().publish().unwrap();
        assert_eq!(count_rows(&path).unwrap(), rows.len() as u64);
        let mut reader = RowReader::open(&path).unwrap();
        let mut found = Vec::new();
        while reader.advance().unwrap() {
            found.push(serde_json::from_slice(reader.text()).unwrap());
        }
        assert_eq!(reader.bytes(), reader.bytes_total());
        found
    }

    /// A row without its keys that are null.
    fn without_nulls(row: &Value) -> Value {
        let fields = row.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        Value::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = [
            json!({
                "responses_create_params": { "input": [{ "role": "user", "content": "é\n\"x\"" }],
                    "tools": null, "temperature": 0.5 },
                "id": 0, "score": 0.25, "ok": true, "mixed": 1, "name": "", "tags": [], "deep": { "a": [null] },
                "large": u64::MAX, "text": "line\nbreak \u{1F600}",
            }),
            json!({ "responses_create_params": { "input": "hi" }, "id": -5, "mixed": 1.0, "only": "here" }),
            json!({ "responses_create_params": { "input": [] }, "mixed": "x", "id": i64::MIN, "none": null }),
            json!({}),
        ];
        let expected: Vec<_> = rows.iter().map(without_nulls).collect();
        assert_eq!(round_trip(&rows), expected);
        assert!(round_trip(&[]).is_empty());
    }

    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300_f64..1e300).prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        scalar.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_rows_come_back_but_for_keys_that_are_null(
            rows in prop::collection::vec(prop::collection::btree_map("[a-f\u{e9}. ]{1,2}", value(), 0..5), 1..8)
        ) {
            let object = |(place, row): (usize, std::collections::BTreeMap<String, Value>)| {
                let place = ("place".to_owned(), Value::from(place));
                Value::Object(row.into_iter().chain([place]).collect())
            };
            let rows: Vec<Value> = rows.into_iter().enumerate().map(object).collect();
            let expected: Vec<_> = rows.iter().map(without_nulls).collect();
            prop_assert_eq!(round_trip(&rows), expected);
        }
    }
}
