//! Dates as people write them: `Dec 1st, 2023 3pm`.
//!
//! Follows the parser of python-dateutil 2.9 (`dateutil/parser/_parser.py`, Apache-2.0), token by token,
//! with the defaults that pandas gives it.

mod lexer;
mod names;
mod numbers;

use framework::environment::python::text::parse_float;

use super::{Civil, DAY, Moment, NotAMoment, value_error};
use lexer::is_digit;
use names::{half, is_jump, is_utc, is_weekday, month, unit, with_half};
use numbers::{Decimal, Label, Numbers, int};

/// Text is no date: one of dateutil's many ways to say so, which all come to the same.
struct Refused;

type Parsed<T> = Result<T, Refused>;

/// What stands in a text, as far as it stands there.
#[derive(Debug, Default)]
struct Parts {
    year: Option<i128>,
    month: Option<i128>,
    day: Option<i128>,
    has_weekday: bool,
    hour: Option<i128>,
    minute: Option<i128>,
    second: Option<i128>,
    microsecond: Option<i128>,
    zone: Option<String>,
    ahead: Option<i64>,
}

/// Reads a date; what is not said is that of a day, which is given in days since the beginning of 1970.
pub(super) fn parse(text: &str, day: i128) -> Result<Moment, NotAMoment> {
    let parts = Reader::read(text).map_err(|Refused| {
        value_error(format_args!("Unknown datetime string format, unable to parse: {text}"))
    })?;
    let says_nothing = [parts.year, parts.month, parts.day, parts.hour, parts.minute]
        .into_iter()
        .chain([parts.second, parts.microsecond])
        .all(|part| part.is_none());
    if says_nothing {
        return Err(value_error(format_args!("Unable to parse datetime string: {text}")));
    }
    parts.moment(civil_of_days(day), text)
}

