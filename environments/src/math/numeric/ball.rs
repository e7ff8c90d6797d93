//! Real numbers as balls: a binary floating-point number and a bound of its error.
//!
//! The crates of arbitrary-precision floats under permissive licences round, but do not bound what their
//! rounding and their inputs' errors do to a result, and a verdict needs that bound. So this is the ball
//! arithmetic of Arb (F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval
//! arithmetic", 2017) on top of `num-bigint`, as far as it is needed here.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// Beyond two to the power of this, up or down, numbers are refused.
const EXPONENT_MAX: i64 = 1 << 20;

/// A bound of an error: `mantissa * 2^exponent`, always rounded up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    mantissa: u64,
    exponent: i64,
}

impl Bound {
    pub(super) const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// Two to a power.
    pub(super) const fn power_of_two(exponent: i64) -> Self {
        Self { mantissa: 1, exponent }
    }

    const fn normalised(mantissa: u64, exponent: i64) -> Self {
        let bits = 64 - mantissa.leading_zeros() as i64;
        if bits <= 31 {
            return Self { mantissa, exponent };
        }
        let shift = bits - 31;
        Self { mantissa: (mantissa >> shift) + 1, exponent: exponent + shift }
    }

    pub(super) const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    pub(super) fn plus(self, other: Self) -> Self {
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        let (high, low) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = high.exponent - low.exponent;
        // The higher one may have few bits: it is moved down as far as it fits.
        let room = i64::from(high.mantissa.leading_zeros()).min(shift).min(30);
        let (mantissa, exponent) = (high.mantissa << room, high.exponent - room);
        let rest = shift - room;
        let moved = if rest >= 63 { 1 } else { (low.mantissa >> rest) + 1 };
        Self::normalised(mantissa + moved, exponent)
    }

    pub(super) const fn times(self, other: Self) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::ZERO;
        }
        Self::normalised(self.mantissa * other.mantissa, self.exponent + other.exponent)
    }

    /// Divided by something of which `divisor` is a lower bound.
    pub(super) const fn over(self, divisor: Self) -> Self {
        if self.is_zero() {
            return self;
        }
        let quotient = (self.mantissa << 32) / divisor.mantissa + 1;
        Self::normalised(quotient, self.exponent - divisor.exponent - 32)
    }

    /// Twice to a power.
    pub(super) const fn shifted(self, by: i64) -> Self {
        Self { mantissa: self.mantissa, exponent: self.exponent + by }
    }

    /// An upper bound of the power of two above.
    pub(super) const fn magnitude(self) -> i64 {
        if self.mantissa == 0 {
            return -EXPONENT_MAX * 4;
        }
        64 - self.mantissa.leading_zeros() as i64 + self.exponent
    }

    /// A bound above the absolute value of `mantissa * 2^exponent`.
    fn above(mantissa: &BigInt, exponent: i64) -> Self {
        let bits = i64::try_from(mantissa.bits()).unwrap_or(i64::MAX);
        let shift = (bits - 31).max(0);
        let top = (mantissa.magnitude() >> shift.unsigned_abs()).to_u64().unwrap_or(u64::MAX >> 33);
        Self::normalised(top + u64::from(shift > 0), exponent + shift)
    }

    /// A bound below the absolute value of `mantissa * 2^exponent`.
    fn below(mantissa: &BigInt, exponent: i64) -> Self {
        let bits = i64::try_from(mantissa.bits()).unwrap_or(i64::MAX);
        let shift = (bits - 31).max(0);
        let top = (mantissa.magnitude() >> shift.unsigned_abs()).to_u64().unwrap_or(0);
        Self { mantissa: top, exponent: exponent + shift }
    }

    fn as_integer(self) -> (BigInt, i64) {
        (BigInt::from(self.mantissa), self.exponent)
    }
}

/// A real number: somewhere within `radius` of `mantissa * 2^exponent`.
#[derive(Clone, Debug)]
pub(super) struct Ball {
    mantissa: BigInt,
    exponent: i64,
    radius: Bound,
}

/// What stops a numeric evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// There is no value here: a division by zero, a logarithm of zero.
    Undefined,
    /// More digits are needed to tell.
    Imprecise,
    /// A number became too large.
    Size,
    /// The steps allowed were used up.
    Steps,
    /// There is no numeric method for this.
    Unsupported(&'static str),
}

impl Ball {
    pub(super) fn zero() -> Self {
        Self::exact(BigInt::zero(), 0)
    }

    pub(super) fn exact(mantissa: BigInt, exponent: i64) -> Self {
        Self { mantissa, exponent, radius: Bound::ZERO }
    }

    pub(super) fn integer(value: i64) -> Self {
        Self::exact(value.into(), 0)
    }

