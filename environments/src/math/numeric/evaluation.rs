//! The value of an expression at a point.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::ball::{Ball, Problem};
use super::complex::Complex;
use super::elementary;
use crate::math::expression::{Bound, BoundKind, Constant, Expression, Function, Symbol};
use crate::math::steps::Steps;

/// The largest integer whose factorial is computed.
const FACTORIAL_MAX: u64 = 2000;

/// Evaluates expressions at one point.
pub(super) struct Evaluation<'a> {
    point: &'a [(Symbol, Complex)],
    /// The variables of the sums around.
    bound: Vec<(Symbol, Complex)>,
    precision: i64,
    steps: &'a mut Steps,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(
        point: &'a [(Symbol, Complex)],
        precision: i64,
        steps: &'a mut Steps,
    ) -> Self {
        Self { point, bound: Vec::new(), precision, steps }
    }

    pub(super) fn spend(&mut self, count: u64) -> Result<(), Problem> {
        let words = self.precision.unsigned_abs().div_ceil(192);
        // A series takes more terms, too, the more precise it is to be.
        let work = if count < 30 { words } else { words * (words + 1) / 2 };
        let spent = self.steps.spend(count.saturating_mul(work));
        if spent { Ok(()) } else { Err(Problem::Steps) }
    }

    pub(super) const fn precision(&self) -> i64 {
        self.precision
    }

    pub(super) const fn set_precision(&mut self, precision: i64) {
        self.precision = precision;
    }

    /// Gives a bound variable a value until [`Self::pop`].
    pub(super) fn push(&mut self, variable: Symbol, value: Complex) {
        self.bound.push((variable, value));
    }

    pub(super) fn pop(&mut self) {
        self.bound.pop();
    }

    pub(super) fn value(&mut self, expression: &Expression) -> Result<Complex, Problem> {
        let precision = self.precision;
        match expression {
            Expression::Number(number) => {
                self.spend(1 + (number.numer().bits() + number.denom().bits()) / 512)?;
                Ok(Complex::real(Ball::rational(number, precision)))
            }
            Expression::Decimal(decimal) => {
                self.spend(1)?;
                Ok(Complex::real(Ball::rational(&decimal.value, precision)))
            }
            Expression::Constant(constant) => self.constant(*constant),
            Expression::Symbol(symbol) => {
                self.spend(1)?;
                let known = self.bound.iter().rev().chain(self.point);
                let mut values = known.filter(|(found, _)| found == symbol).map(|(_, value)| value);
                values.next().cloned().ok_or(Problem::Unsupported("symbol"))
            }
            Expression::Add(terms) => {
                let mut sum = Complex::integer(0);
                for term in terms {
                    self.spend(1)?;
                    sum = sum.plus(&self.value(term)?, precision);
                }
                Ok(sum)
            }
            Expression::Mul(factors) => {
                let mut product = Complex::integer(1);
                for factor in factors {
                    self.spend(1)?;
                    product = product.times(&self.value(factor)?, precision);
                }
                product.real = product.real.checked()?;
                Ok(product)
            }
            Expression::Power(sides) => self.power(&sides[0], &sides[1]),
            Expression::Function(function, arguments) => self.function(*function, arguments),
            Expression::Applied(name, arguments) => self.applied(name, arguments),
            Expression::Bound(bound) => self.bound(bound),
            Expression::Limit(limit) => self.limit(limit),
            Expression::Derivative { .. } => Err(Problem::Unsupported("derivative")),
            Expression::Matrix(_) => Err(Problem::Unsupported("matrix")),
            Expression::Set(_)
            | Expression::Interval(_)
            | Expression::Union(_)
            | Expression::Intersection(_)
            | Expression::Complement(_)
            | Expression::NumberSet(_)
            | Expression::Tuple(_) => Err(Problem::Unsupported("set")),
            Expression::Relation(..) | Expression::Chain(_) => {
                Err(Problem::Unsupported("relation"))
            }
        }
    }

    fn constant(&mut self, constant: Constant) -> Result<Complex, Problem> {
        let precision = self.precision;
        Ok(match constant {
            Constant::Pi => Complex::real(elementary::pi(precision)),
            Constant::Euler => {
                self.spend(30)?;
                Complex::real(elementary::exponential(&Ball::integer(1), precision)?)
            }
            Constant::ImaginaryUnit => Complex::unit(),
            Constant::Infinity | Constant::NegativeInfinity | Constant::ComplexInfinity => {
                return Err(Problem::Unsupported("infinity"));
            }
            Constant::Undefined => return Err(Problem::Undefined),
        })
    }

    fn power(&mut self, base: &Expression, exponent: &Expression) -> Result<Complex, Problem> {
        let precision = self.precision;
        let exponent = match exponent {
            Expression::Number(number) if number.denom().is_one() => {
                let base = self.value(base)?;
                return self.integer_power(&base, number.numer());
            }
            Expression::Number(number) if *number.denom() == BigInt::from(2) => {
                self.spend(10)?;
                let root = self.value(base)?.root(precision)?;
                return self.integer_power(&root, number.numer());
            }
            exponent => self.value(exponent)?,
        };
        let base = self.value(base)?;
        let exact = if exponent.imaginary.is_none() { exponent.real.as_rational() } else { None };
        if let Some(exact) = exact.filter(|exact| exact.denom().is_one()) {
            return self.integer_power(&base, exact.numer());
        }
        self.spend(90)?;
        base.power(&exponent, precision)
    }

    fn integer_power(&mut self, base: &Complex, exponent: &BigInt) -> Result<Complex, Problem> {
        self.spend(2 * exponent.bits())?;
        if exponent.bits() > 40 {
            // Too many multiplications: only the logarithm of a base close to 1 is small enough.
            let exponent = Complex::real(Ball::exact(exponent.clone(), 0));
            return base.power(&exponent, self.precision);
        }
        let small = exponent.to_i64().ok_or(Problem::Size)?;
        if base.is_zero() && small < 0 {
            return Err(Problem::Undefined);
        }
        let power = base.integer_power(small, self.precision)?;
        power.real.clone().checked()?;
        Ok(power)
    }

    fn function(
        &mut self,
        function: Function,
        arguments: &[Expression],
    ) -> Result<Complex, Problem> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument)?);
        }
        self.spend(match function {
            Function::Abs | Function::Re | Function::Im | Function::Conjugate | Function::Sign => 2,
            Function::Exp | Function::Sin | Function::Cos => 30,
            _ => 60,
        })?;
        let Some(first) = values.first() else { return Err(Problem::Unsupported("function")) };
        if let Some(value) = self.circular(function, first)? {
            return Ok(value);
        }
        self.other(function, &values)
    }

    /// Circular and hyperbolic functions and their inverses.
    fn circular(
        &mut self,
        function: Function,
        value: &Complex,
    ) -> Result<Option<Complex>, Problem> {
        let precision = self.precision;
        let one = Complex::integer(1);
        let inverse = |value: Complex| value.inverse(precision);
        Ok(Some(match function {
            Function::Sin => value.sine_and_cosine(precision)?.0,
            Function::Cos => value.sine_and_cosine(precision)?.1,
            Function::Tan | Function::Cot => {
                let (sine, cosine) = value.sine_and_cosine(precision)?;
                let (above, below) =
                    if function == Function::Tan { (sine, cosine) } else { (cosine, sine) };
                above.times(&inverse(below)?, precision)
            }
            Function::Csc => inverse(value.sine_and_cosine(precision)?.0)?,
            Function::Sec => inverse(value.sine_and_cosine(precision)?.1)?,
            Function::Asin => value.inverse_sine(precision)?,
            Function::Acos => value.inverse_cosine(precision)?,
            Function::Atan => value.inverse_tangent(precision)?,
            Function::Acsc => inverse(value.clone())?.inverse_sine(precision)?,
            Function::Asec => inverse(value.clone())?.inverse_cosine(precision)?,
            Function::Acot if value.is_zero() => {
                Complex::real(elementary::pi(precision).shifted(-1))
            }
            Function::Acot => inverse(value.clone())?.inverse_tangent(precision)?,
            Function::Sinh => value.hyperbolic(precision)?.0,
            Function::Cosh => value.hyperbolic(precision)?.1,
            Function::Tanh => {
                let (sine, cosine) = value.hyperbolic(precision)?;
                sine.times(&inverse(cosine)?, precision)
            }
            Function::Asinh => {
                let root = value.times(value, precision).plus(&one, precision).root(precision)?;
                value.plus(&root, precision).logarithm(precision)?
            }
            Function::Acosh => {
                let below = value.minus(&one, precision).root(precision)?;
                let root = below.times(&value.plus(&one, precision).root(precision)?, precision);
                value.plus(&root, precision).logarithm(precision)?
            }
            Function::Atanh => {
                let above = one.plus(value, precision).logarithm(precision)?;
                let difference =
                    above.minus(&one.minus(value, precision).logarithm(precision)?, precision);
                difference.times(&Complex::real(Ball::exact(1.into(), -1)), precision)
            }
            _ => return Ok(None),
        }))
    }

    fn other(&mut self, function: Function, values: &[Complex]) -> Result<Complex, Problem> {
        let precision = self.precision;
        let first = &values[0];
        Ok(match function {
            Function::Exp => first.exponential(precision)?,
            Function::Log => {
                let logarithm = first.logarithm(precision)?;
                let Some(base) = values.get(1) else { return Ok(logarithm) };
                logarithm.times(&base.logarithm(precision)?.inverse(precision)?, precision)
            }
            Function::Abs | Function::Norm => Complex::real(first.absolute(precision)?),
            Function::Floor => Complex::real(Ball::exact(real(first)?.floor()?, 0)),
            Function::Ceiling => {
                Complex::real(Ball::exact(real(first)?.clone().negated().floor()?, 0).negated())
            }
            Function::Factorial => self.factorial(first)?,
            Function::Binomial => self.binomial(first, values.get(1).ok_or(Problem::Undefined)?)?,
            Function::Max => extremum(values, Ordering::Greater)?,
            Function::Min => extremum(values, Ordering::Less)?,
            Function::Gcd | Function::Lcm => divisor(function, values)?,
            Function::Mod => {
                let second = values.get(1).ok_or(Problem::Undefined)?;
                let count = first.times(&second.inverse(precision)?, precision);
                let whole = match (exact_integer(first), exact_integer(second)) {
                    (Some(left), Some(right)) => left.div_floor(&right),
                    _ => real(&count)?.floor()?,
                };
                let whole = Complex::real(Ball::exact(whole, 0));
                first.minus(&whole.times(second, precision), precision)
            }
            Function::Re => Complex::real(first.real.clone()),
            Function::Im => Complex::real(first.imaginary.clone().unwrap_or_else(Ball::zero)),
            Function::Arg => Complex::real(first.argument(precision)?),
            Function::Conjugate => first.clone().conjugate(),
            Function::Sign => match (&first.imaginary, first.real.sign()) {
                (None, Some(sign)) => Complex::integer(sign as i64),
                (None, None) => return Err(Problem::Imprecise),
                (Some(_), _) => {
                    let size = Complex::real(first.absolute(precision)?).inverse(precision)?;
                    first.times(&size, precision)
                }
            },
            Function::Determinant | Function::Trace | Function::Rank | Function::Transpose => {
                return Err(Problem::Unsupported("matrix"));
            }
            _ => return Err(Problem::Unsupported("function")),
        })
    }

    fn factorial(&mut self, value: &Complex) -> Result<Complex, Problem> {
        let count = exact_integer(value).ok_or(Problem::Unsupported("factorial of a fraction"))?;
        if count.is_negative() {
            return Err(Problem::Undefined);
        }
        let count = count.to_u64().filter(|count| *count <= FACTORIAL_MAX).ok_or(Problem::Size)?;
        self.spend(count / 4)?;
        let mut product = Ball::integer(1);
        for factor in 2..=count {
            product = product.times(&Ball::exact(factor.into(), 0), self.precision);
        }
        Ok(Complex::real(product))
    }

    fn binomial(&mut self, upper: &Complex, lower: &Complex) -> Result<Complex, Problem> {
        let count = exact_integer(lower).ok_or(Problem::Unsupported("binomial of fractions"))?;
        if count.is_negative() {
            return Ok(Complex::integer(0));
        }
        let count = match exact_integer(upper) {
            Some(upper) if !upper.is_negative() && count > upper => return Ok(Complex::integer(0)),
            Some(upper) if !upper.is_negative() => count.clone().min(upper - count),
            _ => count,
        };
        let count = count.to_i64().filter(|count| *count <= 2000).ok_or(Problem::Size)?;
        self.spend(count.unsigned_abs())?;
        let mut product = Complex::integer(1);
        for index in 0..count {
            let above = upper.minus(&Complex::integer(index), self.precision);
            let below = Complex::integer(index + 1).inverse(self.precision)?;
            product = product.times(&above, self.precision).times(&below, self.precision);
        }
        Ok(product)
    }

    /// An unknown function stands for one drawn by its name: a sum of an exponential and powers.
    fn applied(&mut self, name: &str, arguments: &[Expression]) -> Result<Complex, Problem> {
        self.spend(40)?;
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let mut random = super::points::Random(hash);
        let precision = self.precision;
        let mut sum = Complex::real(random.real(false, 1));
        for argument in arguments {
            let value = self.value(argument)?;
            let scale = |random: &mut super::points::Random| Complex::real(random.real(false, -2));
            let exponent =
                value.times(&scale(&mut random), precision).plus(&scale(&mut random), precision);
            let exponential = exponent.times(&sum, precision).exponential(precision)?;
            let square = value.times(&value, precision).times(&scale(&mut random), precision);
            sum = sum.plus(&exponential, precision).plus(&square, precision);
        }
        Ok(sum)
    }

    fn bound(&mut self, bound: &Bound) -> Result<Complex, Problem> {
        let Some([lower, upper]) = &bound.limits else {
            return Err(Problem::Unsupported("integral"));
        };
        if bound.kind == BoundKind::Integral {
            return self.quadrature(bound);
        }
        let infinite = matches!(upper, Expression::Constant(Constant::Infinity))
            || matches!(lower, Expression::Constant(Constant::NegativeInfinity));
        if infinite {
            return self.infinite_sum(bound);
        }
        let mut limit = |value: &Expression| {
            let value = self.value(value)?;
            exact_integer(&value).ok_or(Problem::Unsupported("sum with fractional limits"))
        };
        let (lower, upper) = (limit(lower)?, limit(upper)?);
        let count = (&upper - &lower + 1_u32).to_i64().ok_or(Problem::Steps)?;
        if count < 0 {
            return Err(Problem::Unsupported("sum with limits in falling order"));
        }
        let sums = bound.kind == BoundKind::Sum;
        let mut result = Complex::integer(i64::from(!sums));
        for offset in 0..count {
            self.spend(2)?;
            let index = Complex::real(Ball::exact(&lower + offset, 0));
            self.bound.push((bound.variable.clone(), index));
            let value = self.value(&bound.body);
            self.bound.pop();
            let value = value?;
            result = if sums {
                result.plus(&value, self.precision)
            } else {
                result.times(&value, self.precision)
            };
            result.real.clone().checked()?;
        }
        Ok(result)
    }
}

