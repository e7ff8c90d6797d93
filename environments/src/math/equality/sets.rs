//! Sets, intervals, tuples and lists.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{Comparison, Undecided};
use crate::math::expression::{Expression, Interval, Relation};
use crate::math::steps::Steps;
use crate::math::{exact, numeric, order, reals, weight};

/// The largest sets that are matched element by element in any order.
const MATCHED_MAX: usize = 64;

pub(super) const fn is_set(value: &Expression) -> bool {
    matches!(
        value,
        Expression::Set(_)
            | Expression::Interval(_)
            | Expression::Union(_)
            | Expression::Intersection(_)
            | Expression::Complement(_)
            | Expression::NumberSet(_)
    )
}

pub(super) const fn is_collection(value: &Expression) -> bool {
    is_set(value) || matches!(value, Expression::Tuple(_))
}

/// A collection with elements that can be counted.
struct List<'a> {
    elements: Vec<&'a Expression>,
    ordered: bool,
}

impl Comparison {
    pub(super) fn collections(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        let (gold, predicted) = (wrapped(gold), wrapped(predicted));
        if let (Expression::Interval(gold), Expression::Interval(predicted)) = (&*gold, &*predicted)
        {
            return self.intervals(gold, predicted);
        }
        if let (Some(gold), Some(predicted)) = (list(&gold), list(&predicted))
            && (gold.ordered == predicted.ordered || !self.options.strict)
            && self.lists(gold, predicted)
        {
            return true;
        }
        if !is_set(&gold) || !is_set(&predicted) {
            return false;
        }
        self.real_sets(&gold, &predicted)
    }

    fn intervals(&mut self, gold: &Interval, predicted: &Interval) -> bool {
        gold.left_open == predicted.left_open
            && gold.right_open == predicted.right_open
            && self.objects(&gold.start, &predicted.start)
            && self.objects(&gold.end, &predicted.end)
    }

    /// Whether no real number is in one set and not in the other.
    fn real_sets(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        let gold = reals::of_set(gold, &mut self.steps);
        let predicted = reals::of_set(predicted, &mut self.steps);
        match (gold, predicted) {
            (Some(gold), Some(predicted)) => {
                gold.pieces.len() == predicted.pieces.len()
                    && gold
                        .pieces
                        .iter()
                        .zip(&predicted.pieces)
                        .all(|(gold, predicted)| self.intervals(gold, predicted))
            }
            _ => false,
        }
    }

    fn lists(&mut self, gold: List<'_>, predicted: List<'_>) -> bool {
        if gold.elements.len() != predicted.elements.len() {
            return false;
        }
        // A tuple keeps its order; so does, against a tuple as the gold answer, a set that was written.
        if gold.ordered {
            return self.pairwise(&gold.elements, &predicted.elements);
        }
        let (gold, gold_numeric) = sorted(&gold.elements, &mut self.steps);
        let (predicted, predicted_numeric) = sorted(&predicted.elements, &mut self.steps);
        if self.pairwise(&gold, &predicted) {
            return true;
        }
        if (gold_numeric && predicted_numeric) || gold.len() > MATCHED_MAX {
            return false;
        }
        self.matched(&gold, predicted)
    }

    fn pairwise(&mut self, gold: &[&Expression], predicted: &[&Expression]) -> bool {
        gold.iter().zip(predicted).all(|(gold, predicted)| self.answers(gold, predicted))
    }

    /// Finds for each element of one set its equal in the other.
    fn matched(&mut self, gold: &[&Expression], mut predicted: Vec<&Expression>) -> bool {
        for element in gold {
            let found = predicted.iter().position(|other| self.answers(element, other));
            let Some(found) = found else { return false };
            predicted.swap_remove(found);
            if matches!(self.undecided, Some(Undecided::Steps { .. })) {
                return false;
            }
        }
        true
    }
}

/// The elements by rising value, and whether all of them have one.
fn sorted<'a>(elements: &[&'a Expression], steps: &mut Steps) -> (Vec<&'a Expression>, bool) {
    let weights = elements.iter().map(|element| weight::comparing(element));
    let looked_at = weight::ordering(weights.fold(1, u64::saturating_add), elements.len());
    if !steps.spend(looked_at / 8) {
        return (elements.to_vec(), false);
    }
    let mut keyed: Vec<(Option<f64>, &Expression)> =
        elements.iter().map(|element| (key(element, steps), *element)).collect();
    keyed.sort_by(|(left, first), (right, second)| match (left, right) {
        (Some(left), Some(right)) => left.total_cmp(right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => order::compare(first, second),
    });
    let numeric = keyed.iter().all(|(key, _)| key.is_some());
    (keyed.into_iter().map(|(_, element)| element).collect(), numeric)
}

fn wrapped(value: &Expression) -> Cow<'_, Expression> {
    if is_collection(value) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(Expression::Set(vec![value.clone()]))
    }
}

/// The elements of a finite collection. An open interval may be a pair as well.
fn list(value: &Expression) -> Option<List<'_>> {
    match value {
        Expression::Tuple(elements) => {
            Some(List { elements: elements.iter().collect(), ordered: true })
        }
        Expression::Interval(interval) if interval.left_open && interval.right_open => {
            Some(List { elements: vec![&interval.start, &interval.end], ordered: true })
        }
        Expression::Set(written) => {
            let mut elements: Vec<&Expression> = Vec::with_capacity(written.len());
            for element in written {
                if written.len() > 256 || !elements.contains(&element) {
                    elements.push(element);
                }
            }
            Some(List { elements, ordered: false })
        }
        _ => None,
    }
}

/// By what an element is sorted: its value, that of the right side of an equation.
fn key(element: &Expression, steps: &mut Steps) -> Option<f64> {
    use num_traits::ToPrimitive;
    let value = match element {
        Expression::Relation(Relation::Equal, sides) => &sides[1],
        element => element,
    };
    if is_collection(value) || matches!(value, Expression::Symbol(_)) {
        return None;
    }
    match exact::rational(value, steps) {
        Some(value) => value.to_f64(),
        None => numeric::estimate(value, steps),
    }
}
