//! Reads a pattern by Python's grammar and writes it in the dialect of `fancy-regex`.
//!
//! Follows `Lib/re/_parser.py` of CPython 3.11 function by function; each returns what it has written
//! and how many characters that can match, which lookbehind needs to know.

use super::class::literal;
use super::{Flags, PatternError};

/// The largest count of a repetition that is run here.
const REPEAT_MAX: u64 = 10_000;
/// What `*` repeats at most.
const UNBOUNDED: u64 = u64::MAX;

/// What was read: its translation, and how many characters it matches at least and at most.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) width: (u64, u64),
    pub(super) kind: Kind,
}

/// What may follow a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It can be repeated.
    Item,
    /// `^`, `\b` and the like: there is nothing to repeat.
    Position,
    /// A comment or flags.
    Nothing,
}

/// The flags that hold where the translator is.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    pub(super) flags: Flags,
    pub(super) verbose: bool,
    pub(super) ascii: bool,
}

/// A group of the pattern.
pub(super) struct Group {
    pub(super) name: Option<String>,
    pub(super) width: Option<(u64, u64)>,
}

pub(super) struct Translator {
    pub(super) characters: Vec<char>,
    pub(super) at: usize,
    pub(super) mode: Mode,
    /// Group 0 is the whole pattern.
    pub(super) groups: Vec<Group>,
    /// Groups that conditions ask for, and where; they may come later.
    pub(super) conditions: Vec<(usize, usize)>,
    pub(super) depth: usize,
}

pub(super) type Parsed = Result<Piece, PatternError>;

pub(super) fn item(text: String, width: (u64, u64)) -> Piece {
    Piece { text, width, kind: Kind::Item }
}

pub(super) fn position(text: impl Into<String>) -> Piece {
    Piece { text: text.into(), width: (0, 0), kind: Kind::Position }
}

pub(super) fn nothing() -> Piece {
    Piece { text: String::new(), width: (0, 0), kind: Kind::Nothing }
}

impl Translator {
    /// The pattern in the other dialect.
    pub(super) fn translate(pattern: &str, flags: Flags) -> Result<String, PatternError> {
        let mode = Mode { flags, verbose: false, ascii: false };
        let characters: Vec<char> = pattern.chars().collect();
        let groups = vec![Group { name: None, width: None }];
        let mut this = Self { characters, at: 0, mode, groups, conditions: Vec::new(), depth: 0 };
        this.global_flags()?;
        let whole = this.alternation()?;
        if this.peek() == Some(')') {
            return Err(this.error("unbalanced parenthesis", this.at));
        }
        if let Some((group, at)) =
            this.conditions.iter().find(|(group, _)| *group >= this.groups.len())
        {
            return Err(this.error(format!("invalid group reference {group}"), *at));
        }
        let case = if this.mode.flags.ignore_case { "i" } else { "-i" };
        Ok(format!("(?{case}:{})", whole.text))
    }

    pub(super) fn error(&self, message: impl Into<String>, position: usize) -> PatternError {
        PatternError::Syntax { message: message.into(), position }
    }

    pub(super) fn unsupported(reason: &str) -> PatternError {
        PatternError::Unsupported { reason: reason.to_owned() }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    pub(super) fn take(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        self.at += usize::from(is_next);
        is_next
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.characters.get(self.at + index) == Some(&c))
    }

