//! Symbols, single letters and words.

use crate::math::expression::{Constant, Expression};

/// Whether one of two objects is a symbol.
pub(super) const fn is_one(gold: &Expression, predicted: &Expression) -> bool {
    matches!(gold, Expression::Symbol(_)) || matches!(predicted, Expression::Symbol(_))
}

/// Whether two objects, of which one is a symbol, are equal by their names; none if neither is one.
///
/// A word equals the product of its letters in their order, as `yes` written without `\text` is one, and
/// whatever is printed alike: `\text{50}` is 50.
pub(super) fn equal(gold: &Expression, predicted: &Expression) -> Option<bool> {
    Some(match (gold, predicted) {
        (Expression::Symbol(gold), Expression::Symbol(predicted)) => {
            gold.name == predicted.name || gold.name.to_lowercase() == predicted.name.to_lowercase()
        }
        (Expression::Symbol(symbol), other) | (other, Expression::Symbol(symbol)) => {
            let named = match other {
                Expression::Constant(Constant::Euler) => &*symbol.name == "e",
                Expression::Mul(factors) => spells(factors, &symbol.name),
                _ => false,
            };
            named || *symbol.name == *other.to_string()
        }
        _ => return None,
    })
}

fn spells(factors: &[Expression], word: &str) -> bool {
    let mut rest = word;
    for factor in factors {
        let name = match factor {
            Expression::Symbol(symbol) => &*symbol.name,
            Expression::Constant(Constant::Euler) => "e",
            _ => return false,
        };
        let found = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if !found {
            return false;
        }
        rest = &rest[name.len()..];
    }
    rest.is_empty()
}