/// The date of a day. The algorithm is Howard Hinnant's `civil_from_days`.
fn civil_of_days(days: i128) -> Civil {
    let days = i64::try_from(days).unwrap_or_default() + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Civil::day(year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl Parts {
    /// The moment that is meant, with what is not said from `default`.
    fn moment(self, default: Civil, text: &str) -> Result<Moment, NotAMoment> {
        let part = |part: Option<i128>, default: i64| match part.map(i32::try_from) {
            None => Ok(default),
            Some(Ok(value)) => Ok(i64::from(value)),
            Some(Err(_)) => {
                Err(value_error(format_args!("Parsing \"{text}\" to datetime overflows")))
            }
        };
        let civil = Civil {
            year: part(self.year, default.year)?,
            month: part(self.month, default.month)?,
            day: part(self.day, default.day)?,
            hour: part(self.hour, default.hour)?,
            minute: part(self.minute, default.minute)?,
            second: part(self.second, default.second)?,
            nanosecond: part(self.microsecond, 0)? * 1000,
        };
        civil.check().map_err(|error| value_error(format_args!("{error}: {text}")))?;
        if self.has_weekday && self.day.is_none_or(|day| day == 0) {
            let what = "Parsing datetimes with weekday but no day information is not supported";
            return Err(value_error(what));
        }
        let ahead = self.ahead();
        if ahead.is_some_and(|ahead| ahead.abs() >= 86_400) {
            let what = "gives an invalid tzoffset, which must be between -timedelta(hours=24) and \
                timedelta(hours=24)";
            return Err(value_error(format_args!("Parsed string \"{text}\" {what}")));
        }
        Ok(Moment::of_civil(&civil, ahead))
    }

    /// How far the clock is ahead of UTC. Names of zones other than UTC are nobody's business.
    fn ahead(&self) -> Option<i64> {
        match &self.zone {
            Some(zone) if zone == "UTC" => Some(0),
            _ => self.ahead,
        }
    }
}

/// Walks over the tokens of a text.
struct Reader {
    tokens: Vec<String>,
    at: usize,
    numbers: Numbers,
    parts: Parts,
}

impl Reader {
    fn read(text: &str) -> Parsed<Parts> {
        let tokens = lexer::tokens(text);
        let mut reader =
            Self { tokens, at: 0, numbers: Numbers::default(), parts: Parts::default() };
        while reader.at < reader.tokens.len() {
            reader.token()?;
            reader.at += 1;
        }
        let [year, month, day] = reader.numbers.resolve()?;
        let mut parts = reader.parts;
        let has_century = reader.numbers.has_century;
        parts.year = year.map(|year| with_century(year, has_century));
        (parts.month, parts.day) = (month, day);
        let is_z = parts.zone.as_deref().is_some_and(|zone| matches!(zone, "Z" | "z"));
        if is_z || (parts.ahead == Some(0) && parts.zone.is_none()) {
            (parts.zone, parts.ahead) = (Some("UTC".to_owned()), Some(0));
        } else if parts.ahead != Some(0) && parts.zone.as_deref().is_some_and(is_utc) {
            parts.ahead = Some(0);
        }
        Ok(parts)
    }

    /// The token some way ahead.
    fn ahead(&self, offset: usize) -> Option<&str> {
        self.tokens.get(self.at + offset).map(String::as_str)
    }

    /// The token some way ahead, which has to be there.
    fn wanted(&self, offset: usize) -> Parsed<&str> {
        self.ahead(offset).ok_or(Refused)
    }

    fn token(&mut self) -> Parsed<()> {
        let token = self.tokens[self.at].clone();
        if parse_float(&token).is_some() {
            return self.number(&token);
        }
        if is_weekday(&token) {
            self.parts.has_weekday = true;
            return Ok(());
        }
        if let Some(month) = month(&token) {
            return self.month(month);
        }
        if let Some(half) = half(&token) {
            let hour = self.parts.hour.filter(|hour| (0..=12).contains(hour)).ok_or(Refused)?;
            self.parts.hour = Some(with_half(hour, half));
            return Ok(());
        }
        if self.could_be_zone(&token) && self.parts.ahead.is_none() {
            self.zone(token);
            return Ok(());
        }
        if self.parts.hour.is_some() && matches!(&*token, "+" | "-") {
            return self.offset(if token == "+" { 1 } else { -1 });
        }
        is_jump(&token).then_some(()).ok_or(Refused)
    }

    /// A month by its name, perhaps with the numbers that go with it.
    fn month(&mut self, month: i128) -> Parsed<()> {
        self.push_month(month)?;
        let separator = self.ahead(1).filter(|token| matches!(*token, "-" | "/"));
        if let Some(separator) = separator.map(str::to_owned) {
            let next = self.wanted(2)?.to_owned();
            self.numbers.push_text(&next, None)?;
            if self.ahead(3) == Some(&separator) {
                let last = self.wanted(4)?.to_owned();
                self.numbers.push_text(&last, None)?;
                self.at += 2;
            }
            self.at += 2;
            return Ok(());
        }
        let is_of = self.ahead(2).is_some_and(|token| token.eq_ignore_ascii_case("of"));
        let is_spaced = self.ahead(1) == Some(" ") && self.ahead(3) == Some(" ");
        if let Some(year) = self.ahead(4).filter(|_| is_of && is_spaced).map(str::to_owned) {
            if year.chars().all(is_digit) {
                let year = with_century(int(&year)?, false);
                self.numbers.push_text(&year.to_string(), Some(Label::Year))?;
            }
            self.at += 4;
        }
        Ok(())
    }

    fn push_month(&mut self, month: i128) -> Parsed<()> {
        let month = Decimal { whole: month, sixtieths: None };
        self.numbers.push_number(month, Some(Label::Month))
    }

    fn could_be_zone(&self, token: &str) -> bool {
        let is_upper = token.bytes().all(|byte| byte.is_ascii_uppercase());
        self.parts.hour.is_some()
            && self.parts.zone.is_none()
            && token.chars().count() <= 5
            && (is_upper || matches!(token, "UTC" | "GMT" | "Z" | "z"))
    }

    fn zone(&mut self, token: String) {
        let is_utc_zone = is_utc(&token);
        // Only what is written in lower case is found among the names of UTC.
        self.parts.ahead = (token == "z").then_some(0);
        self.parts.zone = Some(token);
        if self.ahead(1).is_some_and(|next| matches!(next, "+" | "-")) {
            // `GMT+3` does not mean that the clock is ahead by 3, but that GMT is.
            let sign = if self.ahead(1) == Some("+") { "-" } else { "+" };
            self.tokens[self.at + 1] = sign.to_owned();
            self.parts.ahead = None;
            if is_utc_zone {
                self.parts.zone = None;
            }
        }
    }

    /// An offset from UTC, behind its sign.
    fn offset(&mut self, sign: i128) -> Parsed<()> {
        let digits: Vec<char> = self.wanted(1)?.chars().collect();
        let (hours, minutes) = if digits.len() == 4 {
            let pair =
                |range: std::ops::Range<usize>| int(&digits[range].iter().collect::<String>());
            (pair(0..2)?, pair(2..4)?)
        } else if self.ahead(2) == Some(":") {
            let pair = (int(self.wanted(1)?)?, int(self.wanted(3)?)?);
            self.at += 2;
            pair
        } else if digits.len() <= 2 {
            (int(self.wanted(1)?)?, 0)
        } else {
            return Err(Refused);
        };
        let ahead = sign * (hours * 3600 + minutes * 60);
        self.parts.ahead = Some(i64::try_from(ahead).unwrap_or(i64::MAX));
        let is_named = self.ahead(2).is_some_and(is_jump)
            && self.ahead(3) == Some("(")
            && self.ahead(5) == Some(")");
        if let Some(name) = self.ahead(4).filter(|_| is_named).map(str::to_owned)
            && name.chars().count() >= 3
            && self.could_be_zone(&name)
        {
            self.parts.zone = Some(name);
            self.at += 4;
        }
        self.at += 1;
        Ok(())
    }

    fn number(&mut self, token: &str) -> Parsed<()> {
        let value = Decimal::parse(token)?;
        let characters: Vec<char> = token.chars().collect();
        let length = characters.len();
        let slice = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();
        let next_is_time = self.ahead(1).is_some_and(|next| next == ":" || unit(next).is_some());
        let is_time = self.numbers.values.len() == 3 && self.parts.hour.is_none() && !next_is_time;
        if is_time && matches!(length, 2 | 4) {
            self.parts.hour = Some(int(&slice(0..2))?);
            if length == 4 {
                self.parts.minute = Some(int(&slice(2..4))?);
            }
            return Ok(());
        }
        if length == 6 || (length > 6 && characters.iter().position(|c| *c == '.') == Some(6)) {
            return self.six_digits(token, &characters);
        }
        if matches!(length, 8 | 12 | 14) {
            self.numbers.push_text(&slice(0..4), Some(Label::Year))?;
            self.numbers.push_text(&slice(4..6), None)?;
            self.numbers.push_text(&slice(6..8), None)?;
            if length > 8 {
                self.parts.hour = Some(int(&slice(8..10))?);
                self.parts.minute = Some(int(&slice(10..12))?);
            }
            if length > 12 {
                self.parts.second = Some(int(&slice(12..14))?);
            }
            return Ok(());
        }
        match self.find_unit() {
            Some((at, unit)) => {
                self.assign(token, value, unit)?;
                self.at = at.max(self.at);
                Ok(())
            }
            None => self.number_among_others(token, value),
        }
    }

    /// `YYMMDD`, or a time of day behind a date.
    fn six_digits(&mut self, token: &str, characters: &[char]) -> Parsed<()> {
        let slice = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();
        if self.numbers.values.is_empty() && !token.contains('.') {
            for start in [0, 2, 4] {
                self.numbers.push_text(&slice(start..start + 2), None)?;
            }
            return Ok(());
        }
        self.parts.hour = Some(int(&slice(0..2))?);
        self.parts.minute = Some(int(&slice(2..4))?);
        self.seconds(&slice(4..characters.len()))
    }

    /// The unit that a number is in, and where its name stands.
    fn find_unit(&self) -> Option<(usize, i64)> {
        let unit_at = |index: usize| self.tokens.get(index).and_then(|name| unit(name));
        let at = self.at;
        if let Some(unit) = unit_at(at + 1) {
            return Some((at + 1, unit));
        }
        if self.ahead(1) == Some(" ")
            && let Some(unit) = unit_at(at + 2)
        {
            return Some((at + 2, unit));
        }
        // Behind a unit the next smaller one is meant.
        let before = |back: usize| {
            let index = at.checked_sub(back)?;
            Some((index, unit_at(index)? + 1))
        };
        let is_last = at > 1 && at + 1 == self.tokens.len() && self.tokens[at - 1] == " ";
        before(1).or_else(|| before(2).filter(|_| is_last))
    }

    fn assign(&mut self, token: &str, value: Decimal, unit: i64) -> Parsed<()> {
        match unit {
            0 => {
                self.parts.hour = Some(value.whole);
                if value.sixtieths.is_some() {
                    self.parts.minute = value.sixtieths;
                }
            }
            1 => self.minutes(value),
            2 => self.seconds(token)?,
            _ => {}
        }
        Ok(())
    }

    fn minutes(&mut self, value: Decimal) {
        self.parts.minute = Some(value.whole);
        self.parts.second = value.sixtieths;
    }

    /// Seconds with their fraction, of which six digits count.
    fn seconds(&mut self, text: &str) -> Parsed<()> {
        let (whole, fraction) = match text.split_once('.') {
            None => (text, "0".to_owned()),
            Some((whole, fraction)) => {
                let digits = fraction.chars().chain(std::iter::repeat('0'));
                (whole, digits.take(6).collect())
            }
        };
        self.parts.second = Some(int(whole)?);
        self.parts.microsecond = Some(int(&fraction)?);
        Ok(())
    }

    fn number_among_others(&mut self, token: &str, value: Decimal) -> Parsed<()> {
        let next = self.ahead(1).map(str::to_owned);
        if next.as_deref() == Some(":") && self.ahead(2).is_some() {
            return self.clock(value);
        }
        if let Some(separator) = next.as_deref().filter(|next| matches!(*next, "-" | "/" | ".")) {
            return self.separated(token, separator);
        }
        if next.as_deref().is_none_or(is_jump) {
            if let Some(half) = self.ahead(2).and_then(half) {
                self.parts.hour = Some(with_half(value.whole, half));
                self.at += 1;
            } else {
                self.numbers.push_number(value, None)?;
            }
            self.at += 1;
            return Ok(());
        }
        if let Some(half) = next.as_deref().and_then(half)
            && value.whole < 24
        {
            self.parts.hour = Some(with_half(value.whole, half));
            self.at += 1;
            return Ok(());
        }
        if self.numbers.could_be_day(value) {
            return self.numbers.push_number(value, None);
        }
        Err(Refused)
    }

    /// `HH:MM` or `HH:MM:SS`.
    fn clock(&mut self, hour: Decimal) -> Parsed<()> {
        self.parts.hour = Some(hour.whole);
        let minutes = Decimal::parse(self.wanted(2)?)?;
        self.minutes(minutes);
        if self.ahead(3) == Some(":")
            && let Some(seconds) = self.ahead(4).map(str::to_owned)
        {
            self.seconds(&seconds)?;
            self.at += 2;
        }
        self.at += 2;
        Ok(())
    }

    /// Two or three parts of a date with the same separator between them.
    fn separated(&mut self, first: &str, separator: &str) -> Parsed<()> {
        self.numbers.push_text(first, None)?;
        if let Some(second) = self.ahead(2).filter(|next| !is_jump(next)).map(str::to_owned) {
            if second.chars().all(is_digit) {
                self.numbers.push_text(&second, None)?;
            } else {
                self.push_month(month(&second).ok_or(Refused)?)?;
            }
            if self.ahead(3) == Some(separator) {
                let third = self.wanted(4)?.to_owned();
                match month(&third) {
                    Some(month) => self.push_month(month)?,
                    None => self.numbers.push_text(&third, None)?,
                }
                self.at += 2;
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }
}

/// A year of two digits in the century that is nearest.
fn with_century(year: i128, has_century: bool) -> i128 {
    if year >= 100 || has_century {
        return year;
    }
    let this_year = i128::from(civil_of_days(super::now().div_euclid(DAY)).year);
    let near = year + this_year / 100 * 100;
    match near - this_year {
        50.. => near - 100,
        ..-50 => near + 100,
        _ => near,
    }
}
