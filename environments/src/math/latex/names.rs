//! Symbols and named numbers, with indices, powers, and what they are applied to.

use super::terms::Exponent;
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::expression::{Constant, Expression, Symbol};

/// Greek letters, as signs and as commands, which are their names. Names lose their capitals.
const GREEK: [(char, &str); 41] = [
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('δ', "delta"),
    ('ε', "epsilon"),
    ('ζ', "zeta"),
    ('η', "eta"),
    ('θ', "theta"),
    ('ι', "iota"),
    ('κ', "kappa"),
    ('λ', "lambda"),
    ('μ', "mu"),
    ('ν', "nu"),
    ('ξ', "xi"),
    ('ο', "omicron"),
    ('ρ', "rho"),
    ('σ', "sigma"),
    ('τ', "tau"),
    ('υ', "upsilon"),
    ('φ', "phi"),
    ('χ', "chi"),
    ('ψ', "psi"),
    ('ω', "omega"),
    ('Γ', "Gamma"),
    ('Δ', "Delta"),
    ('Θ', "Theta"),
    ('Λ', "Lambda"),
    ('Ξ', "Xi"),
    ('Σ', "Sigma"),
    ('Υ', "Upsilon"),
    ('Φ', "Phi"),
    ('Ψ', "Psi"),
    ('Ω', "Omega"),
    ('ϵ', "varepsilon"),
    ('ϑ', "vartheta"),
    ('ϖ', "varpi"),
    ('ϱ', "varrho"),
    ('ς', "varsigma"),
    ('ϕ', "varphi"),
    ('π', "pi"),
    ('Π', "Pi"),
];

/// Other commands that are symbols.
const SYMBOLS: [&str; 43] = [
    "Bbbk",
    "Diamond",
    "Finv",
    "Game",
    "Im",
    "Re",
    "angle",
    "backprime",
    "bigstar",
    "blacklozenge",
    "blacksquare",
    "blacktriangle",
    "circledS",
    "clubsuit",
    "complement",
    "diagdown",
    "diagup",
    "diamondsuit",
    "ell",
    "eth",
    "flat",
    "hbar",
    "heartsuit",
    "hslash",
    "imath",
    "jmath",
    "lozenge",
    "measuredangle",
    "mho",
    "nabla",
    "natural",
    "nexists",
    "prime",
    "sharp",
    "spadesuit",
    "sphericalangle",
    "square",
    "surd",
    "triangle",
    "triangledown",
    "varnothing",
    "vartriangle",
    "wp",
];

/// Whether a symbol before a round bracket may be a function.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Application {
    /// It may.
    Allowed,
    /// It is a factor.
    Forbidden,
}

