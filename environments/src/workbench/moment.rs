//! Points in time, read as leniently as `pandas.Timestamp` reads them.
//!
//! Models write dates in many ways, and whether one is taken decides what a call does. The order is that
//! of pandas 2.3 (`_libs/tslibs/parsing.pyx`, `conversion.pyx`): ISO 8601, a time of today, numbers with
//! separators, years, quarters and months, and then what `dateutil` makes of it. `dtparse`, a port of
//! the latter, was not taken: it brings a time zone database along, and departs from it in what it
//! refuses.

mod dateutil;
mod iso;

use std::cmp::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use framework::environment::python::Json;
use framework::environment::python::text::parse_int;

use super::call::{Exception, repr, type_name};

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// A point in time, or `NaT`, which is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// What clock and calendar show, in nanoseconds since the beginning of 1970.
    shown: Option<i128>,
    /// How far the clock is ahead of UTC, in seconds, if that is known.
    ahead: Option<i64>,
}

/// Why a value is no point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotAMoment {
    /// Whether Python raises a `ValueError`, which tools explain in words of their own.
    pub(super) is_value_error: bool,
    /// What it says.
    pub(super) exception: Exception,
}

/// A `ValueError`.
fn value_error(message: impl std::fmt::Display) -> NotAMoment {
    NotAMoment { is_value_error: true, exception: Exception::new(message) }
}

/// Any other error.
fn other_error(message: impl std::fmt::Display) -> NotAMoment {
    NotAMoment { is_value_error: false, exception: Exception::new(message) }
}

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
}

impl Civil {
    /// The midnight with which a day begins.
    const fn day(year: i64, month: i64, day: i64) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0, nanosecond: 0 }
    }

    /// What is out of range, in Python's words.
    fn check(&self) -> Result<(), String> {
        let Self { year, month, day, hour, minute, second, .. } = *self;
        if !(1..=9999).contains(&year) {
            return Err(format!("year {year} is out of range"));
        }
        if !(1..=12).contains(&month) {
            return Err("month must be in 1..12".to_owned());
        }
        if !(1..=days_in_month(year, month)).contains(&day) {
            return Err("day is out of range for month".to_owned());
        }
        for (value, name, end) in
            [(hour, "hour", 23), (minute, "minute", 59), (second, "second", 59)]
        {
            if !(0..=end).contains(&value) {
                return Err(format!("{name} must be in 0..{end}"));
            }
        }
        Ok(())
    }

    /// Nanoseconds since the beginning of 1970.
    fn shown(&self) -> i128 {
        let days = days_before(self.year, self.month, self.day);
        let seconds = (self.hour * 60 + self.minute) * 60 + self.second;
        i128::from(days) * DAY + i128::from(seconds) * SECOND + i128::from(self.nanosecond)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the beginning of 1970 to a date of the Gregorian calendar.
///
/// The algorithm is Howard Hinnant's `days_from_civil`.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl Moment {
    const NAT: Self = Self { shown: None, ahead: None };

    fn of_civil(civil: &Civil, ahead: Option<i64>) -> Self {
        Self { shown: Some(civil.shown()), ahead }
    }

    /// Reads a value.
    pub(super) fn of_json(value: &Json) -> Result<Self, NotAMoment> {
        match value {
            Json::String(text) => Self::of_text(text),
            Json::Null => Ok(Self::NAT),
            Json::Integer(number) => match number.as_str().parse::<i64>() {
                Ok(i64::MIN) => Ok(Self::NAT),
                Ok(nanoseconds) => Ok(Self { shown: Some(nanoseconds.into()), ahead: None }),
                Err(_) => {
                    Err(value_error(format_args!("Out of bounds nanosecond timestamp {number}")))
                }
            },
            Json::Float(number) if number.is_nan() => Ok(Self::NAT),
            Json::Float(number) if number.is_infinite() => {
                Err(other_error("cannot convert float infinity to integer"))
            }
            Json::Float(number) => Ok(Self { shown: Some(*number as i128), ahead: None }),
            Json::Bool(_) | Json::Array(_) | Json::Object(_) => Err(other_error(format_args!(
                "Cannot convert input [{}] of type <class '{}'> to Timestamp",
                repr(value),
                type_name(value)
            ))),
        }
    }

    /// Reads text.
    pub(super) fn of_text(text: &str) -> Result<Self, NotAMoment> {
        match text {
            "" | "NaT" | "nat" | "NAT" | "nan" | "NaN" | "NAN" => return Ok(Self::NAT),
            "now" | "today" => return Ok(Self { shown: Some(now()), ahead: None }),
            _ => {}
        }
        match iso::parse(text) {
            Some((civil, ahead)) => Ok(Self::of_civil(&civil, ahead)),
            None => Self::of_free_text(text),
        }
    }

    fn of_free_text(text: &str) -> Result<Self, NotAMoment> {
        if !is_date_like(text) {
            return Err(value_error(format_args!(
                "Given date string \"{text}\" not likely a datetime"
            )));
        }
        if is_time_like(text.as_bytes()) {
            let today = now().div_euclid(DAY);
            return dateutil::parse(text, today);
        }
        if let Some(civil) = delimited(text)? {
            return Ok(Self::of_civil(&civil, None));
        }
        if let Some(civil) = abbreviated(text)? {
            return Ok(Self::of_civil(&civil, None));
        }
        dateutil::parse(text, i128::from(days_before(1, 1, 1)))
    }

    /// The date that the calendar shows, in days since the beginning of 1970.
    pub(super) fn date(&self) -> Result<i64, Exception> {
        let days = self.shown.map(|shown| shown.div_euclid(DAY));
        let days =
            days.ok_or_else(|| Exception::new("Cannot compare NaT with datetime.date object"))?;
        Ok(i64::try_from(days).unwrap_or(i64::MAX))
    }

    /// Which is earlier. Nothing is earlier or later than `NaT`.
    pub(super) fn compare(&self, other: &Self) -> Result<Option<Ordering>, Exception> {
        if self.shown.is_none() || other.shown.is_none() {
            return Ok(None);
        }
        if self.ahead.is_some() != other.ahead.is_some() {
            return Err(Exception::new("Cannot compare tz-naive and tz-aware timestamps"));
        }
        Ok(Some(self.total(other)))
    }

    /// An order of all, whether they can be compared or not.
    pub(super) fn total(&self, other: &Self) -> Ordering {
        let instant = |moment: &Self| {
            let ahead = i128::from(moment.ahead.unwrap_or(0)) * SECOND;
            moment.shown.map(|shown| shown - ahead)
        };
        instant(self).cmp(&instant(other))
    }
}

