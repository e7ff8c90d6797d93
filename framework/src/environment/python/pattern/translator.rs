//! Reads a pattern by Python's grammar and writes it in the dialect of `fancy-regex`.
//!
//! Follows `Lib/re/_parser.py` of CPython 3.11 function by function; each returns what it has written
//! and how many characters that can match, which lookbehind needs to know.

use super::class::{Class, category, literal};
use super::{Flags, PatternError};

/// How deep groups may be nested; Python's parser ends near this as well.
const DEPTH_MAX: usize = 100;
/// The largest count of a repetition that is run here.
const REPEAT_MAX: u64 = 10_000;
/// What `*` repeats at most.
const UNBOUNDED: u64 = u64::MAX;

/// What was read: its translation, and how many characters it matches at least and at most.
struct Piece {
    text: String,
    width: (u64, u64),
    kind: Kind,
}

/// What may follow a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It can be repeated.
    Item,
    /// `^`, `\b` and the like: there is nothing to repeat.
    Position,
    /// A comment or flags.
    Nothing,
}

/// The flags that hold where the translator is.
#[derive(Clone, Copy)]
struct Mode {
    flags: Flags,
    verbose: bool,
    ascii: bool,
}

/// A group of the pattern.
struct Group {
    name: Option<String>,
    width: Option<(u64, u64)>,
}

pub(super) struct Translator {
    characters: Vec<char>,
    at: usize,
    mode: Mode,
    /// Group 0 is the whole pattern.
    groups: Vec<Group>,
    /// Groups that conditions ask for, and where; they may come later.
    conditions: Vec<(usize, usize)>,
    depth: usize,
}

type Parsed = Result<Piece, PatternError>;

fn item(text: String, width: (u64, u64)) -> Piece {
    Piece { text, width, kind: Kind::Item }
}

fn position(text: impl Into<String>) -> Piece {
    Piece { text: text.into(), width: (0, 0), kind: Kind::Position }
}

