//! Numbers and expressions with a value.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{FromPrimitive, One, ToPrimitive};

use super::{Comparison, matrices};
use crate::math::exact;
use crate::math::expression::{Constant, Decimal, Expression};
use crate::math::numeric;

impl Comparison {
    pub(super) fn values(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        if matrices::has_matrix(gold) || matrices::has_matrix(predicted) {
            return self.matrices(gold, predicted);
        }
        if is_infinite(gold) || is_infinite(predicted) {
            return false;
        }
        let numeric = is_number(gold) || is_number(predicted);
        let decimal = is_decimal(gold) || is_decimal(predicted);
        if numeric && decimal && !self.options.strict {
            if let Some(equal) = self.rounded(gold, predicted) {
                return equal;
            }
        }
        if let (Some(gold), Some(predicted)) = (exact::rational(gold), exact::rational(predicted)) {
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
            side => exact::rational(side).or_else(|| numeric::approximation(side, &mut self.steps)),
        };
        let (left, right) = (value(gold)?, value(predicted)?);
        let whole = |side: &Expression| side.as_integer().is_some();
        if whole(gold) || whole(predicted) {
            return Some(left == right);
        }
        Some(at_six_decimals(&left) == at_six_decimals(&right))
    }
}

/// A number as a double, then rounded to six decimals: in millionths.
fn at_six_decimals(value: &BigRational) -> BigInt {
    let double = value.to_f64().filter(|double| double.abs() < 1e15).and_then(BigRational::from_f64);
    let value = double.as_ref().unwrap_or(value);
    (value * BigRational::from_integer(BigInt::from(1_000_000))).round().to_integer()
}

const fn is_infinite(value: &Expression) -> bool {
    matches!(
        value,
        Expression::Constant(
            Constant::Infinity
                | Constant::NegativeInfinity
                | Constant::ComplexInfinity
                | Constant::Undefined
        )
    )
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
