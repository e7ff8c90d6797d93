//! Mathematics between delimiters: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`, ` […] `, and a bare `\frac{1}{2}`.
//!
//! Where an environment begins it can only end in one place, so nothing is searched twice. Up to six of
//! them joined by commas, `and` or `or` are one chain.

use std::cell::Cell;
use std::ops::Range;

use super::cursor::{Cursor, Memo, is_short};
use super::plain::percent_ends;
use super::{Follow, Found, Source, keep};

/// Environments in a chain.
const CHAIN_MAX: usize = 6;
/// A gap behind `answer`, in characters.
const GAP_MAX: usize = 50;
/// A gap before `is`.
const LONG_GAP_MAX: usize = 100;
const BOX: &str = "\\boxed{";

/// One environment of a chain: where its content stands, and whether it is so many percent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Part {
    pub(super) content: Range<usize>,
    pub(super) percent: bool,
}

/// Which environments count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All.
    Any,
    /// Those with a box in them.
    Boxed,
}

/// Looks for environments in a text.
#[derive(Debug)]
pub(super) struct Scanner<'c, 't> {
    cursor: &'c Cursor<'t>,
    environments: Memo,
    said: Memo,
    brackets: Memo,
    parentheses: Memo,
    lines: Memo,
    boxes: Memo,
    /// Where a content began and ended, and the last closing brace in it.
    brace: Cell<(usize, usize, Option<usize>)>,
}

impl<'c, 't> Scanner<'c, 't> {
    pub(super) fn new(cursor: &'c Cursor<'t>) -> Self {
        let (environments, said, brackets, parentheses, lines) = Default::default();
        let (boxes, brace) = Default::default();
        Self { cursor, environments, said, brackets, parentheses, lines, boxes, brace }
    }

    /// `final answer is $…$. I hope`, from behind `is`.
    pub(super) fn hoped(&self, anchor: Range<usize>) -> Option<Found> {
        let at = self.cursor.behind(anchor.end, ":").unwrap_or(anchor.end);
        self.spaced(at, Follow::Hope).map(|(at, end)| found(anchor.start, end, at, Follow::Hope))
    }

    /// `final answer … is $…$`, from behind `answer`.
    pub(super) fn said(&self, anchor: Range<usize>) -> Option<Found> {
        let find = |from| self.cursor.next_is(from, |is| self.stated(is).is_some());
        let is = self.said.next(anchor.end + 1, find)?;
        let gap_end = self.cursor.spaces_start(is).max(anchor.end);
        let is_near = is_short(&self.cursor.text()[anchor.end..gap_end], LONG_GAP_MAX);
        let (at, end) = is_near.then(|| self.stated(is)).flatten()?;
        Some(found(anchor.start, end, at, Follow::Anything))
    }

    /// Where a chain begins and ends that stands behind `is`.
    fn stated(&self, is: usize) -> Option<(usize, usize)> {
        let at = self.cursor.behind(is, "is")?;
        self.spaced(self.cursor.behind(at, ":").unwrap_or(at), Follow::Anything)
    }

    /// `answer … $…$`, from behind `answer` and its colon.
    pub(super) fn answered(&self, anchor: Range<usize>) -> Option<Found> {
        let at = self.next_environment(anchor.end)?;
        let is_near = is_short(&self.cursor.text()[anchor.end..at], GAP_MAX);
        let end = is_near.then(|| self.chain_end(at, Wanted::Any, Follow::Anything)).flatten()?;
        Some(found(anchor.start, end, at, Follow::Anything))
    }

    /// All chains in the text.
    pub(super) fn chains(&self) -> Vec<Found> {
        let (mut from, mut chains) = (0, Vec::new());
        while let Some(at) = self.next_environment(from) {
            let end = self.chain_end(at, Wanted::Any, Follow::Anything);
            let end = end.unwrap_or(at + 1);
            keep(&mut chains, found(at, end, at, Follow::Anything));
            from = end;
        }
        chains
    }

    /// All chains of environments with boxes in them.
    pub(super) fn boxed_chains(&self) -> Vec<Found> {
        let (mut from, mut chains) = (0, Vec::new());
        while let Some(at) = self.next_candidate(from) {
            from = at + 1;
            if self.next_box(at).is_none() {
                break;
            }
            if let Some(end) = self.chain_end(at, Wanted::Boxed, Follow::Anything) {
                keep(&mut chains, Found { start: at, end, source: Source::BoxedChain { at } });
                from = end;
            }
        }
        chains
    }

    /// From the first box to the last closing brace.
    pub(super) fn widest_box(&self) -> Option<Found> {
        let start = self.next_box(0)?;
        let end = self.cursor.text().rfind('}')? + 1;
        // Something has to stand in the box.
        let content = (end > start + BOX.len() + 1).then_some(start..end)?;
        Some(Found { start, end, source: Source::Box(content) })
    }

