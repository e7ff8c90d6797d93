//! The office that all sessions share, and the world of one session.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use framework::environment::python::Json;
use framework::environment::python::text::{parse_float, parse_int};
use num_bigint::BigInt;

use super::call::{Exception, repr, type_name};
use super::moment::Moment;
use super::sheet::{Sheet, SheetError};
use super::table::{Cell, Columns, Labels, Row, Slot, Table};
use super::{analytics, calendar, customers, email, project};

/// What time it is, always.
pub(super) const NOW: &str = "2023-11-30 23:59:00";

/// The files of an office.
const FILES: [&str; 6] = [
    "emails.csv",
    "calendar_events.csv",
    "analytics_data.csv",
    "project_tasks.csv",
    "customer_relationship_manager_data.csv",
    "email_addresses.csv",
];

/// Where a file may lie below `data_dir`: beside the others, or as NeMo Gym keeps them.
const FOLDERS: [&str; 5] = ["", "processed", "raw", "csv_data/processed", "csv_data/raw"];

/// The tables as they are when a session begins.
#[derive(Debug)]
pub(super) struct Office {
    emails: Arc<[Row]>,
    /// What searches look at, by mail.
    pub(super) mail_texts: Vec<Box<str>>,
    /// The days on which the mails were sent.
    pub(super) sent_on: Vec<i64>,
    /// The day on which sessions take place.
    pub(super) today: i64,
    calendar: Arc<[Row]>,
    /// When the events start.
    pub(super) starts: Vec<Moment>,
    tasks: Arc<[Row]>,
    customers: Arc<[Row]>,
    pub(super) visits: Vec<Visit>,
    pub(super) directory: Vec<Cell>,
}

/// A visit to the company's site.
#[derive(Debug)]
pub(super) struct Visit {
    /// What the model reads of it.
    pub(super) row: Row,
    pub(super) date: Box<str>,
    /// In seconds; `None` if the table does not say.
    pub(super) duration: Option<f64>,
    pub(super) engaged: bool,
}

/// Why there is no office.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum OfficeError {
    #[error("`data_dir`: `{folder}` has no `{file}`, nor has a folder `{}` in it", FOLDERS[1..].join("`, `"), folder = folder.display())]
    Missing { folder: PathBuf, file: &'static str },
    #[error("`data_dir`: cannot read `{path}`: {reason}", path = path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("`data_dir`: {0}")]
    Sheet(#[from] SheetError),
}

impl Office {
    /// The office that ships.
    pub(super) fn shipped() -> Arc<Self> {
        macro_rules! shipped {
            ($name:literal) => {
                ($name.into(), include_str!(concat!("../../data/workbench/", $name)).to_owned())
            };
        }
        static SHIPPED: LazyLock<Arc<Office>> = LazyLock::new(|| {
            let files: [(PathBuf, String); 6] = [
                shipped!("emails.csv"),
                shipped!("calendar_events.csv"),
                shipped!("analytics_data.csv"),
                shipped!("project_tasks.csv"),
                shipped!("customer_relationship_manager_data.csv"),
                shipped!("email_addresses.csv"),
            ];
            Arc::new(Office::of_files(&files).expect("the tables that ship are well-formed"))
        });
        SHIPPED.clone()
    }

    /// The office of a folder. All environments of the process that use it share it.
    pub(super) fn of_folder(folder: &Path) -> Result<Arc<Self>, OfficeError> {
        static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<Office>>>> =
            LazyLock::new(Mutex::default);
        let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        // The lock is kept while the files are read: other shards want the same ones.
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, office| office.strong_count() > 0);
        if let Some(office) = open.get(&path).and_then(Weak::upgrade) {
            return Ok(office);
        }
        let files = FILES.map(|file| read_file(folder, file));
        let files = files.into_iter().collect::<Result<Vec<_>, _>>()?;
        let files = files.try_into().expect("there are as many texts as files");
        let office = Arc::new(Self::of_files(&files)?);
        open.insert(path, Arc::downgrade(&office));
        Ok(office)
    }

    /// Reads the tables, in the order of [`FILES`].
    fn of_files(files: &[(PathBuf, String); 6]) -> Result<Self, SheetError> {
        let sheet = |index: usize, columns: Columns| {
            let (file, text) = &files[index];
            Sheet::with_header(file, text, columns)
        };
        let emails = sheet(0, email::COLUMNS)?;
        let calendar = sheet(1, calendar::COLUMNS)?;
        let visits = visits(sheet(2, analytics::COLUMNS)?)?;
        let tasks = sheet(3, project::COLUMNS)?;
        let customers = sheet(4, customers::COLUMNS)?;
        let (file, text) = &files[5];
        let directory = Sheet::without_header(file, text, &["address"])?;
        emails.column(email::ID, read_id)?;
        calendar.column(calendar::ID, read_id)?;
        tasks.column(project::ID, read_id)?;
        customers.column(customers::ID, read_id)?;
        let starts = calendar.column(calendar::START, read_moment)?;
        let sent_on = emails
            .column(email::SENT, |text| read_moment(text)?.date().map_err(|error| error.0))?;
        let mail_texts = emails.rows().map(|row| email::text_of_mail(row).into()).collect();
        let today = Moment::of_text(NOW).ok().and_then(|now| now.date().ok());
        Ok(Self {
            emails: emails.into_rows().into(),
            mail_texts,
            sent_on,
            today: today.expect("the time is a time"),
            calendar: calendar.into_rows().into(),
            starts,
            tasks: tasks.into_rows().into(),
            customers: customers.into_rows().into(),
            visits,
            directory: directory.into_rows().into_iter().map(|row| row[0].clone()).collect(),
        })
    }
}

