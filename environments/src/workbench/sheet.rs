//! Reads the tables of an office from their files.
//!
//! They are CSV with every column as text, as `pandas.read_csv(dtype=str)` reads them: a cell that is
//! empty or says `NaN`, `None` and the like has no value. The crate `csv` splits them, and knows the line of
//! each row.

use std::fmt;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::table::{Cell, Columns, Row};

/// Texts that pandas takes for a missing value.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// What is wrong with a file, and where.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{file}`{place}: {problem}")]
pub(super) struct SheetError {
    file: String,
    place: Place,
    problem: String,
}

/// Where in a file.
#[derive(Clone, Copy, Debug)]
enum Place {
    File,
    Line(u64),
    Cell(u64, &'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(line) => write!(f, " line {line}"),
            Self::Cell(line, column) => write!(f, " line {line}, column `{column}`"),
        }
    }
}

/// The text of one table.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// Its name in errors.
    file: String,
    columns: Columns,
    /// The rows with their lines.
    rows: Vec<(u64, Row)>,
}

impl Sheet {
    /// Reads a table whose first line names its columns.
    pub(super) fn with_header(
        file: &Path,
        text: &str,
        columns: Columns,
    ) -> Result<Self, SheetError> {
        let mut sheet = Self { file: file.display().to_string(), columns, rows: Vec::new() };
        let mut records = records(text).into_iter();
        let header = records.next().map_or_else(
            || Ok(StringRecord::new()),
            |record| record.map_err(|error| sheet.malformed(&error)),
        )?;
        if header.iter().ne(columns.iter().copied()) {
            let found = header.iter().collect::<Vec<_>>().join(",");
            let expected = columns.join(",");
            let problem = format!("the columns must be `{expected}`, found `{found}`");
            return Err(sheet.error(Place::Line(1), problem));
        }
        sheet.read(records)?;
        Ok(sheet)
    }

    /// Reads a table that has nothing but rows.
    pub(super) fn without_header(
        file: &Path,
        text: &str,
        columns: Columns,
    ) -> Result<Self, SheetError> {
        let mut sheet = Self { file: file.display().to_string(), columns, rows: Vec::new() };
        sheet.read(records(text).into_iter())?;
        Ok(sheet)
    }

    fn read(
        &mut self,
        records: impl Iterator<Item = Result<StringRecord, csv::Error>>,
    ) -> Result<(), SheetError> {
        for record in records {
            let record = record.map_err(|error| self.malformed(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let (found, wanted) = (record.len(), self.columns.len());
            if found != wanted {
                let problem = format!("{wanted} cells are wanted, found {found}");
                return Err(self.error(Place::Line(line), problem));
            }
            let cell =
                |text: &str| if MISSING.contains(&text) { Cell::Missing } else { text.into() };
            self.rows.push((line, record.iter().map(cell).collect()));
        }
        Ok(())
    }

    fn malformed(&self, error: &csv::Error) -> SheetError {
        let place = error.position().map_or(Place::File, |position| Place::Line(position.line()));
        self.error(place, "not CSV in UTF-8".to_owned())
    }

    fn error(&self, place: Place, problem: String) -> SheetError {
        SheetError { file: self.file.clone(), place, problem }
    }

    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().map(|(_, row)| row)
    }

    /// The rows, which are to be what a condition says in one column.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows.into_iter().map(|(_, row)| row).collect()
    }

    /// What a function makes of the texts of a column. It says what is wrong with one if it can make
    /// nothing of it; so is a cell without value.
    pub(super) fn column<T>(
        &self,
        column: usize,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, SheetError> {
        let read_row = |(line, row): &(u64, Row)| {
            let text = row[column].as_text().ok_or_else(|| "a value is wanted".to_owned());
            let place = Place::Cell(*line, self.columns[column]);
            text.and_then(&read).map_err(|problem| self.error(place, problem))
        };
        self.rows.iter().map(read_row).collect()
    }
}

fn records(text: &str) -> Vec<Result<StringRecord, csv::Error>> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true);
    builder.from_reader(text.trim_start_matches('\u{feff}').as_bytes()).into_records().collect()
}
