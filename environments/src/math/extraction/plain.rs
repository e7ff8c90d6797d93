//! Values in plain text: numbers, and arithmetic such as `3 + 5*(2)`.
//!
//! The rules are those of Math-Verify's expressions, read with the greed and the backtracking of Python's
//! `re`: of the ends that a value may have, the first that lets the rest fit counts.

use std::cell::{Cell, OnceCell};
use std::ops::Range;

use super::cursor::{Cursor, Memo};
use super::{Follow, Found, Source, keep};
use crate::math::expression::Expression;
use crate::math::plain;

/// One of these may stand before a number.
const CURRENCIES: &str = "$€£¥₹₽₪₩₫฿₡₢₣₤₥₦₧₨₭₮₯₰₱₲₳₴₵₶₷₸₺₻₼₾₿";
/// A gap before a value behind `answer`, in characters.
const GAP_MAX: usize = 50;
/// A gap that ends in `=`, and one before `is`.
const LONG_GAP_MAX: usize = 100;
/// Bytes from where arithmetic begins to behind its first digit: a space, `**`, `-(-` and the digit.
const BEFORE_DIGIT_MAX: usize = 10;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number { integer: Range<usize>, decimal: Range<usize>, percent: bool },
    Arithmetic(Range<usize>),
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Number,
    Arithmetic,
    /// Arithmetic if possible, else a number.
    Either,
}

/// Looks for values in a text.
#[derive(Debug)]
pub(super) struct Scanner<'c, 't> {
    cursor: &'c Cursor<'t>,
    starts: Memo,
    /// Where values begin that no equals sign follows, and where `is` stands before a value.
    valued: Memo,
    said: Memo,
    /// The equals signs that such a value follows.
    equals: OnceCell<Vec<usize>>,
    /// The run of arithmetic that was looked at last.
    run: Cell<Option<Run>>,
}

/// What is known of a run of digits, operators, brackets, points and spaces.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    end: usize,
    follow: Follow,
    /// The last end that a value in it may have, the end of all that belongs to the match, and where
    /// the last operator is that has something behind it before that end.
    last: Option<(usize, usize, usize)>,
}

impl<'c, 't> Scanner<'c, 't> {
    pub(super) fn new(cursor: &'c Cursor<'t>) -> Self {
        let (starts, valued, said, equals, run) = Default::default();
        Self { cursor, starts, valued, said, equals, run }
    }

    /// `final answer is …. I hope`, from behind `is`.
    pub(super) fn hoped(&self, anchor: Range<usize>) -> Option<Found> {
        let at = self.cursor.behind(anchor.end, ":").unwrap_or(anchor.end);
        let (at, end) = self.spaced(at, Follow::Hope)?;
        Some(found(anchor.start, end, at, Form::Either, Follow::Hope))
    }

    /// `final answer … is …`, from behind `answer`.
    pub(super) fn said(&self, anchor: Range<usize>) -> Option<Found> {
        let find = |from| self.cursor.next_is(from, |is| self.stated(is).is_some());
        let is = self.said.next(anchor.end + 1, find)?;
        let gap_end = self.cursor.spaces_start(is).max(anchor.end);
        let gap = &self.cursor.text()[anchor.end..gap_end];
        let (at, end) = self.stated(is).filter(|_| is_gap(gap, LONG_GAP_MAX))?;
        Some(found(anchor.start, end, at, Form::Either, Follow::Anything))
    }

    /// Where a value begins and ends that stands behind `is`.
    fn stated(&self, is: usize) -> Option<(usize, usize)> {
        let at = self.cursor.behind(is, "is")?;
        let at = self.cursor.behind(at, ":").unwrap_or(at);
        Some((at, self.either(at, Follow::Anything)?.1))
    }

    /// `answer … = …` or `answer …`, from behind `answer` and its colon.
    pub(super) fn answered(&self, anchor: Range<usize>) -> Option<Found> {
        let value = self.after_equals(anchor.end).or_else(|| self.after_gap(anchor.end));
        value.map(|(at, end)| found(anchor.start, end, at, Form::Either, Follow::NoEquals))
    }

    fn after_equals(&self, from: usize) -> Option<(usize, usize)> {
        let text = self.cursor.text();
        let places = self.equals.get_or_init(|| {
            let places = text.match_indices('=').map(|(at, _)| at);
            places.filter(|at| self.spaced(at + 1, Follow::NoEquals).is_some()).collect()
        });
        let first = places.partition_point(|place| *place < from);
        let near =
            places[first..].iter().take_while(|place| is_gap(&text[from..**place], LONG_GAP_MAX));
        near.last().and_then(|place| self.spaced(place + 1, Follow::NoEquals))
    }