fn read_file(folder: &Path, file: &'static str) -> Result<(PathBuf, String), OfficeError> {
    let paths = FOLDERS.map(|inner| folder.join(inner).join(file));
    let path = paths.into_iter().find(|path| path.exists());
    let path = path.ok_or_else(|| OfficeError::Missing { folder: folder.to_owned(), file })?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => Err(OfficeError::Unreadable { path, reason: error.to_string() }),
    }
}

fn read_id(text: &str) -> Result<(), String> {
    parse_int(text).map(|_| ()).ok_or_else(|| format!("an id must be a number, not `{text}`"))
}

fn read_moment(text: &str) -> Result<Moment, String> {
    Moment::of_text(text).map_err(|error| format!("`{text}` is no time: {}", error.exception.0))
}

fn visits(sheet: Sheet) -> Result<Vec<Visit>, SheetError> {
    let dates = sheet.column(analytics::DATE, |date| Ok(Box::from(date)))?;
    let durations = sheet.column(analytics::DURATION, |text| {
        parse_float(text).ok_or_else(|| format!("a number of seconds is wanted, not `{text}`"))
    })?;
    let engaged = sheet.column(analytics::ENGAGED, |text| match text {
        "True" => Ok(true),
        "False" => Ok(false),
        _ => Err(format!("`True` or `False` is wanted, not `{text}`")),
    })?;
    let rows = sheet.into_rows().into_iter().zip(dates).zip(durations).zip(engaged);
    let visit = |(((row, date), duration), engaged): (((Row, Box<str>), f64), bool)| {
        let mut cells = row.to_vec();
        cells[analytics::ENGAGED] = (&Json::Bool(engaged)).into();
        Visit { row: cells.into(), date, duration: Some(duration), engaged }
    };
    Ok(rows.map(visit).collect())
}

/// What one session sees and changes.
#[derive(Clone)]
pub struct World {
    pub(super) office: Arc<Office>,
    pub(super) emails: Table,
    pub(super) calendar: Table,
    pub(super) tasks: Table,
    pub(super) customers: Table,
    /// The paths of the plots.
    pub(super) plots: Vec<Arc<str>>,
    /// Whether the durations of visits are shown as numbers.
    pub(super) durations_are_numbers: bool,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// A world in which nothing has been done yet.
    pub(super) fn new(office: &Arc<Office>) -> Self {
        let table = |rows: &Arc<[Row]>, labels| Table::new(rows.clone(), labels);
        Self {
            emails: table(&office.emails, Labels::Renumbered),
            calendar: table(&office.calendar, Labels::Zero),
            tasks: table(&office.tasks, Labels::Renumbered),
            customers: table(&office.customers, Labels::Renumbered),
            plots: Vec::new(),
            durations_are_numbers: false,
            office: office.clone(),
        }
    }

