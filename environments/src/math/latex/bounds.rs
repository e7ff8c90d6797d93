//! Sums, products, integrals, limits and derivatives.

use super::names::{Application, is_symbol};
use super::terms::{Functions, scalar};
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::expression::{Bound, BoundKind, Constant, Expression, Limit, Side, Symbol};

impl Parser<'_> {
    fn is_differential_sign(&self, offset: usize) -> bool {
        matches!(self.peek_at(offset), Some(Token::Letter('d') | Token::Command("partial")))
    }

    /// `\frac{d}{dx} y` and `\frac{dy}{dx}`.
    pub(super) fn derivative(&mut self) -> Result<Option<Expression>, ParseError> {
        let named = |token: Option<&Token<'_>>| match token {
            Some(Token::Letter(_)) => true,
            Some(Token::Command(name)) => is_symbol(name),
            _ => false,
        };
        let close = Token::Sign('}');
        if !self.is_differential_sign(1) {
            return Ok(None);
        }
        let own = usize::from(named(self.peek_at(2)));
        let matches = self.peek_at(2 + own) == Some(&close)
            && self.peek_at(3 + own) == Some(&Token::Sign('{'))
            && self.is_differential_sign(4 + own)
            && named(self.peek_at(5 + own))
            && self.peek_at(6 + own) == Some(&close);
        if !matches {
            return Ok(None);
        }
        self.at += 2;
        let mut body = if own == 1 { Some(self.named(Application::Forbidden)?) } else { None };
        self.at += 3;
        let variable = self.variable()?;
        self.at += 1;
        if body.is_none() {
            body = Some(self.product(Functions::Allowed)?);
        }
        let body = Box::new(scalar(body.ok_or_else(|| self.unexpected())?, "derivative")?);
        Ok(Some(Expression::Derivative { body, variable, order: 1 }))
    }

    fn variable(&mut self) -> Result<Symbol, ParseError> {
        match self.named(Application::Forbidden)? {
            Expression::Symbol(symbol) => Ok(symbol),
            _ => Err(self.unexpected()),
        }
    }

    /// A sum or a product over a variable.
    pub(super) fn bound(&mut self, kind: BoundKind) -> Result<Expression, ParseError> {
        let (mut lower, mut upper) = (None, None);
        for _ in 0..2 {
            if lower.is_none() && self.accept('_') {
                self.expect('{')?;
                let variable = self.variable()?;
                self.expect('=')?;
                lower = Some((variable, scalar(self.sum()?, "sum")?));
                self.expect('}')?;
            } else if upper.is_none() && self.accept('^') {
                upper = Some(self.base()?);
            }
        }
        let (Some((variable, lower)), Some(upper)) = (lower, upper) else {
            return Err(self.unexpected());
        };
        let body = scalar(self.product(Functions::Allowed)?, "sum")?;
        let limits = Some([lower, upper]);
        Ok(Expression::Bound(Box::new(Bound { kind, body, variable, limits })))
    }

    pub(super) fn integral(&mut self) -> Result<Expression, ParseError> {
        let (mut lower, mut upper) = (None, None);
        for _ in 0..2 {
            if lower.is_none() && self.accept('_') {
                lower = Some(self.integral_limit()?);
            } else if upper.is_none() && self.accept('^') {
                upper = Some(self.integral_limit()?);
            }
        }
        let limits = match (lower, upper) {
            (Some(lower), Some(upper)) => Some([lower, upper]),
            (None, None) => None,
            _ => return Err(self.unexpected()),
        };
        let (body, variable) = match self.differential_position() {
            Some(position) => (self.integrand(position)?, self.differential_variable()?),
            None => self.fractional_integrand()?,
        };
        let kind = BoundKind::Integral;
        Ok(Expression::Bound(Box::new(Bound { kind, body, variable, limits })))
    }

    /// A limit without braces is a number or a symbol, whose powers and indices are the other limit.
    fn integral_limit(&mut self) -> Result<Expression, ParseError> {
        match self.peek() {
            Some(Token::Number(_) | Token::Sign('{')) => self.base(),
            _ => self.base_name(),
        }
    }

    /// Where the differential stands that ends the integrand which begins here.
    fn differential_position(&self) -> Option<usize> {
        let (mut depth, mut inner) = (0_usize, 0_usize);
        for at in self.at..self.end {
            match &self.tokens[at].token {
                Token::Sign('{' | '(' | '[') => depth += 1,
                Token::Sign('}' | ')' | ']') => depth = depth.checked_sub(1)?,
                Token::Command("int") if depth == 0 => inner += 1,
                Token::Letter('d') if depth == 0 && self.is_variable(at + 1) => {
                    if inner == 0 {
                        return Some(at);
                    }
                    inner -= 1;
                }
                _ => {}
            }
        }
        None
    }

    fn is_variable(&self, at: usize) -> bool {
        at < self.end
            && match &self.tokens[at].token {
                Token::Letter(_) => true,
                Token::Command(name) => is_symbol(name),
                _ => false,
            }
    }

    /// What stands before the differential at `position`; nothing is 1.
    fn integrand(&mut self, position: usize) -> Result<Expression, ParseError> {
        if position == self.at {
            return Ok(Expression::integer(1));
        }
        let end = std::mem::replace(&mut self.end, position);
        let body = self.sum().and_then(|body| scalar(body, "integral"));
        self.end = end;
        if self.at == position { body } else { Err(self.unexpected()) }
    }

    fn differential_variable(&mut self) -> Result<Symbol, ParseError> {
        self.at += 1;
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Letter(letter)) => {
                let mut buffer = [0; 4];
                Ok(self.symbol(letter.to_ascii_lowercase().encode_utf8(&mut buffer)))
            }
            Some(Token::Command(name)) => Ok(self.symbol(&name.to_ascii_lowercase())),
            _ => Err(self.unexpected()),
        }
    }

    /// An integrand with the differential at the end of a numerator.
    fn fractional_integrand(&mut self) -> Result<(Expression, Symbol), ParseError> {
        if !self.accept_command("frac") {
            return Err(self.unexpected());
        }
        self.expect('{')?;
        let position = self.differential_position_in_braces().ok_or_else(|| self.unexpected())?;
        let empty = position == self.at;
        let numerator = self.integrand(position)?;
        let variable = self.differential_variable()?;
        self.expect('}')?;
        let inverse = self.braced_value()?.power(Expression::integer(-1));
        let body = if empty { inverse } else { Expression::Mul(vec![numerator, inverse]) };
        Ok((body, variable))
    }

    fn differential_position_in_braces(&self) -> Option<usize> {
        let mut depth = 0_usize;
        for at in self.at..self.end {
            match &self.tokens[at].token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') if depth == 0 => return None,
                Token::Sign('}') => depth -= 1,
                Token::Letter('d') if depth == 0 && self.is_variable(at + 1) => return Some(at),
                _ => {}
            }
        }
        None
    }

    pub(super) fn limit(&mut self) -> Result<Expression, ParseError> {
        self.expect('_')?;
        self.expect('{')?;
        let variable = self.variable()?;
        if !["to", "rightarrow", "Rightarrow", "longrightarrow"]
            .iter()
            .any(|to| self.accept_command(to))
        {
            return Err(self.unexpected());
        }
        let point = self.limit_point()?;
        let mut side = match point {
            Expression::Constant(Constant::Infinity) => Side::Below,
            _ => Side::Above,
        };
        if self.accept('^') {
            self.expect('{')?;
            side = if self.accept('-') { Side::Below } else { Side::Above };
            if side == Side::Above {
                self.expect('+')?;
            }
            self.expect('}')?;
        }
        self.expect('}')?;
        let body = scalar(self.product(Functions::Allowed)?, "limit")?;
        Ok(Expression::Limit(Box::new(Limit { body, variable, point, side })))
    }

    /// The point of a limit, without the sign of a side after it.
    fn limit_point(&mut self) -> Result<Expression, ParseError> {
        let sided = (self.at..self.end).take_while(|at| self.tokens[*at].token != Token::Sign('}'));
        let marks = |at: &usize| {
            let sign = |offset: usize| self.tokens.get(at + offset).map(|spanned| &spanned.token);
            sign(0) == Some(&Token::Sign('^'))
                && sign(1) == Some(&Token::Sign('{'))
                && matches!(sign(2), Some(Token::Sign('+' | '-')))
                && sign(3) == Some(&Token::Sign('}'))
        };
        let mark = sided.filter(marks).last();
        let Some(mark) = mark else { return scalar(self.sum()?, "limit") };
        let end = std::mem::replace(&mut self.end, mark);
        let point = self.sum().and_then(|point| scalar(point, "limit"));
        self.end = end;
        point
    }
}
