//! ISO 8601, as pandas takes it: any of five separators in the date, a space for the `T`, one digit
//! where a separator stands, time zones by their offset.
//!
//! Follows `parse_iso_8601_datetime` of pandas (`_libs/src/vendored/numpy/datetime/np_datetime_strings.c`).

use super::{Civil, days_in_month};

/// The date and time in a text, and how far its clock is ahead of UTC; `None` if it has another form.
pub(super) fn parse(text: &str) -> Option<(Civil, Option<i64>)> {
    let mut scanner = Scanner { rest: text.as_bytes() };
    scanner.skip_space();
    let mut civil = scanner.date()?;
    if scanner.rest.is_empty() {
        return Some((civil, None));
    }
    scanner.time(&mut civil)?;
    let ahead = scanner.zone()?;
    (civil.year > 0).then_some((civil, ahead))
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn peek_digit(&self) -> Option<i64> {
        let first = self.rest.first().filter(|byte| byte.is_ascii_digit())?;
        Some(i64::from(first - b'0'))
    }

    fn digit(&mut self) -> Option<i64> {
        let digit = self.peek_digit()?;
        self.rest = &self.rest[1..];
        Some(digit)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.rest.first() == Some(&byte);
        self.rest = &self.rest[usize::from(is_there)..];
        is_there
    }

    fn skip_space(&mut self) {
        while self.rest.first().is_some_and(|byte| byte.is_ascii_whitespace() || *byte == 0xb) {
            self.rest = &self.rest[1..];
        }
    }

    /// One digit or two; two, if it is the only way to tell where the number ends.
    fn pair(&mut self, is_separated: bool) -> Option<i64> {
        let first = self.digit()?;
        match self.digit() {
            Some(second) => Some(first * 10 + second),
            None => is_separated.then_some(first),
        }
    }

    fn date(&mut self) -> Option<Civil> {
        let mut year = 0;
        for _ in 0..4 {
            year = year * 10 + self.digit()?;
        }
        let first = |month, day| (year > 0).then_some(Civil::day(year, month, day));
        if self.rest.is_empty() {
            return first(1, 1);
        }
        let separator = self.rest.first().copied().filter(|byte| b"-./\\ ".contains(byte));
        if let Some(separator) = separator {
            self.eat(separator);
        }
        let month = self.pair(separator.is_some()).filter(|month| (1..=12).contains(month))?;
        if self.rest.is_empty() {
            // Without a separator it would be six digits, which are another date.
            separator?;
            return first(month, 1);
        }
        if let Some(separator) = separator
            && !self.eat(separator)
        {
            return None;
        }
        let day = self.pair(separator.is_some())?;
        (1..=days_in_month(year, month)).contains(&day).then_some(Civil::day(year, month, day))
    }

    /// What follows a date.
    fn time(&mut self, civil: &mut Civil) -> Option<()> {
        if !self.eat(b'T') && !self.eat(b' ') {
            return None;
        }
        let length = self.rest.len();
        civil.hour = self.pair(true).filter(|hour| *hour < 24)?;
        let has_two_digits = length - self.rest.len() == 2;
        let is_separated = self.eat(b':');
        if !is_separated && self.peek_digit().is_none() {
            // An hour alone needs both digits.
            return has_two_digits.then_some(());
        }
        civil.minute = self.pair(is_separated).filter(|minute| *minute < 60)?;
        if self.rest.is_empty() {
            return Some(());
        }
        let has_seconds = match is_separated {
            true => self.eat(b':'),
            false => self.peek_digit().is_some(),
        };
        if !has_seconds {
            return Some(());
        }
        civil.second = self.pair(is_separated).filter(|second| *second < 60)?;
        if self.eat(b'.') {
            self.fraction(civil);
        }
        Some(())
    }

    /// Digits behind the point, of which nine count and 18 are read.
    fn fraction(&mut self, civil: &mut Civil) {
        for place in 0..18 {
            let Some(digit) = self.digit() else { return };
            if place < 9 {
                civil.nanosecond += digit * 10_i64.pow(8 - place);
            }
        }
    }

    /// What follows a time: nothing, `Z`, or an offset.
    fn zone(&mut self) -> Option<Option<i64>> {
        self.skip_space();
        if self.rest.is_empty() {
            return Some(None);
        }
        let ahead = if self.eat(b'Z') {
            0
        } else {
            let sign = if self.eat(b'-') { -1 } else { self.eat(b'+').then_some(1)? };
            let hours = self.pair(true).filter(|hours| *hours < 24)?;
            let minutes = match self.rest.is_empty() {
                true => 0,
                false => {
                    self.eat(b':');
                    self.pair(true).filter(|minutes| *minutes < 60)?
                }
            };
            sign * (hours * 60 + minutes) * 60
        };
        self.skip_space();
        self.rest.is_empty().then_some(Some(ahead))
    }
}
