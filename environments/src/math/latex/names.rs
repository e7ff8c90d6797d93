//! Symbols and named numbers, with indices, powers, and what they are applied to.

use super::terms::Exponent;
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::expression::{Constant, Expression, Symbol};

/// Names of symbols that are commands. The case of the first letter is dropped.
const GREEK: [&str; 57] = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
    "varepsilon",
    "vartheta",
    "varpi",
    "varrho",
    "varsigma",
    "varphi",
    "hbar",
    "ell",
    "wp",
    "Re",
    "Im",
    "nabla",
    "triangle",
    "angle",
    "prime",
    "imath",
    "jmath",
    "varnothing",
    "surd",
    "square",
    "sharp",
    "flat",
    "natural",
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
        let (base, written) = self.base_name()?;
        let (mut index, mut power) = (None, None);
        for _ in 0..2 {
            if index.is_none() && self.next_is('_') {
                self.at += 1;
                index = Some(self.index()?);
            } else if power.is_none() && self.next_is('^') && !self.is_transpose_or_degree() {
                self.at += 1;
                power = match self.exponent()? {
                    Exponent::Value(value) => Some(value),
                    Exponent::Degree | Exponent::Transpose => None,
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
        let named = matches!(value, Expression::Symbol(_) | Expression::Constant(Constant::Pi));
        if application == Application::Allowed
            && named
            && self.next_is('(')
            && self.is_application_ahead()
        {
            let name = match &value {
                Expression::Symbol(symbol) if symbol.name.contains('_') => symbol.name.clone(),
                _ => written.into(),
            };
            value = Expression::Applied(name, self.arguments()?);
        }
        Ok(match power {
            Some(power) => value.power(power),
            None => value,
        })
    }

    fn is_transpose_or_degree(&self) -> bool {
        let (next, after) = (self.peek_at(1), self.peek_at(2));
        let plain = |token: Option<&Token<'_>>| {
            matches!(token, Some(Token::Letter('T') | Token::Command("circ")))
        };
        plain(next)
            || (next == Some(&Token::Sign('{'))
                && plain(after)
                && self.peek_at(3) == Some(&Token::Sign('}')))
    }

    /// The symbol that the next token names, and the name as a function, which keeps its case.
    fn base_name(&mut self) -> Result<(Expression, String), ParseError> {
        let token = self.peek().cloned().ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(match token {
            Token::Letter('I') => (Expression::Constant(Constant::ImaginaryUnit), String::new()),
            Token::Letter('d') => (Expression::Symbol(self.differential()), "d".into()),
            Token::Letter(letter) => {
                let mut buffer = [0; 4];
                let name = letter.to_ascii_lowercase().encode_utf8(&mut buffer);
                (Expression::Symbol(self.symbol(name)), letter.into())
            }
            Token::Name(name) => (Expression::Symbol(self.symbol(&name)), name),
            Token::Command("pi") => (Expression::Constant(Constant::Pi), "\\pi".into()),
            Token::Command("infty") => (Expression::Constant(Constant::Infinity), String::new()),
            Token::Command(name) if is_symbol(name) => {
                let lower = name.to_ascii_lowercase();
                (Expression::Symbol(self.symbol(&lower)), format!("\\{name}"))
            }
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        })
    }

    /// `d` alone, or the differential that it makes with the letter that follows.
    fn differential(&mut self) -> Symbol {
        let name = match self.peek() {
            Some(Token::Letter(letter)) => format!("d{}", letter.to_ascii_lowercase()),
            Some(Token::Command(name)) if is_symbol(name) => {
                format!("d{}", name.to_ascii_lowercase())
            }
            _ => return self.symbol("d"),
        };
        self.at += 1;
        self.symbol(&name)
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
        if self.peek().is_none() {
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

pub(super) fn is_symbol(name: &str) -> bool {
    GREEK.contains(&name)
}