    fn spaced(&self, at: usize, follow: Follow) -> Option<(usize, usize)> {
        let end = self.cursor.spaces_end(at);
        let chain = |at: usize| Some((at, self.chain_end(at, Wanted::Any, follow)?));
        chain(end).or_else(|| chain(self.cursor.last_space(at, end)?))
    }

    fn chain_end(&self, at: usize, wanted: Wanted, follow: Follow) -> Option<usize> {
        self.chain(at, wanted, follow).map(|(_, end)| end)
    }

    /// The environments of a chain, and where it ends.
    pub(super) fn chain(
        &self,
        at: usize,
        wanted: Wanted,
        follow: Follow,
    ) -> Option<(Chain, usize)> {
        let mut chain = Chain::default();
        let behind = self.environment(at, wanted, &mut chain)?;
        let end = self.rest(behind, wanted, follow, &mut chain)?;
        Some((chain, end))
    }

    /// What follows an environment: a sign of percent, the rest of the chain, what has to follow all.
    fn rest(
        &self,
        behind: usize,
        wanted: Wanted,
        follow: Follow,
        chain: &mut Chain,
    ) -> Option<usize> {
        let sign = self.cursor.spaces_end(behind);
        let escaped = self.cursor.behind(sign, "\\%").into_iter();
        let signs = escaped.chain(percent_ends(self.cursor, sign)).map(|end| (true, end));
        for (percent, end) in signs.chain([(false, sign)]) {
            let length = chain.length;
            chain.parts[length - 1].percent = percent;
            if length < CHAIN_MAX
                && let Some(next) = self.joined(end, wanted, chain)
            {
                let all = self.rest(next, wanted, follow, chain);
                if all.is_some() {
                    return all;
                }
                chain.length = length;
            }
            if let Some(end) = follow.end(self.cursor, end) {
                return Some(end);
            }
        }
        None
    }

    /// The next environment of a chain, behind what joins it.
    fn joined(&self, at: usize, wanted: Wanted, chain: &mut Chain) -> Option<usize> {
        let at = self.cursor.spaces_end(at);
        let joints = [",and", "and", ",or", "or", ","];
        let behind = joints.into_iter().filter_map(|joint| self.cursor.behind(at, joint));
        behind.into_iter().find_map(|behind| {
            let end = self.cursor.spaces_end(behind);
            let found = self.environment(end, wanted, chain);
            found.or_else(|| self.environment(self.cursor.last_space(behind, end)?, wanted, chain))
        })
    }

    /// The next place where an environment begins.
    fn next_environment(&self, from: usize) -> Option<usize> {
        self.environments.next(from, |from| {
            let mut at = self.next_candidate(from)?;
            while self.environment(at, Wanted::Any, &mut Chain::default()).is_none() {
                at = self.next_candidate(at + 1)?;
            }
            Some(at)
        })
    }

    /// The next place where one might begin.
    fn next_candidate(&self, from: usize) -> Option<usize> {
        let bytes = &self.cursor.text().as_bytes()[from.min(self.cursor.len())..];
        let mut places = bytes.iter().enumerate();
        places.find_map(|(index, byte)| {
            let at = from + index;
            let is_start = match byte {
                b'$' => true,
                b'\\' => matches!(self.cursor.byte(at + 1), Some(b'[' | b'(' | b'f')),
                b'-' => self.cursor.has(at + 1, "\\frac"),
                b' ' => self.cursor.byte(at + 1) == Some(b'['),
                byte if byte.is_ascii_graphic() => false,
                _ => {
                    self.cursor.text().is_char_boundary(at)
                        && self
                            .cursor
                            .behind_space(at)
                            .is_some_and(|next| self.cursor.has(next, "["))
                }
            };
            is_start.then_some(at)
        })
    }

    fn next_box(&self, from: usize) -> Option<usize> {
        self.boxes.next(from, |from| Some(from + self.cursor.text()[from..].find(BOX)?))
    }

    /// Takes up the environment at a position. Returns where it ends.
    fn environment(&self, at: usize, wanted: Wanted, chain: &mut Chain) -> Option<usize> {
        let (content, end) = match self.cursor.byte(at)? {
            b'$' => self.dollars(at)?,
            b'\\' => self.escaped(at, wanted)?,
            b'-' => self.fraction(at, wanted)?,
            _ => self.bracketed(at)?,
        };
        let is_wanted = wanted == Wanted::Any || self.has_box(&content);
        is_wanted.then(|| chain.push(content))?;
        Some(end)
    }

    fn has_box(&self, content: &Range<usize>) -> bool {
        let first = self.next_box(content.start).filter(|first| *first < content.end);
        let brace = first.and_then(|_| self.last_brace(content));
        // Something has to stand in the box.
        first.zip(brace).is_some_and(|(first, brace)| brace > first + BOX.len())
    }