    fn after_gap(&self, from: usize) -> Option<(usize, usize)> {
        let at = self.valued.next(from, |from| {
            let mut at = self.next_start(from)?;
            while self.either(at, Follow::NoEquals).is_none() {
                at = self.next_start(at + self.cursor.character(at)?.len_utf8())?;
            }
            Some(at)
        })?;
        let is_near = is_gap(&self.cursor.text()[from..at], GAP_MAX);
        let (_, end) = is_near.then(|| self.either(at, Follow::NoEquals)).flatten()?;
        Some((at, end))
    }

    /// The next place from where a value may begin, with what must stand before it.
    fn next_start(&self, from: usize) -> Option<usize> {
        let find = |from: usize| {
            let bytes = &self.cursor.text().as_bytes()[from..];
            let mut places = bytes.iter().enumerate();
            places.find_map(|(index, byte)| {
                let at = from + index;
                let behind = match byte {
                    b'=' | b' ' | b'\t'..=b'\r' | 0x1c..=0x1f => at + 1,
                    0x80.. if self.cursor.text().is_char_boundary(at) => {
                        self.cursor.behind_space(at)?
                    }
                    _ => return None,
                };
                self.may_begin(behind).then_some(at)
            })
        };
        self.starts.next(from, find)
    }

    fn may_begin(&self, at: usize) -> bool {
        match self.cursor.byte(at) {
            Some(b'0'..=b'9' | b'-' | b'(' | b'.' | b'*' | b'$') => true,
            Some(byte) => !byte.is_ascii(),
            None => false,
        }
    }

    /// All values of a form in the text.
    pub(super) fn everywhere(&self, form: Form) -> Vec<Found> {
        let mut values = Vec::new();
        // Before the first character a value needs nothing.
        let mut next = if self.may_begin(0) { Some(0) } else { self.next_start(0) };
        while let Some(start) = next {
            let from = match self.value(start, form, Follow::Anything) {
                Some((_, end)) => {
                    keep(&mut values, found(start, end, start, form, Follow::Anything));
                    end
                }
                None => {
                    let behind = start + self.cursor.character(start).map_or(1, char::len_utf8);
                    self.without_arithmetic(start, form).unwrap_or(behind).max(behind)
                }
            };
            next = self.next_start(from);
        }
        values
    }

    /// Up to where no arithmetic begins, if the run that was looked at last has no more of it behind a
    /// place.
    fn without_arithmetic(&self, start: usize, form: Form) -> Option<usize> {
        let is_spent = |run: &Run| run.last.is_none_or(|(_, _, operator)| operator < start);
        let run = self.run.get().filter(|run| form == Form::Arithmetic && is_spent(run))?;
        let end = run.end.saturating_sub(BEFORE_DIGIT_MAX);
        let mut ends = (run.start..end).contains(&start).then(|| (start..=end).rev())?;
        ends.find(|at| self.cursor.text().is_char_boundary(*at))
    }

    /// The value that begins at a place, with what must stand before it, and where the match ends.
    pub(super) fn value(&self, start: usize, form: Form, follow: Follow) -> Option<(Value, usize)> {
        match form {
            Form::Number => self.number_behind(start, follow),
            Form::Arithmetic => self.arithmetic_behind(start, follow),
            Form::Either => self.either(start, follow),
        }
    }

    /// A value behind spaces, of which it needs the last unless an `=` follows.
    /// Returns where it begins, with what must stand before it, and where the match ends.
    fn spaced(&self, at: usize, follow: Follow) -> Option<(usize, usize)> {
        let end = self.cursor.spaces_end(at);
        let value = |start: usize| Some((start, self.either(start, follow)?.1));
        value(end).or_else(|| value(self.cursor.last_space(at, end)?))
    }

    fn either(&self, start: usize, follow: Follow) -> Option<(Value, usize)> {
        let found = self.arithmetic_behind(start, follow);
        found.or_else(|| self.number_behind(start, follow))
    }

    /// What is found behind what must stand before a value.
    fn behind_prefix<T>(&self, start: usize, look: impl Fn(usize) -> Option<T>) -> Option<T> {
        let bold = |at: usize| self.cursor.behind(at, "**").unwrap_or(at);
        // Before the first character nothing must stand.
        let found = if start == 0 { look(bold(start)) } else { None };
        found.or_else(|| {
            let prefix = self.cursor.character(start).filter(|character| is_prefix(*character))?;
            look(bold(start + prefix.len_utf8()))
        })
    }

