//! Quotients of polynomials in one variable with rational coefficients, and their real zeros.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::exact;
use super::expression::{Expression, Symbol};
use super::numeric::Steps;

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
        let (above, below) = (value_at(&self.numerator, at), value_at(&self.denominator, at));
        if below.is_zero() {
            return None;
        }
        Some((above / below).cmp(&zero))
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
                sum = (plus(left, &right), times(&sum.1, &below, steps)?);
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
            if let Some(number) = exact::rational(value) {
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
        value => Some((constant(exact::rational(value)?), one())),
    }
}

fn constant(value: BigRational) -> Polynomial {
    if value.is_zero() { Vec::new() } else { vec![value] }
}

fn plus(mut left: Polynomial, right: &Polynomial) -> Polynomial {
    left.resize_with(left.len().max(right.len()), BigRational::zero);
    for (sum, term) in left.iter_mut().zip(right) {
        *sum += term;
    }
    trimmed(left)
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
    let work = u64::try_from(left.len() * right.len()).unwrap_or(u64::MAX);
    if length > DEGREE_MAX + 1 || !steps.spend(work) {
        return None;
    }
    let mut product = vec![BigRational::zero(); length];
    for (low, first) in left.iter().enumerate() {
        for (high, second) in right.iter().enumerate() {
            product[low + high] += first * second;
        }
    }
    let bits = |value: &BigRational| value.numer().bits().max(value.denom().bits());
    if product.iter().any(|coefficient| bits(coefficient) > 4096) {
        return None;
    }
    Some(trimmed(product))
}

fn value_at(polynomial: &Polynomial, at: &BigRational) -> BigRational {
    polynomial.iter().rev().fold(BigRational::zero(), |sum, coefficient| sum * at + coefficient)
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
        rest = divided(&rest, &zero);
        if !zeros.contains(&zero) {
            zeros.push(zero);
        }
    }
    let mut result: Vec<Expression> = Vec::new();
    match rest.as_slice() {
        [constant, slope] => zeros.push(-constant / slope),
        [constant, slope, square] => {
            for zero in quadratic_zeros(constant, slope, square) {
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
) -> Vec<Expression> {
    let four = BigRational::from_integer(4.into());
    let two = BigRational::from_integer(2.into());
    let discriminant = slope * slope - four * constant * square;
    if discriminant.is_negative() {
        return Vec::new();
    }
    let middle = -slope / (&two * square);
    let half = BigRational::new(1.into(), 2.into());
    if let Some(root) = exact::power(&discriminant, &half) {
        let spread = root / (two * square);
        return vec![Expression::Number(&middle + &spread), Expression::Number(middle - spread)];
    }
    let scale = BigRational::one() / (two * square).abs();
    let root = Expression::Number(discriminant).power(Expression::Number(half));
    let zero = |sign: BigRational| {
        let spread = Expression::Mul(vec![Expression::Number(sign), root.clone()]);
        Expression::Add(vec![Expression::Number(middle.clone()), spread])
    };
    vec![zero(scale.clone()), zero(-scale)]
}

/// A zero p/q, where p divides the constant and q the leading coefficient of the integer multiple.
fn rational_zero(polynomial: &Polynomial, steps: &mut Steps) -> Option<BigRational> {
    let common = polynomial.iter().fold(BigInt::one(), |common, value| common.lcm(value.denom()));
    let scaled =
        |value: &BigRational| (value * BigRational::from_integer(common.clone())).to_integer();
    let (first, last) = (scaled(polynomial.first()?), scaled(polynomial.last()?));
    let (above, below) = (divisors(&first)?, divisors(&last)?);
    for numerator in &above {
        for denominator in &below {
            for sign in [1, -1] {
                if !steps.spend(u64::try_from(polynomial.len()).unwrap_or(u64::MAX)) {
                    return None;
                }
                let candidate =
                    BigRational::new(BigInt::from(*numerator) * sign, (*denominator).into());
                if value_at(polynomial, &candidate).is_zero() {
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
fn divided(polynomial: &Polynomial, zero: &BigRational) -> Polynomial {
    let mut result: Polynomial = Vec::with_capacity(polynomial.len());
    let mut carry = BigRational::zero();
    for coefficient in polynomial.iter().skip(1).rev() {
        carry = carry * zero + coefficient;
        result.push(carry.clone());
    }
    result.reverse();
    result
}
