//! Finds answers in text: boxes, `final answer is …`, mathematics between delimiters, plain numbers.
//!
//! What is looked for has priorities. The matches of one priority are tried from the last on, and the first
//! that can be read is the answer; only if none can, the next priority comes:
//!
//! | Priority | What |
//! |---|---|
//! | 1 | `final answer is …. I hope` |
//! | 2 | `final answer … is …`, boxes |
//! | 3 | `answer: …` |
//! | 4 | `answer …` |
//! | 5 | values anywhere |
//!
//! The patterns are Math-Verify's, where they are regular expressions whose time is quadratic. Here they
//! are scanners that find the same matches in linear time.

mod boxes;
mod cursor;
mod environments;
mod normal;
mod operators;
mod plain;
#[cfg(test)]
mod tests;
mod units;

use std::cell::{Cell, OnceCell};
use std::ops::Range;

use self::cursor::Cursor;
use self::environments::Wanted;
use super::expression::Expression;
use super::{Answer, Options, latex};

/// So many matches are tried; a text with more that cannot be read has no answer.
const ATTEMPTS_MAX: usize = 2000;
/// So many bytes of them are read.
const READ_MAX: usize = 256 << 10;
/// A content that is longer than this is no answer: the parser takes [`latex::LENGTH_MAX`] bytes, and
/// normalisation leaves less out than that.
const CONTENT_MAX: usize = 4 * latex::LENGTH_MAX;
/// The letters before the `w` of `answer`, in either case and from the last on. Python's `re`, and
/// Unicode, take `ſ` for an `s`.
const ANS: [&str; 3] = ["sSſ", "nN", "aA"];
/// Those of `final ` in the same way. Python's `re` takes `İ` and `ı` for an `i`.
const FINAL: [&str; 6] = [" ", "lL", "aA", "nN", "iIİı", "fF"];

/// Where letters begin that a text ends in, if it does.
fn letters_start(text: &str, letters: &[&str]) -> Option<usize> {
    let mut characters = text.char_indices().rev();
    letters.iter().try_fold(text.len(), |_, known| {
        characters.next().filter(|(_, letter)| known.contains(*letter)).map(|(at, _)| at)
    })
}

/// Where `answer` stands, in either case. Its rarest letter is looked for.
fn answers(text: &str) -> Vec<Range<usize>> {
    let places = memchr::memchr2_iter(b'w', b'W', text.as_bytes());
    let whole = |at: usize| {
        let ends = text.get(at + 1..at + 3).filter(|rest| rest.eq_ignore_ascii_case("er"))?;
        Some(letters_start(&text[..at], &ANS)?..at + 1 + ends.len())
    };
    places.filter_map(whole).collect()
}

/// How long what has to stand behind a phrase is, if it does: a colon, ` is`, or nothing at all.
fn colon(rest: &str) -> Option<usize> {
    rest.starts_with(':').then_some(1)
}

fn is(rest: &str) -> Option<usize> {
    let mut letters = rest.strip_prefix(' ')?.chars();
    let (first, second) = (letters.next()?, letters.next()?);
    let is_word = "iIİı".contains(first) && "sSſ".contains(second);
    is_word.then(|| 1 + first.len_utf8() + second.len_utf8())
}

fn nothing(_: &str) -> Option<usize> {
    Some(0)
}

/// Keeps a match of a kind. They come in order, and the last are tried first, so that the first of very
/// many need not be kept.
fn keep(matches: &mut Vec<Found>, found: Found) {
    if matches.len() > 4 * ATTEMPTS_MAX {
        matches.drain(..matches.len() - 2 * ATTEMPTS_MAX);
    }
    matches.push(found);
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    /// LaTeX alone, as in gold answers.
    Latex,
    /// Plain values and LaTeX, as in what models say.
    All,
}

/// What has to follow a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follow {
    Anything,
    /// No equals sign.
    NoEquals,
    /// `I hope`.
    Hope,
}