    /// The last closing brace of a content. Contents that end at the same place come one after another.
    fn last_brace(&self, content: &Range<usize>) -> Option<usize> {
        let (start, end, brace) = self.brace.get();
        if end == content.end && start <= content.start {
            return brace.filter(|brace| *brace >= content.start);
        }
        let brace = self.cursor.text()[content.clone()].rfind('}').map(|at| content.start + at);
        self.brace.set((content.start, content.end, brace));
        brace
    }

    fn dollars(&self, at: usize) -> Option<(Range<usize>, usize)> {
        let before = self.cursor.byte_before(at);
        if before == Some(b'\\') {
            return None;
        }
        if self.cursor.has(at, "$$") {
            let display = self.display_dollars(at + 2);
            if display.is_some() {
                return display;
            }
        }
        let is_price = before.is_some_and(|byte| byte.is_ascii_digit());
        if is_price { None } else { self.inline_dollars(at + 1) }
    }

    fn display_dollars(&self, start: usize) -> Option<(Range<usize>, usize)> {
        let bytes = &self.cursor.text().as_bytes()[start..];
        let mut dollars = memchr::memchr_iter(b'$', bytes);
        let end = start + dollars.find(|at| bytes.get(at + 1) == Some(&b'$'))?;
        let is_closed = end > start && self.cursor.byte_before(end) != Some(b'\\');
        is_closed.then_some((start..end, end + 2))
    }

    fn inline_dollars(&self, start: usize) -> Option<(Range<usize>, usize)> {
        let bytes = &self.cursor.text().as_bytes()[start..];
        let mut before = 0;
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => return None,
                b'$' if before != b'\\' => {
                    let end = start + index;
                    return (index > 0).then_some((start..end, end + 1));
                }
                _ => before = *byte,
            }
        }
        None
    }

    fn escaped(&self, at: usize, wanted: Wanted) -> Option<(Range<usize>, usize)> {
        let is_escaped = self.cursor.byte_before(at) == Some(b'\\');
        let text = self.cursor.text();
        let start = at + 2;
        let end = match self.cursor.byte(at + 1)? {
            b'[' if !is_escaped => {
                self.brackets.next(start, |from| Some(from + text[from..].find("\\]")?))?
            }
            b'(' if !is_escaped => {
                let close = |from: usize| Some(from + text[from..].find("\\)")?);
                let line_end = |from: usize| Some(from + text[from..].find('\n')?);
                let close = self.parentheses.next(start, close)?;
                let line_end = self.lines.next(start, line_end);
                line_end.is_none_or(|line_end| line_end > close).then_some(close)?
            }
            _ => return self.fraction(at, wanted),
        };
        let is_closed = end > start && self.cursor.byte_before(end) != Some(b'\\');
        is_closed.then_some((start..end, end + 2))
    }

    /// ` [x] `.
    fn bracketed(&self, at: usize) -> Option<(Range<usize>, usize)> {
        let start = self.cursor.behind(self.cursor.behind_space(at)?, "[")?;
        let bytes = &self.cursor.text().as_bytes()[start..];
        let length = memchr::memchr3(b'\n', b'[', b']', bytes).filter(|length| *length > 0)?;
        let close = self.cursor.behind(start + length, "]")?;
        Some((start..start + length, self.cursor.behind_space(close)?))
    }

    /// `\frac{1}{2}`, which is content and environment at once.
    fn fraction(&self, at: usize, wanted: Wanted) -> Option<(Range<usize>, usize)> {
        let start = self.cursor.behind(at, "-").unwrap_or(at);
        let mut end = self.cursor.behind(start, "\\frac").filter(|_| wanted == Wanted::Any)?;
        for _ in 0..2 {
            end = self.cursor.behind(end, "{")?;
            end = self.cursor.behind(end, "-").unwrap_or(end);
            end = self.digits(end)?;
            if matches!(self.cursor.byte(end), Some(b'.' | b',')) {
                end = self.digits(end + 1)?;
            }
            end = self.cursor.behind(end, "}")?;
        }
        Some((at..end, end))
    }

    fn digits(&self, at: usize) -> Option<usize> {
        Some(self.cursor.digits_end(at)).filter(|end| *end > at)
    }
}

fn found(start: usize, end: usize, at: usize, follow: Follow) -> Found {
    Found { start, end, source: Source::Chain { at, follow } }
}

/// Environments that belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    parts: [Part; CHAIN_MAX],
    length: usize,
}

impl Chain {
    fn push(&mut self, content: Range<usize>) {
        self.parts[self.length] = Part { content, percent: false };
        self.length += 1;
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts[..self.length]
    }
}
