//! LaTeX cut into tokens.

use super::ParseError;
use super::functions::simple_function;
use super::names::{greek, is_symbol};
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
const IGNORED: [&str; 19] = [
    "quad",
    "qquad",
    "left",
    "right",
    "displaystyle",
    "boxed",
    "fbox",
    "thinspace",
    "medspace",
    "thickspace",
    "negthinspace",
    "negmedspace",
    "negthickspace",
    "hfil",
    "vbox",
    "vcenter",
    "vrule",
    "vskip",
    "vspace",
];

/// Commands whose argument is a name. What stands before it in the symbol is the command itself, unless
/// [`accent`] says otherwise.
const NAMED: [&str; 45] = [
    "acute",
    "bar",
    "bm",
    "boldsymbol",
    "breve",
    "check",
    "ddot",
    "dot",
    "grave",
    "hat",
    "mathbf",
    "mathbin",
    "mathcal",
    "mathclap",
    "mathclose",
    "mathellipsis",
    "mathfrak",
    "mathinner",
    "mathit",
    "mathnormal",
    "mathop",
    "mathopen",
    "mathord",
    "mathpunct",
    "mathrel",
    "mathring",
    "mathrlap",
    "mathrm",
    "mathscr",
    "mathsf",
    "mathsterling",
    "mathtt",
    "mbox",
    "overline",
    "overrightarrow",
    "text",
    "textbf",
    "textit",
    "textnormal",
    "textrm",
    "tilde",
    "vec",
    "widecheck",
    "widetilde",
    "mathbb",
];

/// What stands before a name in the symbol; nothing where it is text.
fn accent(command: &str) -> Option<&str> {
    match command {
        "overline" => Some("bar"),
        "overrightarrow" => Some("vec"),
        "widetilde" => Some("tilde"),
        "mbox" => None,
        command if command.starts_with("text") => None,
        command if command.starts_with("math") => Some("math"),
        command => Some(command),
    }
}

/// Signs beyond ASCII, by what they are read as.
fn sign(sign: char) -> Option<Token<'static>> {
    Some(match sign {
        '∔' | '⊕' | '⊞' => Token::Sign('+'),
        '−' | '∸' => Token::Sign('-'),
        '×' | '∗' | '∘' | '∙' | '⊗' | '⊠' | '⊡' | '⋄' | '⋅' | '⋆' | '⋈' | '⋉' | '⋊' => {
            Token::Sign('*')
        }
        '÷' | '∕' => Token::Sign('/'),
        '≎' | '≏' | '≐' | '≑' | '≒' | '≓' | '≔' | '≕' | '≖' | '≗' | '≟' | '≡' | '≣' => {
            Token::Sign('=')
        }
        '≃' | '≅' | '≈' | '≊' | '≋' => Token::Command("approx"),
        '≪' | '≺' | '⋖' => Token::Sign('<'),
        '≫' | '≻' | '⋗' => Token::Sign('>'),
        '≤' | '≦' | '≲' | '≾' => Token::Command("le"),
        '≥' | '≧' | '≳' | '≿' => Token::Command("ge"),
        '≁' | '≄' | '≇' | '≉' | '≠' | '≢' => Token::Command("ne"),
        '∪' => Token::Command("cup"),
        '∩' => Token::Command("cap"),
        '∖' => Token::Command("setminus"),
        '±' | '∓' => Token::Command("pm"),
        '⊆' => Token::Command("subseteq"),
        '⊇' => Token::Command("supseteq"),
        '∉' => Token::Command("notin"),
        '∅' => Token::Command("emptyset"),
        'ℕ' => Token::NumberSet(NumberSet::Naturals),
        'ℤ' => Token::NumberSet(NumberSet::Integers),
        'ℚ' => Token::NumberSet(NumberSet::Rationals),
        'ℝ' => Token::NumberSet(NumberSet::Reals),
        'ℂ' => Token::NumberSet(NumberSet::Complexes),
        'ℵ' | 'ℶ' | 'ℷ' | 'ℸ' => Token::Name(sign.into()),
        sign => Token::Command(greek(sign)?),
    })
}

/// Commands that mean something beside symbols, functions and those with a name as their argument.
const OTHERS: [&str; 77] = [
    "approx",
    "binom",
    "cap",
    "cdot",
    "cfrac",
    "choose",
    "circ",
    "circle",
    "cup",
    "dbinom",
    "degree",
    "det",
    "dfrac",
    "div",
    "emptyset",
    "equiv",
    "exp",
    "frac",
    "gcd",
    "ge",
    "geq",
    "geqslant",
    "in",
    "infty",
    "int",
    "langle",
    "lbrace",
    "lceil",
    "lcm",
    "le",
    "Leftrightarrow",
    "leftrightarrow",
    "leq",
    "leqslant",
    "lfloor",
    "lim",
    "limits",
    "llcorner",
    "ln",
    "log",
    "Longrightarrow",
    "longrightarrow",
    "lrcorner",
    "lvert",
    "max",
    "min",
    "mod",
    "mp",
    "ne",
    "neq",
    "notin",
    "over",
    "partial",
    "phantom",
    "pm",
    "prod",
    "rangle",
    "rbrace",
    "rceil",
    "rfloor",
    "Rightarrow",
    "rightarrow",
    "rvert",
    "setminus",
    "sqrt",
    "subseteq",
    "sum",
    "supseteq",
    "tbinom",
    "tfrac",
    "times",
    "to",
    "ulcorner",
    "urcorner",
    "vert",
    "xRightarrow",
    "xrightarrow",
];

/// Relations of several signs; of two that begin alike the longer one comes first.
const SIGNS: [(&str, &str); 6] =
    [("<=", "le"), (">=", "ge"), ("!==", "ne"), ("!=", "ne"), ("==", "equiv"), ("~=", "approx")];

/// Words that are none of the letters that they are written with, and say nothing in the original's
/// language unless they are the name of an operator. Of words that begin alike the shortest is enough.
const WORDS: [&str; 31] = [
    "SVD",
    "arccosh",
    "arcosh",
    "arcsinh",
    "arctanh",
    "arsinh",
    "artanh",
    "bmatrix",
    "ceil",
    "cols",
    "diag",
    "eig",
    "eye",
    "floor",
    "gcd",
    "hstack",
    "lcm",
    "matrix",
    "norm",
    "nullspace",
    "ones",
    "orth",
    "pmatrix",
    "rank",
    "rows",
    "rref",
    "svd",
    "tr",
    "vmatrix",
    "vstack",
    "zeros",
];

/// Operators by `\operatorname`. The original knows some more, of matrices.
const OPERATORS: [&str; 12] = [
    "arccosh", "arcosh", "arcsinh", "arctanh", "arsinh", "artanh", "ceil", "floor", "gcd", "lcm",
    "rank", "tr",
];

fn is_known(name: &str) -> bool {
    OTHERS.contains(&name)
        || is_symbol(name)
        || simple_function(name).is_some()
        || NAMED.contains(&name)
        || ["begin", "end", "operatorname", "lt", "gt"].contains(&name)
        || ["lgroup", "rgroup", "lbrack", "rbrack", "lbrace", "rbrace"].contains(&name)
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