    /// Everything up to a delimiter, which is stepped over.
    pub(super) fn until(&mut self, delimiter: char, what: &str) -> Result<String, PatternError> {
        let start = self.at;
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if c == delimiter => break,
                Some(c) => text.push(c),
                None if text.is_empty() => return Err(self.error(format!("missing {what}"), start)),
                None => {
                    let message = format!("missing {delimiter}, unterminated name");
                    return Err(self.error(message, start));
                }
            }
        }
        if text.is_empty() { Err(self.error(format!("missing {what}"), start)) } else { Ok(text) }
    }

    /// Flags for the whole pattern, which stand at its beginning.
    fn global_flags(&mut self) -> Result<(), PatternError> {
        while self.starts_with("(?") {
            let start = self.at;
            self.at += 2;
            let letters = self.flag_letters();
            if letters.is_empty() || !self.take(')') {
                self.at = start;
                return Ok(());
            }
            self.set(&letters, true, start)?;
        }
        Ok(())
    }

    pub(super) fn flag_letters(&mut self) -> Vec<char> {
        let mut letters = Vec::new();
        while let Some(letter) = self.peek().filter(|c| "aiLmsux".contains(*c)) {
            letters.push(letter);
            self.at += 1;
        }
        letters
    }

    pub(super) fn set(
        &mut self,
        letters: &[char],
        value: bool,
        start: usize,
    ) -> Result<(), PatternError> {
        for letter in letters {
            let flags = &mut self.mode.flags;
            match letter {
                'i' => flags.ignore_case = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_all = value,
                'x' => self.mode.verbose = value,
                'a' if value => self.mode.ascii = true,
                'u' if value => self.mode.ascii = false,
                'L' => {
                    let message = "bad inline flags: cannot use 'L' flag with a str pattern";
                    return Err(self.error(message, start));
                }
                _ => {
                    let message = "bad inline flags: cannot turn off flags 'a', 'u' and 'L'";
                    return Err(self.error(message, start));
                }
            }
        }
        Ok(())
    }

    pub(super) fn alternation(&mut self) -> Parsed {
        let mut branches = vec![self.sequence()?];
        while self.take('|') {
            branches.push(self.sequence()?);
        }
        let width = branches.iter().map(|branch| branch.width);
        let width = width.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_default();
        let texts: Vec<_> = branches.into_iter().map(|branch| branch.text).collect();
        Ok(item(texts.join("|"), width))
    }

    pub(super) fn sequence(&mut self) -> Parsed {
        let mut text = String::new();
        let mut width = (0_u64, 0_u64);
        while let Some(next) = self.peek().filter(|c| !matches!(c, '|' | ')')) {
            if self.mode.verbose && self.skip_verbose(next) {
                continue;
            }
            let piece = self.piece(next)?;
            let piece = self.repeated(piece)?;
            text.push_str(&piece.text);
            let (least, most) = piece.width;
            width = (width.0.saturating_add(least), width.1.saturating_add(most));
        }
        Ok(item(text, width))
    }

    /// Steps over a space or a comment that means nothing under the flag `x`.
    fn skip_verbose(&mut self, next: char) -> bool {
        if next == '#' {
            while self.next().is_some_and(|c| c != '\n') {}
            return true;
        }
        let is_space = matches!(next, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
        self.at += usize::from(is_space);
        is_space
    }

    fn piece(&mut self, next: char) -> Parsed {
        let start = self.at;
        self.at += 1;
        let flags = self.mode.flags;
        match next {
            '\\' => self.escape(),
            '[' => self.class(start),
            '(' => self.group(start),
            '.' => Ok(item(if flags.dot_all { "(?s:.)" } else { r"[^\n]" }.into(), (1, 1))),
            '^' => Ok(position(if flags.multi_line { "(?m:^)" } else { r"\A" })),
            '$' => Ok(position(if flags.multi_line { r"(?=\n|\z)" } else { r"(?=\n?\z)" })),
            '*' | '+' | '?' => Err(self.error("nothing to repeat", start)),
            '{' if self.is_count() => Err(self.error("nothing to repeat", start)),
            other => Ok(item(literal(other, flags.ignore_case), (1, 1))),
        }
    }

    /// Whether a count follows upon `{`, where it is none of an item.
    fn is_count(&mut self) -> bool {
        let start = self.at;
        self.at -= 1;
        let is_count = self.count().is_some();
        self.at = start;
        is_count
    }

    /// Reads `*`, `+`, `?` or `{m,n}`, if one is next.
    fn count(&mut self) -> Option<(u64, u64)> {
        let start = self.at;
        match self.next()? {
            '*' => Some((0, UNBOUNDED)),
            '+' => Some((1, UNBOUNDED)),
            '?' => Some((0, 1)),
            '{' if self.peek() != Some('}') => {
                let low = self.digits();
                let high = if self.take(',') { self.digits() } else { low.clone() };
                if !self.take('}') {
                    self.at = start;
                    return None;
                }
                let number = |digits: &str| digits.parse().unwrap_or(UNBOUNDED - 1);
                let low = if low.is_empty() { 0 } else { number(&low) };
                Some((low, if high.is_empty() { UNBOUNDED } else { number(&high) }))
            }
            _ => {
                self.at = start;
                None
            }
        }
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        digits
    }

    /// A piece with the repetition that follows it.
    fn repeated(&mut self, piece: Piece) -> Parsed {
        while self.mode.verbose && self.peek().is_some_and(|next| self.skip_verbose(next)) {}
        let start = self.at;
        let Some((low, high)) = self.count() else { return Ok(piece) };
        if piece.kind != Kind::Item {
            return Err(self.error("nothing to repeat", start));
        }
        if low > high {
            return Err(self.error("min repeat greater than max repeat", start));
        }
        if low > REPEAT_MAX || (high > REPEAT_MAX && high != UNBOUNDED) {
            return Err(Self::unsupported("a count above 10000"));
        }
        let mode = if self.take('?') {
            "?"
        } else if self.take('+') {
            "+"
        } else {
            ""
        };
        let again = self.at;
        if self.count().is_some() {
            return Err(self.error("multiple repeat", again));
        }
        let high_text = if high == UNBOUNDED { String::new() } else { high.to_string() };
        let width = (piece.width.0.saturating_mul(low), piece.width.1.saturating_mul(high));
        Ok(item(format!("(?:{}){{{low},{high_text}}}{mode}", piece.text), width))
    }
}