fn real(value: &Complex) -> Result<&Ball, Problem> {
    if value.imaginary.is_some() {
        return Err(Problem::Unsupported("floor of a complex number"));
    }
    Ok(&value.real)
}

pub(super) fn exact_integer(value: &Complex) -> Option<BigInt> {
    if value.imaginary.is_some() {
        return None;
    }
    let exact = value.real.as_rational()?;
    exact.denom().is_one().then(|| exact.numer().clone())
}

fn extremum(values: &[Complex], wanted: Ordering) -> Result<Complex, Problem> {
    let mut best = real(&values[0])?;
    for value in &values[1..] {
        let value = real(value)?;
        match value.minus(best, 256).sign() {
            Some(order) if order == wanted => best = value,
            Some(_) => {}
            None => return Err(Problem::Imprecise),
        }
    }
    Ok(Complex::real(best.clone()))
}

fn divisor(function: Function, values: &[Complex]) -> Result<Complex, Problem> {
    let mut result = BigInt::zero();
    for (index, value) in values.iter().enumerate() {
        let value = exact_integer(value).ok_or(Problem::Unsupported("divisor of a fraction"))?;
        result = match (index, function) {
            (0, _) => value,
            (_, Function::Gcd) => result.gcd(&value),
            _ => result.lcm(&value),
        };
    }
    Ok(Complex::real(Ball::exact(result.abs(), 0)))
}