    pub(super) fn with_radius(mantissa: BigInt, exponent: i64, radius: Bound) -> Self {
        Self { mantissa, exponent, radius }
    }

    pub(super) fn rational(value: &BigRational, precision: i64) -> Self {
        if value.denom().is_one() {
            return Self::exact(value.numer().clone(), 0).rounded(precision);
        }
        let bits = |number: &BigInt| i64::try_from(number.bits()).unwrap_or(i64::MAX);
        let shift = (precision - bits(value.numer()) + bits(value.denom())).max(0);
        let mantissa = (value.numer() << shift.unsigned_abs()) / value.denom();
        Self { mantissa, exponent: -shift, radius: Bound::power_of_two(-shift) }.rounded(precision)
    }

    pub(super) const fn radius(&self) -> Bound {
        self.radius
    }

    pub(super) fn mantissa(&self) -> &BigInt {
        &self.mantissa
    }

    pub(super) const fn exponent(&self) -> i64 {
        self.exponent
    }

    /// Whether this is zero and nothing else.
    pub(super) fn is_zero(&self) -> bool {
        self.mantissa.is_zero() && self.radius.is_zero()
    }

    pub(super) fn is_exact(&self) -> bool {
        self.radius.is_zero()
    }

    /// Drops bits beyond the precision.
    pub(super) fn rounded(mut self, precision: i64) -> Self {
        let bits = i64::try_from(self.mantissa.bits()).unwrap_or(i64::MAX);
        // A mantissa far below its error is of no use.
        let useless = self.radius.magnitude() - self.exponent - 40;
        let shift =
            (bits - precision).max(if self.radius.is_zero() { 0 } else { useless.min(bits) });
        if shift > 0 {
            self.mantissa >>= shift.unsigned_abs();
            self.exponent += shift;
            self.radius = self.radius.plus(Bound::power_of_two(self.exponent));
        }
        self
    }

    /// Refuses numbers far too large or small.
    pub(super) fn checked(self) -> Result<Self, Problem> {
        let bits = i64::try_from(self.mantissa.bits()).unwrap_or(i64::MAX);
        let top = bits.saturating_add(self.exponent);
        let large = top > EXPONENT_MAX || self.exponent < -EXPONENT_MAX;
        if large && !self.mantissa.is_zero() { Err(Problem::Size) } else { Ok(self) }
    }

    pub(super) fn negated(mut self) -> Self {
        self.mantissa = -self.mantissa;
        self
    }

    /// Times a power of two.
    pub(super) fn shifted(mut self, by: i64) -> Self {
        self.exponent += by;
        self.radius = self.radius.shifted(by);
        self
    }

    pub(super) fn plus(&self, other: &Self, precision: i64) -> Self {
        if self.is_zero() {
            return other.clone();
        }
        if other.is_zero() {
            return self.clone();
        }
        let (high, low) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = high.exponent - low.exponent;
        let radius = self.radius.plus(other.radius);
        let bits = |mantissa: &BigInt| i64::try_from(mantissa.bits()).unwrap_or(i64::MAX);
        if shift > precision * 2 + bits(&low.mantissa) && !high.mantissa.is_zero() {
            let radius = radius.plus(Bound::above(&low.mantissa, low.exponent));
            return Self { mantissa: high.mantissa.clone(), exponent: high.exponent, radius };
        }
        let shift = if high.mantissa.is_zero() { 0 } else { shift };
        let mantissa = (&high.mantissa << shift.unsigned_abs()) + &low.mantissa;
        Self { mantissa, exponent: low.exponent, radius }.rounded(precision)
    }

    pub(super) fn minus(&self, other: &Self, precision: i64) -> Self {
        self.plus(&other.clone().negated(), precision)
    }

    pub(super) fn times(&self, other: &Self, precision: i64) -> Self {
        let mut radius = self.radius.times(other.radius);
        if !other.radius.is_zero() {
            radius = radius.plus(Bound::above(&self.mantissa, self.exponent).times(other.radius));
        }
        if !self.radius.is_zero() {
            radius = radius.plus(Bound::above(&other.mantissa, other.exponent).times(self.radius));
        }
        let mantissa = &self.mantissa * &other.mantissa;
        Self { mantissa, exponent: self.exponent + other.exponent, radius }.rounded(precision)
    }

    /// With a greater error.
    pub(super) fn widened(mut self, by: Bound) -> Self {
        self.radius = self.radius.plus(by);
        self
    }

    /// An upper bound of the absolute value.
    pub(super) fn above(&self) -> Bound {
        Bound::above(&self.mantissa, self.exponent).plus(self.radius)
    }

