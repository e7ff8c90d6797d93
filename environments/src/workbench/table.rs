//! A table of the office as one session sees it: shared rows, and what the session changed.
//!
//! The rows that were loaded are shared by all sessions. A session keeps the rows that it replaced,
//! removed or added, and nothing else, so it costs what it changes.
//!
//! Rows have labels, and two tables are only equal if their labels are: they are those of the data
//! frames of NeMo Gym, whose comparison looks at them. Loaded rows are numbered from 0. Removing a row
//! leaves a gap; what adding a row does is the table's [`Labels`].

use std::iter::Peekable;
use std::slice;
use std::sync::Arc;

use framework::environment::python::Json;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One value of a table.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// No value: an empty cell of the file, or an argument that was left out.
    Missing,
    /// What almost all cells are.
    Text(Arc<str>),
    /// What a call put there that is no text.
    Value(Arc<Json>),
}

impl Cell {
    /// A cell of that text.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::Value(_) => None,
        }
    }

    /// The value as an argument of another call. A cell without value is Python's `nan`.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Missing => Json::Float(f64::NAN),
            Self::Text(text) => Json::String((&**text).into()),
            Self::Value(value) => (**value).clone(),
        }
    }

    /// Whether Python's `==` holds, where no value equals no value.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing, Self::Missing) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Value(a), Self::Value(b)) => a.equals(b),
            _ => false,
        }
    }
}

/// `None` and `nan` are no value.
impl From<&Json> for Cell {
    fn from(value: &Json) -> Self {
        match value {
            Json::Null => Self::Missing,
            Json::Float(number) if number.is_nan() => Self::Missing,
            Json::String(text) => Self::text(text),
            value => Self::Value(Arc::new(value.clone())),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Value(value) if value.is_finite() => value.serialize(serializer),
            Self::Value(value) => finite(value).serialize(serializer),
        }
    }
}

/// A value with null for each number that JSON does not have.
fn finite(value: &Json) -> Json {
    match value {
        Json::Float(number) if !number.is_finite() => Json::Null,
        Json::Array(items) => Json::Array(items.iter().map(finite).collect()),
        Json::Object(entries) => {
            let entry = |(key, value): &(Box<str>, Json)| (key.clone(), finite(value));
            Json::Object(entries.iter().map(entry).collect())
        }
        value => value.clone(),
    }
}

/// The cells of one row, in the order of the columns.
pub(super) type Row = Arc<[Cell]>;
/// The names of a table's columns.
pub(super) type Columns = &'static [&'static str];

/// A row as an object.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) columns: Columns,
    pub(super) row: Row,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(&*self.row) {
            map.serialize_entry(column, cell)?;
        }
        map.end()
    }
}

/// What adding a row does to the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    /// All rows are numbered anew, from 0.
    Renumbered,
    /// The new row is labelled 0, whatever the others are.
    Zero,
}

/// What a session did to a row.
#[derive(Clone, Debug)]
enum Change {
    /// It has these cells now.
    Set(Row),
    /// It is gone; `closed` once the rows after it have been numbered anew.
    Removed { closed: bool },
}

/// Names a row of a table, for as long as the table lives.
pub(super) type Slot = usize;

/// A table of one session.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The rows that were loaded.
    loaded: Arc<[Row]>,
    labels: Labels,
    /// In the order of the slots, each at most once: a session has few. Rows that were added stand here
    /// too, in slots behind the loaded ones.
    changes: Vec<(Slot, Change)>,
    slots: usize,
}

/// A row where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) slot: Slot,
    pub(super) row: &'a Row,
    /// Whether it is as it was loaded.
    pub(super) is_loaded: bool,
}

impl Table {
    /// A table as it was loaded.
    pub(super) fn new(loaded: Arc<[Row]>, labels: Labels) -> Self {
        let slots = loaded.len();
        Self { loaded, labels, changes: Vec::new(), slots }
    }

