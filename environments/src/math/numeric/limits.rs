//! Limits, infinite sums and integrals by number.
//!
//! Their errors are estimated, not bounded: from how far two approximations are apart of which the second
//! is much better. What does not settle has no value.

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::ball::{Ball, Bound as Error, Problem};
use super::complex::Complex;
use super::elementary;
use super::evaluation::{Evaluation, exact_integer};
use crate::math::expression::{Bound, BoundKind, Constant, Expression, Limit, Side, Symbol};

/// How close to its point a limit is read off, and how close again: powers of two.
const DISTANCES: [(i64, i64); 2] = [(200, 260), (13, 15)];

/// Bits beyond the precision with which a limit's body is evaluated.
const LIMIT_BITS: i64 = 640;

/// The most terms of a sum that converges like a geometric one.
const TERMS_MAX: i64 = 600;

/// The terms that Levin's transformation takes, and fewer for an estimate of the error.
const LEVIN_TERMS: (usize, usize) = (72, 64);

/// Bits with which Levin's transformation is computed, as it cancels most of them.
const LEVIN_BITS: i64 = 900;

impl Evaluation<'_> {
    pub(super) fn limit(&mut self, limit: &Limit) -> Result<Complex, Problem> {
        let precision = self.precision();
        self.set_precision(precision + LIMIT_BITS);
        let result = self.limit_values(limit);
        self.set_precision(precision);
        let (first, second) = result?;
        settled(&first, second, 2)
    }

    fn limit_values(&mut self, limit: &Limit) -> Result<(Complex, Complex), Problem> {
        let mut last = Problem::Imprecise;
        for (near, nearer) in DISTANCES {
            let first = self.limit_value(limit, near);
            let second = self.limit_value(limit, nearer);
            match (first, second) {
                (Ok(first), Ok(second)) => return Ok((first, second)),
                (Err(Problem::Steps), _) | (_, Err(Problem::Steps)) => return Err(Problem::Steps),
                (Err(problem), _) | (_, Err(problem)) => last = problem,
            }
        }
        Err(last)
    }

    fn limit_value(&mut self, limit: &Limit, distance: i64) -> Result<Complex, Problem> {
        let precision = self.precision();
        let at = match &limit.point {
            Expression::Constant(Constant::Infinity) => Ball::exact(1.into(), distance),
            Expression::Constant(Constant::NegativeInfinity) => Ball::exact((-1).into(), distance),
            point => {
                let point = self.value(point)?;
                if point.imaginary.is_some() {
                    return Err(Problem::Unsupported("limit at a complex point"));
                }
                let step = if limit.side == Side::Below { -1 } else { 1 };
                point.real.plus(&Ball::exact(step.into(), -distance), precision)
            }
        };
        self.with(&limit.variable, Complex::real(at), &limit.body)
    }

    /// A sum without an upper end.
    pub(super) fn infinite_sum(&mut self, bound: &Bound) -> Result<Complex, Problem> {
        let Some([lower, upper]) = &bound.limits else { return Err(Problem::Unsupported("sum")) };
        if *upper != Expression::Constant(Constant::Infinity) || bound.kind != BoundKind::Sum {
            return Err(Problem::Unsupported("infinite product"));
        }
        let lower = self.value(lower)?;
        let lower =
            exact_integer(&lower).ok_or(Problem::Unsupported("sum with fractional limits"))?;
        if let Some(sum) = self.geometric(bound, &lower)? {
            return Ok(sum);
        }
        let precision = self.precision();
        self.set_precision(LEVIN_BITS);
        let result = self.levin(bound, &lower);
        self.set_precision(precision);
        result
    }

    fn term(&mut self, bound: &Bound, index: BigInt) -> Result<Complex, Problem> {
        self.with(&bound.variable, Complex::real(Ball::exact(index, 0)), &bound.body)
    }

    /// Adds terms until they are too small to matter, if each is much smaller than the one before.
    fn geometric(&mut self, bound: &Bound, lower: &BigInt) -> Result<Option<Complex>, Problem> {
        let precision = self.precision();
        let mut sum = Complex::integer(0);
        let mut sizes = Vec::new();
        for offset in 0..TERMS_MAX {
            let term = self.term(bound, lower + offset)?;
            sum = sum.plus(&term, precision);
            let size = term.above().magnitude();
            sizes.push(size);
            let falls = |steps: usize, by: i64| {
                sizes.len() > steps && sizes[sizes.len() - 1 - steps] - size >= by
            };
            if offset == 40 && !falls(20, 2) {
                return Ok(None);
            }
            if size < -precision - 40 && falls(10, 1) {
                // What is left is at most some forty times the last term.
                return Ok(Some(widened(sum, Error::power_of_two(size + 8))));
            }
        }
        Ok(None)
    }

    /// Levin's u-transformation of the partial sums (D. Levin 1973; E. J. Weniger 1989, section 7).
    fn levin(&mut self, bound: &Bound, lower: &BigInt) -> Result<Complex, Problem> {
        let (mut terms, mut sums) = (Vec::new(), Vec::new());
        let mut sum = Complex::integer(0);
        for offset in 0..i64::try_from(LEVIN_TERMS.0).unwrap_or(i64::MAX) + 4 {
            let term = self.term(bound, lower + offset)?;
            sum = sum.plus(&term, LEVIN_BITS);
            if term.is_zero() && terms.is_empty() {
                continue;
            }
            terms.push(term);
            sums.push(sum.clone());
        }
        let best = self.transformed(&terms, &sums, LEVIN_TERMS.0)?;
        let other = self.transformed(&terms, &sums, LEVIN_TERMS.1)?;
        settled(&other, best, 4)
    }

    fn transformed(
        &mut self,
        terms: &[Complex],
        sums: &[Complex],
        order: usize,
    ) -> Result<Complex, Problem> {
        let bits = LEVIN_BITS;
        let (mut above, mut below) = (Complex::integer(0), Complex::integer(0));
        let mut binomial = BigInt::from(1);
        for index in 0..=order {
            let (Some(term), Some(sum)) = (terms.get(index), sums.get(index)) else {
                return Err(Problem::Imprecise);
            };
            self.spend(20)?;
            let position = BigInt::from(index + 1);
            // (1 + j)^(k-2), as the remainder is taken to be (1 + j) times the term.
            let weight = &binomial * position.pow(u32::try_from(order - 2).unwrap_or(0));
            let weight = if index % 2 == 0 { weight } else { -weight };
            let factor = Complex::real(Ball::exact(weight, 0)).times(&term.inverse(bits)?, bits);
            above = above.plus(&factor.times(sum, bits), bits);
            below = below.plus(&factor, bits);
            binomial = binomial * (order - index) / (index + 1);
        }
        Ok(above.times(&below.inverse(bits)?, bits))
    }

    /// A definite integral, by the double exponential formula (Takahasi, Mori 1974).
    pub(super) fn quadrature(&mut self, bound: &Bound) -> Result<Complex, Problem> {
        let Some([lower, upper]) = &bound.limits else {
            return Err(Problem::Unsupported("integral"));
        };
        let map = self.map(lower, upper)?;
        let mut sum = self.node(bound, &map, 0, 3)?.ok_or(Problem::Undefined)?;
        let mut previous: Option<Complex> = None;
        for level in 3..=5 {
            let step = if level == 3 { 1 } else { 2 };
            for sign in [1_i64, -1] {
                let mut index = 1;
                while let Some(value) = self.node(bound, &map, sign * index, level)? {
                    let precision = self.precision();
                    sum = sum.plus(&value, precision);
                    if value.above().magnitude() < -precision {
                        break;
                    }
                    index += step;
                }
            }
            let precision = self.precision();
            let value = sum.times(&Complex::real(Ball::exact(1.into(), -level)), precision);
            if let Some(previous) = &previous {
                // Each level doubles the digits that are right.
                let change = value.minus(previous, precision).above().magnitude();
                if change * 7 / 4 < -precision * 5 / 8 - 4 {
                    return Ok(widened(value, Error::power_of_two(change * 7 / 4)));
                }
            }
            previous = Some(value);
        }
        Err(Problem::Imprecise)
    }

    fn map(&mut self, lower: &Expression, upper: &Expression) -> Result<Map, Problem> {
        let infinite = |value: &Expression| {
            matches!(value, Expression::Constant(Constant::Infinity | Constant::NegativeInfinity))
        };
        let precision = self.precision();
        let mut real = |value: &Expression| {
            let value = self.value(value)?;
            if value.imaginary.is_some() {
                Err(Problem::Unsupported("integral"))
            } else {
                Ok(value.real)
            }
        };
        Ok(match (infinite(lower), infinite(upper)) {
            (true, true) => Map::Line,
            (false, true) => Map::Above(real(lower)?),
            (true, false) => Map::Below(real(upper)?),
            (false, false) => {
                let (lower, upper) = (real(lower)?, real(upper)?);
                let half = upper.minus(&lower, precision).shifted(-1);
                Map::Between(lower.plus(&upper, precision).shifted(-1), half)
            }
        })
    }

    /// The weighted value at the node `index / 2^level`; none if it is too far out.
    fn node(
        &mut self,
        bound: &Bound,
        map: &Map,
        index: i64,
        level: i64,
    ) -> Result<Option<Complex>, Problem> {
        let precision = self.precision();
        self.spend(70)?;
        let time = Ball::exact(index.into(), -level);
        let quarter = elementary::pi(precision).shifted(-1);
        let (sine, cosine) = Complex::real(time).hyperbolic(precision + 8)?;
        let inner = Complex::real(sine.real.times(&quarter, precision));
        if inner.above().magnitude() > 7 {
            return Ok(None);
        }
        let speed = cosine.real.times(&quarter, precision);
        let (point, weight) = match map {
            Map::Between(middle, half) => {
                let (sine, cosine) = inner.hyperbolic(precision)?;
                let below = cosine.real.inverse(precision)?;
                let weight = speed.times(&below, precision).times(&below, precision);
                let offset = sine.real.times(&below, precision).times(half, precision);
                (middle.plus(&offset, precision), weight.times(half, precision))
            }
            Map::Above(end) | Map::Below(end) => {
                let distance = inner.exponential(precision)?.real;
                let weight = speed.times(&distance, precision);
                let distance =
                    if matches!(map, Map::Below(_)) { distance.negated() } else { distance };
                (end.plus(&distance, precision), weight)
            }
            Map::Line => {
                let (sine, cosine) = inner.hyperbolic(precision)?;
                (sine.real, speed.times(&cosine.real, precision))
            }
        };
        let value = match self.with(&bound.variable, Complex::real(point), &bound.body) {
            Ok(value) => value,
            // Far out an exponential leaves the range of numbers, or the end itself is met.
            Err(Problem::Size | Problem::Undefined | Problem::Imprecise) if index != 0 => {
                return Ok(None);
            }
            Err(problem) => return Err(problem),
        };
        Ok(Some(value.times(&Complex::real(weight), precision)))
    }

    fn with(
        &mut self,
        variable: &Symbol,
        value: Complex,
        body: &Expression,
    ) -> Result<Complex, Problem> {
        self.spend(2)?;
        self.push(variable.clone(), value);
        let result = self.value(body);
        self.pop();
        result
    }
}

/// How the line is mapped to the range of an integral.
enum Map {
    /// Middle and half of a finite range.
    Between(Ball, Ball),
    /// From a point up.
    Above(Ball),
    /// From below up to a point.
    Below(Ball),
    /// All numbers.
    Line,
}

/// The second of two approximations with the distance of the first as its error, if that is small.
fn settled(first: &Complex, second: Complex, extra_bits: i64) -> Result<Complex, Problem> {
    let change = second.minus(first, 256).above().magnitude() + extra_bits;
    if change.to_i32().is_none_or(|change| change > -100) {
        return Err(Problem::Imprecise);
    }
    Ok(widened(second, Error::power_of_two(change)))
}

fn widened(value: Complex, by: Error) -> Complex {
    Complex {
        real: value.real.widened(by),
        imaginary: value.imaginary.map(|part| part.widened(by)),
    }
}