/// Nanoseconds from the beginning of 1970 until now, by a clock that shows UTC.
fn now() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

/// Whether text may be a date at all: not a lone letter of a time, nor a small number.
fn is_date_like(text: &str) -> bool {
    if text.starts_with('0') {
        return true;
    }
    if matches!(text, "a" | "A" | "m" | "M" | "p" | "P" | "t" | "T") {
        return false;
    }
    let number = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let is_number = number.bytes().any(|byte| byte.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match number.parse::<f64>() {
        Ok(number) if is_number => number >= 1000.0,
        _ => true,
    }
}

/// Whether text begins as a time of day does.
fn is_time_like(text: &[u8]) -> bool {
    let is_digit = |index: usize| text[index].is_ascii_digit();
    match text {
        [_, b':', _, _, ..] => is_digit(0) && is_digit(2) && is_digit(3),
        [_, _, b':', _, _, ..] => [0, 1, 3, 4].into_iter().all(is_digit),
        _ => false,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// A date as the Americans write it, month, day and year, or month and year. Where only that makes
/// sense, the day comes first.
fn delimited(text: &str) -> Result<Option<Civil>, NotAMoment> {
    let bytes = text.as_bytes();
    let splits_at = |first: usize, second: usize| {
        let is_delimiter = |index: usize| b" -./".contains(&bytes[index]);
        is_delimiter(first) && is_delimiter(second)
    };
    let (first, second) = match bytes.len() {
        10 if splits_at(2, 5) => (2, 5),
        9 if splits_at(1, 4) => (1, 4),
        9 if splits_at(2, 4) => (2, 4),
        8 if splits_at(1, 3) => (1, 3),
        7 if splits_at(2, 2) && bytes[2] != b'.' => (2, 2),
        _ => return Ok(None),
    };
    let has_day = first != second;
    let day = if has_day { number(&bytes[first + 1..second]) } else { Some(1) };
    let parts = (number(&bytes[..first]), day, number(&bytes[second + 1..]));
    let (Some(month), Some(day), Some(year)) = parts else { return Ok(None) };
    if year < 1000 {
        return Ok(None);
    }
    let is_date = (1..=31).contains(&month) && (1..=31).contains(&day) && month.min(day) <= 12;
    if !is_date {
        return Err(value_error(format_args!("Invalid date specified ({month}/{day})")));
    }
    let is_swapped = has_day && month > 12;
    let (month, day) = if is_swapped { (day, month) } else { (month, day) };
    let civil = Civil::day(year, month, day);
    civil.check().map_err(value_error)?;
    Ok(Some(civil))
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// A year, a quarter, or a month of a year.
fn abbreviated(text: &str) -> Result<Option<Civil>, NotAMoment> {
    let upper = text.to_uppercase();
    let bytes = upper.as_bytes();
    if bytes.len() == 4
        && let Some(year @ 1..) = year_of(bytes)
    {
        return Ok(Some(Civil::day(year, 1, 1)));
    }
    if (4..=7).contains(&bytes.len())
        && let Some(at) = bytes[1..bytes.len().min(6)].iter().position(|byte| *byte == b'Q')
    {
        return quarter(text, bytes, at + 1);
    }
    let month = month_of_year(&upper).filter(|civil| civil.check().is_ok());
    Ok(month)
}

/// `int()` of a year.
fn year_of(text: &[u8]) -> Option<i64> {
    parse_int(std::str::from_utf8(text).ok()?)?.as_str().parse().ok()
}

/// A quarter, as `2023Q4`, `4Q2023`, `4Q23` or `23Q4`, perhaps with a hyphen.
fn quarter(text: &str, bytes: &[u8], at: usize) -> Result<Option<Civil>, NotAMoment> {
    let length = bytes.len();
    let after = bytes.get(at + 1) == Some(&b'-');
    let before = bytes[at - 1] == b'-';
    let (quarter, year) = match at {
        1 if length == 4 || (length == 5 && after) => (0, length - 2..length),
        1 if length == 6 || (length == 7 && after) => (0, length - 4..length),
        2 | 3 if length == 4 || (length == 5 && before) => (length - 1, 0..2),
        4 | 5 if length == 6 || (length == 7 && before) => (length - 1, 0..4),
        _ => return Ok(None),
    };
    let is_short = year.len() == 2;
    let Some(year) = year_of(&bytes[year]) else { return Ok(None) };
    let year = if is_short { 2000 + year } else { year };
    let quarter = i64::from(bytes[quarter]) - i64::from(b'0');
    if !(1..=4).contains(&quarter) {
        let what = "Incorrect quarterly string is given, quarter must be between 1 and 4";
        return Err(value_error(format_args!("{what}: {}", text.to_uppercase())));
    }
    let civil = Civil::day(year, quarter * 3 - 2, 1);
    Ok(Some(civil).filter(|civil| civil.check().is_ok()))
}

/// `2023-12`, `DEC 2023` or `DEC-2023`.
fn month_of_year(upper: &str) -> Option<Civil> {
    let digits = |text: &str, counts: &[usize]| {
        let is_number = counts.contains(&text.len());
        number(text.as_bytes()).filter(|_| is_number)
    };
    if let Some((year, month)) = upper.split_once('-')
        && let (Some(year), Some(month)) = (digits(year, &[4]), digits(month, &[1, 2]))
    {
        return Some(Civil::day(year, month, 1));
    }
    let index = MONTHS.iter().position(|month| upper.starts_with(month))?;
    let rest = &upper[MONTHS[index].len()..];
    let year = rest.strip_prefix('-').or_else(|| {
        let year = rest.trim_start();
        (year.len() < rest.len()).then_some(year)
    })?;
    Some(Civil::day(digits(year, &[4])?, i64::try_from(index).ok()? + 1, 1))
}

#[cfg(test)]
mod tests;