impl Follow {
    /// Where a match ends whose value ends at a position; `None` if what follows does not fit.
    fn end(self, cursor: &Cursor<'_>, at: usize) -> Option<usize> {
        match self {
            Self::Anything => Some(at),
            Self::NoEquals => (!cursor.has(cursor.spaces_end(at), "=")).then_some(at),
            Self::Hope => {
                let at = cursor.behind(at, ".").unwrap_or(at);
                let at = cursor.behind_space(at).unwrap_or(at);
                cursor.behind(at, "I hope")
            }
        }
    }
}

/// A match: where it stands, and what is in it.
#[derive(Clone, Debug)]
struct Found {
    start: usize,
    end: usize,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// A value that begins at a position, with what must stand before it.
    Plain { at: usize, form: plain::Form, follow: Follow },
    /// A chain of environments that begins at a position.
    Chain { at: usize, follow: Follow },
    /// A chain of environments with boxes in them.
    BoxedChain { at: usize },
    /// From the first box to the last brace.
    Box(Range<usize>),
}

/// A text, and what looks for answers in it.
struct Search<'c, 't> {
    text: &'t str,
    plain: Option<plain::Scanner<'c, 't>>,
    latex: environments::Scanner<'c, 't>,
    options: Options,
    answers: OnceCell<Vec<Range<usize>>>,
    final_answers: OnceCell<Vec<Range<usize>>>,
    /// How many bytes of contents have been read.
    read: Cell<usize>,
}

/// What a text says: the answer, if one can be read, and the text that stands for it.
///
/// # Errors
/// Fails if too many places look like answers that cannot be read.
pub(super) fn extract(
    text: &str,
    targets: Targets,
    options: Options,
) -> Result<Vec<Answer>, TooMany> {
    let cursor = Cursor::new(text);
    let plain = (targets == Targets::All).then(|| plain::Scanner::new(&cursor));
    let latex = environments::Scanner::new(&cursor);
    let (answers, final_answers, read) = Default::default();
    let search = Search { text, plain, latex, options, answers, final_answers, read };
    let (mut attempts, mut fallback) = (0, None);
    for priority in 1..=5 {
        let mut matches = search.matches(priority);
        // Stable, so that of two matches of the same place the first kind is tried first.
        matches.sort_by_key(|found| (std::cmp::Reverse(found.end), found.start));
        for found in &matches {
            attempts += 1;
            if attempts > ATTEMPTS_MAX || search.read.get() > READ_MAX {
                return Err(TooMany);
            }
            let (value, said) = search.read(found);
            fallback = fallback.or(Some(said).filter(|said| !said.is_empty()));
            if let Some(value) = value {
                return Ok([Some(Answer::Value(value)), fallback.map(Answer::Text)]
                    .into_iter()
                    .flatten()
                    .collect());
            }
        }
    }
    Ok(fallback.map(Answer::Text).into_iter().collect())
}

/// Too many places, or too long ones, look like answers that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {ATTEMPTS_MAX} places or {READ_MAX} bytes look like an answer, and none can be read"
)]
pub struct TooMany;

