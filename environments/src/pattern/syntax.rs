//! Python's syntax of regular expressions, translated to the engine's.
//!
//! The source is read once, without recursion. Every literal becomes a code point in hexadecimal, so
//! that nothing the engine knows and Python does not (`\<`, `&&` in sets, `\p`, `(?<name>…)`) can
//! come in by accident. The rules are those of CPython 3.11's `re._parser`.

use std::fmt::Write as _;

use super::{Flags, PatternError};

/// Python's `\s`, `\w` and their opposites, as the inside of a set.
const SPACE: &str = r"\s\x{1c}-\x{1f}";
const WORD: &str = r"\p{L}\p{N}_";

/// Translates an expression.
///
/// # Errors
/// Fails on most of what Python refuses, and on what cannot be translated. Groups and references are
/// left to the engine to check.
pub(super) fn translate(source: &str, flags: Flags) -> Result<String, PatternError> {
    let mut reader = Reader {
        source: source.chars().collect(),
        at: 0,
        out: String::with_capacity(2 * source.len() + 8),
        flags,
        verbose: false,
        open: 0,
        last: Last::Nothing,
    };
    let global = reader.global_flags()?;
    while reader.at < reader.source.len() {
        reader.element()?;
    }
    let Reader { out, flags, .. } = reader;
    let letters = [(flags.multi_line, "m"), (flags.dot_all, "s")];
    let letters: String = letters.iter().filter(|(on, _)| *on).map(|(_, letter)| *letter).collect();
    let letters = format!("{letters}{global}");
    Ok(if letters.is_empty() { out } else { format!("(?{letters}){out}") })
}

/// What stands before the current place, as far as a quantifier cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing that could be repeated.
    Nothing,
    /// Something that can be repeated.
    Atom,
    /// Something that has been repeated.
    Repeat,
}

struct Reader {
    source: Vec<char>,
    at: usize,
    out: String,
    flags: Flags,
    verbose: bool,
    /// Groups that are open.
    open: usize,
    last: Last,
}

