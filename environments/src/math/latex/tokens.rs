//! LaTeX cut into tokens.

use super::ParseError;
use super::names::{greek, is_symbol};
use super::vocabulary::{IGNORED, NAMED, OPERATORS, SIGNS, WORDS, accent, is_known, sign};
use crate::math::expression::NumberSet;

/// A piece of LaTeX.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// Digits, perhaps with a point among them or before, perhaps with `E` and an exponent.
    Number(&'a str),
    /// A letter.
    Letter(char),
    /// A word after a backslash, without it. Relations of two signs and escaped braces are words too.
    Command(&'a str),
    /// Any other sign.
    Sign(char),
    /// A name written as text or with an accent, already in the form in which symbols are named.
    Name(String),
    /// A set of numbers that has a name.
    NumberSet(NumberSet),
    /// The begin of an environment, and its name.
    Begin(&'a str),
    /// The end of an environment.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Spanned<'a> {
    pub(super) token: Token<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts a text into tokens.
pub(super) fn tokenize(source: &str, lenient: bool) -> Result<Vec<Spanned<'_>>, ParseError> {
    let mut lexer = Lexer { source, at: 0, lenient };
    let mut tokens = Vec::with_capacity(source.len().min(256));
    while let Some(first) = lexer.rest().chars().next() {
        let start = lexer.at;
        if let Some(token) = lexer.token(first)? {
            tokens.push(Spanned { token, start, end: lexer.at });
        }
    }
    Ok(tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    lenient: bool,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn unexpected(&self) -> ParseError {
        ParseError::Unexpected { at: self.at }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.rest()[..length];
        self.at += length;
        taken
    }

    /// The next token; none for space.
    fn token(&mut self, first: char) -> Result<Option<Token<'a>>, ParseError> {
        if first.is_whitespace() {
            self.at += first.len_utf8();
            return Ok(None);
        }
        if first == '\\' {
            return self.command();
        }
        if first.is_ascii_digit() || first == '.' {
            return self.number().map(Some);
        }
        if first.is_ascii_alphabetic() {
            if !self.lenient && WORDS.iter().any(|word| self.rest().starts_with(word)) {
                return Err(self.unexpected());
            }
            if let Some(differential) = self.differential() {
                return Ok(Some(differential));
            }
            self.at += 1;
            return Ok(Some(Token::Letter(first)));
        }
        for (sign, name) in SIGNS {
            if self.rest().starts_with(sign) {
                self.at += sign.len();
                return Ok(Some(Token::Command(name)));
            }
        }
        let token = if "+-*/^_()[]{}|,;:=<>!'&%°".contains(first) {
            Token::Sign(first)
        } else {
            sign(first).ok_or_else(|| self.unexpected())?
        };
        self.at += first.len_utf8();
        Ok(Some(token))
    }

    /// A `d` and any command behind it are one symbol to the original: `d\cdot`. Those that are symbols
    /// themselves are left, since they may end an integral.
    fn differential(&mut self) -> Option<Token<'a>> {
        let behind = self.rest().strip_prefix('d').filter(|_| !self.lenient)?.trim_start();
        let word = behind.strip_prefix('\\')?;
        let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
        let name = &word[..letters];
        if name.is_empty() || is_symbol(name) {
            return None;
        }
        self.at = self.source.len() - word.len() + letters;
        Some(Token::Name(format!("d{}", name.to_ascii_lowercase())))
    }

    fn number(&mut self) -> Result<Token<'a>, ParseError> {
        let rest = self.rest().as_bytes();
        let digits =
            |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = digits(0);
        if rest.get(length) == Some(&b'.') {
            let fraction = digits(length + 1);
            if fraction == 0 {
                return Err(ParseError::Unexpected { at: self.at + length });
            }
            length += 1 + fraction;
        }
        if rest.get(length) == Some(&b'E') {
            let sign = usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits((length + 1 + sign).min(rest.len()));
            if exponent > 0 {
                length += 1 + sign + exponent;
            }
        }
        Ok(Token::Number(self.take(length)))
    }

    fn command(&mut self) -> Result<Option<Token<'a>>, ParseError> {
        let letters = self.rest()[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
        if letters == 0 {
            return self.escaped();
        }
        // A known command may be followed by letters without a space: `\alphax`.
        let word = &self.rest()[1..=letters];
        let known = if IGNORED.contains(&word) { Some(letters) } else { None };
        let known = known.or_else(|| (1..=letters).rev().find(|length| is_known(&word[..*length])));
        let name = &self.take(1 + known.unwrap_or(letters))[1..];
        if IGNORED.contains(&name) || (name == "limits" && self.lenient) {
            return Ok(None);
        }
        if name == "mathbb"
            && let Some(set) = self.number_set()
        {
            return Ok(Some(set));
        }
        // The original knows the set of primes, and can do nothing with it.
        if name == "mathbb" && self.rest().starts_with("{P}") && !self.lenient {
            return Err(self.unexpected());
        }
        if NAMED.contains(&name) {
            return self.name(accent(name)).map(Some);
        }
        Ok(Some(match name {
            "begin" => {
                let environment = self.braced()?;
                if environment == "array" && self.rest().starts_with('{') {
                    self.columns()?;
                }
                Token::Begin(environment)
            }
            "end" => {
                self.braced()?;
                Token::End
            }
            "operatorname" => {
                let name = self.braced()?;
                if !self.lenient && !OPERATORS.contains(&name) {
                    return Err(self.unexpected());
                }
                Token::Command(name)
            }
            "over" => Token::Sign('/'),
            "lt" => Token::Sign('<'),
            "gt" => Token::Sign('>'),
            "lgroup" => Token::Sign('('),
            "rgroup" => Token::Sign(')'),
            "lbrack" => Token::Sign('['),
            "rbrack" => Token::Sign(']'),
            _ => Token::Command(name),
        }))
    }

    /// A backslash before a sign.
    fn escaped(&mut self) -> Result<Option<Token<'a>>, ParseError> {
        let Some(sign) = self.rest()[1..].chars().next() else {
            return Err(self.unexpected());
        };
        let token = match sign {
            ',' | ';' | ':' | '!' | '>' => None,
            '%' => Some(Token::Sign('%')),
            '(' | ')' => Some(Token::Sign(sign)),
            '{' | '}' | '|' | '\\' => Some(Token::Command(&self.rest()[1..2])),
            _ => return Err(self.unexpected()),
        };
        self.at += 2;
        Ok(token)
    }

    /// The text between braces, which may hold braces, and moves behind it.
    fn braced(&mut self) -> Result<&'a str, ParseError> {
        let spaces = self.rest().len() - self.rest().trim_start().len();
        let body = &self.rest()[spaces..];
        if !body.starts_with('{') {
            return Err(self.unexpected());
        }
        let mut depth = 0_usize;
        for (offset, byte) in body.bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at += spaces + offset + 1;
                return Ok(&body[1..offset]);
            }
        }
        Err(self.unexpected())
    }

    /// The columns of an array: `{cc}`. Rules between them are not known.
    fn columns(&mut self) -> Result<(), ParseError> {
        let columns = self.braced()?;
        if columns.bytes().all(|byte| matches!(byte, b'c' | b'l' | b'r' | b' ')) {
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// The set of numbers that the letter in the braces ahead names.
    fn number_set(&mut self) -> Option<Token<'a>> {
        let set = match self.rest().get(..3)? {
            "{N}" => NumberSet::Naturals,
            "{Z}" => NumberSet::Integers,
            "{Q}" => NumberSet::Rationals,
            "{R}" => NumberSet::Reals,
            "{C}" => NumberSet::Complexes,
            _ => return None,
        };
        self.at += 3;
        Some(Token::NumberSet(set))
    }

    fn name(&mut self, prefix: Option<&str>) -> Result<Token<'a>, ParseError> {
        let content = self.braced()?;
        if content.contains('{') && (prefix.is_none() || !self.lenient) {
            return Err(self.unexpected());
        }
        let is_dropped = |sign: char| sign == ' ' || (prefix.is_none() && "()".contains(sign));
        let kept = content.chars().filter(|sign| !is_dropped(*sign));
        let mut name: String = kept.collect();
        name.make_ascii_lowercase();
        if prefix.is_none() {
            let letter = name.chars().next().filter(|letter| letter.len_utf8() == name.len());
            let name_of_letter = letter.and_then(greek).map(str::to_lowercase);
            let command = name.strip_prefix('\\').map(str::to_owned);
            name = name_of_letter.or(command).unwrap_or(name);
        }
        if name.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Token::Name(match prefix {
            Some(prefix) => format!("{prefix}{{{name}}}"),
            None => name,
        }))
    }
}
