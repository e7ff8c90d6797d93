//! Exact values of expressions that are rational by their form, and the arithmetic of fractions that pays
//! for the length of its numbers.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

use super::expression::{Expression, Function};
use super::steps::Steps;

/// The most bits of an exact number. What is larger is refused, not computed.
pub(super) const BITS_MAX: u64 = 20_000;

/// The largest argument of a factorial that is computed: its value fits the bits.
const FACTORIAL_MAX: u32 = 1800;

/// The steps that the exact value of an expression may take. There are other methods beside this one.
const STEPS_MAX: u64 = 8000;

/// The exact value, if the expression is made of rational numbers by operations that keep to them, and no
/// number on the way is too large.
pub(super) fn rational(value: &Expression, steps: &mut Steps) -> Option<BigRational> {
    match value {
        Expression::Number(number) => small(number.clone()),
        Expression::Decimal(decimal) => small(decimal.value.clone()),
        value => steps.lend(STEPS_MAX, |steps| computed(value, steps)),
    }
}

fn computed(value: &Expression, steps: &mut Steps) -> Option<BigRational> {
    if !steps.spend(1) {
        return None;
    }
    let result = match value {
        Expression::Number(number) => number.clone(),
        Expression::Decimal(decimal) => decimal.value.clone(),
        Expression::Add(terms) => {
            let mut total = BigRational::zero();
            for term in terms {
                total = small(sum(&total, &computed(term, steps)?, steps)?)?;
            }
            total
        }
        Expression::Mul(factors) => {
            let mut total = BigRational::one();
            for factor in factors {
                total = small(product(&total, &computed(factor, steps)?, steps)?)?;
            }
            total
        }
        Expression::Power(sides) => {
            power(&computed(&sides[0], steps)?, &computed(&sides[1], steps)?, steps)?
        }
        Expression::Function(function, arguments) => {
            let arguments: Option<Vec<BigRational>> =
                arguments.iter().map(|argument| computed(argument, steps)).collect();
            function_of(*function, &arguments?, steps)?
        }
        _ => return None,
    };
    small(result)
}

fn small(value: BigRational) -> Option<BigRational> {
    (value.numer().bits().max(value.denom().bits()) <= BITS_MAX).then_some(value)
}

/// The sum of two fractions; none if there are no steps for it.
pub(super) fn sum(
    left: &BigRational,
    right: &BigRational,
    steps: &mut Steps,
) -> Option<BigRational> {
    steps.spend(cost(left, right)).then(|| match (integer(left), integer(right)) {
        (Some(left), Some(right)) => BigRational::from_integer(left + right),
        _ => left + right,
    })
}

/// The product of two fractions; none if there are no steps for it.
pub(super) fn product(
    left: &BigRational,
    right: &BigRational,
    steps: &mut Steps,
) -> Option<BigRational> {
    steps.spend(cost(left, right)).then(|| match (integer(left), integer(right)) {
        (Some(left), Some(right)) => BigRational::from_integer(left * right),
        _ => left * right,
    })
}

/// The quotient of two fractions; none if there are no steps for it, or the divisor is zero.
pub(super) fn quotient(
    left: &BigRational,
    right: &BigRational,
    steps: &mut Steps,
) -> Option<BigRational> {
    (!right.is_zero() && steps.spend(fraction_cost(bits(left) + bits(right)))).then(|| left / right)
}

/// The steps of bringing a fraction to lowest terms.
pub(super) fn reduction_steps(above: &BigInt, below: &BigInt) -> u64 {
    fraction_cost(above.bits() + below.bits())
}

/// The least common multiple; none if there are no steps for it.
pub(super) fn common_multiple(left: &BigInt, right: &BigInt, steps: &mut Steps) -> Option<BigInt> {
    steps.spend(reduction_steps(left, right)).then(|| left.lcm(right))
}

/// The steps of a sum or a product.
fn cost(left: &BigRational, right: &BigRational) -> u64 {
    if left.denom().is_one() && right.denom().is_one() {
        return 1 + (left.numer().bits() / 64) * (right.numer().bits() / 64) / 512;
    }
    fraction_cost(bits(left) + bits(right))
}

/// The steps of bringing fractions of so many bits to lowest terms: divisors are found bit by bit.
const fn fraction_cost(bits: u64) -> u64 {
    1 + bits * (bits / 64 + 4) / 256
}

