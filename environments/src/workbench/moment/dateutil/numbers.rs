//! The numbers of a date, and which of them is the year, the month and the day.

use framework::environment::python::text::parse_int;

use super::super::days_in_month;
use super::lexer::is_digit;
use super::{Parsed, Refused};

/// A number with its fraction, exactly as far as it matters.
#[derive(Clone, Copy)]
pub(super) struct Decimal {
    pub(super) whole: i128,
    /// Sixty times what follows the point, rounded down; `None` if nothing follows.
    pub(super) sixtieths: Option<i128>,
}

impl Decimal {
    pub(super) fn parse(text: &str) -> Parsed<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = whole.chars().chain(fraction.chars()).all(is_digit);
        if !is_number || (whole.is_empty() && fraction.is_empty()) {
            return Err(Refused);
        }
        let digits: String = fraction.chars().take(24).collect();
        let places = u32::try_from(digits.chars().count()).map_err(|_| Refused)?;
        let fraction = if digits.is_empty() { 0 } else { int(&digits)? };
        let sixtieths = (fraction > 0).then(|| fraction * 60 / 10_i128.pow(places));
        let whole = if whole.is_empty() { 0 } else { int(whole)? };
        Ok(Self { whole, sixtieths })
    }
}

/// `int()` of a token.
pub(super) fn int(text: &str) -> Parsed<i128> {
    let number = parse_int(text).ok_or(Refused)?;
    // Numbers beyond all use are all as wrong.
    Ok(number.as_str().parse().unwrap_or(i128::MAX / 128))
}

/// Numbers of a date in the order in which they were found, and which of them are known.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) values: Vec<i128>,
    year: Option<usize>,
    month: Option<usize>,
    day: Option<usize>,
    pub(super) has_century: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Year,
    Month,
}

impl Numbers {
    pub(super) fn push_text(&mut self, text: &str, label: Option<Label>) -> Parsed<()> {
        let is_year = text.chars().count() > 2 && text.chars().all(is_digit);
        self.push(int(text)?, is_year, label)
    }

    pub(super) fn push_number(&mut self, number: Decimal, label: Option<Label>) -> Parsed<()> {
        let is_year = number.whole > 100 || (number.whole == 100 && number.sixtieths.is_some());
        self.push(number.whole, is_year, label)
    }

    fn push(&mut self, value: i128, is_year: bool, label: Option<Label>) -> Parsed<()> {
        let mut label = label;
        if is_year {
            self.has_century = true;
            if label == Some(Label::Month) {
                return Err(Refused);
            }
            label = Some(Label::Year);
        }
        self.values.push(value);
        let known = match label {
            Some(Label::Year) => &mut self.year,
            Some(Label::Month) => &mut self.month,
            None => return Ok(()),
        };
        let is_first = known.is_none();
        *known = Some(self.values.len() - 1);
        is_first.then_some(()).ok_or(Refused)
    }

    pub(super) fn could_be_day(&self, value: Decimal) -> bool {
        let last = match (self.month, self.year) {
            (None, _) => 31,
            (Some(month), None) => days_in_month(2000, self.small(month)),
            (Some(month), Some(year)) => days_in_month(self.small(year), self.small(month)),
        };
        let last = i128::from(last);
        self.day.is_none()
            && value.whole >= 1
            && (value.whole < last || (value.whole == last && value.sixtieths.is_none()))
    }

    fn small(&self, index: usize) -> i64 {
        i64::try_from(self.values[index]).unwrap_or(1)
    }

    /// Year, month and day.
    pub(super) fn resolve(&self) -> Parsed<[Option<i128>; 3]> {
        let known = [self.year, self.month, self.day];
        let known_count = known.iter().flatten().count();
        let all_known = known_count > 0 && known_count == self.values.len();
        if all_known || (self.values.len() == 3 && known_count == 2) {
            let missing = (0..3).find(|index| !known.contains(&Some(*index)));
            let is_full = self.values.len() == 3;
            return Ok(known.map(|index| {
                index.or(missing.filter(|_| is_full)).map(|index| self.values[index])
            }));
        }
        let [y, m, d] = [Some, Some, Some];
        match (self.values.as_slice(), self.month) {
            ([], _) => Ok([None; 3]),
            ([month], Some(_)) => Ok([None, m(*month), None]),
            ([other], None) if *other > 31 => Ok([y(*other), None, None]),
            ([other], None) => Ok([None, None, d(*other)]),
            ([first, second], Some(index)) => {
                let (month, other) = if index == 0 { (first, second) } else { (second, first) };
                let is_year = *other > 31;
                let (year, day) = if is_year { (y(*other), None) } else { (None, d(*other)) };
                Ok([year, m(*month), day])
            }
            ([first, second], None) if *first > 31 => Ok([y(*first), m(*second), None]),
            ([first, second], None) if *second > 31 => Ok([y(*second), m(*first), None]),
            ([first, second], None) => Ok([None, m(*first), d(*second)]),
            ([a, b, c], index) => Ok(self.resolve_three([*a, *b, *c], index)),
            _ => Err(Refused),
        }
    }

    fn resolve_three(&self, [a, b, c]: [i128; 3], month: Option<usize>) -> [Option<i128>; 3] {
        let [year, month, day] = match month {
            Some(0) if b > 31 => [b, a, c],
            Some(0) => [c, a, b],
            Some(1) if a > 31 => [a, b, c],
            Some(1) => [c, b, a],
            Some(_) if b > 31 => [b, c, a],
            Some(_) => [a, c, b],
            None if a > 31 || self.year == Some(0) => [a, b, c],
            None if a > 12 => [c, b, a],
            None => [c, a, b],
        };
        [Some(year), Some(month), Some(day)]
    }
}