    /// Its rows, in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut changes = self.changes.iter().peekable();
        (0..self.slots).filter_map(move |slot| match change_at(&mut changes, slot) {
            None => Some(Entry { slot, row: &self.loaded[slot], is_loaded: true }),
            Some(Change::Set(row)) => Some(Entry { slot, row, is_loaded: false }),
            Some(Change::Removed { .. }) => None,
        })
    }

    /// Its rows with their labels.
    fn labelled(&self) -> impl Iterator<Item = (usize, &Row)> {
        let mut changes = self.changes.iter().peekable();
        let mut closed_gaps = 0;
        (0..self.slots).filter_map(move |slot| {
            let is_added = slot >= self.loaded.len();
            let label = match self.labels {
                Labels::Zero if is_added => 0,
                Labels::Zero | Labels::Renumbered => slot - closed_gaps,
            };
            match change_at(&mut changes, slot) {
                None => Some((label, &self.loaded[slot])),
                Some(Change::Set(row)) => Some((label, row)),
                Some(Change::Removed { closed }) => {
                    closed_gaps += usize::from(*closed);
                    None
                }
            }
        })
    }

    /// Adds a row at the end.
    pub(super) fn push(&mut self, row: Row) {
        self.changes.push((self.slots, Change::Set(row)));
        self.slots += 1;
        if self.labels == Labels::Renumbered {
            for (_, change) in &mut self.changes {
                if let Change::Removed { closed } = change {
                    *closed = true;
                }
            }
        }
    }

    /// Puts a cell into a row.
    pub(super) fn set(&mut self, slot: Slot, column: usize, cell: Cell) {
        let row = match self.place(slot) {
            Err(_) => &self.loaded[slot],
            Ok(index) => match &self.changes[index].1 {
                Change::Set(row) => row,
                Change::Removed { .. } => return,
            },
        };
        let mut cells = row.to_vec();
        cells[column] = cell;
        self.change(slot, Change::Set(cells.into()));
    }

    /// Where the change of a slot stands, or belongs.
    fn place(&self, slot: Slot) -> Result<usize, usize> {
        self.changes.binary_search_by_key(&slot, |(slot, _)| *slot)
    }

    fn change(&mut self, slot: Slot, change: Change) {
        match self.place(slot) {
            Ok(index) => self.changes[index].1 = change,
            Err(index) => self.changes.insert(index, (slot, change)),
        }
    }

    /// Removes rows.
    pub(super) fn remove(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.change(*slot, Change::Removed { closed: false });
        }
    }

    /// Whether labels and rows are the same, where `same` compares two cells of a column.
    pub(super) fn equals(&self, other: &Self, same: impl Fn(usize, &Cell, &Cell) -> bool) -> bool {
        let same_row = |a: &Row, b: &Row| {
            let cells = || a.iter().zip(&**b).enumerate();
            Arc::ptr_eq(a, b) || cells().all(|(column, (a, b))| same(column, a, b))
        };
        let (mut ours, mut theirs) = (self.labelled(), other.labelled());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some((a, row)), Some((b, other))) if a == b && same_row(row, other) => {}
                _ => return false,
            }
        }
    }
}

/// The change of a slot, of changes that are walked through side by side with the slots.
fn change_at<'a>(
    changes: &mut Peekable<slice::Iter<'a, (Slot, Change)>>,
    slot: Slot,
) -> Option<&'a Change> {
    changes.next_if(|(changed, _)| *changed == slot).map(|(_, change)| change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(text: &str) -> Row {
        vec![Cell::text(text)].into()
    }

    fn table(labels: Labels, count: usize) -> Table {
        Table::new((0..count).map(|index| row(&format!("row {index}"))).collect(), labels)
    }

    /// The same in the plainest way: rows with their labels in a list.
    #[derive(Clone, Debug, PartialEq)]
    struct Plain(Vec<(usize, String)>);

    impl Plain {
        fn push(&mut self, text: &str, labels: Labels) {
            self.0.push((0, text.to_owned()));
            if labels == Labels::Renumbered {
                self.0.iter_mut().enumerate().for_each(|(index, entry)| entry.0 = index);
            }
        }
    }

    fn plain(table: &Table) -> Plain {
        let entry = |(label, row): (usize, &Row)| (label, row[0].as_text().unwrap().to_owned());
        Plain(table.labelled().map(entry).collect())
    }

    proptest! {
        #[test]
        fn a_table_is_what_a_list_of_labelled_rows_would_be(
            steps in prop::collection::vec((0..3_u8, 0..12_usize), 0..24),
            renumbered: bool,
        ) {
            let labels = if renumbered { Labels::Renumbered } else { Labels::Zero };
            let mut table = table(labels, 6);
            let mut expected = plain(&table);
            for (step, (action, at)) in steps.into_iter().enumerate() {
                let slot = table.rows().nth(at).map(|entry| entry.slot);
                match (action, slot) {
                    (0, _) => {
                        table.push(row(&format!("new {step}")));
                        expected.push(&format!("new {step}"), labels);
                    }
                    (1, Some(slot)) => {
                        table.set(slot, 0, Cell::text(&format!("set {step}")));
                        expected.0[at].1 = format!("set {step}");
                    }
                    (_, Some(slot)) => {
                        table.remove(&[slot]);
                        expected.0.remove(at);
                    }
                    (_, None) => {}
                }
            }
            prop_assert_eq!(plain(&table), expected);
        }
    }

    #[test]
    fn two_sessions_share_what_neither_has_changed() {
        let first = table(Labels::Zero, 3);
        let mut second = first.clone();
        second.set(1, 0, Cell::text("mine"));
        let texts = |table: &Table| plain(table).0.into_iter().map(|(_, text)| text).collect();
        let (untouched, changed): (Vec<_>, Vec<_>) = (texts(&first), texts(&second));
        assert_eq!(untouched, ["row 0", "row 1", "row 2"]);
        assert_eq!(changed, ["row 0", "mine", "row 2"]);
    }

    #[test]
    fn numbers_that_json_has_not_are_null() {
        let value = Json::parse(r#"{"a":[NaN,1.5,{"b":Infinity}],"c":"x"}"#).unwrap();
        let text = serde_json::to_string(&Cell::from(&value)).unwrap();
        assert_eq!(text, r#"{"a":[null,1.5,{"b":null}],"c":"x"}"#);
        assert_eq!(serde_json::to_string(&Cell::from(&Json::Float(f64::NAN))).unwrap(), "null");
        assert_eq!(
            serde_json::to_string(&Cell::from(&Json::Float(f64::INFINITY))).unwrap(),
            "null"
        );
    }
}
