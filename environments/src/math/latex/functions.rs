//! Factors that are more than a number or a symbol: functions, fractions, roots, matrices.

use num_traits::{One, Zero};

use super::names::{Application, is_symbol};
use super::terms::{Exponent, Functions, scalar};
use super::tokens::Token;
use super::{ParseError, Parser};
use crate::math::determinant;
use crate::math::exact;
use crate::math::expression::{BoundKind, Constant, Expression, Function, Matrix, NumberSet};

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
        "floor" => Function::Floor,
        "ceil" => Function::Ceiling,
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
                Ok(self.binomial(upper, lower))
            }
            "log" | "ln" | "exp" => self.logarithm(name),
            "max" => self.extremum(Function::Max),
            "min" => self.extremum(Function::Min),
            "gcd" => self.extremum(Function::Gcd),
            "lcm" => self.extremum(Function::Lcm),
            "lfloor" => self.enclosed("rfloor", Function::Floor),
            "lceil" => self.enclosed("rceil", Function::Ceiling),
            "llcorner" => self.enclosed("lrcorner", Function::Floor),
            "ulcorner" => self.enclosed("urcorner", Function::Ceiling),
            "phantom" => self.braced_value(),
            "lbrace" => {
                let value = self.sum()?;
                self.expect_command("rbrace")?;
                scalar(value, "{}")
            }
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
    pub(super) fn braced_value(&mut self) -> Result<Expression, ParseError> {
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
        if self.accept('_') {
            self.base()?;
        }
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
            (name, base) => {
                let natural = || Expression::Constant(Constant::Euler);
                let default = || if name == "ln" { natural() } else { Expression::integer(10) };
                let base = base.unwrap_or_else(default);
                Expression::Function(Function::Log, vec![argument, base])
            }
        };
        Ok(raised(value, power))
    }

    /// The base of a logarithm, or the bound of a sum: a value in braces, a number or a symbol.
    pub(super) fn base(&mut self) -> Result<Expression, ParseError> {
        match self.peek() {
            Some(Token::Sign('{')) => self.nested(Self::braced_value),
            Some(Token::Number(_)) => self.numeral(),
            Some(Token::Letter('e')) if self.lenient => {
                self.at += 1;
                Ok(Expression::Constant(Constant::Euler))
            }
            Some(Token::Letter('e')) => Err(self.unexpected()),
            _ => self.nested(|parser| parser.named(Application::Forbidden)),
        }
    }

    fn extremum(&mut self, function: Function) -> Result<Expression, ParseError> {
        let mut values = self.arguments()?;
        for value in &mut values {
            *value = scalar(std::mem::replace(value, Expression::Tuple(Vec::new())), "function")?;
        }
        Ok(self.divisors_computed(function, values))
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
        self.quotient(numerator, denominator)
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
        if !determined {
            return Ok(Expression::Matrix(matrix));
        }
        if matrix.entries.len() != matrix.columns * matrix.columns {
            return Err(ParseError::Operands { operation: "determinant" });
        }
        Ok(determinant::written_out(matrix, &mut self.steps))
    }

    fn of_matrix(&mut self, function: Function) -> Result<Expression, ParseError> {
        match self.argument()? {
            Expression::Matrix(matrix) if function == Function::Determinant => {
                Ok(determinant::written_out(matrix, &mut self.steps))
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

impl Parser<'_> {
    /// A binomial coefficient, computed if it is a small number.
    pub(super) fn binomial(&mut self, upper: Expression, lower: Expression) -> Expression {
        match lower.as_integer() {
            Some(count) if count.is_zero() => return Expression::integer(1),
            Some(count) if count.is_one() => return upper,
            _ => {}
        }
        let small =
            lower.as_integer().is_some_and(|count| count.magnitude() <= &BINOMIAL_MAX.into());
        let coefficient = Expression::Function(Function::Binomial, vec![upper, lower]);
        let value = small.then(|| exact::rational(&coefficient, &mut self.steps)).flatten();
        value.map_or(coefficient, Expression::Number)
    }

    /// The greatest common divisor or least common multiple of integers; anything else stays.
    fn divisors_computed(&mut self, function: Function, values: Vec<Expression>) -> Expression {
        let integers = values.iter().all(|value| value.as_integer().is_some());
        let whole = Expression::Function(function, values);
        if !matches!(function, Function::Gcd | Function::Lcm) || !integers {
            return whole;
        }
        exact::rational(&whole, &mut self.steps).map_or(whole, Expression::Number)
    }
}
