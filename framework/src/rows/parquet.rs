//! Rows in Parquet, read and written by its record and column interfaces: without Arrow, whose arrays
//! would only be made to be taken apart again.

mod table;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{ConvertedType, LogicalType};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::value::RawValue;

use super::RowFault;
use crate::lines::LINE_MAX;
use crate::responses::{push_json_string, push_key};
use crate::rollout::one_line;

pub(super) use table::Table;

/// Keys that hold JSON even where their column has lost the mark for it, as it does when other programs
/// rewrite a file.
const ALWAYS_JSON: [&str; 6] =
    ["responses_create_params", "response", "rehearsal", "agent_ref", "messages", "tools"];

/// The rows of a file, one after the other.
pub(super) struct Rows {
    rows: RowIter<'static>,
    /// Which columns hold JSON.
    json: Vec<bool>,
    total: u64,
    number: u64,
    text: String,
}

impl Rows {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let opened = guarded(|| SerializedFileReader::new(file))?;
        let metadata = opened.metadata().file_metadata();
        let json = metadata.schema().get_fields().iter().map(|column| holds_json(column)).collect();
        let total = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let rows = opened.into_iter();
        Ok(Self { rows, json, total, number: 0, text: String::new() })
    }

    /// How many rows there are.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn advance(&mut self) -> Result<bool, RowFault> {
        let Some(row) = guarded(|| self.rows.next().transpose())? else { return Ok(false) };
        self.number += 1;
        self.text.clear();
        self.write(&row);
        if self.text.len() > LINE_MAX {
            self.text = String::new();
            return Err(RowFault::TooLong);
        }
        Ok(true)
    }

    fn write(&mut self, row: &Row) {
        let out = &mut self.text;
        out.push('{');
        for ((name, field), holds_json) in row.get_column_iter().zip(&self.json) {
            match field {
                Field::Null => {}
                Field::Str(text) if *holds_json => {
                    push_key(out, name);
                    push_json(out, text);
                }
                _ => {
                    push_key(out, name);
                    push_field(out, field);
                }
            }
        }
        out.push('}');
    }
}

/// Calls into the reader, which panics at some malformed files.
fn guarded<T>(read: impl FnOnce() -> Result<T, parquet::errors::ParquetError>) -> io::Result<T> {
    let malformed = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| malformed(error.to_string())),
        Err(_) => Err(malformed("malformed Parquet".to_owned())),
    }
}

fn holds_json(column: &Type) -> bool {
    let info = column.get_basic_info();
    column.is_primitive()
        && (info.converted_type() == ConvertedType::JSON
            || info.logical_type_ref() == Some(&LogicalType::Json)
            || ALWAYS_JSON.contains(&column.name()))
}

/// Appends text that should be JSON; as a string, if it is not.
fn push_json(out: &mut String, text: &str) {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) => out.push_str(&one_line(json.get().to_owned())),
        Err(_) => push_json_string(out, text),
    }
}

/// Appends a value of any type.
fn push_field(out: &mut String, field: &Field) {
    match field {
        Field::Str(text) => push_json_string(out, text),
        Field::Group(row) => {
            out.push('{');
            for (name, field) in row.get_column_iter().filter(|(_, field)| **field != Field::Null) {
                push_key(out, name);
                push_field(out, field);
            }
            out.push('}');
        }
        Field::ListInternal(list) => {
            out.push('[');
            for (index, field) in list.elements().iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_field(out, field);
            }
            out.push(']');
        }
        Field::MapInternal(map) => {
            out.push('{');
            for (key, field) in map.entries() {
                match key {
                    Field::Str(key) => push_key(out, key),
                    other => push_key(out, &other.to_string()),
                }
                push_field(out, field);
            }
            out.push('}');
        }
        Field::Float(value) => push_number(out, value, value.is_finite()),
        Field::Double(value) => push_number(out, value, value.is_finite()),
        Field::Bytes(bytes) if std::str::from_utf8(bytes.data()).is_ok() => {
            push_json_string(out, &String::from_utf8_lossy(bytes.data()));
        }
        // Numbers as they are; dates, times and decimals as text, bytes in base64.
        other => out.push_str(&other.to_json_value().to_string()),
    }
}

/// Appends a number as briefly as its type allows; JSON has no word for one that is not finite.
fn push_number(out: &mut String, value: &impl serde::Serialize, is_finite: bool) {
    let text = serde_json::to_string(value).expect("a number serialises to JSON");
    out.push_str(if is_finite { &text } else { "null" });
}
