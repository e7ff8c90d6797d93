//! Sums, products, powers, and what they are made of.

use num_rational::BigRational;
use num_traits::{One, Signed};

use super::names::{Application, is_symbol};
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::exact;
use crate::math::expression::{Constant, Expression, Function};

/// Whether functions may stand in a product, or end it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Functions {
    /// They are factors.
    Allowed,
    /// They end it: the argument of a function without brackets.
    End,
}

impl Parser<'_> {
    /// Terms joined by plus and minus.
    pub(super) fn sum(&mut self) -> Result<Expression, ParseError> {
        let first = self.product(Functions::Allowed)?;
        if !self.next_is('+') && !self.next_is('-') {
            return Ok(first);
        }
        let mut terms = Vec::with_capacity(4);
        push_term(&mut terms, scalar(first, "+")?);
        loop {
            if self.accept('+') {
                let term = self.product(Functions::Allowed)?;
                push_term(&mut terms, scalar(term, "+")?);
            } else if self.accept('-') {
                let term = self.product(Functions::Allowed)?;
                push_term(&mut terms, negated(scalar(term, "-")?));
            } else {
                return Ok(Expression::Add(terms));
            }
        }
    }

    /// Factors joined by signs of multiplication and division.
    pub(super) fn product(&mut self, functions: Functions) -> Result<Expression, ParseError> {
        let mut left = self.signed(functions)?;
        let mut divided = false;
        while let Some(token) = self.peek() {
            let divides = match token {
                Token::Sign('*') | Token::Command("cdot" | "times") => false,
                Token::Sign('/' | ':') | Token::Command("div") => true,
                Token::Command("mod") => {
                    self.at += 1;
                    self.chain()?;
                    let right = scalar(self.signed(functions)?, "mod")?;
                    left = Expression::Function(Function::Mod, vec![scalar(left, "mod")?, right]);
                    continue;
                }
                _ => break,
            };
            self.at += 1;
            let right = scalar(self.signed(functions)?, "*")?;
            left = scalar(left, "*")?;
            if divides {
                if divided {
                    self.chain()?;
                }
                left = self.quotient(left, right)?;
                divided = true;
            } else {
                left = multiplied(left, right);
            }
        }
        Ok(left)
    }

    /// Factors side by side, perhaps after signs.
    fn signed(&mut self, functions: Functions) -> Result<Expression, ParseError> {
        let mut minuses = 0_usize;
        while self.next_is('+') || self.next_is('-') {
            minuses += usize::from(self.next_is('-'));
            self.at += 1;
        }
        let mut value = self.juxtaposed(functions)?;
        if minuses > 0 {
            value = scalar(value, "-")?;
            for _ in 1..minuses {
                self.chain()?;
            }
            for _ in 0..minuses {
                value = negated(value);
            }
        }
        Ok(value)
    }

    fn juxtaposed(&mut self, functions: Functions) -> Result<Expression, ParseError> {
        // Even where functions end a product, one may begin it.
        let first = self.postfixed(Functions::Allowed)?;
        if !self.starts_factor(functions) {
            return Ok(first);
        }
        let mut factors = vec![scalar(first, "*")?];
        while self.starts_factor(functions) {
            let factor = self.postfixed(functions)?;
            factors.push(scalar(factor, "*")?);
        }
        self.joined(factors)
    }

    /// Whether the next token begins another factor.
    fn starts_factor(&self, functions: Functions) -> bool {
        match self.peek() {
            None | Some(Token::End) => false,
            Some(Token::NumberSet(_)) => false,
            Some(Token::Number(_) | Token::Name(_) | Token::Begin(_)) => true,
            Some(Token::Letter('e')) => functions == Functions::Allowed,
            Some(Token::Letter(_)) => true,
            Some(Token::Sign('|')) => self.bars == 0,
            Some(Token::Sign(sign)) => "([{".contains(*sign),
            Some(Token::Command(name)) => {
                (functions == Functions::Allowed && is_function(name)) || is_plain_command(name)
            }
        }
    }

    /// A power, with what follows it: factorials, primes.
    fn postfixed(&mut self, functions: Functions) -> Result<Expression, ParseError> {
        let mut value = self.power(functions)?;
        loop {
            if self.accept('!') {
                self.chain()?;
                value = Expression::Function(Function::Factorial, vec![scalar(value, "!")?]);
            } else if self.accept('\'') {
                value = transposed(self.marked(value)?);
            } else if self.next_is('^') && self.is_transpose_or_degree() {
                value = self.powered(value)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn power(&mut self, functions: Functions) -> Result<Expression, ParseError> {
        let base = self.nested(|parser| parser.factor(functions))?;
        self.powered(base)
    }

    /// The powers that follow a base.
    pub(super) fn powered(&mut self, base: Expression) -> Result<Expression, ParseError> {
        let mut base = base;
        while self.next_is('^') {
            self.at += 1;
            match self.exponent()? {
                Exponent::Degree => base = self.marked(base)?,
                Exponent::Transpose => base = transposed(self.marked(base)?),
                Exponent::Value(exponent) => {
                    self.chain()?;
                    base = scalar(base, "^")?.power(exponent);
                    // An index of a power says nothing.
                    if self.accept('_') {
                        self.index()?;
                    }
                }
            }
        }
        Ok(base)
    }

    /// What a mark of degrees or of a transpose stands behind.
    fn marked(&self, value: Expression) -> Result<Expression, ParseError> {
        if self.lenient { Ok(value) } else { scalar(value, "^") }
    }

    /// What follows a caret.
    pub(super) fn exponent(&mut self) -> Result<Exponent, ParseError> {
        if self.accept('{') {
            if self.is_degree(0) {
                self.at += 1;
                self.expect('}')?;
                return Ok(Exponent::Degree);
            }
            let transposes = self.peek() == Some(&Token::Letter('T'))
                && self.peek_at(1) == Some(&Token::Sign('}'));
            if transposes {
                self.at += 2;
                return Ok(Exponent::Transpose);
            }
            if (self.next_is('+') || self.next_is('-'))
                && self.peek_at(1) == Some(&Token::Sign('}'))
            {
                return Err(self.unexpected());
            }
            let value = self.nested(Self::sum)?;
            self.expect('}')?;
            return Ok(Exponent::Value(scalar(value, "^")?));
        }
        match self.peek() {
            _ if self.is_degree(0) => {
                self.at += 1;
                Ok(Exponent::Degree)
            }
            Some(Token::Letter('T')) => {
                self.at += 1;
                Ok(Exponent::Transpose)
            }
            Some(Token::Number(_) | Token::Name(_) | Token::Letter(_)) => self.bare_exponent(),
            Some(Token::Command(name)) if is_symbol(name) || *name == "infty" => {
                self.bare_exponent()
            }
            _ => Err(self.unexpected()),
        }
    }

    fn bare_exponent(&mut self) -> Result<Exponent, ParseError> {
        Ok(Exponent::Value(match self.peek() {
            Some(Token::Letter('e')) if self.lenient => {
                self.at += 1;
                Expression::Constant(Constant::Euler)
            }
            Some(Token::Letter('e')) => return Err(self.unexpected()),
            Some(Token::Number(_)) => self.numeral()?,
            _ => self.nested(|parser| parser.named(Application::Forbidden))?,
        }))
    }

    /// Whether a token is a mark of degrees.
    pub(super) fn is_degree(&self, offset: usize) -> bool {
        matches!(
            self.peek_at(offset),
            Some(Token::Command("circ" | "degree" | "circle") | Token::Sign('°'))
        )
    }

    /// A number with what belongs to it: an index, which says nothing, and a percent sign.
    pub(super) fn numeral(&mut self) -> Result<Expression, ParseError> {
        let Some(&Token::Number(text)) = self.peek() else {
            return Err(self.unexpected());
        };
        let value = self.number(text)?;
        self.at += 1;
        if self.next_is('_') {
            self.at += 1;
            self.index()?;
        }
        if !self.accept('%') {
            return Ok(value);
        }
        value.percent().ok_or(ParseError::Operands { operation: "%" })
    }
}

/// What stands after a caret.
pub(super) enum Exponent {
    /// The mark of degrees, which says nothing.
    Degree,
    /// `T`.
    Transpose,
    /// A value.
    Value(Expression),
}

/// Commands that begin a factor and are no functions.
fn is_plain_command(name: &str) -> bool {
    is_symbol(name)
        || matches!(
            name,
            "infty"
                | "frac"
                | "dfrac"
                | "tfrac"
                | "cfrac"
                | "binom"
                | "dbinom"
                | "tbinom"
                | "lfloor"
                | "lceil"
                | "llcorner"
                | "ulcorner"
                | "lvert"
                | "lbrace"
                | "phantom"
                | "{"
        )
}

pub(super) fn is_function(name: &str) -> bool {
    super::functions::simple_function(name).is_some()
        || matches!(
            name,
            "log"
                | "ln"
                | "exp"
                | "sqrt"
                | "sum"
                | "prod"
                | "int"
                | "lim"
                | "max"
                | "min"
                | "gcd"
                | "lcm"
                | "det"
                | "tr"
                | "rank"
        )
}

/// A value that can be calculated with. A set of one element is the braces around it.
pub(super) fn scalar(value: Expression, operation: &'static str) -> Result<Expression, ParseError> {
    match value {
        Expression::Set(mut elements) if elements.len() == 1 => elements
            .pop()
            .map_or(Err(ParseError::Operands { operation }), |element| scalar(element, operation)),
        value if value.is_collection() => Err(ParseError::Operands { operation }),
        value => Ok(value),
    }
}

fn push_term(terms: &mut Vec<Expression>, term: Expression) {
    match term {
        Expression::Add(inner) => terms.extend(inner),
        term => terms.push(term),
    }
}

/// The product of two values; of a product its factors are taken.
pub(super) fn multiplied(left: Expression, right: Expression) -> Expression {
    let mut factors = match left {
        Expression::Mul(factors) => factors,
        left => vec![left],
    };
    match right {
        Expression::Mul(inner) => factors.extend(inner),
        right => factors.push(right),
    }
    Expression::Mul(factors)
}

/// The value with a minus before it, carried out for numbers.
pub(super) fn negated(value: Expression) -> Expression {
    match value {
        Expression::Number(number) => Expression::Number(-number),
        Expression::Decimal(mut decimal) => {
            decimal.value = -decimal.value;
            Expression::Decimal(decimal)
        }
        Expression::Constant(Constant::Infinity) => {
            Expression::Constant(Constant::NegativeInfinity)
        }
        Expression::Constant(Constant::NegativeInfinity) => {
            Expression::Constant(Constant::Infinity)
        }
        value => multiplied(Expression::integer(-1), value),
    }
}

impl Parser<'_> {
    /// Factors side by side. An integer before a positive integer or fraction is added to it.
    fn joined(&mut self, factors: Vec<Expression>) -> Result<Expression, ParseError> {
        // From the right to the left, and kept in that order until the end.
        let mut reversed: Vec<Expression> = Vec::with_capacity(factors.len());
        for left in factors.into_iter().rev() {
            let mixed = match (&left, reversed.as_slice()) {
                (Expression::Number(whole), [Expression::Number(part)])
                    if whole.denom().is_one() && part.is_positive() =>
                {
                    Some(self.mixed_number(whole, part)?)
                }
                _ => None,
            };
            match (mixed, left) {
                (Some(number), _) => reversed[0] = Expression::Number(number),
                (None, Expression::Mul(inner)) => reversed.extend(inner.into_iter().rev()),
                (None, left) => reversed.push(left),
            }
        }
        reversed.reverse();
        if reversed.len() > 1 {
            return Ok(Expression::Mul(reversed));
        }
        Ok(reversed.pop().unwrap_or(Expression::integer(1)))
    }

    /// `2\frac{1}{2}`, and `-2\frac{1}{2}` if the minus is in brackets with the 2.
    fn mixed_number(
        &mut self,
        whole: &BigRational,
        part: &BigRational,
    ) -> Result<BigRational, ParseError> {
        let part = if whole.is_negative() { -part } else { part.clone() };
        exact::sum(whole, &part, &mut self.steps).ok_or_else(Self::spent)
    }
}

fn transposed(value: Expression) -> Expression {
    let Expression::Matrix(matrix) = value else { return value };
    Expression::Matrix(matrix.transposed())
}
