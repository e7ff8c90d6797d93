//! Equations, inequalities, and what they say about a value.

use std::borrow::Cow;

use super::{Comparison, Options, difference, sets, sides, solutions};
use crate::math::expression::{Expression, Relation};
use crate::math::normal;

pub(super) const fn is_relation(value: &Expression) -> bool {
    matches!(value, Expression::Relation(..) | Expression::Chain(_))
}

/// Whether this is one equation or a chain of them.
fn is_equation(value: &Expression) -> bool {
    match value {
        Expression::Relation(Relation::Equal, _) => true,
        Expression::Chain(links) => links.iter().all(is_equation),
        _ => false,
    }
}

/// Whether this is a name: symbols side by side, or what depends on something.
fn is_name(value: &Expression) -> bool {
    match value {
        Expression::Symbol(_) | Expression::Applied(..) => true,
        Expression::Mul(parts) | Expression::Tuple(parts) => parts.iter().all(is_name),
        _ => false,
    }
}

/// Whether an equation or a chain of them begins with a name.
fn is_named(value: &Expression) -> bool {
    match value {
        Expression::Relation(_, sides) => is_name(&sides[0]),
        Expression::Chain(links) => links.first().is_some_and(is_named),
        _ => false,
    }
}

fn last_right(value: &Expression) -> Option<&Expression> {
    match value {
        Expression::Relation(_, sides) => Some(&sides[1]),
        Expression::Chain(links) => last_right(links.last()?),
        _ => None,
    }
}

/// Whether a left side with a value says no more than the value.
fn is_assigned(left: &Expression, options: Options) -> bool {
    if options.strict { is_name(left) } else { left.is_symbolic() }
}

/// A chain of equations that begins with a symbol says that this is the last value.
fn collapsed(value: &Expression, options: Options) -> Cow<'_, Expression> {
    let Expression::Chain(links) = value else { return Cow::Borrowed(value) };
    let first = links.first().and_then(sides).filter(|_| is_equation(value));
    match (first, last_right(value)) {
        (Some((_, left, _)), Some(right)) if is_assigned(left, options) => Cow::Owned(
            Expression::Relation(Relation::Equal, Box::new([left.clone(), right.clone()])),
        ),
        _ => Cow::Borrowed(value),
    }
}

/// Takes the value out of `x = 5` where the other side is no equation.
pub(super) fn assigned<'a>(
    gold: &'a Expression,
    predicted: &'a Expression,
    options: Options,
) -> (Cow<'a, Expression>, Cow<'a, Expression>) {
    let (gold, predicted) = (collapsed(gold, options), collapsed(predicted, options));
    match (is_equation(&gold), is_equation(&predicted)) {
        (false, true) => match last_right(&predicted) {
            Some(right) if !options.strict || is_named(&predicted) => {
                let right = right.clone();
                (gold, Cow::Owned(right))
            }
            _ => (gold, predicted),
        },
        (true, false) => match sides(&gold) {
            Some((_, left, right)) if is_assigned(left, options) => {
                let right = right.clone();
                (Cow::Owned(right), predicted)
            }
            _ => (gold, predicted),
        },
        _ => (gold, predicted),
    }
}

impl Comparison {
    pub(super) fn relations(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        if let (Expression::Chain(gold), Expression::Chain(predicted)) = (gold, predicted)
            && gold.len() == predicted.len()
            && gold.iter().zip(predicted).all(|(gold, predicted)| self.relations(gold, predicted))
        {
            return true;
        }
        if self.options.strict
            && let Some(gold) = solutions::of_relation(gold, &mut self.steps)
            && let Some(predicted) = solutions::of_relation(predicted, &mut self.steps)
        {
            return self.collections(&gold, &predicted);
        }
        match (sides(gold), sides(predicted)) {
            (Some(gold), Some(predicted)) => self.relation(gold, predicted),
            _ => false,
        }
    }

    fn relation(
        &mut self,
        (kind, left, right): (Relation, &Expression, &Expression),
        (other_kind, other_left, other_right): (Relation, &Expression, &Expression),
    ) -> bool {
        let collections = sets::is_collection(right) || sets::is_collection(other_right);
        if collections {
            return kind == other_kind
                && self.objects(left, other_left)
                && self.objects(right, other_right);
        }
        let (gold, predicted) = (difference(left, right), difference(other_left, other_right));
        if kind == other_kind && self.values(&gold, &predicted) {
            return true;
        }
        let flips = kind != Relation::NotEqual && kind.flipped() == other_kind;
        if flips && self.values(&gold, &difference(other_right, other_left)) {
            return true;
        }
        let equations = kind == Relation::Equal && other_kind == Relation::Equal;
        equations
            && (normal::same_numerators(&gold, &predicted, &mut self.steps)
                || solutions::same_zeros(&gold, &predicted, self.options, &mut self.steps))
    }
}