    /// A lower bound of the absolute value; none if the ball holds zero.
    pub(super) fn below(&self) -> Option<Bound> {
        if self.radius.is_zero() {
            let bound = Bound::below(&self.mantissa, self.exponent);
            return (!bound.is_zero()).then_some(bound);
        }
        let (radius, radius_exponent) = self.radius.as_integer();
        let low = self.exponent.min(radius_exponent);
        let spread = self.exponent.max(radius_exponent) - low;
        if spread > 4 * EXPONENT_MAX {
            return (self.exponent > radius_exponent)
                .then(|| Bound::below(&self.mantissa, self.exponent - 1));
        }
        let magnitude = self.mantissa.abs() << (self.exponent - low).unsigned_abs();
        let rest = magnitude - (radius << (radius_exponent - low).unsigned_abs());
        (rest.sign() == Sign::Plus).then(|| Bound::below(&rest, low))
    }

    /// The sign; none if the ball holds zero and more.
    pub(super) fn sign(&self) -> Option<Ordering> {
        if self.is_zero() {
            return Some(Ordering::Equal);
        }
        self.below()?;
        Some(if self.mantissa.is_negative() { Ordering::Less } else { Ordering::Greater })
    }

    pub(super) fn inverse(&self, precision: i64) -> Result<Self, Problem> {
        if self.is_zero() {
            return Err(Problem::Undefined);
        }
        let below = self.below().ok_or(Problem::Imprecise)?;
        let bits = i64::try_from(self.mantissa.bits()).unwrap_or(i64::MAX);
        let shift = precision + bits;
        let mantissa = (BigInt::one() << shift.unsigned_abs()) / &self.mantissa;
        let exponent = -self.exponent - shift;
        let spread = self.radius.over(below).over(below);
        let radius = spread.plus(Bound::power_of_two(exponent));
        Ok(Self { mantissa, exponent, radius }.rounded(precision))
    }

    /// The square root of a ball above zero, or of zero.
    pub(super) fn root(&self, precision: i64) -> Result<Self, Problem> {
        if self.is_zero() {
            return Ok(Self::zero());
        }
        match self.sign() {
            Some(Ordering::Greater) => {}
            Some(_) => return Err(Problem::Undefined),
            None => return Err(Problem::Imprecise),
        }
        let bits = i64::try_from(self.mantissa.bits()).unwrap_or(i64::MAX);
        let mut shift = (2 * precision - bits).max(0);
        shift += (self.exponent - shift) & 1;
        let mantissa = (&self.mantissa << shift.unsigned_abs()).sqrt();
        let exponent = (self.exponent - shift) / 2;
        // |√a − √b| = |a − b| / (√a + √b), and the root is above its lower bound rounded down.
        let below = Bound::below(&mantissa, exponent);
        let mut radius = Bound::power_of_two(exponent);
        if !self.radius.is_zero() {
            radius = radius.plus(self.radius.over(below));
        }
        Ok(Self { mantissa, exponent, radius }.rounded(precision))
    }

    /// The integer below, if it is certain.
    pub(super) fn floor(&self) -> Result<BigInt, Problem> {
        let (radius, radius_exponent) = self.radius.as_integer();
        let low = self.exponent.min(if self.radius.is_zero() { 0 } else { radius_exponent }).min(0);
        if low < -EXPONENT_MAX
            || self.exponent > 4096
            || (!self.radius.is_zero() && radius_exponent > 0)
        {
            return Err(Problem::Imprecise);
        }
        let middle = &self.mantissa << (self.exponent - low).unsigned_abs();
        let spread = if self.radius.is_zero() {
            radius
        } else {
            radius << (radius_exponent - low).unsigned_abs()
        };
        let floor = |value: BigInt| value >> low.unsigned_abs();
        let (first, last) = (floor(&middle - &spread), floor(&middle + &spread));
        if first == last { Ok(first) } else { Err(Problem::Imprecise) }
    }

    /// The exact value; none unless it is exact.
    pub(super) fn as_rational(&self) -> Option<BigRational> {
        if !self.is_exact() || self.exponent.abs() > 4096 {
            return None;
        }
        let power = BigInt::one() << self.exponent.unsigned_abs();
        Some(if self.exponent >= 0 {
            BigRational::from_integer(&self.mantissa * power)
        } else {
            BigRational::new(self.mantissa.clone(), power)
        })
    }

    /// The nearest float, with no word on the error.
    pub(super) fn to_f64(&self) -> f64 {
        let bits = i64::try_from(self.mantissa.bits()).unwrap_or(i64::MAX);
        let shift = (bits - 60).max(0);
        let top = (&self.mantissa >> shift.unsigned_abs()).to_f64().unwrap_or(0.0);
        let exponent = i32::try_from((self.exponent + shift).clamp(-4000, 4000)).unwrap_or(0);
        top * 2_f64.powi(exponent)
    }
}
