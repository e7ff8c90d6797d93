//! CSV as Python's `csv.DictReader` reads it: each row after the header is an object of texts.
//!
//! The reader is the state machine of CPython's `Modules/_csv.c` in the dialect `excel`. Surplus cells
//! stand under a key that is no text, missing ones are null.

use super::value::{Key, Map, Value};

/// Characters that one cell may have.
const CELL_MAX: usize = 131_072;

/// Parses rows with a header.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut rows = Reader { lines: text.split_inclusive('\n') };
    let header = rows.next_row()?.unwrap_or_default();
    let mut objects = Vec::new();
    while let Some(row) = rows.next_row()? {
        if !row.is_empty() {
            objects.push(Value::Map(object(&header, row)));
        }
    }
    Ok(Value::List(objects))
}

fn object(header: &[String], row: Vec<String>) -> Map {
    let width = row.len();
    let mut cells = row.into_iter().map(|cell| Value::Text(cell.into()));
    let mut map: Map = header.iter().map(|name| Key::text(name)).zip(cells.by_ref()).collect();
    let surplus: Vec<_> = cells.collect();
    if !surplus.is_empty() {
        map.insert(Key::Other("None".into()), Value::List(surplus));
    }
    for name in header.get(width..).unwrap_or_default() {
        map.insert(Key::text(name), Value::Null);
    }
    map
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    StartRecord,
    StartField,
    InField,
    InQuotedField,
    QuoteInQuotedField,
    EatNewline,
}

struct Reader<'a> {
    lines: std::str::SplitInclusive<'a, char>,
}

/// A row being read.
struct Row {
    state: State,
    fields: Vec<String>,
    field: String,
    /// Characters in the field.
    length: usize,
}

impl Reader<'_> {
    /// The next row; an empty line is one without fields.
    fn next_row(&mut self) -> Result<Option<Vec<String>>, String> {
        let (fields, field) = (Vec::new(), String::new());
        let mut row = Row { state: State::StartRecord, fields, field, length: 0 };
        loop {
            let Some(line) = self.lines.next() else {
                let has_more = !row.field.is_empty() || row.state == State::InQuotedField;
                if has_more {
                    row.save();
                    return Ok(Some(row.fields));
                }
                return Ok(None);
            };
            for character in line.chars() {
                row.take(Some(character))?;
            }
            row.take(None)?;
            if row.state == State::StartRecord {
                return Ok(Some(row.fields));
            }
        }
    }
}

impl Row {
    fn save(&mut self) {
        self.fields.push(std::mem::take(&mut self.field));
        self.length = 0;
    }

    fn add(&mut self, character: char) -> Result<(), String> {
        if self.length >= CELL_MAX {
            return Err(format!("Error: field larger than field limit ({CELL_MAX})"));
        }
        self.field.push(character);
        self.length += 1;
        Ok(())
    }

    /// Ends the field, and the record with it if a newline or the line's end comes next.
    fn end_field(&mut self, next: Option<char>) {
        self.save();
        self.state = match next {
            None => State::StartRecord,
            Some(',') => State::StartField,
            Some(_) => State::EatNewline,
        };
    }

    /// Takes a character, or the end of a line.
    fn take(&mut self, next: Option<char>) -> Result<(), String> {
        let ends_field = matches!(next, None | Some('\n' | '\r' | ','));
        match (self.state, next) {
            (State::StartRecord, None) => {}
            (State::StartRecord, Some('\n' | '\r')) => self.state = State::EatNewline,
            (State::StartRecord | State::StartField | State::InField, _) if ends_field => {
                self.end_field(next);
            }
            (State::StartRecord | State::StartField, Some('"')) => {
                self.state = State::InQuotedField
            }
            (State::StartRecord | State::StartField | State::InField, Some(character)) => {
                self.state = State::InField;
                self.add(character)?;
            }
            (State::InQuotedField, Some('"')) => self.state = State::QuoteInQuotedField,
            (State::InQuotedField, Some(character)) => self.add(character)?,
            (State::QuoteInQuotedField, Some('"')) => {
                self.state = State::InQuotedField;
                self.add('"')?;
            }
            (State::QuoteInQuotedField, _) if ends_field => self.end_field(next),
            (State::QuoteInQuotedField, Some(character)) => {
                self.state = State::InField;
                self.add(character)?;
            }
            (State::EatNewline, None) => self.state = State::StartRecord,
            (State::EatNewline, Some('\n' | '\r')) | (State::InQuotedField, None) => {}
            (State::EatNewline, Some(_)) => {
                return Err("Error: new-line character seen in unquoted field".into());
            }
            (State::StartField | State::InField | State::QuoteInQuotedField, None) => {
                self.end_field(None);
            }
        }
        Ok(())
    }
}