    fn arithmetic_behind(&self, start: usize, follow: Follow) -> Option<(Value, usize)> {
        self.behind_prefix(start, |at| self.arithmetic_at(at, follow))
    }

    fn arithmetic_at(&self, start: usize, follow: Follow) -> Option<(Value, usize)> {
        self.cursor.byte(start).filter(|byte| matches!(byte, b'-' | b'(' | b'0'..=b'9'))?;
        let mut at = start;
        for sign in ["-", "(", "-"] {
            at = self.cursor.behind(at, sign).unwrap_or(at);
        }
        let digit_end = self.cursor.byte(at).filter(u8::is_ascii_digit).map(|_| at + 1)?;
        let (value_end, end, operator) = self.run(digit_end, follow).last?;
        (operator >= digit_end).then_some((Value::Arithmetic(start..value_end), end))
    }

    fn run(&self, at: usize, follow: Follow) -> Run {
        let is_known = |run: &Run| run.follow == follow && (run.start..=run.end).contains(&at);
        if let Some(run) = self.run.get().filter(is_known) {
            return run;
        }
        let text = self.cursor.text();
        let length = text[at..].find(|character| !is_arithmetic(character));
        let end = length.map_or(text.len(), |length| at + length);
        let last = self.last_end(at, end, follow).and_then(|(value_end, match_end)| {
            let last_start = value_end - self.cursor.character_before(value_end)?.len_utf8();
            let operator = text[at..last_start.max(at)].rfind(is_operator)?;
            Some((value_end, match_end, at + operator))
        });
        let run = Run { start: at, end, follow, last };
        self.run.set(Some(run));
        run
    }

    /// The last place in a run where a value may end, and the end of the match then.
    fn last_end(&self, start: usize, end: usize, follow: Follow) -> Option<(usize, usize)> {
        let mut at = end;
        loop {
            let behind = match self.cursor.character(at) {
                None => Some(at),
                Some(character) if is_suffix(character) => Some(at + character.len_utf8()),
                Some(_) => None,
            };
            let match_end = behind.and_then(|behind| follow.end(self.cursor, behind));
            if let Some(match_end) = match_end {
                return Some((at, match_end));
            }
            at -= self.cursor.character_before(at)?.len_utf8();
            if at <= start {
                return None;
            }
        }
    }

    fn number_behind(&self, start: usize, follow: Follow) -> Option<(Value, usize)> {
        self.behind_prefix(start, |at| {
            let currency = self.cursor.character(at).filter(|character| {
                *character == '$' || (!character.is_ascii() && CURRENCIES.contains(*character))
            });
            self.number_at(at + currency.map_or(0, char::len_utf8), follow)
        })
    }

    fn number_at(&self, start: usize, follow: Follow) -> Option<(Value, usize)> {
        // Nothing stands at most places.
        self.cursor.byte(start).filter(|byte| matches!(byte, b'-' | b'.' | b'0'..=b'9'))?;
        let digits = self.cursor.behind(start, "-").unwrap_or(start);
        let digits_end = self.cursor.digits_end(digits);
        let has_digits = digits_end > digits;
        let grouped = has_digits.then(|| self.grouped(start, digits..digits_end, follow)).flatten();
        let found = grouped.or_else(|| {
            let point =
                self.cursor.byte(digits_end).filter(|byte| has_digits && b".,".contains(byte));
            point.and_then(|_| self.with_decimals(start..digits_end, follow))
        });
        let found = found.or_else(|| {
            self.cursor.has(start, ".").then(|| self.with_decimals(start..start, follow)).flatten()
        });
        found.or_else(|| self.whole(start, digits..digits_end, follow))
    }

    /// A number with separators between its thousands.
    fn grouped(
        &self,
        start: usize,
        digits: Range<usize>,
        follow: Follow,
    ) -> Option<(Value, usize)> {
        let has_head = digits.len() <= 3 && !self.cursor.has(digits.start, "0");
        let mut end = digits.end;
        let is_group = |end: usize| {
            let separated = matches!(self.cursor.byte(end), Some(b' ' | b','));
            let group = self.cursor.text().as_bytes().get(end + 1..end + 4);
            separated && group.is_some_and(|group| group.iter().all(u8::is_ascii_digit))
        };
        while has_head && is_group(end) {
            end += 4;
        }
        while end > digits.end {
            let decimals =
                self.cursor.has(end, ".").then(|| self.with_decimals(start..end, follow));
            let found = decimals.flatten().or_else(|| self.ended(start..end, end..end, follow));
            if found.is_some() {
                return found;
            }
            end -= 4;
        }
        None
    }

