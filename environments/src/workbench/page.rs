//! Pages of search results, computed as Python computes them from whatever `page` and `page_size` are.

use framework::environment::python::Json;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::call::{Arguments, Exception, type_name};
use super::table::Record;

/// What the parts of a page are called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Titles {
    /// The key of the rows.
    pub(super) rows: &'static str,
    /// The key of their number.
    pub(super) total: &'static str,
}

/// A page of rows.
#[derive(Clone, Debug)]
pub(super) struct Page {
    titles: Titles,
    records: Vec<Record>,
    total: usize,
    number: i128,
    size: Json,
    pages: i128,
}

/// Rows on a page, unless the call says otherwise.
const SIZE: i64 = 5;

impl Page {
    /// The page that a call asks for, of so many rows; `record` gives the row at an index.
    pub(super) fn of(
        titles: Titles,
        total: usize,
        arguments: &Arguments,
        record: impl Fn(usize) -> Record,
    ) -> Result<Self, Exception> {
        let size_given = arguments.given("page_size").cloned();
        let size_given = size_given.unwrap_or(Json::Integer(SIZE.into()));
        let count = i128::try_from(total).unwrap_or(i128::MAX);
        let (size, pages) = match whole(&size_given) {
            Ok(0) => return Err(Exception::new("integer division or modulo by zero")),
            Ok(size) => (Some(size), floor_division(count + size - 1, size)),
            Err(Other::Float(0.0)) => return Err(Exception::new("float floor division by zero")),
            Err(Other::Float(_)) => (None, 1),
            Err(Other::Type(name)) => {
                let what = "unsupported operand type(s) for +: 'int' and";
                return Err(Exception(format!("{what} '{name}'")));
            }
        };
        let number = match arguments.given("page") {
            None => 1,
            Some(page) => number_of(page, pages)?,
        };
        let size = size.ok_or_else(not_an_index)?;
        let number = number.max(1).min(pages);
        let first = (number - 1) * size;
        let end = (first + size).min(count);
        let records = slice(first, end, total).map(record).collect();
        Ok(Self { titles, records, total, number, size: size_given, pages })
    }
}

/// Python's `//`, which rounds down.
fn floor_division(dividend: i128, divisor: i128) -> i128 {
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    if remainder != 0 && (remainder < 0) != (divisor < 0) { quotient - 1 } else { quotient }
}

/// A number of a page, clamped where a float would be.
fn number_of(page: &Json, pages: i128) -> Result<i128, Exception> {
    whole(page).or_else(|other| match other {
        // A float that gives way to the first or the last page leaves an integer behind.
        Other::Float(number) if number <= 1.0 => Ok(1),
        Other::Float(number) if number > pages as f64 => Ok(pages),
        Other::Float(number) if number.is_nan() => Ok(1),
        Other::Float(_) => Err(not_an_index()),
        Other::Type(name) => {
            Err(Exception(format!("'>' not supported between instances of '{name}' and 'int'")))
        }
    })
}

fn not_an_index() -> Exception {
    Exception::new("slice indices must be integers or None or have an __index__ method")
}

/// What is no whole number.
enum Other {
    Float(f64),
    Type(&'static str),
}

fn whole(value: &Json) -> Result<i128, Other> {
    // Far beyond any table, and far from the limits of what is computed with it.
    const HUGE: i128 = 1 << 60;
    match value {
        Json::Bool(value) => Ok(i128::from(*value)),
        Json::Integer(number) => {
            let sign = if number.as_str().starts_with('-') { -1 } else { 1 };
            let number = number.as_str().parse().unwrap_or(sign * HUGE);
            Ok(number.clamp(-HUGE, HUGE))
        }
        Json::Float(number) => Err(Other::Float(*number)),
        value => Err(Other::Type(type_name(value))),
    }
}

/// The indices of a Python slice: from the end where negative, and empty where they cross.
fn slice(first: i128, end: i128, total: usize) -> std::ops::Range<usize> {
    let index = |at: i128| {
        let count = i128::try_from(total).unwrap_or(i128::MAX);
        let at = if at < 0 { at + count } else { at };
        usize::try_from(at.clamp(0, count)).unwrap_or(total)
    };
    let (first, end) = (index(first), index(end));
    first..end.max(first)
}

impl Serialize for Page {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.titles.rows, &self.records)?;
        map.serialize_entry("pagination", &Pagination(self))?;
        map.end()
    }
}

struct Pagination<'a>(&'a Page);

impl Serialize for Pagination<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(page) = self;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry(page.titles.total, &page.total)?;
        map.serialize_entry("page", &page.number)?;
        map.serialize_entry("page_size", &page.size)?;
        map.serialize_entry("total_pages", &page.pages)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Cell;
    use super::*;

    /// Rows, page, size and number of pages; or what went wrong.
    fn page(total: usize, arguments: &str) -> Result<(Vec<String>, String), String> {
        const TITLES: Titles = Titles { rows: "rows", total: "total" };
        let arguments = Arguments::parse(arguments).unwrap();
        let record = |index: usize| Record {
            columns: &["n"],
            row: vec![Cell::text(&index.to_string())].into(),
        };
        let page = Page::of(TITLES, total, &arguments, record).map_err(|error| error.0)?;
        let rows = page.records.iter().map(|record| record.row[0].as_text().unwrap().to_owned());
        Ok((rows.collect(), serde_json::to_string(&Pagination(&page)).unwrap()))
    }

    #[test]
    fn pages_are_clamped_and_cut_as_python_does() {
        for (total, arguments, rows, expected) in [
            (12, "{}", vec!["0", "1", "2", "3", "4"], r#""page":1,"page_size":5,"total_pages":3}"#),
            (12, r#"{"page":3}"#, vec!["10", "11"], r#""page":3,"page_size":5,"total_pages":3}"#),
            (12, r#"{"page":99}"#, vec!["10", "11"], r#""page":3,"page_size":5,"total_pages":3}"#),
            (
                3,
                r#"{"page":0,"page_size":2}"#,
                vec!["0", "1"],
                r#""page":1,"page_size":2,"total_pages":2}"#,
            ),
            (
                3,
                r#"{"page":-7,"page_size":true}"#,
                vec!["0"],
                r#""page":1,"page_size":true,"total_pages":3}"#,
            ),
            (12, r#"{"page_size":-5}"#, vec![], r#""page":-2,"page_size":-5,"total_pages":-2}"#),
            (
                2,
                r#"{"page":1.0,"page_size":100000000000000000000000000000000000000000}"#,
                vec!["0", "1"],
                r#""page":1,"page_size":100000000000000000000000000000000000000000,"total_pages":1}"#,
            ),
        ] {
            let (found, pagination) = page(total, arguments).unwrap();
            assert_eq!(found, rows, "{arguments}");
            assert_eq!(pagination, format!(r#"{{"total":{total},{expected}"#), "{arguments}");
        }
    }

    #[test]
    fn what_is_no_number_is_answered_in_pythons_words() {
        for (arguments, expected) in [
            (r#"{"page_size":0}"#, "integer division or modulo by zero"),
            (r#"{"page_size":"5"}"#, "unsupported operand type(s) for +: 'int' and 'str'"),
            (r#"{"page":"2"}"#, "'>' not supported between instances of 'str' and 'int'"),
            (
                r#"{"page_size":5.0}"#,
                "slice indices must be integers or None or have an __index__ method",
            ),
            (
                r#"{"page":2.0}"#,
                "slice indices must be integers or None or have an __index__ method",
            ),
        ] {
            assert_eq!(page(12, arguments).unwrap_err(), expected, "{arguments}");
        }
    }
}
