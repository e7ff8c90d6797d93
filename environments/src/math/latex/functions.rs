//! Factors that are more than a number or a symbol: functions, fractions, roots, sums, matrices.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};

use super::terms::{Application, Exponent, Functions, is_function, is_symbol, quotient, scalar};
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::determinant;
use crate::math::exact;
use crate::math::expression::{
    Bound, BoundKind, Constant, Expression, Function, Limit, Matrix, NumberSet, Side, Symbol,
};

/// The largest lower index of a binomial coefficient that is computed when read.
const BINOMIAL_MAX: u32 = 1000;

/// Functions of one argument that are written before it.
pub(super) fn simple_function(name: &str) -> Option<Function> {
    Some(match name {
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "tan" => Function::Tan,
        "csc" => Function::Csc,
        "sec" => Function::Sec,
        "cot" => Function::Cot,
        "arcsin" => Function::Asin,
        "arccos" => Function::Acos,
        "arctan" => Function::Atan,
        "arccsc" => Function::Acsc,
        "arcsec" => Function::Asec,
        "arccot" => Function::Acot,
        "sinh" => Function::Sinh,
        "cosh" => Function::Cosh,
        "tanh" => Function::Tanh,
        "arcsinh" | "arsinh" => Function::Asinh,
        "arccosh" | "arcosh" => Function::Acosh,
        "arctanh" | "artanh" => Function::Atanh,
        _ => return None,
    })
}

/// The function that `\sin^{-1}` and its kin mean.
fn inverse(function: Function) -> Option<Function> {
    Some(match function {
        Function::Sin => Function::Asin,
        Function::Cos => Function::Acos,
        Function::Tan => Function::Atan,
        Function::Csc => Function::Acsc,
        Function::Sec => Function::Asec,
        Function::Cot => Function::Acot,
        Function::Sinh => Function::Asinh,
        Function::Cosh => Function::Acosh,
        Function::Tanh => Function::Atanh,
        _ => return None,
    })
}

