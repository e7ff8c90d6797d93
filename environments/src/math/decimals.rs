//! Numbers as they are written: with a point, or a power of ten.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;

use super::expression::{Decimal, Expression};

/// The longest integer that is read, in digits: Python refuses longer ones.
pub const DIGITS_MAX: usize = 4300;

impl Decimal {
    /// Reads digits with at most one point among them, as `3.50`, `.5` or `4.`.
    ///
    /// None for anything else, and for more than [`DIGITS_MAX`] digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::scaled(text, 0)
    }

    /// The number that digits say, times a power of ten.
    fn scaled(text: &str, power: i64) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        let fits = !digits.is_empty() && digits.len() <= DIGITS_MAX;
        if !fits || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0').len();
        let value = shifted(digits.parse().ok()?, power - i64::try_from(fraction.len()).ok()?)?;
        Some(Self { value, digits: u32::try_from(significant).ok()?.max(15) })
    }
}

/// An integer times a power of ten, in lowest terms.
///
/// The divisors of the denominator are known to be twos and fives, which is far less work than to look for
/// common divisors.
fn shifted(number: BigInt, power: i64) -> Option<BigRational> {
    let count = u32::try_from(power.unsigned_abs()).ok()?;
    if number.is_zero() || power >= 0 {
        return Some(BigRational::from_integer(number * BigInt::from(10).pow(count)));
    }
    let twos = u64::from(count).min(number.trailing_zeros().unwrap_or(0));
    let (mut numerator, mut fives) = (number >> twos, count);
    for several in [27, 9, 3, 1] {
        let divisor = BigInt::from(5_u64.pow(several));
        while fives >= several && (&numerator % &divisor).is_zero() {
            numerator /= &divisor;
            fives -= several;
        }
    }
    let denominator = BigInt::from(5).pow(fives) << (u64::from(count) - twos);
    Some(BigRational::new_raw(numerator, denominator))
}

impl Expression {
    /// A number as its digits say: an integer, or a decimal if there is a point; a minus may precede.
    ///
    /// None if the text is no such number, or has more than [`DIGITS_MAX`] digits.
    #[must_use]
    pub fn number(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let decimal = Decimal::parse(digits)?;
        let value = if negative { -decimal.value } else { decimal.value };
        Some(if digits.contains('.') {
            Self::Decimal(Decimal { value, digits: decimal.digits })
        } else {
            Self::Number(value)
        })
    }

    /// A decimal in scientific notation, from its digits and its power of ten.
    ///
    /// None if it is no number, or has more than [`DIGITS_MAX`] digits written out.
    #[must_use]
    pub fn scientific(digits: &str, exponent: &str) -> Option<Self> {
        let exponent: i32 = exponent.parse().ok()?;
        if usize::try_from(exponent.unsigned_abs()).ok()? > DIGITS_MAX {
            return None;
        }
        Decimal::scaled(digits, exponent.into()).map(Self::Decimal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_leave_fractions_in_lowest_terms() {
        for digits in [0_u64, 1, 2, 5, 10, 12, 25, 64, 125, 1000, 7_450_580_596_923_828_125, 77] {
            for power in [-40_i64, -28, -27, -20, -3, -1, 0, 1, 5] {
                let ten = BigInt::from(10).pow(u32::try_from(power.abs()).expect("it is small"));
                let expected = if power < 0 {
                    BigRational::new(digits.into(), ten)
                } else {
                    BigRational::from_integer(BigInt::from(digits) * ten)
                };
                let shifted = shifted(digits.into(), power).expect("the power is small");
                assert_eq!(shifted.numer(), expected.numer(), "{digits}E{power}");
                assert_eq!(shifted.denom(), expected.denom(), "{digits}E{power}");
            }
        }
    }
}