impl Parser<'_> {
    /// A symbol or a named number, with its index, its power, and what it is applied to.
    pub(super) fn named(&mut self, application: Application) -> Result<Expression, ParseError> {
        let start = self.at;
        let base = self.base_name()?;
        let (mut index, mut power) = (None, None);
        let mut name_end = self.at;
        let mut is_in_order = true;
        for _ in 0..2 {
            if index.is_none() && self.next_is('_') {
                self.at += 1;
                index = Some(self.index()?);
                name_end = self.at;
                is_in_order = power.is_none();
            } else if power.is_none() && self.next_is('^') && !self.is_transpose_or_degree() {
                self.at += 1;
                power = match (self.peek(), self.peek_at(1)) {
                    // The index is that of the symbol.
                    (Some(&Token::Number(digits)), Some(Token::Sign('_'))) => {
                        let value = self.number(digits)?;
                        self.at += 1;
                        Some(value)
                    }
                    _ => match self.exponent()? {
                        Exponent::Value(value) => Some(value),
                        Exponent::Degree | Exponent::Transpose => None,
                    },
                };
            }
        }
        let mut value = match (base, index) {
            (Expression::Symbol(symbol), Some(index)) => {
                Expression::Symbol(self.symbol(&format!("{}_{index}", symbol.name)))
            }
            (Expression::Constant(Constant::Pi), Some(index)) => {
                Expression::Symbol(self.symbol(&format!("pi_{index}")))
            }
            (base, None) => base,
            (_, Some(_)) => return Err(self.unexpected()),
        };
        // The name of a function ends before its power.
        let named = is_in_order
            && self.tokens[start].token != Token::Letter('E')
            && matches!(value, Expression::Symbol(_) | Expression::Constant(Constant::Pi));
        let braced = self.next_is('{') && matches!(self.peek_at(1), Some(Token::Sign('(' | '[')));
        if application == Application::Allowed && named && self.is_application_ahead(braced) {
            // The name of a function stays as it is written.
            let [start, end] = [self.tokens[start].start, self.tokens[name_end - 1].end];
            let mut name = self.source[start..end].to_owned();
            name.retain(|sign| !sign.is_whitespace());
            self.at += usize::from(braced);
            value = Expression::Applied(name.into(), self.arguments()?);
            if braced {
                self.expect('}')?;
            }
        }
        Ok(match power {
            Some(power) => value.power(power),
            None => value,
        })
    }

    /// Whether the caret ahead is that of a transpose or of degrees.
    pub(super) fn is_transpose_or_degree(&self) -> bool {
        let plain = |offset: usize| {
            self.peek_at(offset) == Some(&Token::Letter('T')) || self.is_degree(offset)
        };
        let is_braced = self.peek_at(1) == Some(&Token::Sign('{'))
            && self.peek_at(3) == Some(&Token::Sign('}'));
        plain(1) || (is_braced && plain(2))
    }

    /// The symbol that the next token names.
    pub(super) fn base_name(&mut self) -> Result<Expression, ParseError> {
        let token = self.peek().cloned().ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(match token {
            Token::Letter('I') => Expression::Constant(Constant::ImaginaryUnit),
            Token::Letter('d') => Expression::Symbol(self.differential()),
            Token::Letter(letter) => {
                let mut buffer = [0; 4];
                let name = letter.to_ascii_lowercase().encode_utf8(&mut buffer);
                Expression::Symbol(self.symbol(name))
            }
            // Without its capital, \Pi is the number as well.
            Token::Command("pi" | "Pi") => Expression::Constant(Constant::Pi),
            Token::Name(name) if name == "pi" => Expression::Constant(Constant::Pi),
            Token::Name(name) => Expression::Symbol(self.symbol(&name)),
            Token::Command("infty") => {
                self.accept('%');
                Expression::Constant(Constant::Infinity)
            }
            Token::Command(name) if is_symbol(name) => {
                Expression::Symbol(self.symbol(&name.to_ascii_lowercase()))
            }
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        })
    }

    /// `d` alone, or the differential that it makes with the letter that follows, which keeps its case.
    fn differential(&mut self) -> Symbol {
        let name = match self.peek() {
            Some(Token::Letter(letter)) => format!("d{letter}"),
            Some(Token::Command(name)) if is_symbol(name) && self.is_command() => {
                format!("d{}", name.to_ascii_lowercase())
            }
            _ => return self.symbol("d"),
        };
        self.at += 1;
        self.symbol(&name)
    }

    /// Whether the next token is written as a command, and not as a sign.
    fn is_command(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|next| self.source[next.start..].starts_with('\\'))
    }

    /// An index as it appears in a name: one sign, or anything in braces.
    pub(super) fn index(&mut self) -> Result<String, ParseError> {
        let start = self.tokens.get(self.at).map_or(self.source.len(), |spanned| spanned.start);
        if self.next_is('{') {
            let mut depth = 0_usize;
            while let Some(token) = self.peek() {
                depth += usize::from(*token == Token::Sign('{'));
                depth -= usize::from(*token == Token::Sign('}'));
                self.at += 1;
                if depth == 0 {
                    let end = self.tokens[self.at - 1].start;
                    return Ok(index_name(&self.source[start + 1..end]));
                }
            }
            return Err(self.unexpected());
        }
        let is_read = match self.peek() {
            None => false,
            Some(Token::Letter('e')) => self.lenient,
            Some(_) => true,
        };
        if !is_read {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(index_name(&self.source[start..self.tokens[self.at - 1].end]))
    }
}

fn index_name(text: &str) -> String {
    let mut name: String = text.chars().filter(|sign| !sign.is_whitespace()).collect();
    name.make_ascii_lowercase();
    if name.chars().count() == 1 { name } else { format!("{{{name}}}") }
}

/// Whether a command is a symbol; π is one, too.
pub(super) fn is_symbol(name: &str) -> bool {
    GREEK.iter().any(|(_, letter)| *letter == name) || SYMBOLS.contains(&name)
}

/// The name of a Greek letter.
pub(super) fn greek(sign: char) -> Option<&'static str> {
    GREEK.iter().find(|(letter, _)| *letter == sign).map(|(_, name)| *name)
}
