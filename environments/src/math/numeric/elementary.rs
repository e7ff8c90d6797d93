//! Exponential, logarithm, sine, cosine and arctangent of balls.
//!
//! Arguments are reduced, series are summed in fixed-point integers with [`GUARD`] bits more than are
//! asked for, of which their roundings (fewer than 2^10 units each) spoil at most 16.

use std::cmp::Ordering;
use std::sync::OnceLock;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::ball::{Ball, Bound, Problem};

/// Bits beyond the precision in which series are summed.
const GUARD: i64 = 40;

/// Bits to which π and the logarithm of 2 are known: precision, guard and the size of an argument.
const CONSTANT_BITS: i64 = 2048;

/// The largest argument of the exponential and of the circular functions, as a power of two.
const ARGUMENT_BITS_MAX: i64 = 640;

fn shifted(value: &BigInt, by: i64) -> BigInt {
    if by >= 0 { value << by.unsigned_abs() } else { value >> by.unsigned_abs() }
}

/// `2^bits / divisor · (1 ± 1/(3·divisor²) + ...)`: the inverse (hyperbolic) tangent of an integer's inverse.
fn inverse_tangent_of_inverse(divisor: u32, alternating: bool, bits: i64) -> BigInt {
    let square = divisor * divisor;
    let mut power = (BigInt::one() << bits.unsigned_abs()) / divisor;
    let (mut sum, mut index, mut negative) = (BigInt::zero(), 1_u32, false);
    while !power.is_zero() {
        let term = &power / index;
        sum = if negative { sum - term } else { sum + term };
        power /= square;
        index += 2;
        negative = alternating && !negative;
    }
    sum
}

/// π in fixed point, by Machin's formula.
fn pi_bits() -> &'static BigInt {
    static PI: OnceLock<BigInt> = OnceLock::new();
    PI.get_or_init(|| {
        let bits = CONSTANT_BITS + 32;
        let (fifth, other) = (
            inverse_tangent_of_inverse(5, true, bits),
            inverse_tangent_of_inverse(239, true, bits),
        );
        (fifth * 16 - other * 4) >> 32_u32
    })
}

/// The logarithm of 2 in fixed point: 18 artanh(1/26) - 2 artanh(1/4801) + 8 artanh(1/8749).
fn log_two_bits() -> &'static BigInt {
    static LOG_TWO: OnceLock<BigInt> = OnceLock::new();
    LOG_TWO.get_or_init(|| {
        let bits = CONSTANT_BITS + 32;
        let artanh = |divisor| inverse_tangent_of_inverse(divisor, false, bits);
        (artanh(26) * 18 - artanh(4801) * 2 + artanh(8749) * 8) >> 32_u32
    })
}

/// π.
pub(super) fn pi(precision: i64) -> Ball {
    let mantissa = pi_bits().clone();
    Ball::with_radius(mantissa, -CONSTANT_BITS, Bound::power_of_two(2 - CONSTANT_BITS))
        .rounded(precision)
}

/// The middle of a ball in fixed point.
fn fixed(value: &Ball, bits: i64) -> BigInt {
    shifted(value.mantissa(), value.exponent() + bits)
}

/// `e` to the power of a fixed-point number between -1 and 1.
fn series_exponential(argument: &BigInt, bits: i64) -> BigInt {
    const HALVINGS: i64 = 10;
    let bits = bits + HALVINGS + 4;
    let reduced: BigInt = argument << 4_u32;
    let one = BigInt::one() << bits.unsigned_abs();
    let (mut term, mut sum, mut index) = (one.clone(), one, 1_u32);
    while !term.is_zero() && index < 1000 {
        term = ((&term * &reduced) >> bits.unsigned_abs()) / index;
        if term == BigInt::from(-1) {
            break;
        }
        sum += &term;
        index += 1;
    }
    for _ in 0..HALVINGS {
        sum = (&sum * &sum) >> bits.unsigned_abs();
    }
    sum >> (HALVINGS + 4).unsigned_abs()
}

/// `e` to the power of a ball.
pub(super) fn exponential(value: &Ball, precision: i64) -> Result<Ball, Problem> {
    if value.is_zero() {
        return Ok(Ball::integer(1));
    }
    let magnitude = value.above().magnitude();
    if magnitude > 20 {
        return Err(Problem::Size);
    }
    if value.radius().magnitude() > -1 {
        return Err(Problem::Imprecise);
    }
    let bits = precision + GUARD + magnitude.max(0);
    let argument = fixed(value, bits);
    let log_two = shifted(log_two_bits(), bits - CONSTANT_BITS);
    let count = argument.div_floor(&log_two);
    let rest = argument - &count * log_two;
    let exponent = count.to_i64().ok_or(Problem::Size)? - bits;
    let mantissa = series_exponential(&rest, bits);
    // The result is between 2^count and 2^(count + 1).
    let size = Bound::power_of_two(exponent + bits + 1);
    let spread = size.times(value.radius().shifted(1));
    let radius = spread.plus(size.times(Bound::power_of_two(16 - precision - GUARD)));
    Ball::with_radius(mantissa, exponent, radius).rounded(precision).checked()
}

