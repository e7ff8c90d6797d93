//! Numbers and expressions with a value.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{FromPrimitive, One, ToPrimitive};

use super::{Comparison, matrices};
use crate::math::exact;
use crate::math::expression::{Constant, Decimal, Expression};
use crate::math::numeric;
use crate::math::steps::Steps;

impl Comparison {
    pub(super) fn values(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        if matrices::has_matrix(gold) || matrices::has_matrix(predicted) {
            return self.matrices(gold, predicted);
        }
        if has_infinity(gold) || has_infinity(predicted) {
            let direction = infinite_direction(gold, &mut self.steps);
            return direction.is_some()
                && direction == infinite_direction(predicted, &mut self.steps);
        }
        let numeric = is_number(gold) || is_number(predicted);
        let decimal = is_decimal(gold) || is_decimal(predicted);
        if numeric
            && decimal
            && !self.options.strict
            && let Some(equal) = self.rounded(gold, predicted)
        {
            return equal;
        }
        if let Some(gold) = exact::rational(gold, &mut self.steps)
            && let Some(predicted) = exact::rational(predicted, &mut self.steps)
        {
            return gold == predicted;
        }
        self.same(gold, predicted)
    }

    /// Compares two numbers, one of them a decimal, at six decimals. None if a side has no real value.
    ///
    /// An exact integer gets no such tolerance.
    fn rounded(&mut self, gold: &Expression, predicted: &Expression) -> Option<bool> {
        let mut value = |side: &Expression| match side {
            Expression::Decimal(decimal) => Some(decimal.value.clone()),
            Expression::Number(number) => Some(number.clone()),
            side => exact::rational(side, &mut self.steps)
                .or_else(|| numeric::approximation(side, &mut self.steps)),
        };
        let (left, right) = (value(gold)?, value(predicted)?);
        let whole = |side: &Expression, value: &BigRational| {
            !matches!(side, Expression::Decimal(_)) && !is_decimal(side) && value.denom().is_one()
        };
        if whole(gold, &left) || whole(predicted, &right) {
            return Some(left == right);
        }
        Some(at_six_decimals(&left) == at_six_decimals(&right))
    }
}

/// A number as a double, then rounded to six decimals: in millionths.
fn at_six_decimals(value: &BigRational) -> BigInt {
    let double =
        value.to_f64().filter(|double| double.abs() < 1e15).and_then(BigRational::from_f64);
    let value = double.as_ref().unwrap_or(value);
    let scaled = value * BigRational::from_integer(BigInt::from(1_000_000));
    let (below, half) = (scaled.floor(), BigRational::new(1.into(), 2.into()));
    let up = match (&scaled - &below).cmp(&half) {
        Ordering::Less => false,
        Ordering::Equal => below.numer().is_odd(),
        Ordering::Greater => true,
    };
    below.to_integer() + u8::from(up)
}

/// Whether there is an infinity or something undefined in a value outside of sums, limits and functions.
fn has_infinity(value: &Expression) -> bool {
    match value {
        Expression::Constant(constant) => match constant {
            Constant::Infinity
            | Constant::NegativeInfinity
            | Constant::ComplexInfinity
            | Constant::Undefined => true,
            Constant::Pi | Constant::Euler | Constant::ImaginaryUnit => false,
        },
        Expression::Add(parts) | Expression::Mul(parts) => parts.iter().any(has_infinity),
        Expression::Power(sides) => sides.iter().any(has_infinity),
        _ => false,
    }
}

/// To which side a sum or a product with an infinity in it is infinite, if it is known.
fn infinite_direction(value: &Expression, steps: &mut Steps) -> Option<Ordering> {
    match value {
        Expression::Constant(Constant::Infinity) => Some(Ordering::Greater),
        Expression::Constant(Constant::NegativeInfinity) => Some(Ordering::Less),
        Expression::Add(terms) => {
            let mut found = None;
            for term in terms.iter().filter(|term| has_infinity(term)) {
                let direction = infinite_direction(term, steps)?;
                if found.is_some_and(|found| found != direction) {
                    return None;
                }
                found = Some(direction);
            }
            found
        }
        Expression::Mul(factors) => {
            let mut direction = Ordering::Greater;
            for factor in factors {
                let sign = if has_infinity(factor) {
                    infinite_direction(factor, steps)?
                } else {
                    numeric::sign(factor, steps)?
                };
                direction = match sign {
                    Ordering::Less => direction.reverse(),
                    Ordering::Greater => direction,
                    Ordering::Equal => return None,
                };
            }
            Some(direction)
        }
        _ => None,
    }
}

/// Whether a value is a number as it stands, or that many percent.
fn is_number(value: &Expression) -> bool {
    match value {
        Expression::Number(_) | Expression::Decimal(_) => true,
        value => percentage(value).is_some(),
    }
}

fn is_decimal(value: &Expression) -> bool {
    matches!(percentage(value).unwrap_or(value), Expression::Decimal(Decimal { .. }))
}

/// The number of which this is the hundredth part, not carried out.
fn percentage(value: &Expression) -> Option<&Expression> {
    let Expression::Mul(factors) = value else { return None };
    let [number @ (Expression::Number(_) | Expression::Decimal(_)), Expression::Number(part)] =
        factors.as_slice()
    else {
        return None;
    };
    (part.numer().is_one() && *part.denom() == BigInt::from(100)).then_some(number)
}