fn nothing() -> Piece {
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

    fn error(&self, message: impl Into<String>, position: usize) -> PatternError {
        PatternError::Syntax { message: message.into(), position }
    }

    fn unsupported(reason: &str) -> PatternError {
        PatternError::Unsupported { reason: reason.to_owned() }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn take(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        self.at += usize::from(is_next);
        is_next
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.characters.get(self.at + index) == Some(&c))
    }

    /// Everything up to a delimiter, which is stepped over.
    fn until(&mut self, delimiter: char, what: &str) -> Result<String, PatternError> {
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

    fn flag_letters(&mut self) -> Vec<char> {
        let mut letters = Vec::new();
        while let Some(letter) = self.peek().filter(|c| "aiLmsux".contains(*c)) {
            letters.push(letter);
            self.at += 1;
        }
        letters
    }

    fn set(&mut self, letters: &[char], value: bool, start: usize) -> Result<(), PatternError> {
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

    fn alternation(&mut self) -> Parsed {
        let mut branches = vec![self.sequence()?];
        while self.take('|') {
            branches.push(self.sequence()?);
        }
        let width = branches.iter().map(|branch| branch.width);
        let width = width.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_default();
        let texts: Vec<_> = branches.into_iter().map(|branch| branch.text).collect();
        Ok(item(texts.join("|"), width))
    }

    fn sequence(&mut self) -> Parsed {
        let mut text = String::new();
        let mut width = (0_u64, 0_u64);
        while let Some(next) = self.peek().filter(|c| !matches!(c, '|' | ')')) {
            if self.mode.verbose && self.skip_verbose(next) {
                continue;
            }
            let piece = self.piece(next)?;
            let piece = self.repeated(piece)?;
            text.push_str(&piece.text);
            width = (add(width.0, piece.width.0), add(width.1, piece.width.1));
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
        let width = (piece.width.0.saturating_mul(low), times(piece.width.1, high));
        Ok(item(format!("(?:{}){{{low},{high_text}}}{mode}", piece.text), width))
    }

    fn escape(&mut self) -> Parsed {
        const WORD: &str = r"[\p{L}\p{N}_]";
        let start = self.at - 1;
        let Some(letter) = self.next() else {
            return Err(self.error("bad escape (end of pattern)", start));
        };
        let word = if self.mode.ascii { "[A-Za-z0-9_]" } else { WORD };
        match letter {
            'A' => Ok(position(r"\A")),
            'Z' => Ok(position(r"\z")),
            'b' => Ok(position(format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"))),
            'B' => {
                Ok(position(format!(r"(?!\A\z)(?:(?<={word})(?={word})|(?<!{word})(?!{word}))")))
            }
            'd' | 's' | 'w' => Ok(item(format!("[{}]", category(letter, self.mode.ascii)), (1, 1))),
            'D' | 'S' | 'W' => {
                Ok(item(format!("[^{}]", category(letter, self.mode.ascii)), (1, 1)))
            }
            '1'..='9' => self.reference_or_octal(start, letter),
            _ => {
                let character = self.character(start, letter)?;
                Ok(item(literal(character, self.mode.flags.ignore_case), (1, 1)))
            }
        }
    }

    /// `\1`, or `\123` in octal.
    fn reference_or_octal(&mut self, start: usize, first: char) -> Parsed {
        let mut digits = String::from(first);
        if let Some(second) = self.peek().filter(char::is_ascii_digit) {
            digits.push(second);
            self.at += 1;
            let third = self.peek().filter(|third| digits.chars().chain([*third]).all(is_octal));
            if let Some(third) = third {
                digits.push(third);
                self.at += 1;
                let code = u32::from_str_radix(&digits, 8).unwrap_or(u32::MAX);
                let character =
                    char::from_u32(code).filter(|_| code <= 0o377).ok_or_else(|| {
                        let message =
                            format!("octal escape value \\{digits} outside of range 0-0o377");
                        self.error(message, start)
                    })?;
                return Ok(item(literal(character, self.mode.flags.ignore_case), (1, 1)));
            }
        }
        let group = digits.parse().unwrap_or(usize::MAX);
        self.reference(group, start)
    }

    fn reference(&self, group: usize, start: usize) -> Parsed {
        let Some(known) = self.groups.get(group) else {
            return Err(self.error(format!("invalid group reference {group}"), start + 1));
        };
        let width =
            known.width.ok_or_else(|| self.error("cannot refer to an open group", start))?;
        Ok(item(format!("(?:\\{group})"), width))
    }

    /// The character of an escape that means the same inside and outside of classes.
    fn character(&mut self, start: usize, letter: char) -> Result<char, PatternError> {
        match letter {
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            'x' => self.hexadecimal(start, 2),
            'u' => self.hexadecimal(start, 4),
            'U' => self.hexadecimal(start, 8),
            'N' => Err(Self::unsupported("`\\N{…}`")),
            '0' => {
                let mut code = 0;
                for _ in 0..2 {
                    let Some(digit) = self.peek().filter(|c| is_octal(*c)) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                    self.at += 1;
                }
                Ok(char::from_u32(code).unwrap_or('\0'))
            }
            letter if letter.is_ascii_alphabetic() => {
                Err(self.error(format!("bad escape \\{letter}"), start))
            }
            other => Ok(other),
        }
    }

    fn hexadecimal(&mut self, start: usize, digits: usize) -> Result<char, PatternError> {
        let mut text = String::new();
        while let Some(digit) = self.peek().filter(|c| c.is_ascii_hexdigit() && text.len() < digits)
        {
            text.push(digit);
            self.at += 1;
        }
        let code = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits);
        let code = code.ok_or_else(|| {
            let escape: String = self.characters[start..self.at].iter().collect();
            self.error(format!("incomplete escape {escape}"), start)
        })?;
        // A lone surrogate matches nothing that Rust's text can hold.
        char::from_u32(code).ok_or_else(|| Self::unsupported("a surrogate"))
    }

    fn class(&mut self, start: usize) -> Parsed {
        let negated = self.take('^');
        let mut class = Class::default();
        let first = self.at;
        loop {
            let at = self.at;
            let Some(next) = self.next() else {
                return Err(self.error("unterminated character set", start));
            };
            if next == ']' && at != first {
                break;
            }
            let low = self.class_item(at, next)?;
            let dash = self.peek() == Some('-');
            let closes = self.characters.get(self.at + 1) == Some(&']');
            if !dash || closes {
                self.add(&mut class, low);
                continue;
            }
            self.at += 1;
            let high_at = self.at;
            let Some(high) = self.next() else {
                return Err(self.error("unterminated character set", start));
            };
            let high = self.class_item(high_at, high)?;
            let bad = || -> PatternError {
                let range: String = self.characters[at..self.at].iter().collect();
                self.error(format!("bad character range {range}"), at)
            };
            match (low, high) {
                (Element::Character(low), Element::Character(high)) if low <= high => {
                    class.add_range(low, high);
                }
                _ => return Err(bad()),
            }
        }
        Ok(item(class.finish(negated, self.mode.flags.ignore_case), (1, 1)))
    }

    fn add(&self, class: &mut Class, element: Element) {
        match element {
            Element::Character(character) => class.add_range(character, character),
            Element::Category(letter) => class.add_category(letter, self.mode.ascii),
        }
    }

    fn class_item(&mut self, start: usize, next: char) -> Result<Element, PatternError> {
        if next != '\\' {
            return Ok(Element::Character(next));
        }
        let Some(letter) = self.next() else {
            return Err(self.error("bad escape (end of pattern)", start));
        };
        match letter {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => Ok(Element::Category(letter)),
            'b' => Ok(Element::Character('\u{8}')),
            '0'..='7' => {
                let mut code = letter.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.peek().filter(|c| is_octal(*c)) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                    self.at += 1;
                }
                let character = char::from_u32(code).filter(|_| code <= 0o377);
                let character = character.ok_or_else(|| {
                    self.error("octal escape value outside of range 0-0o377", start)
                })?;
                Ok(Element::Character(character))
            }
            '8' | '9' => Err(self.error(format!("bad escape \\{letter}"), start)),
            _ => Ok(Element::Character(self.character(start, letter)?)),
        }
    }

    fn group(&mut self, start: usize) -> Parsed {
        if self.depth >= DEPTH_MAX {
            return Err(Self::unsupported("groups nested more than 100 deep"));
        }
        self.depth += 1;
        let piece = if self.take('?') { self.extension(start) } else { self.capture(start, None) };
        self.depth -= 1;
        piece
    }

    /// The inside of a group, to its end.
    fn inside(&mut self, start: usize) -> Parsed {
        let outer = self.mode;
        let inside = self.alternation()?;
        self.mode = outer;
        if self.take(')') {
            Ok(inside)
        } else {
            Err(self.error("missing ), unterminated subpattern", start))
        }
    }

    fn capture(&mut self, start: usize, name: Option<String>) -> Parsed {
        let index = self.groups.len();
        self.groups.push(Group { name, width: None });
        let inside = self.inside(start)?;
        self.groups[index].width = Some(inside.width);
        Ok(item(format!("({})", inside.text), inside.width))
    }

    /// What follows upon `(?`.
    fn extension(&mut self, start: usize) -> Parsed {
        let Some(next) = self.next() else {
            return Err(self.error("unexpected end of pattern", self.at));
        };
        match next {
            ':' => {
                self.inside(start).map(|inside| item(format!("(?:{})", inside.text), inside.width))
            }
            '>' => {
                self.inside(start).map(|inside| item(format!("(?>{})", inside.text), inside.width))
            }
            '=' | '!' => self.inside(start).map(|inside| look(&format!("?{next}"), &inside)),
            '<' => self.lookbehind(start),
            'P' => self.named(start),
            '#' => {
                while let Some(next) = self.next() {
                    if next == ')' {
                        return Ok(nothing());
                    }
                }
                Err(self.error("missing ), unterminated comment", start))
            }
            '(' => self.conditional(start),
            _ => {
                self.at -= 1;
                self.scoped_flags(start)
            }
        }
    }

    fn lookbehind(&mut self, start: usize) -> Parsed {
        let sign = match self.next() {
            Some(sign @ ('=' | '!')) => sign,
            Some(other) => {
                return Err(self.error(format!("unknown extension ?<{other}"), start + 1));
            }
            None => return Err(self.error("unexpected end of pattern", self.at)),
        };
        let inside = self.inside(start)?;
        if inside.width.0 != inside.width.1 {
            return Err(self.error("look-behind requires fixed-width pattern", start));
        }
        Ok(look(&format!("?<{sign}"), &inside))
    }

    /// `(?P<name>…)` and `(?P=name)`.
    fn named(&mut self, start: usize) -> Parsed {
        match self.next() {
            Some('<') => {
                let at = self.at;
                let name = self.until('>', "group name")?;
                self.check_name(&name, at)?;
                if self.groups.iter().any(|group| group.name.as_deref() == Some(&*name)) {
                    let message = format!("redefinition of group name '{name}'");
                    return Err(self.error(message, at));
                }
                self.capture(start, Some(name))
            }
            Some('=') => {
                let at = self.at;
                let name = self.until(')', "group name")?;
                self.check_name(&name, at)?;
                let group = self.group_named(&name, at)?;
                self.reference(group, at)
            }
            Some(other) => Err(self.error(format!("unknown extension ?P{other}"), start + 1)),
            None => Err(self.error("unexpected end of pattern", self.at)),
        }
    }

    fn check_name(&self, name: &str, at: usize) -> Result<(), PatternError> {
        let starts = |c: char| c == '_' || c.is_alphabetic();
        let is_name = name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_numeric());
        let message = || format!("bad character in group name '{name}'");
        if is_name { Ok(()) } else { Err(self.error(message(), at)) }
    }

    fn group_named(&self, name: &str, at: usize) -> Result<usize, PatternError> {
        let found = self.groups.iter().position(|group| group.name.as_deref() == Some(name));
        found.ok_or_else(|| self.error(format!("unknown group name '{name}'"), at))
    }

    /// `(?(group)yes|no)`.
    fn conditional(&mut self, start: usize) -> Parsed {
        let at = self.at;
        let name = self.until(')', "group name")?;
        let group = match name.parse::<usize>() {
            Ok(0) => return Err(self.error("bad group number", at)),
            Ok(group) => {
                self.conditions.push((group, at));
                group
            }
            Err(_) => {
                self.check_name(&name, at)?;
                self.group_named(&name, at)?
            }
        };
        let outer = self.mode;
        let yes = self.sequence()?;
        let no = if self.take('|') { self.sequence()? } else { nothing() };
        self.mode = outer;
        if self.peek() == Some('|') {
            return Err(self.error("conditional backref with more than two branches", self.at));
        }
        if !self.take(')') {
            return Err(self.error("missing ), unterminated subpattern", start));
        }
        let width = (yes.width.0.min(no.width.0), yes.width.1.max(no.width.1));
        Ok(item(format!("(?({group}){}|{})", yes.text, no.text), width))
    }

    /// `(?i-s:…)`.
    fn scoped_flags(&mut self, start: usize) -> Parsed {
        let on = self.flag_letters();
        let off = if self.take('-') { self.flag_letters() } else { Vec::new() };
        match self.next() {
            Some(':') if !on.is_empty() || !off.is_empty() => {}
            Some(')') if !on.is_empty() => {
                let message = "global flags not at the start of the expression";
                return Err(self.error(message, start));
            }
            Some(other) => {
                return Err(self.error(format!("unknown extension ?{other}"), start + 1));
            }
            None => return Err(self.error("missing -, : or )", self.at)),
        }
        let outer = self.mode;
        self.set(&on, true, start)?;
        self.set(&off, false, start)?;
        let case = if self.mode.flags.ignore_case { "i" } else { "-i" };
        let inside = self.inside(start)?;
        self.mode = outer;
        Ok(item(format!("(?{case}:{})", inside.text), inside.width))
    }
}

/// A member of a class.
#[derive(Clone, Copy)]
enum Element {
    Character(char),
    Category(char),
}

/// Lookaround, which can be repeated although it matches no character.
fn look(sign: &str, inside: &Piece) -> Piece {
    item(format!("({sign}{})", inside.text), (0, 0))
}

fn is_octal(character: char) -> bool {
    ('0'..='7').contains(&character)
}

fn add(a: u64, b: u64) -> u64 {
    a.saturating_add(b)
}

/// How many characters so many repetitions match; nothing repeated for ever is still nothing.
fn times(width: u64, count: u64) -> u64 {
    width.saturating_mul(count)
}