impl Parser<'_> {
    /// The smallest thing that can be a factor.
    pub(super) fn factor(&mut self, functions: Functions) -> Result<Expression, ParseError> {
        let token = self.peek().cloned().ok_or_else(|| self.unexpected())?;
        match token {
            Token::Number(_) => self.numeral(),
            Token::Letter('e') => self.euler(),
            Token::Letter(_) | Token::Name(_) => self.named(application(functions)),
            Token::Sign('(' | '[') => self.bracketed(),
            Token::Sign('{') | Token::Command("{") => self.braces(),
            Token::Sign('|') => self.bars(),
            Token::NumberSet(set) => {
                self.at += 1;
                Ok(Expression::NumberSet(set))
            }
            Token::Begin(environment) => {
                self.at += 1;
                self.matrix(environment)
            }
            Token::Command(name) => self.command(name, functions),
            Token::Sign(_) | Token::End => Err(self.unexpected()),
        }
    }

    fn command(&mut self, name: &str, functions: Functions) -> Result<Expression, ParseError> {
        if name == "pi" || name == "infty" || is_symbol(name) {
            return self.named(application(functions));
        }
        self.at += 1;
        if let Some(function) = simple_function(name) {
            return self.simple(function);
        }
        match name {
            "frac" | "dfrac" | "tfrac" | "cfrac" => self.fraction(),
            "sqrt" => self.root(),
            "binom" | "dbinom" | "tbinom" => {
                let (upper, lower) = (self.braced_value()?, self.braced_value()?);
                Ok(binomial(upper, lower))
            }
            "log" | "ln" | "exp" => self.logarithm(name),
            "max" => self.extremum(Function::Max),
            "min" => self.extremum(Function::Min),
            "gcd" => self.extremum(Function::Gcd),
            "lcm" => self.extremum(Function::Lcm),
            "lfloor" => self.enclosed("rfloor", Function::Floor),
            "lceil" => self.enclosed("rceil", Function::Ceiling),
            "floor" => Ok(Expression::Function(Function::Floor, vec![self.braced_value()?])),
            "ceil" => Ok(Expression::Function(Function::Ceiling, vec![self.braced_value()?])),
            "lvert" => self.enclosed("rvert", Function::Abs),
            "vert" => self.enclosed("vert", Function::Abs),
            "sum" => self.bound(BoundKind::Sum),
            "prod" => self.bound(BoundKind::Product),
            "int" => self.integral(),
            "lim" => self.limit(),
            "det" => self.of_matrix(Function::Determinant),
            "tr" => self.of_matrix(Function::Trace),
            "rank" => self.of_matrix(Function::Rank),
            "emptyset" => Ok(Expression::NumberSet(NumberSet::Empty)),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    /// Euler's number, or a power of it.
    fn euler(&mut self) -> Result<Expression, ParseError> {
        self.at += 1;
        if !self.accept('^') {
            return Ok(Expression::Constant(Constant::Euler));
        }
        Ok(match self.exponent()? {
            Exponent::Value(exponent) => match exponent.as_integer() {
                Some(exponent) if exponent.is_zero() => Expression::integer(1),
                Some(exponent) if exponent.is_one() => Expression::Constant(Constant::Euler),
                _ => Expression::Function(Function::Exp, vec![exponent]),
            },
            Exponent::Degree | Exponent::Transpose => Expression::Constant(Constant::Euler),
        })
    }

    /// A value in braces that are required.
    fn braced_value(&mut self) -> Result<Expression, ParseError> {
        self.expect('{')?;
        let value = self.sum()?;
        self.expect('}')?;
        scalar(value, "{}")
    }

    fn enclosed(&mut self, end: &str, function: Function) -> Result<Expression, ParseError> {
        let bars = std::mem::take(&mut self.bars);
        let value = self.sum()?;
        self.bars = bars;
        self.expect_command(end)?;
        Ok(Expression::Function(function, vec![scalar(value, "floor")?]))
    }

    fn bars(&mut self) -> Result<Expression, ParseError> {
        self.at += 1;
        self.bars += 1;
        let value = self.sum()?;
        self.bars -= 1;
        self.expect('|')?;
        Ok(Expression::Function(Function::Abs, vec![scalar(value, "||")?]))
    }

    /// A function's argument: in round brackets, another function, or a product without functions.
    fn argument(&mut self) -> Result<Expression, ParseError> {
        let value = match self.peek() {
            Some(Token::Sign('(')) => self.bracketed()?,
            Some(Token::Command(name)) if is_function(name) => {
                self.nested(|parser| parser.factor(Functions::Allowed))?
            }
            Some(Token::Letter('e')) if self.peek_at(1) == Some(&Token::Sign('^')) => {
                self.nested(|parser| parser.factor(Functions::Allowed))?
            }
            _ => self.product(Functions::End)?,
        };
        scalar(value, "function")
    }

    fn function_power(&mut self) -> Result<Option<Expression>, ParseError> {
        if !self.accept('^') {
            return Ok(None);
        }
        Ok(match self.exponent()? {
            Exponent::Value(value) => Some(value),
            Exponent::Degree | Exponent::Transpose => None,
        })
    }

    fn simple(&mut self, function: Function) -> Result<Expression, ParseError> {
        if self.accept('_') {
            self.base()?;
        }
        let power = self.function_power()?;
        let argument = self.argument()?;
        if power == Some(Expression::integer(-1))
            && let Some(inverse) = inverse(function)
        {
            return Ok(Expression::Function(inverse, vec![argument]));
        }
        Ok(raised(Expression::Function(function, vec![argument]), power))
    }

    fn logarithm(&mut self, name: &str) -> Result<Expression, ParseError> {
        let mut base = if self.accept('_') { Some(self.base()?) } else { None };
        let power = self.function_power()?;
        if base.is_none() && self.accept('_') {
            base = Some(self.base()?);
        }
        let argument = self.argument()?;
        let value = match (name, base) {
            ("exp", _) => Expression::Function(Function::Exp, vec![argument]),
            ("ln", _) => {
                let base = Expression::Constant(Constant::Euler);
                Expression::Function(Function::Log, vec![argument, base])
            }
            (_, base) => {
                let base = base.unwrap_or(Expression::integer(10));
                Expression::Function(Function::Log, vec![argument, base])
            }
        };
        Ok(raised(value, power))
    }

    /// The base of a logarithm, or the bound of a sum: a value in braces, a number or a symbol.
    fn base(&mut self) -> Result<Expression, ParseError> {
        match self.peek() {
            Some(Token::Sign('{')) => self.nested(Self::braced_value),
            Some(Token::Number(_)) => self.numeral(),
            Some(Token::Letter('e')) => {
                self.at += 1;
                Ok(Expression::Constant(Constant::Euler))
            }
            _ => self.nested(|parser| parser.named(Application::Forbidden)),
        }
    }

    fn extremum(&mut self, function: Function) -> Result<Expression, ParseError> {
        let mut values = self.arguments()?;
        for value in &mut values {
            *value = scalar(std::mem::replace(value, Expression::Tuple(Vec::new())), "function")?;
        }
        Ok(Expression::Function(function, values).divisors_computed())
    }

    fn root(&mut self) -> Result<Expression, ParseError> {
        let mut exponent = Expression::fraction(1, 2);
        if self.accept('[') {
            let index = scalar(self.sum()?, "root")?;
            self.expect(']')?;
            exponent = match index.as_integer() {
                Some(index) => Expression::fraction(1, index.clone()),
                None => index.power(Expression::integer(-1)),
            };
        }
        Ok(self.braced_value()?.power(exponent))
    }

    fn fraction(&mut self) -> Result<Expression, ParseError> {
        if let Some(derivative) = self.derivative()? {
            return Ok(derivative);
        }
        let numerator = self.braced_value()?;
        let denominator = self.braced_value()?;
        Ok(quotient(numerator, denominator))
    }

    fn is_differential_sign(&self, offset: usize) -> bool {
        matches!(self.peek_at(offset), Some(Token::Letter('d') | Token::Command("partial")))
    }

    /// `\frac{d}{dx} y` and `\frac{dy}{dx}`.
    fn derivative(&mut self) -> Result<Option<Expression>, ParseError> {
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
    fn bound(&mut self, kind: BoundKind) -> Result<Expression, ParseError> {
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

    fn integral(&mut self) -> Result<Expression, ParseError> {
        let (mut lower, mut upper) = (None, None);
        for _ in 0..2 {
            if lower.is_none() && self.accept('_') {
                lower = Some(self.base()?);
            } else if upper.is_none() && self.accept('^') {
                upper = Some(self.base()?);
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

    fn limit(&mut self) -> Result<Expression, ParseError> {
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

    fn matrix(&mut self, environment: &str) -> Result<Expression, ParseError> {
        let determined = environment == "vmatrix";
        if !determined && !["matrix", "pmatrix", "bmatrix", "array"].contains(&environment) {
            self.at -= 1;
            return Err(self.unexpected());
        }
        let (mut columns, mut entries, mut row) = (0, Vec::new(), 0);
        loop {
            if self.peek() == Some(&Token::End) && row == 0 && columns > 0 {
                break;
            }
            entries.push(scalar(self.sum()?, "matrix")?);
            row += 1;
            if self.accept('&') {
                continue;
            }
            if columns != 0 && row != columns {
                return Err(ParseError::Operands { operation: "matrix" });
            }
            columns = std::mem::replace(&mut row, 0);
            if !self.accept_command("\\") {
                break;
            }
        }
        if self.peek() != Some(&Token::End) {
            return Err(self.unexpected());
        }
        self.at += 1;
        let matrix = Matrix { columns, entries };
        Ok(if determined { determinant::written_out(matrix) } else { Expression::Matrix(matrix) })
    }

    fn of_matrix(&mut self, function: Function) -> Result<Expression, ParseError> {
        match self.argument()? {
            Expression::Matrix(matrix) if function == Function::Determinant => {
                Ok(determinant::written_out(matrix))
            }
            value @ Expression::Matrix(_) => Ok(Expression::Function(function, vec![value])),
            _ => Err(ParseError::Operands { operation: "det" }),
        }
    }
}

const fn application(functions: Functions) -> Application {
    match functions {
        Functions::Allowed => Application::Allowed,
        Functions::End => Application::Forbidden,
    }
}

fn raised(value: Expression, power: Option<Expression>) -> Expression {
    match power {
        Some(power) => value.power(power),
        None => value,
    }
}

/// A binomial coefficient, computed if it is a small number.
pub(super) fn binomial(upper: Expression, lower: Expression) -> Expression {
    match lower.as_integer() {
        Some(count) if count.is_zero() => return Expression::integer(1),
        Some(count) if count.is_one() => return upper,
        _ => {}
    }
    let small = lower.as_integer().is_some_and(|count| count.magnitude() <= &BINOMIAL_MAX.into());
    let coefficient = Expression::Function(Function::Binomial, vec![upper, lower]);
    match exact::rational(&coefficient) {
        Some(value) if small => Expression::Number(value),
        _ => coefficient,
    }
}

impl Expression {
    /// The greatest common divisor or least common multiple of integers; anything else stays.
    fn divisors_computed(self) -> Self {
        let Self::Function(function, values) = &self else { return self };
        let combine: fn(&BigInt, &BigInt) -> BigInt = match function {
            Function::Gcd => |left, right| left.gcd(right),
            Function::Lcm => |left, right| left.lcm(right),
            _ => return self,
        };
        let integers: Option<Vec<&BigInt>> = values.iter().map(Self::as_integer).collect();
        match integers.as_deref() {
            Some([first, rest @ ..]) => {
                Self::integer(rest.iter().fold(first.abs(), |value, next| combine(&value, next)))
            }
            _ => self,
        }
    }
}
