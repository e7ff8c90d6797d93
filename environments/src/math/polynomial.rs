//! Quotients of polynomials in one variable with rational coefficients, and their real zeros.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::exact;
use super::expression::{Expression, Symbol};
use super::steps::Steps;

/// The highest degree.
const DEGREE_MAX: usize = 48;

/// The largest coefficient, in bits, whose divisors are tried as rational zeros.
const DIVISIBLE_MAX: u64 = 1_000_000;

/// A polynomial: coefficients from the constant up, the last one not zero.
pub(super) type Polynomial = Vec<BigRational>;

/// A quotient of polynomials.
pub(super) struct Fraction {
    pub(super) variable: Symbol,
    pub(super) numerator: Polynomial,
    pub(super) denominator: Polynomial,
}

impl Fraction {
    /// The sign at a point that is no pole.
    pub(super) fn sign_at(&self, at: &BigRational, steps: &mut Steps) -> Option<Ordering> {
        let zero = BigRational::zero();
        if !steps.spend(10) {
            return None;
        }
        let above = value_at(&self.numerator, at, steps)?;
        let below = value_at(&self.denominator, at, steps)?;
        if below.is_zero() {
            return None;
        }
        let (above, below) = (above.cmp(&zero), below.cmp(&zero));
        Some(if below.is_lt() { above.reverse() } else { above })
    }
}

/// An expression with one variable as a quotient of polynomials, if it is one.
pub(super) fn in_one_variable(value: &Expression, steps: &mut Steps) -> Option<Fraction> {
    let variable = only_variable(value)?;
    let (numerator, denominator) = quotient(value, &variable, steps)?;
    Some(Fraction { variable, numerator, denominator })
}

fn only_variable(value: &Expression) -> Option<Symbol> {
    let mut found: Option<Symbol> = None;
    let mut pending = vec![value];
    while let Some(next) = pending.pop() {
        match next {
            Expression::Symbol(symbol) => match &found {
                Some(known) if known != symbol => return None,
                _ => found = Some(symbol.clone()),
            },
            Expression::Add(parts) | Expression::Mul(parts) => pending.extend(parts),
            Expression::Power(sides) => pending.extend(sides.iter()),
            Expression::Number(_) | Expression::Decimal(_) => {}
            _ => return None,
        }
    }
    found
}

fn quotient(
    value: &Expression,
    variable: &Symbol,
    steps: &mut Steps,
) -> Option<(Polynomial, Polynomial)> {
    let one = || vec![BigRational::one()];
    if !steps.spend(2) {
        return None;
    }
    match value {
        Expression::Symbol(symbol) if symbol == variable => {
            Some((vec![BigRational::zero(), BigRational::one()], one()))
        }
        Expression::Add(terms) => {
            let mut sum = (Vec::new(), one());
            for term in terms {
                let (above, below) = quotient(term, variable, steps)?;
                let left = times(&sum.0, &below, steps)?;
                let right = times(&above, &sum.1, steps)?;
                sum = (plus(left, &right, steps)?, times(&sum.1, &below, steps)?);
            }
            Some(sum)
        }
        Expression::Mul(factors) => {
            let mut product = (one(), one());
            for factor in factors {
                let (above, below) = quotient(factor, variable, steps)?;
                product = (times(&product.0, &above, steps)?, times(&product.1, &below, steps)?);
            }
            Some(product)
        }
        Expression::Power(sides) => {
            if let Some(number) = exact::rational(value, steps) {
                return Some((constant(number), one()));
            }
            let exponent = sides[1].as_integer()?.to_i32()?;
            let (above, below) = quotient(&sides[0], variable, steps)?;
            let (above, below) = if exponent < 0 { (below, above) } else { (above, below) };
            if below.is_empty() {
                return None;
            }
            let mut power = (one(), one());
            for _ in 0..exponent.unsigned_abs() {
                power = (times(&power.0, &above, steps)?, times(&power.1, &below, steps)?);
            }
            Some(power)
        }
        value => Some((constant(exact::rational(value, steps)?), one())),
    }
}

fn constant(value: BigRational) -> Polynomial {
    if value.is_zero() { Vec::new() } else { vec![value] }
}

fn plus(mut left: Polynomial, right: &Polynomial, steps: &mut Steps) -> Option<Polynomial> {
    left.resize_with(left.len().max(right.len()), BigRational::zero);
    for (sum, term) in left.iter_mut().zip(right) {
        *sum = exact::sum(sum, term, steps)?;
    }
    Some(trimmed(left))
}

fn trimmed(mut polynomial: Polynomial) -> Polynomial {
    while polynomial.last().is_some_and(Zero::is_zero) {
        polynomial.pop();
    }
    polynomial
}

fn times(left: &Polynomial, right: &Polynomial, steps: &mut Steps) -> Option<Polynomial> {
    if left.is_empty() || right.is_empty() {
        return Some(Vec::new());
    }
    let length = left.len() + right.len() - 1;
    if length > DEGREE_MAX + 1 || !steps.spend(1) {
        return None;
    }
    let mut product = vec![BigRational::zero(); length];
    for (low, first) in left.iter().enumerate() {
        for (high, second) in right.iter().enumerate() {
            let term = exact::product(first, second, steps)?;
            product[low + high] = exact::sum(&product[low + high], &term, steps)?;
        }
    }
    let bits = |value: &BigRational| value.numer().bits().max(value.denom().bits());
    if product.iter().any(|coefficient| bits(coefficient) > 4096) {
        return None;
    }
    Some(trimmed(product))
}