impl<'t> Search<'_, 't> {
    /// The matches of a priority, plain ones first.
    fn matches(&self, priority: usize) -> Vec<Found> {
        let mut found = Vec::new();
        let (plain, latex) = (self.plain.as_ref(), &self.latex);
        match priority {
            1 => {
                if let Some(plain) = plain {
                    found.extend(self.anchored(self.final_answers(), is, |at| plain.hoped(at)));
                }
                found.extend(self.anchored(self.final_answers(), is, |at| latex.hoped(at)));
            }
            2 => {
                if let Some(plain) = plain {
                    found.extend(self.anchored(self.final_answers(), nothing, |at| plain.said(at)));
                }
                found.extend(self.anchored(self.final_answers(), nothing, |at| latex.said(at)));
                found.extend(latex.boxed_chains());
                found.extend(latex.widest_box());
            }
            3 | 4 => {
                let behind = if priority == 3 { colon } else { nothing };
                if let Some(plain) = plain {
                    found.extend(self.anchored(self.answers(), behind, |at| plain.answered(at)));
                }
                found.extend(self.anchored(self.answers(), behind, |at| latex.answered(at)));
            }
            _ => {
                if let Some(plain) = plain {
                    found.extend(plain.everywhere(plain::Form::Arithmetic));
                    found.extend(plain.everywhere(plain::Form::Number));
                }
                found.extend(latex.chains());
            }
        }
        found
    }

    /// Where `answer` stands.
    fn answers(&self) -> &[Range<usize>] {
        self.answers.get_or_init(|| answers(self.text))
    }

    /// Where `final answer` stands.
    fn final_answers(&self) -> &[Range<usize>] {
        self.final_answers.get_or_init(|| {
            let whole = |answer: &Range<usize>| {
                Some(letters_start(&self.text[..answer.start], &FINAL)?..answer.end)
            };
            self.answers().iter().filter_map(whole).collect()
        })
    }

    /// All matches that begin with a phrase and what stands behind it.
    fn anchored(
        &self,
        phrases: &[Range<usize>],
        behind: impl Fn(&str) -> Option<usize>,
        look: impl Fn(Range<usize>) -> Option<Found>,
    ) -> Vec<Found> {
        let (mut from, mut found) = (0, Vec::new());
        for phrase in phrases {
            let length = behind(&self.text[phrase.end..]).filter(|_| phrase.start >= from);
            let one = length.and_then(|length| look(phrase.start..phrase.end + length));
            if let Some(one) = one {
                from = one.end;
                keep(&mut found, one);
            }
        }
        found
    }

    /// The value of a match, and its text.
    fn read(&self, found: &Found) -> (Option<Expression>, String) {
        let chain = |at: usize, wanted, follow| {
            let chain = self.latex.chain(at, wanted, follow);
            chain.map_or((None, String::new()), |(chain, _)| self.read_chain(chain.parts()))
        };
        match &found.source {
            Source::Plain { at, form, follow } => {
                let plain = self.plain.as_ref();
                let value = plain.and_then(|plain| plain.value(*at, *form, *follow));
                value.map_or((None, String::new()), |(value, _)| plain::read(self.text, &value))
            }
            Source::Chain { at, follow } => chain(*at, Wanted::Any, *follow),
            Source::BoxedChain { at } => chain(*at, Wanted::Boxed, Follow::Anything),
            Source::Box(range) => {
                let strict = self.options.strict;
                let mode = if strict { boxes::Mode::LastList } else { boxes::Mode::Last };
                self.read_content(range.clone(), mode)
            }
        }
    }

    /// What a content says, and its text.
    fn read_content(&self, range: Range<usize>, mode: boxes::Mode) -> (Option<Expression>, String) {
        let content = boxes::content(&self.text[range], mode);
        if content.len() > CONTENT_MAX {
            return (None, content.into_owned());
        }
        self.read.set(self.read.get() + content.len());
        let normalised = normal::normalised(&content, self.options);
        (latex::parse_with(&normalised, self.options).ok(), normalised)
    }

    fn read_chain(&self, parts: &[environments::Part]) -> (Option<Expression>, String) {
        let read = |part: &environments::Part| {
            let (value, normalised) = self.read_content(part.content.clone(), boxes::Mode::All);
            let value = if part.percent { value.and_then(hundredths) } else { value };
            (value, normalised)
        };
        let (values, mut texts): (Vec<_>, Vec<_>) = parts.iter().map(read).unzip();
        if values.len() > 1 && values.iter().all(Option::is_some) {
            let items = values.into_iter().flatten().flat_map(|value| match value {
                Expression::Set(items) => items,
                single => vec![single],
            });
            return (Some(Expression::Set(items.collect())), texts.join(" and "));
        }
        (values.into_iter().next().flatten(), texts.swap_remove(0))
    }
}

/// So many percent. Math-Verify takes percentages of anything but a relation, of sets as well.
fn hundredths(value: Expression) -> Option<Expression> {
    match value {
        Expression::Relation(..) => None,
        value if value.is_collection() => {
            Some(Expression::Mul(vec![value, Expression::fraction(1, 100)]))
        }
        value => value.percent(),
    }
}