fn bits(number: &BigRational) -> u64 {
    number.numer().bits() + number.denom().bits()
}

/// A power with a rational value; a root must come out even.
pub(super) fn power(
    base: &BigRational,
    exponent: &BigRational,
    steps: &mut Steps,
) -> Option<BigRational> {
    let degree = exponent.denom().to_u32()?;
    let root = if degree == 1 { base.clone() } else { exact_root(base, degree, steps)? };
    let times = exponent.numer().to_i32()?;
    if root.is_zero() && times < 0 {
        return None;
    }
    let bits = root.numer().bits().max(root.denom().bits());
    let trivial = root.numer().magnitude().is_one() && root.denom().is_one();
    let result_bits = bits * u64::from(times.unsigned_abs());
    if !trivial && result_bits > 2 * BITS_MAX {
        return None;
    }
    let words = if trivial { 0 } else { result_bits / 64 };
    steps.spend(1 + words * words / 512).then(|| Pow::pow(&root, times))
}

/// The root of a number that is not negative, if it is rational.
fn exact_root(value: &BigRational, degree: u32, steps: &mut Steps) -> Option<BigRational> {
    let words = bits(value) / 64;
    if value.is_negative() || degree > 64 || !steps.spend(4 + words * words / 32) {
        return None;
    }
    let (above, below) = (value.numer().nth_root(degree), value.denom().nth_root(degree));
    let fits =
        Pow::pow(&above, degree) == *value.numer() && Pow::pow(&below, degree) == *value.denom();
    fits.then(|| BigRational::new_raw(above, below))
}

fn integer(value: &BigRational) -> Option<&BigInt> {
    value.denom().is_one().then(|| value.numer())
}

fn function_of(
    function: Function,
    arguments: &[BigRational],
    steps: &mut Steps,
) -> Option<BigRational> {
    let first = arguments.first()?;
    Some(match function {
        Function::Abs => first.abs(),
        Function::Sign => first.signum(),
        Function::Floor => first.floor(),
        Function::Ceiling => first.ceil(),
        Function::Factorial => {
            let count = integer(first)?.to_u32().filter(|count| *count <= FACTORIAL_MAX)?;
            if !steps.spend(u64::from(count) / 4) {
                return None;
            }
            BigRational::from_integer(
                (2..=count).fold(BigInt::one(), |product, factor| product * factor),
            )
        }
        Function::Binomial => binomial(integer(first)?, integer(arguments.get(1)?)?, steps)?,
        _ => {
            // Both the order of fractions and common divisors are found as fractions are reduced.
            if !arguments.iter().all(|argument| steps.spend(fraction_cost(2 * bits(argument)))) {
                return None;
            }
            combined(function, arguments)?
        }
    })
}

fn combined(function: Function, arguments: &[BigRational]) -> Option<BigRational> {
    let first = arguments.first()?;
    Some(match function {
        Function::Max => arguments.iter().max()?.clone(),
        Function::Min => arguments.iter().min()?.clone(),
        Function::Mod => {
            let second = arguments.get(1).filter(|second| !second.is_zero())?;
            first - second * (first / second).floor()
        }
        Function::Gcd | Function::Lcm => {
            let integers: Option<Vec<&BigInt>> = arguments.iter().map(integer).collect();
            let combine = |left: BigInt, right: &&BigInt| match function {
                Function::Gcd => left.gcd(right),
                _ => left.lcm(right),
            };
            let integers = integers?;
            let (first, rest) = integers.split_first()?;
            BigRational::from_integer(rest.iter().fold(first.abs(), combine))
        }
        _ => return None,
    })
}

fn binomial(upper: &BigInt, lower: &BigInt, steps: &mut Steps) -> Option<BigRational> {
    if lower.is_negative() || (!upper.is_negative() && lower > upper) {
        return Some(BigRational::zero());
    }
    let count =
        if upper.is_negative() { lower.clone() } else { lower.min(&(upper - lower)).clone() };
    let count = count.to_u32().filter(|count| *count <= FACTORIAL_MAX)?;
    let result_bits = upper.bits() * u64::from(count);
    if result_bits > BITS_MAX || !steps.spend(u64::from(count) / 2 + result_bits / 64) {
        return None;
    }
    let step = |value: BigInt, index: u32| value * (upper - index) / (index + 1);
    Some(BigRational::from_integer((0..count).fold(BigInt::one(), step)))
}