fn value_at(polynomial: &Polynomial, at: &BigRational, steps: &mut Steps) -> Option<BigRational> {
    let mut value = BigRational::zero();
    for coefficient in polynomial.iter().rev() {
        value = exact::sum(&exact::product(&value, at, steps)?, coefficient, steps)?;
    }
    Some(value)
}

/// The real zeros, each once: rational ones, and those of the quadratic that is left; none if more is left.
pub(super) fn real_zeros(polynomial: &Polynomial, steps: &mut Steps) -> Option<Vec<Expression>> {
    let mut rest = polynomial.clone();
    if rest.is_empty() {
        return None;
    }
    let mut zeros: Vec<BigRational> = Vec::new();
    while rest.len() > 1 && rest[0].is_zero() {
        rest.remove(0);
        if !zeros.contains(&BigRational::zero()) {
            zeros.push(BigRational::zero());
        }
    }
    while rest.len() > 3 {
        let zero = rational_zero(&rest, steps)?;
        rest = divided(&rest, &zero, steps)?;
        if !zeros.contains(&zero) {
            zeros.push(zero);
        }
    }
    let mut result: Vec<Expression> = Vec::new();
    match rest.as_slice() {
        [constant, slope] => zeros.push(-exact::quotient(constant, slope, steps)?),
        [constant, slope, square] => {
            for zero in quadratic_zeros(constant, slope, square, steps)? {
                match zero {
                    Expression::Number(number) => zeros.push(number),
                    zero => result.push(zero),
                }
            }
        }
        _ => {}
    }
    zeros.sort();
    zeros.dedup();
    result.extend(zeros.into_iter().map(Expression::Number));
    Some(result)
}

fn quadratic_zeros(
    constant: &BigRational,
    slope: &BigRational,
    square: &BigRational,
    steps: &mut Steps,
) -> Option<Vec<Expression>> {
    let double = square + square;
    let product = exact::product(&(constant + constant), &double, steps)?;
    let discriminant = exact::sum(&exact::product(slope, slope, steps)?, &-product, steps)?;
    if discriminant.is_negative() {
        return Some(Vec::new());
    }
    let middle = exact::quotient(&-slope, &double, steps)?;
    let half = BigRational::new(1.into(), 2.into());
    if let Some(root) = exact::power(&discriminant, &half, steps) {
        let spread = exact::quotient(&root, &double, steps)?;
        let zeros = [exact::sum(&middle, &spread, steps)?, exact::sum(&middle, &-spread, steps)?];
        return Some(zeros.map(Expression::Number).to_vec());
    }
    let scale = double.abs().recip();
    let root = Expression::Number(discriminant).power(Expression::Number(half));
    let zero = |sign: BigRational| {
        let spread = Expression::Mul(vec![Expression::Number(sign), root.clone()]);
        Expression::Add(vec![Expression::Number(middle.clone()), spread])
    };
    Some(vec![zero(scale.clone()), zero(-scale)])
}

/// A zero p/q, where p divides the constant and q the leading coefficient of the integer multiple.
fn rational_zero(polynomial: &Polynomial, steps: &mut Steps) -> Option<BigRational> {
    let mut common = BigInt::one();
    for value in polynomial {
        common = exact::common_multiple(&common, value.denom(), steps)?;
    }
    let common = BigRational::from_integer(common);
    let mut scaled =
        |value: &BigRational| Some(exact::product(value, &common, steps)?.to_integer());
    let (first, last) = (scaled(polynomial.first()?)?, scaled(polynomial.last()?)?);
    let (above, below) = (divisors(&first)?, divisors(&last)?);
    for numerator in &above {
        for denominator in &below {
            for sign in [1, -1] {
                let candidate =
                    BigRational::new(BigInt::from(*numerator) * sign, (*denominator).into());
                if value_at(polynomial, &candidate, steps)?.is_zero() {
                    return Some(candidate);
                }
            }
        }
    }
    None
}

fn divisors(value: &BigInt) -> Option<Vec<u64>> {
    let value = value.magnitude().to_u64().filter(|value| *value <= DIVISIBLE_MAX && *value > 0)?;
    let small: Vec<u64> = (1..)
        .take_while(|divisor| divisor * divisor <= value)
        .filter(|divisor| value % divisor == 0)
        .collect();
    let large: Vec<u64> = small.iter().map(|divisor| value / divisor).collect();
    Some([small, large].concat())
}

/// Divided by the variable less a zero.
fn divided(polynomial: &Polynomial, zero: &BigRational, steps: &mut Steps) -> Option<Polynomial> {
    let mut result: Polynomial = Vec::with_capacity(polynomial.len());
    let mut carry = BigRational::zero();
    for coefficient in polynomial.iter().skip(1).rev() {
        carry = exact::sum(&exact::product(&carry, zero, steps)?, coefficient, steps)?;
        result.push(carry.clone());
    }
    result.reverse();
    Some(result)
}