    /// Whether the tables that calls can change are the same. Case is ignored in all columns that hold
    /// no choice, and what is no text is there as if it were nothing.
    pub(super) fn equals(&self, other: &Self) -> bool {
        let tables = [
            (&self.calendar, &other.calendar, calendar::COLUMNS),
            (&self.emails, &other.emails, email::COLUMNS),
            (&self.tasks, &other.tasks, project::COLUMNS),
            (&self.customers, &other.customers, customers::COLUMNS),
        ];
        let mut plots = self.plots.iter().zip(&other.plots);
        self.plots.len() == other.plots.len()
            && plots.all(|(a, b)| same_folded(a, b))
            && tables.into_iter().all(|(ours, theirs, columns)| {
                ours.equals(theirs, |column, a, b| match columns[column] {
                    "status" | "list_name" | "board" => a.equals(b),
                    _ => match (a.as_text(), b.as_text()) {
                        (Some(a), Some(b)) => same_folded(a, b),
                        (a, b) => a.is_none() && b.is_none(),
                    },
                })
            })
    }
}

fn same_folded(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Whether a cell equals an argument, as pandas compares a column with it.
pub(super) fn is_value(cell: &Cell, value: &Json) -> bool {
    match (cell, value) {
        (Cell::Missing, _) => false,
        (Cell::Text(text), Json::String(value)) => **text == **value,
        (Cell::Text(_), _) => false,
        (Cell::Value(cell), value) => cell.equals(value),
    }
}

/// Whether a column of so many rows can be compared with a value: with a list it cannot.
pub(super) fn comparable(value: &Json, rows: usize) -> Result<(), Exception> {
    let Json::Array(items) = value else { return Ok(()) };
    let items = items.len();
    Err(Exception(format!("('Lengths must match to compare', ({rows},), ({items},))")))
}

impl Table {
    /// The rows with a value in a column.
    pub(super) fn find(&self, column: usize, value: &Json) -> Result<Vec<Slot>, Exception> {
        if matches!(value, Json::Array(_)) {
            comparable(value, self.rows().count())?;
        }
        let found = self.rows().filter(|entry| is_value(&entry.row[column], value));
        Ok(found.map(|entry| entry.slot).collect())
    }

    /// The first row with a value in a column.
    pub(super) fn first(&self, column: usize, value: &Json) -> Result<Option<&Row>, Exception> {
        if matches!(value, Json::Array(_)) {
            comparable(value, self.rows().count())?;
        }
        let mut rows = self.rows().map(|entry| entry.row);
        Ok(rows.find(|row| is_value(&row[column], value)))
    }

    /// Puts a value into a column of some rows, as `frame.loc[rows, column] = value` does: an object
    /// leaves no value, and the items of a list are shared out.
    pub(super) fn assign(
        &mut self,
        slots: &[Slot],
        column: usize,
        value: &Json,
    ) -> Result<(), Exception> {
        let items = match value {
            Json::Object(_) => vec![&Json::Null; slots.len()],
            Json::Array(items) if items.len() == slots.len() => items.iter().collect(),
            Json::Array(items) if items.len() == 1 => vec![&items[0]; slots.len()],
            Json::Array(_) => {
                return Err(Exception::new("setting an array element with a sequence."));
            }
            value => vec![value; slots.len()],
        };
        for (slot, item) in slots.iter().zip(items) {
            self.set(*slot, column, item.into());
        }
        Ok(())
    }

    /// One more than the largest id, where ids are compared as text.
    pub(super) fn next_id(&self, column: usize) -> Result<BigInt, Exception> {
        let mut largest: Option<&str> = None;
        for entry in self.rows() {
            let cell = &entry.row[column];
            let text = cell.as_text().ok_or_else(|| {
                let name = type_name(&cell.to_json());
                let what = "'>=' not supported between instances of 'str' and";
                Exception(format!("{what} '{name}'"))
            })?;
            largest = largest.max(Some(text));
        }
        let largest =
            largest.ok_or_else(|| Exception::new("cannot convert float NaN to integer"))?;
        let number = parse_int(largest).ok_or_else(|| {
            let text = repr(&Json::String(largest.into()));
            Exception(format!("invalid literal for int() with base 10: {text}"))
        })?;
        let number: BigInt = number.as_str().parse().expect("an integer is decimal digits");
        Ok(number + 1)
    }
}
