//! Exact values of expressions that are rational by their form.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

use super::expression::{Expression, Function};

/// The most bits of an exact number. What is larger is refused, not computed.
pub(super) const BITS_MAX: u64 = 20_000;

/// The largest argument of a factorial that is computed: its value fits the bits.
const FACTORIAL_MAX: u32 = 1800;

/// The exact value, if the expression is made of rational numbers by operations that keep to them, and no
/// number on the way is too large.
pub(super) fn rational(value: &Expression) -> Option<BigRational> {
    let result = match value {
        Expression::Number(number) => number.clone(),
        Expression::Decimal(decimal) => decimal.value.clone(),
        Expression::Add(terms) => {
            let mut sum = BigRational::zero();
            for term in terms {
                sum = small(sum + rational(term)?)?;
            }
            sum
        }
        Expression::Mul(factors) => {
            let mut product = BigRational::one();
            for factor in factors {
                product = small(product * rational(factor)?)?;
            }
            product
        }
        Expression::Power(sides) => power(&rational(&sides[0])?, &rational(&sides[1])?)?,
        Expression::Function(function, arguments) => {
            let arguments: Option<Vec<BigRational>> = arguments.iter().map(rational).collect();
            function_of(*function, &arguments?)?
        }
        _ => return None,
    };
    small(result)
}

fn small(value: BigRational) -> Option<BigRational> {
    (value.numer().bits().max(value.denom().bits()) <= BITS_MAX).then_some(value)
}

/// A power with a rational value; a root must come out even.
pub(super) fn power(base: &BigRational, exponent: &BigRational) -> Option<BigRational> {
    let degree = exponent.denom().to_u32()?;
    let root = if degree == 1 { base.clone() } else { exact_root(base, degree)? };
    let times = exponent.numer().to_i32()?;
    if root.is_zero() && times < 0 {
        return None;
    }
    let bits = root.numer().bits().max(root.denom().bits());
    let trivial = root.numer().magnitude().is_one() && root.denom().is_one();
    if !trivial && bits * u64::from(times.unsigned_abs()) > 2 * BITS_MAX {
        return None;
    }
    Some(Pow::pow(&root, times))
}

/// The root of a number that is not negative, if it is rational.
fn exact_root(value: &BigRational, degree: u32) -> Option<BigRational> {
    if value.is_negative() || degree > 64 {
        return None;
    }
    let (above, below) = (value.numer().nth_root(degree), value.denom().nth_root(degree));
    let fits =
        Pow::pow(&above, degree) == *value.numer() && Pow::pow(&below, degree) == *value.denom();
    fits.then(|| BigRational::new(above, below))
}

fn integer(value: &BigRational) -> Option<&BigInt> {
    value.denom().is_one().then(|| value.numer())
}

fn function_of(function: Function, arguments: &[BigRational]) -> Option<BigRational> {
    let first = arguments.first()?;
    Some(match function {
        Function::Abs => first.abs(),
        Function::Floor => first.floor(),
        Function::Ceiling => first.ceil(),
        Function::Sign => first.signum(),
        Function::Factorial => {
            let count = integer(first)?.to_u32().filter(|count| *count <= FACTORIAL_MAX)?;
            BigRational::from_integer(
                (2..=count).fold(BigInt::one(), |product, factor| product * factor),
            )
        }
        Function::Binomial => binomial(integer(first)?, integer(arguments.get(1)?)?)?,
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

fn binomial(upper: &BigInt, lower: &BigInt) -> Option<BigRational> {
    if lower.is_negative() || (!upper.is_negative() && lower > upper) {
        return Some(BigRational::zero());
    }
    let count =
        if upper.is_negative() { lower.clone() } else { lower.min(&(upper - lower)).clone() };
    let count = count.to_u32().filter(|count| *count <= FACTORIAL_MAX)?;
    if upper.bits() * u64::from(count) > BITS_MAX {
        return None;
    }
    let step = |value: BigInt, index: u32| value * (upper - index) / (index + 1);
    Some(BigRational::from_integer((0..count).fold(BigInt::one(), step)))
}