    /// A number whose point or comma follows its integer part.
    fn with_decimals(&self, integer: Range<usize>, follow: Follow) -> Option<(Value, usize)> {
        let point = integer.end;
        let mut end = self.cursor.digits_end(point + 1);
        while end > point + 1 {
            let found = self.ended(integer.clone(), point..end, follow);
            if found.is_some() {
                return found;
            }
            end -= 1;
        }
        None
    }

    fn whole(&self, start: usize, digits: Range<usize>, follow: Follow) -> Option<(Value, usize)> {
        let ends = (digits.start + 1..=digits.end).rev();
        ends.into_iter().find_map(|end| self.ended(start..end, end..end, follow))
    }

    /// A number that ends here, perhaps with a sign of percent.
    fn ended(
        &self,
        integer: Range<usize>,
        decimal: Range<usize>,
        follow: Follow,
    ) -> Option<(Value, usize)> {
        let end = integer.end.max(decimal.end);
        let sign = self.cursor.spaces_end(end);
        let value = |percent| Value::Number { integer, decimal, percent };
        if may_be_percent(self.cursor, sign)
            && let Some(end) =
                percent_ends(self.cursor, sign).find_map(|end| follow.end(self.cursor, end))
        {
            return Some((value(true), end));
        }
        follow.end(self.cursor, end).map(|end| (value(false), end))
    }
}

/// Whether a sign of percent may stand at a position; of most positions this says no at once.
fn may_be_percent(cursor: &Cursor<'_>, at: usize) -> bool {
    matches!(cursor.byte(at), Some(b'%' | b'p' | b'P'))
}

/// Where a sign of percent at a position may end.
pub(super) fn percent_ends(cursor: &Cursor<'_>, at: usize) -> impl Iterator<Item = usize> + use<> {
    let sign = cursor.behind(at, "%");
    let word = |word: &str| {
        let behind_first = cursor.behind(at, "p").or_else(|| cursor.behind(at, "P"))?;
        cursor.behind(behind_first, word)
    };
    let ends = [sign, word("ercent"), word("ercentage"), word("ct")];
    ends.into_iter().flatten()
}

fn found(start: usize, end: usize, at: usize, form: Form, follow: Follow) -> Found {
    Found { start, end, source: Source::Plain { at, form, follow } }
}

/// Whether a text has so many characters at most, and none that ends a line.
fn is_gap(text: &str, most: usize) -> bool {
    super::cursor::is_short(text, most) && !text.contains('\n')
}

fn is_prefix(character: char) -> bool {
    character == '=' || framework::environment::python::text::is_space(character)
}

fn is_suffix(character: char) -> bool {
    matches!(character, '.' | ',' | ':' | ')' | '$')
        || framework::environment::python::text::is_space(character)
}

fn is_operator(character: char) -> bool {
    matches!(character, '+' | '-' | '*' | '×' | '/' | '^' | '(' | ')' | '÷')
}

fn is_arithmetic(character: char) -> bool {
    character.is_ascii_digit()
        || character == '.'
        || is_operator(character)
        || framework::environment::python::text::is_space(character)
}

/// The value that a text says, if it says one, and the text that stands for it otherwise.
pub(super) fn read(text: &str, value: &Value) -> (Option<Expression>, String) {
    match value {
        Value::Number { integer, decimal, percent } => {
            let cleaned = cleaned(&text[integer.clone()], &text[decimal.clone()]);
            let number = Expression::number(&cleaned);
            let value = if *percent { number.and_then(Expression::percent) } else { number };
            (value, cleaned)
        }
        Value::Arithmetic(range) => {
            let source = &text[range.clone()];
            let python = source.replace('\n', " ").replace('^', "**");
            (plain::parse_arithmetic(&python).ok(), source.to_owned())
        }
    }
}

/// A number without separators and leading zeros.
fn cleaned(integer: &str, decimal: &str) -> String {
    let (sign, digits) = integer.strip_prefix('-').map_or(("", integer), |digits| ("-", digits));
    let digits = digits.replace([',', ' '], "");
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    format!("{sign}{digits}{}", decimal.replace(',', "."))
}
