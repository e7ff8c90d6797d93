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

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use self::cursor::Cursor;
use self::environments::Wanted;
use super::expression::Expression;
use super::{Answer, Options, latex};

/// So many matches are tried; a text with more that cannot be read has no answer.
const ATTEMPTS_MAX: usize = 2000;
/// Python's `re` takes these for an `i` of either case.
const FINAL_ANSWER: &str = "(?i)f[iİı]nal answer";
static ANSWERS: LazyLock<Regex> = LazyLock::new(|| expression("(?i)answer"));
static FINAL_ANSWERS: LazyLock<Regex> = LazyLock::new(|| expression(FINAL_ANSWER));
static STATED_ANSWERS: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!("{FINAL_ANSWER} [iİı]s")));

fn expression(source: &str) -> Regex {
    Regex::new(source).expect("the expression is a constant")
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
    Plain(plain::Value),
    /// A chain of environments that begins at a position.
    Chain {
        at: usize,
        follow: Follow,
    },
    /// A chain of environments with boxes in them.
    BoxedChain {
        at: usize,
    },
    /// From the first box to the last brace.
    Box(Range<usize>),
}

/// A text, and what looks for answers in it.
struct Search<'c, 't> {
    text: &'t str,
    plain: Option<plain::Scanner<'c, 't>>,
    latex: environments::Scanner<'c, 't>,
    options: Options,
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
    let search = Search { text, plain, latex, options };
    let (mut attempts, mut fallback) = (0, None);
    for priority in 1..=5 {
        let mut matches = search.matches(priority);
        // Stable, so that of two matches of the same place the first kind is tried first.
        matches.sort_by_key(|found| (std::cmp::Reverse(found.end), found.start));
        for found in &matches {
            attempts += 1;
            if attempts > ATTEMPTS_MAX {
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

/// Too many places look like answers that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {ATTEMPTS_MAX} places look like an answer, and none of them can be read")]
pub struct TooMany;

impl<'t> Search<'_, 't> {
    /// The matches of a priority, plain ones first.
    fn matches(&self, priority: usize) -> Vec<Found> {
        let mut found = Vec::new();
        let (plain, latex) = (self.plain.as_ref(), &self.latex);
        match priority {
            1 => {
                if let Some(plain) = plain {
                    self.anchored(&STATED_ANSWERS, "", &mut found, |anchor| plain.hoped(anchor));
                }
                self.anchored(&STATED_ANSWERS, "", &mut found, |anchor| latex.hoped(anchor));
            }
            2 => {
                if let Some(plain) = plain {
                    self.anchored(&FINAL_ANSWERS, "", &mut found, |anchor| plain.said(anchor));
                }
                self.anchored(&FINAL_ANSWERS, "", &mut found, |anchor| latex.said(anchor));
                latex.boxed_chains(&mut found);
                found.extend(latex.widest_box());
            }
            3 | 4 => {
                let colon = if priority == 3 { ":" } else { "" };
                if let Some(plain) = plain {
                    self.anchored(&ANSWERS, colon, &mut found, |anchor| plain.answered(anchor));
                }
                self.anchored(&ANSWERS, colon, &mut found, |anchor| latex.answered(anchor));
            }
            _ => {
                if let Some(plain) = plain {
                    plain.arithmetic(&mut found);
                    plain.numbers(&mut found);
                }
                latex.chains(&mut found);
            }
        }
        found
    }

    /// All matches that begin with a phrase and what stands behind it.
    fn anchored(
        &self,
        anchor: &Regex,
        behind: &str,
        found: &mut Vec<Found>,
        look: impl Fn(Range<usize>) -> Option<Found>,
    ) {
        let mut from = 0;
        while let Some(anchor) = anchor.find_at(self.text, from) {
            let is_whole = self.text[anchor.end()..].starts_with(behind);
            let anchored = is_whole.then(|| look(anchor.start()..anchor.end() + behind.len()));
            match anchored.flatten() {
                Some(one) => {
                    from = one.end;
                    found.push(one);
                }
                None => from = anchor.end(),
            }
        }
    }

    /// The value of a match, and its text.
    fn read(&self, found: &Found) -> (Option<Expression>, String) {
        let chain = |at: usize, wanted, follow| {
            let chain = self.latex.chain(at, wanted, follow);
            chain.map_or((None, String::new()), |(chain, _)| self.read_chain(chain.parts()))
        };
        match &found.source {
            Source::Plain(value) => plain::read(self.text, value),
            Source::Chain { at, follow } => chain(*at, Wanted::Any, *follow),
            Source::BoxedChain { at } => chain(*at, Wanted::Boxed, Follow::Anything),
            Source::Box(range) => {
                let strict = self.options.strict;
                let mode = if strict { boxes::Mode::LastList } else { boxes::Mode::Last };
                let content = boxes::content(&self.text[range.clone()], mode);
                let normalised = normal::normalised(&content, self.options);
                (read_latex(&normalised), normalised)
            }
        }
    }

    fn read_chain(&self, parts: &[environments::Part]) -> (Option<Expression>, String) {
        let read = |part: &environments::Part| {
            let content = boxes::content(&self.text[part.content.clone()], boxes::Mode::All);
            let normalised = normal::normalised(&content, self.options);
            let value = read_latex(&normalised);
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

/// Reads normalised LaTeX; of a chain of equations that cannot be read whole, the last side.
fn read_latex(normalised: &str) -> Option<Expression> {
    let whole = latex::parse(normalised).ok();
    whole.or_else(|| latex::parse(last_side(normalised)?).ok())
}

/// What stands behind the last of two or more equals signs.
fn last_side(normalised: &str) -> Option<&str> {
    if normalised.contains([',', ';']) {
        return None;
    }
    let is_equals = |at: usize| {
        let before = at.checked_sub(1).map(|before| normalised.as_bytes()[before]);
        !matches!(before, Some(b'\\' | b'<' | b'!' | b'>'))
    };
    let mut equals = normalised.rmatch_indices('=').map(|(at, _)| at).filter(|at| is_equals(*at));
    let last = equals.next()?;
    equals.next().map(|_| &normalised[last + 1..])
}
