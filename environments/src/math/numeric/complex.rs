//! Complex numbers as pairs of balls. A number without imaginary part is known to be real.

use std::cmp::Ordering;

use super::ball::{Ball, Bound, Problem};
use super::elementary;

/// A complex number; `imaginary` is none if it is real for certain, so that it lies on no wrong side of a
/// branch cut.
#[derive(Clone, Debug)]
pub(super) struct Complex {
    pub(super) real: Ball,
    pub(super) imaginary: Option<Ball>,
}

impl Complex {
    pub(super) const fn real(real: Ball) -> Self {
        Self { real, imaginary: None }
    }

    pub(super) fn integer(value: i64) -> Self {
        Self::real(Ball::integer(value))
    }

    pub(super) fn new(real: Ball, imaginary: Ball) -> Self {
        let imaginary = if imaginary.is_zero() { None } else { Some(imaginary) };
        Self { real, imaginary }
    }

    pub(super) fn unit() -> Self {
        Self::new(Ball::zero(), Ball::integer(1))
    }

    pub(super) fn is_zero(&self) -> bool {
        self.real.is_zero() && self.imaginary.is_none()
    }

    fn imaginary_part(&self) -> Ball {
        self.imaginary.clone().unwrap_or_else(Ball::zero)
    }

    pub(super) fn plus(&self, other: &Self, precision: i64) -> Self {
        let real = self.real.plus(&other.real, precision);
        let imaginary = match (&self.imaginary, &other.imaginary) {
            (None, None) => return Self::real(real),
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (Some(left), Some(right)) => left.plus(right, precision),
        };
        Self::new(real, imaginary)
    }

    pub(super) fn negated(self) -> Self {
        Self { real: self.real.negated(), imaginary: self.imaginary.map(Ball::negated) }
    }

    pub(super) fn minus(&self, other: &Self, precision: i64) -> Self {
        self.plus(&other.clone().negated(), precision)
    }

    pub(super) fn times(&self, other: &Self, precision: i64) -> Self {
        let real = self.real.times(&other.real, precision);
        match (&self.imaginary, &other.imaginary) {
            (None, None) => Self::real(real),
            (Some(imaginary), None) => Self::new(real, imaginary.times(&other.real, precision)),
            (None, Some(imaginary)) => Self::new(real, imaginary.times(&self.real, precision)),
            (Some(left), Some(right)) => {
                let cross = self.real.times(right, precision);
                let other_cross = left.times(&other.real, precision);
                let real = real.minus(&left.times(right, precision), precision);
                Self::new(real, cross.plus(&other_cross, precision))
            }
        }
    }

    fn scaled(&self, factor: &Ball, precision: i64) -> Self {
        self.times(&Self::real(factor.clone()), precision)
    }

    /// The square of the absolute value.
    fn norm(&self, precision: i64) -> Ball {
        let square = self.real.times(&self.real, precision);
        match &self.imaginary {
            None => square,
            Some(imaginary) => square.plus(&imaginary.times(imaginary, precision), precision),
        }
    }

    pub(super) fn absolute(&self, precision: i64) -> Result<Ball, Problem> {
        if self.imaginary.is_some() {
            return self.norm(precision).root(precision);
        }
        match self.real.sign() {
            Some(Ordering::Less) => Ok(self.real.clone().negated()),
            Some(_) => Ok(self.real.clone()),
            None => {
                let bound = self.real.above();
                Ok(Ball::with_radius(0.into(), 0, bound))
            }
        }
    }

    /// An upper bound of the absolute value.
    pub(super) fn above(&self) -> Bound {
        match &self.imaginary {
            None => self.real.above(),
            Some(imaginary) => self.real.above().plus(imaginary.above()),
        }
    }

    /// Whether this is certainly not zero.
    pub(super) fn is_nonzero(&self) -> bool {
        self.real.below().is_some()
            || self.imaginary.as_ref().is_some_and(|imaginary| imaginary.below().is_some())
    }

    pub(super) fn conjugate(self) -> Self {
        Self { real: self.real, imaginary: self.imaginary.map(Ball::negated) }
    }

    pub(super) fn inverse(&self, precision: i64) -> Result<Self, Problem> {
        if self.is_zero() {
            return Err(Problem::Undefined);
        }
        if self.imaginary.is_none() {
            return Ok(Self::real(self.real.inverse(precision)?));
        }
        let norm = self.norm(precision).inverse(precision)?;
        Ok(self.clone().conjugate().scaled(&norm, precision))
    }

    pub(super) fn exponential(&self, precision: i64) -> Result<Self, Problem> {
        let size = elementary::exponential(&self.real, precision)?;
        let Some(imaginary) = &self.imaginary else { return Ok(Self::real(size)) };
        let (sine, cosine) = elementary::sine_and_cosine(imaginary, precision)?;
        Ok(Self::new(size.times(&cosine, precision), size.times(&sine, precision)))
    }

    /// The angle, from -π (excluded) to π.
    pub(super) fn argument(&self, precision: i64) -> Result<Ball, Problem> {
        let imaginary = self.imaginary_part();
        match (self.real.sign(), imaginary.sign()) {
            (Some(Ordering::Equal), Some(Ordering::Equal)) => Err(Problem::Undefined),
            (Some(Ordering::Greater), _) => {
                let slope = imaginary.times(&self.real.inverse(precision)?, precision);
                elementary::inverse_tangent(&slope, precision)
            }
            (Some(Ordering::Less), Some(Ordering::Equal)) => Ok(elementary::pi(precision)),
            (_, Some(side @ (Ordering::Greater | Ordering::Less))) => {
                let slope = self.real.times(&imaginary.inverse(precision)?, precision);
                let angle = elementary::inverse_tangent(&slope, precision)?;
                let quarter = elementary::pi(precision).shifted(-1);
                let quarter = if side == Ordering::Less { quarter.negated() } else { quarter };
                Ok(quarter.minus(&angle, precision))
            }
            _ => Err(Problem::Imprecise),
        }
    }