/// One member of a set: a character, or a class such as `\d` as the engine writes it.
enum Member {
    Character(char),
    Class(&'static str),
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.source.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0);
        self.at += usize::from(next.is_some());
        next
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, wanted)| self.peek(index) == Some(wanted))
    }

    fn invalid<T>(&self, at: usize, reason: &'static str) -> Result<T, PatternError> {
        Err(PatternError::Invalid { at, reason })
    }

    fn unsupported<T>(&self, reason: &str) -> Result<T, PatternError> {
        Err(PatternError::Unsupported { reason: format!("{reason} is not supported") })
    }

    fn literal(&mut self, character: char) {
        push_literal(&mut self.out, character);
        self.last = Last::Atom;
    }

    fn atom(&mut self, text: &str) {
        self.out.push_str(text);
        self.last = Last::Atom;
    }

    /// Reads `(?…)` flags at the very start, and returns what is passed on.
    fn global_flags(&mut self) -> Result<String, PatternError> {
        let mut passed = String::new();
        while self.starts_with("(?") {
            let letters: String = self.source[2 + self.at..]
                .iter()
                .take_while(|letter| letter.is_ascii_alphabetic())
                .collect();
            let end = self.at + 2 + letters.len();
            if letters.is_empty() || self.source.get(end) != Some(&')') {
                break;
            }
            for letter in letters.chars() {
                match letter {
                    'i' => passed.push('i'),
                    'm' => self.flags.multi_line = true,
                    's' => self.flags.dot_all = true,
                    'x' => self.verbose = true,
                    'u' => {}
                    'a' => return self.unsupported("the flag `a`"),
                    _ => return self.invalid(self.at, "unknown flag"),
                }
            }
            self.at = end + 1;
        }
        passed.truncate(1);
        Ok(passed)
    }

    fn element(&mut self) -> Result<(), PatternError> {
        let at = self.at;
        let Some(character) = self.next() else { return Ok(()) };
        match character {
            '\\' => self.escape()?,
            '[' => self.set(at)?,
            '(' => self.group(at)?,
            ')' if self.open == 0 => return self.invalid(at, "unbalanced parenthesis"),
            ')' => {
                self.open -= 1;
                self.atom(")");
            }
            '*' | '+' | '?' => self.quantifier(at, &character.to_string())?,
            '{' => self.brace(at)?,
            '|' => {
                self.out.push('|');
                self.last = Last::Nothing;
            }
            '$' if !self.flags.multi_line => self.atom(r"(?=\n?\z)"),
            '^' | '$' | '.' => self.atom(character.encode_utf8(&mut [0; 4])),
            '#' if self.verbose => while self.next().is_some_and(|next| next != '\n') {},
            _ if self.verbose && " \t\n\r\x0b\x0c".contains(character) => {}
            _ => self.literal(character),
        }
        Ok(())
    }

    fn quantifier(&mut self, at: usize, text: &str) -> Result<(), PatternError> {
        match self.last {
            Last::Nothing => return self.invalid(at, "nothing to repeat"),
            Last::Repeat => return self.invalid(at, "multiple repeat"),
            Last::Atom => {}
        }
        self.out.push_str(text);
        if let Some(mode @ ('?' | '+')) = self.peek(0) {
            self.out.push(mode);
            self.at += 1;
        }
        self.last = Last::Repeat;
        Ok(())
    }

    /// Reads what follows `{`: a number of repeats, or nothing special.
    fn brace(&mut self, at: usize) -> Result<(), PatternError> {
        let digits = |from: usize| {
            let digits = self.source[from..].iter().take_while(|digit| digit.is_ascii_digit());
            digits.collect::<String>()
        };
        let low = digits(self.at);
        let mut end = self.at + low.len();
        let has_comma = self.source.get(end) == Some(&',');
        let high = if has_comma { digits(end + 1) } else { low.clone() };
        end += if has_comma { 1 + high.len() } else { 0 };
        let is_repeat = end > self.at && self.source.get(end) == Some(&'}');
        if !is_repeat {
            self.literal('{');
            return Ok(());
        }
        self.at = end + 1;
        let low = if low.is_empty() { "0" } else { &low };
        let text = if has_comma { format!("{{{low},{high}}}") } else { format!("{{{low}}}") };
        self.quantifier(at, &text)
    }

    fn group(&mut self, at: usize) -> Result<(), PatternError> {
        if self.starts_with("?#") {
            while let Some(next) = self.next() {
                if next == ')' {
                    return Ok(());
                }
            }
            return self.invalid(at, "missing ), unterminated comment");
        }
        if self.starts_with("?P=") {
            let end = self.source[self.at..].iter().position(|next| *next == ')');
            let Some(end) = end else { return self.invalid(at, "missing ), unterminated name") };
            let reference: String = self.source[self.at..self.at + end].iter().collect();
            self.at += end + 1;
            self.atom(&format!("({reference})"));
            return Ok(());
        }
        self.out.push('(');
        if self.peek(0) == Some('?') {
            self.extension(at)?;
        }
        self.open += 1;
        self.last = Last::Nothing;
        Ok(())
    }

    /// Reads what follows `(?`, up to where the group's content begins.
    fn extension(&mut self, at: usize) -> Result<(), PatternError> {
        for kind in ["?:", "?=", "?!", "?<=", "?<!", "?>"] {
            if self.starts_with(kind) {
                self.out.push_str(kind);
                self.at += kind.len();
                return Ok(());
            }
        }
        let closing = if self.starts_with("?P<") {
            '>'
        } else if self.starts_with("?(") {
            ')'
        } else {
            return self.scoped_flags(at);
        };
        let end = self.source[self.at..].iter().position(|next| *next == closing);
        let Some(end) = end else { return self.invalid(at, "unterminated name") };
        let head = self.source[self.at..=self.at + end].iter();
        self.out.extend(head);
        self.at += end + 1;
        Ok(())
    }

    fn scoped_flags(&mut self, at: usize) -> Result<(), PatternError> {
        let head = self.source[self.at + 1..].iter();
        let head: String = head.take_while(|next| !matches!(next, ':' | ')')).collect();
        let is_flags =
            !head.is_empty() && head.chars().all(|next| next == '-' || next.is_ascii_alphabetic());
        if !is_flags {
            return self.invalid(at, "unknown extension");
        }
        let end = self.at + 1 + head.len();
        match self.source.get(end) {
            Some(':') if head.chars().all(|next| "-is".contains(next)) => {
                let _ = write!(self.out, "?{head}:");
                self.at = end + 1;
                Ok(())
            }
            Some(':') => self.unsupported("a group with flags other than `i` and `s`"),
            _ => self.invalid(at, "global flags not at the start of the expression"),
        }
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let at = self.at - 1;
        let Some(character) = self.next() else {
            return self.invalid(at, "bad escape (end of pattern)");
        };
        match character {
            'A' => self.atom(r"\A"),
            'Z' => self.atom(r"\z"),
            'b' | 'B' | 'd' | 'D' => self.atom(&format!(r"\{character}")),
            's' => self.atom(&format!("[{SPACE}]")),
            'S' => self.atom(&format!("[^{SPACE}]")),
            'w' => self.atom(&format!("[{WORD}]")),
            'W' => self.atom(&format!("[^{WORD}]")),
            '1'..='9' => self.reference(character)?,
            _ => {
                let literal = self.escaped_character(at, character)?;
                self.literal(literal);
            }
        }
        Ok(())
    }

    /// Reads a reference to a group, or three octal digits.
    fn reference(&mut self, first: char) -> Result<(), PatternError> {
        let is_octal =
            |digit: Option<char>| digit.is_some_and(|digit| ('0'..='7').contains(&digit));
        if is_octal(Some(first)) && is_octal(self.peek(0)) && is_octal(self.peek(1)) {
            let at = self.at - 2;
            let literal = self.octal(at, first)?;
            self.literal(literal);
            return Ok(());
        }
        let mut number = first.to_string();
        if let Some(second) = self.peek(0).filter(char::is_ascii_digit) {
            number.push(second);
            self.at += 1;
        }
        self.atom(&format!(r"(?:\{number})"));
        Ok(())
    }

    /// The character that an escape stands for, inside and outside of sets.
    fn escaped_character(&mut self, at: usize, character: char) -> Result<char, PatternError> {
        match character {
            'n' => Ok('\n'),
            't' => Ok('\t'),
            'r' => Ok('\r'),
            'f' => Ok('\x0c'),
            'v' => Ok('\x0b'),
            'a' => Ok('\x07'),
            'x' => self.hexadecimal(at, 2),
            'u' => self.hexadecimal(at, 4),
            'U' => self.hexadecimal(at, 8),
            '0' => self.octal(at, '0'),
            'N' => self.unsupported(r"`\N{…}`"),
            _ if character.is_ascii_alphanumeric() => self.invalid(at, "bad escape"),
            _ => Ok(character),
        }
    }

    fn hexadecimal(&mut self, at: usize, digits: usize) -> Result<char, PatternError> {
        let text: String = self.source[self.at..].iter().take(digits).collect();
        let is_whole = text.len() == digits && text.chars().all(|digit| digit.is_ascii_hexdigit());
        if !is_whole {
            return self.invalid(at, "incomplete escape");
        }
        self.at += digits;
        let code = u32::from_str_radix(&text, 16).ok().and_then(char::from_u32);
        code.map_or_else(|| self.unsupported("a code that is no character"), Ok)
    }

    /// Reads up to two more octal digits.
    fn octal(&mut self, at: usize, first: char) -> Result<char, PatternError> {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek(0).and_then(|digit| digit.to_digit(8)) else { break };
            code = 8 * code + digit;
            self.at += 1;
        }
        match char::from_u32(code) {
            Some(character) if code <= 0o377 => Ok(character),
            _ => self.invalid(at, "octal escape outside of range 0-0o377"),
        }
    }

    /// Reads what follows `[`, up to the `]` that ends the set.
    fn set(&mut self, at: usize) -> Result<(), PatternError> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            if self.peek(0) == Some(']') && !is_first {
                self.at += 1;
                self.atom("]");
                return Ok(());
            }
            is_first = false;
            let from = self.at;
            let low = self.member(at)?;
            let is_range = self.peek(0) == Some('-') && self.peek(1).is_some_and(|end| end != ']');
            if !is_range {
                self.push_member(&low);
                continue;
            }
            self.at += 1;
            let high = self.member(at)?;
            match (low, high) {
                (Member::Character(low), Member::Character(high)) if low <= high => {
                    push_literal(&mut self.out, low);
                    self.out.push('-');
                    push_literal(&mut self.out, high);
                }
                _ => return self.invalid(from, "bad character range"),
            }
        }
    }

    fn push_member(&mut self, member: &Member) {
        match member {
            Member::Character(character) => push_literal(&mut self.out, *character),
            Member::Class(class) => self.out.push_str(class),
        }
    }

    fn member(&mut self, set_at: usize) -> Result<Member, PatternError> {
        let at = self.at;
        let Some(character) = self.next() else {
            return self.invalid(set_at, "unterminated character set");
        };
        if character != '\\' {
            return Ok(Member::Character(character));
        }
        let Some(escaped) = self.next() else {
            return self.invalid(at, "bad escape (end of pattern)");
        };
        Ok(match escaped {
            'd' => Member::Class(r"\d"),
            'D' => Member::Class(r"\D"),
            's' => Member::Class(SPACE),
            'S' => Member::Class(r"[^\s\x{1c}-\x{1f}]"),
            'w' => Member::Class(WORD),
            'W' => Member::Class(r"[^\p{L}\p{N}_]"),
            'b' => Member::Character('\x08'),
            '1'..='7' => Member::Character(self.octal(at, escaped)?),
            _ => Member::Character(self.escaped_character(at, escaped)?),
        })
    }
}

fn push_literal(out: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        out.push(character);
    } else {
        let _ = write!(out, "\\x{{{:x}}}", u32::from(character));
    }
}