/// The natural logarithm of a ball above zero.
pub(super) fn logarithm(value: &Ball, precision: i64) -> Result<Ball, Problem> {
    match value.sign() {
        Some(Ordering::Greater) => {}
        Some(_) => return Err(Problem::Undefined),
        None => return Err(Problem::Imprecise),
    }
    if value.is_exact() && shifted(&BigInt::one(), -value.exponent()) == *value.mantissa() {
        return Ok(Ball::zero());
    }
    let bits = precision + GUARD;
    let size = i64::try_from(value.mantissa().bits()).map_err(|_| Problem::Size)?;
    // The mantissa as a number from 1/2 to 1.
    let unit = shifted(value.mantissa(), bits - size);
    let guess = (shifted(&unit, 60 - bits)).to_f64().ok_or(Problem::Size)? / 2_f64.powi(60);
    #[expect(clippy::cast_possible_truncation, reason = "between -2^60 and 0")]
    let mut result = shifted(&BigInt::from((guess.ln() * 2_f64.powi(60)) as i64), bits - 60);
    // Halley's method triples the digits of each round; 50 are there at first.
    let mut right_bits = 45;
    while right_bits < bits {
        let power = signed_exponential(&result, bits);
        let step = ((&unit - &power) << (bits + 1).unsigned_abs()) / (&unit + &power);
        result += step;
        right_bits *= 3;
    }
    let log_two = shifted(log_two_bits(), bits - CONSTANT_BITS);
    let count = size + value.exponent();
    let mantissa = result + log_two * count;
    let counted = 64 - i64::from(count.unsigned_abs().leading_zeros());
    let mut radius = Bound::power_of_two(16 - bits + counted);
    if !value.radius().is_zero() {
        radius = radius.plus(value.radius().over(value.below().ok_or(Problem::Imprecise)?));
    }
    Ok(Ball::with_radius(mantissa, -bits, radius).rounded(precision))
}

fn signed_exponential(argument: &BigInt, bits: i64) -> BigInt {
    if argument.is_negative() {
        let log_two = shifted(log_two_bits(), bits - CONSTANT_BITS);
        return series_exponential(&(argument + log_two), bits) >> 1_u32;
    }
    series_exponential(argument, bits)
}

/// The sine and the cosine of a ball.
pub(super) fn sine_and_cosine(value: &Ball, precision: i64) -> Result<(Ball, Ball), Problem> {
    if value.is_zero() {
        return Ok((Ball::zero(), Ball::integer(1)));
    }
    let magnitude = value.above().magnitude();
    if magnitude > ARGUMENT_BITS_MAX {
        return Err(Problem::Size);
    }
    let bits = precision + GUARD + magnitude.max(0);
    let quarter = shifted(pi_bits(), bits - CONSTANT_BITS - 1);
    let argument = fixed(value, bits);
    let count = argument.div_floor(&quarter);
    let rest = argument - &count * quarter;
    let square = (&rest * &rest) >> bits.unsigned_abs();
    let series = |first: BigInt, start: u32| {
        let (mut term, mut sum, mut index) = (first.clone(), first, start);
        while !term.is_zero() && term != BigInt::from(-1) && index < 2000 {
            term = -((&term * &square) >> bits.unsigned_abs()) / (index * (index + 1));
            sum += &term;
            index += 2;
        }
        sum
    };
    let sine = series(rest.clone(), 2);
    let cosine = series(BigInt::one() << bits.unsigned_abs(), 1);
    let radius = value.radius().plus(Bound::power_of_two(16 - precision - GUARD));
    let ball = |mantissa: BigInt| Ball::with_radius(mantissa, -bits, radius).rounded(precision);
    Ok(match count.mod_floor(&BigInt::from(4)).to_u8() {
        Some(0) => (ball(sine), ball(cosine)),
        Some(1) => (ball(cosine), ball(-sine)),
        Some(2) => (ball(-sine), ball(-cosine)),
        _ => (ball(-cosine), ball(sine)),
    })
}

/// The inverse tangent of a ball.
pub(super) fn inverse_tangent(value: &Ball, precision: i64) -> Result<Ball, Problem> {
    const HALVINGS: u32 = 5;
    if value.is_zero() {
        return Ok(Ball::zero());
    }
    let precision_inside = precision + GUARD;
    if value.above().magnitude() > 1
        && let Some(sign) = value.sign()
    {
        let quarter = pi(precision_inside).shifted(-1);
        let rest = inverse_tangent(&value.inverse(precision_inside)?, precision_inside)?;
        let quarter = if sign == Ordering::Less { quarter.negated() } else { quarter };
        return Ok(quarter.minus(&rest, precision));
    }
    // atan x = 2 atan(x / (1 + √(1 + x²)))
    let one = Ball::integer(1);
    let mut reduced = Ball::exact(value.mantissa().clone(), value.exponent());
    for _ in 0..HALVINGS {
        let square = reduced.times(&reduced, precision_inside);
        let root = one.plus(&square, precision_inside).root(precision_inside)?;
        let below = one.plus(&root, precision_inside).inverse(precision_inside)?;
        reduced = reduced.times(&below, precision_inside);
    }
    let bits = precision_inside;
    let argument = fixed(&reduced, bits);
    let square = (&argument * &argument) >> bits.unsigned_abs();
    let (mut power, mut sum, mut index) = (argument.clone(), argument, 3_u32);
    while !power.is_zero() && power != BigInt::from(-1) && index < 2000 {
        power = -((&power * &square) >> bits.unsigned_abs());
        sum += &power / index;
        index += 2;
    }
    let spread = reduced.radius().plus(Bound::power_of_two(16 - bits)).shifted(i64::from(HALVINGS));
    let radius = spread.plus(value.radius());
    Ok(Ball::with_radius(sum << HALVINGS, -bits, radius).rounded(precision))
}