    pub(super) fn logarithm(&self, precision: i64) -> Result<Self, Problem> {
        if self.is_zero() {
            return Err(Problem::Undefined);
        }
        if self.imaginary.is_none() && self.real.sign() == Some(Ordering::Greater) {
            return Ok(Self::real(elementary::logarithm(&self.real, precision)?));
        }
        let angle = self.argument(precision)?;
        let size = match self.imaginary {
            None => elementary::logarithm(&self.real.clone().negated(), precision)?,
            Some(_) => elementary::logarithm(&self.norm(precision), precision)?.shifted(-1),
        };
        Ok(Self::new(size, angle))
    }

    pub(super) fn root(&self, precision: i64) -> Result<Self, Problem> {
        if self.imaginary.is_some() {
            return self
                .logarithm(precision)?
                .scaled(&Ball::exact(1.into(), -1), precision)
                .exponential(precision);
        }
        match self.real.sign() {
            Some(Ordering::Less) => {
                let root = self.real.clone().negated().root(precision)?;
                Ok(Self::new(Ball::zero(), root))
            }
            Some(_) => Ok(Self::real(self.real.root(precision)?)),
            None => Err(Problem::Imprecise),
        }
    }

    /// To the power of an integer.
    pub(super) fn integer_power(&self, exponent: i64, precision: i64) -> Result<Self, Problem> {
        let mut base = if exponent < 0 { self.inverse(precision)? } else { self.clone() };
        let mut rest = exponent.unsigned_abs();
        let mut result = Self::integer(1);
        while rest > 0 {
            if rest & 1 == 1 {
                result = result.times(&base, precision);
            }
            rest >>= 1;
            if rest > 0 {
                base = base.times(&base, precision);
                base.real.clone().checked()?;
            }
        }
        Ok(result)
    }

    /// To any power: the principal value.
    pub(super) fn power(&self, exponent: &Self, precision: i64) -> Result<Self, Problem> {
        if self.is_zero() {
            let positive = exponent.real.sign() == Some(Ordering::Greater);
            return if positive { Ok(Self::integer(0)) } else { Err(Problem::Undefined) };
        }
        self.logarithm(precision)?.times(exponent, precision).exponential(precision)
    }

    pub(super) fn sine_and_cosine(&self, precision: i64) -> Result<(Self, Self), Problem> {
        if self.imaginary.is_none() {
            let (sine, cosine) = elementary::sine_and_cosine(&self.real, precision)?;
            return Ok((Self::real(sine), Self::real(cosine)));
        }
        // By the exponentials of ±i times the argument.
        let turned = self.times(&Self::unit(), precision);
        let forward = turned.exponential(precision)?;
        let backward = forward.inverse(precision)?;
        let half = Ball::exact(1.into(), -1);
        let cosine = forward.plus(&backward, precision).scaled(&half, precision);
        let difference = forward.minus(&backward, precision).scaled(&half, precision);
        Ok((difference.times(&Self::unit().negated(), precision), cosine))
    }

    pub(super) fn hyperbolic(&self, precision: i64) -> Result<(Self, Self), Problem> {
        let forward = self.exponential(precision)?;
        let backward = forward.inverse(precision)?;
        let half = Ball::exact(1.into(), -1);
        let sine = forward.minus(&backward, precision).scaled(&half, precision);
        Ok((sine, forward.plus(&backward, precision).scaled(&half, precision)))
    }

    pub(super) fn inverse_tangent(&self, precision: i64) -> Result<Self, Problem> {
        if self.imaginary.is_none() {
            return Ok(Self::real(elementary::inverse_tangent(&self.real, precision)?));
        }
        // (log(1 + iz) − log(1 − iz)) / 2i
        let one = Self::integer(1);
        let turned = self.times(&Self::unit(), precision);
        let difference = one
            .plus(&turned, precision)
            .logarithm(precision)?
            .minus(&one.minus(&turned, precision).logarithm(precision)?, precision);
        let factor = Self::new(Ball::zero(), Ball::exact((-1).into(), -1));
        Ok(difference.times(&factor, precision))
    }

    pub(super) fn inverse_sine(&self, precision: i64) -> Result<Self, Problem> {
        let one = Self::integer(1);
        let rest = one.minus(&self.times(self, precision), precision);
        if self.imaginary.is_none() {
            match rest.real.sign() {
                Some(Ordering::Greater) => {
                    let root = rest.real.root(precision)?.inverse(precision)?;
                    let tangent = self.real.times(&root, precision);
                    return Ok(Self::real(elementary::inverse_tangent(&tangent, precision)?));
                }
                Some(Ordering::Equal) => {
                    let quarter = elementary::pi(precision).shifted(-1);
                    let negative = self.real.sign() == Some(Ordering::Less);
                    return Ok(Self::real(if negative { quarter.negated() } else { quarter }));
                }
                Some(Ordering::Less) => {}
                None => return Err(Problem::Imprecise),
            }
        }
        // −i log(iz + √(1 − z²))
        let turned = self.times(&Self::unit(), precision);
        let inner = turned.plus(&rest.root(precision)?, precision).logarithm(precision)?;
        Ok(inner.times(&Self::unit().negated(), precision))
    }

    pub(super) fn inverse_cosine(&self, precision: i64) -> Result<Self, Problem> {
        let quarter = Self::real(elementary::pi(precision).shifted(-1));
        Ok(quarter.minus(&self.inverse_sine(precision)?, precision))
    }
}
