//! LaTeX cut into tokens.

use super::ParseError;
use super::functions::simple_function;
use super::names::is_symbol;
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

/// Commands that only space or size what follows.
const IGNORED: [&str; 9] =
    ["quad", "qquad", "left", "right", "displaystyle", "limits", "phantom", "boxed", "fbox"];

/// Commands whose argument is a name, and what stands before it in the symbol.
const NAMED: [(&str, Option<&str>); 29] = [
    ("text", None),
    ("textbf", None),
    ("textit", None),
    ("textrm", None),
    ("textnormal", None),
    ("mbox", None),
    ("mathrm", Some("math")),
    ("mathbf", Some("math")),
    ("mathit", Some("math")),
    ("mathcal", Some("math")),
    ("mathscr", Some("math")),
    ("mathfrak", Some("math")),
    ("mathsf", Some("math")),
    ("mathtt", Some("math")),
    ("boldsymbol", Some("boldsymbol")),
    ("bar", Some("bar")),
    ("overline", Some("bar")),
    ("vec", Some("vec")),
    ("overrightarrow", Some("vec")),
    ("hat", Some("hat")),
    ("tilde", Some("tilde")),
    ("widetilde", Some("tilde")),
    ("dot", Some("dot")),
    ("ddot", Some("ddot")),
    ("check", Some("check")),
    ("breve", Some("breve")),
    ("acute", Some("acute")),
    ("grave", Some("grave")),
    ("mathring", Some("mathring")),
];

/// Commands that mean something beside symbols, functions and those with a name as their argument.
const OTHERS: [&str; 58] = [
    "frac",
    "dfrac",
    "tfrac",
    "cfrac",
    "sqrt",
    "binom",
    "dbinom",
    "tbinom",
    "choose",
    "log",
    "ln",
    "exp",
    "max",
    "min",
    "gcd",
    "lcm",
    "lfloor",
    "rfloor",
    "lceil",
    "rceil",
    "floor",
    "ceil",
    "lvert",
    "rvert",
    "vert",
    "sum",
    "prod",
    "int",
    "lim",
    "det",
    "emptyset",
    "infty",
    "pi",
    "cdot",
    "times",
    "div",
    "mod",
    "pm",
    "mp",
    "le",
    "leq",
    "leqslant",
    "ge",
    "geq",
    "geqslant",
    "ne",
    "neq",
    "equiv",
    "approx",
    "in",
    "notin",
    "cup",
    "cap",
    "setminus",
    "to",
    "rightarrow",
    "circ",
    "partial",
];

fn is_known(name: &str) -> bool {
    OTHERS.contains(&name)
        || is_symbol(name)
        || simple_function(name).is_some()
        || NAMED.iter().any(|(command, _)| *command == name)
        || ["mathbb", "begin", "end", "operatorname", "lt", "gt"].contains(&name)
        || ["lgroup", "rgroup", "lbrack", "rbrack", "lbrace", "rbrace"].contains(&name)
}

/// Cuts a text into tokens.
pub(super) fn tokenize(source: &str) -> Result<Vec<Spanned<'_>>, ParseError> {
    let mut lexer = Lexer { source, at: 0 };
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
        if self.rest().starts_with("true") {
            return Err(self.unexpected());
        }
        if first.is_ascii_alphabetic() {
            self.at += 1;
            return Ok(Some(Token::Letter(first)));
        }
        for (sign, name) in [("<=", "le"), (">=", "ge"), ("!=", "ne"), ("≤", "le"), ("≥", "ge")]
        {
            if self.rest().starts_with(sign) {
                self.at += sign.len();
                return Ok(Some(Token::Command(name)));
            }
        }
        if !"+-*/^_()[]{}|,;:=<>!'&%".contains(first) {
            return Err(self.unexpected());
        }
        self.at += if self.rest().starts_with("==") { 2 } else { 1 };
        Ok(Some(Token::Sign(first)))
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
        if IGNORED.contains(&name) {
            return Ok(None);
        }
        if let Some((_, prefix)) = NAMED.iter().find(|(command, _)| *command == name) {
            return self.name(*prefix).map(Some);
        }
        Ok(Some(match name {
            "mathbb" => Token::NumberSet(self.number_set()?),
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
            "operatorname" => Token::Command(self.braced()?),
            "lt" => Token::Sign('<'),
            "gt" => Token::Sign('>'),
            "lgroup" => Token::Sign('('),
            "rgroup" => Token::Sign(')'),
            "lbrack" => Token::Sign('['),
            "rbrack" => Token::Sign(']'),
            "lbrace" => Token::Command("{"),
            "rbrace" => Token::Command("}"),
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

    fn number_set(&mut self) -> Result<NumberSet, ParseError> {
        Ok(match self.braced()?.trim() {
            "N" => NumberSet::Naturals,
            "Z" => NumberSet::Integers,
            "Q" => NumberSet::Rationals,
            "R" => NumberSet::Reals,
            "C" => NumberSet::Complexes,
            _ => return Err(self.unexpected()),
        })
    }

    fn name(&mut self, prefix: Option<&str>) -> Result<Token<'a>, ParseError> {
        let content = self.braced()?;
        if prefix.is_none() && content.contains('{') {
            return Err(self.unexpected());
        }
        let kept = content.chars().filter(|sign| !sign.is_whitespace() && !"()".contains(*sign));
        let mut name: String = kept.collect();
        name.make_ascii_lowercase();
        if let Some(symbol) =
            name.strip_prefix('\\').filter(|symbol| *symbol == "pi" || is_symbol(symbol))
        {
            name = symbol.into();
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
