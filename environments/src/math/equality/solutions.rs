//! What solves equations and inequalities.

use crate::math::expression::{Constant, Expression, Interval, NumberSet, Relation, Symbol};
use crate::math::numeric::{self, Steps};
use crate::math::polynomial::{self, Fraction};
use crate::math::reals::{self, Reals};

/// The real numbers that satisfy a relation or a chain of them in one variable.
pub(super) fn of_relation(relation: &Expression, steps: &mut Steps) -> Option<Expression> {
    let solved = match relation {
        Expression::Chain(links) => {
            let sets: Option<Vec<Expression>> =
                links.iter().map(|link| of_relation(link, steps)).collect();
            reals::of_set(&Expression::Intersection(sets?), steps)?
        }
        Expression::Relation(kind, sides) => of_sides(*kind, &sides[0], &sides[1], steps)?,
        _ => return None,
    };
    Some(as_expression(solved))
}

fn as_expression(set: Reals) -> Expression {
    let mut pieces: Vec<Expression> =
        set.pieces.into_iter().map(|piece| Expression::Interval(Box::new(piece))).collect();
    match pieces.pop() {
        None => Expression::NumberSet(NumberSet::Empty),
        Some(only) if pieces.is_empty() => only,
        Some(last) => {
            pieces.push(last);
            Expression::Union(pieces)
        }
    }
}

fn of_sides(kind: Relation, left: &Expression, right: &Expression, steps: &mut Steps) -> Option<Reals> {
    if let Some(set) = of_bound(kind, left, right, steps) {
        return Some(set);
    }
    if let Some(set) = of_bound(kind.flipped(), right, left, steps) {
        return Some(set);
    }
    let difference = super::difference(left, right);
    let fraction = polynomial::in_one_variable(&difference, steps)?;
    let zeros = polynomial::real_zeros(&fraction.numerator, steps)?;
    let poles = polynomial::real_zeros(&fraction.denominator, steps)?;
    let mut marks: Vec<(Expression, bool)> = Vec::new();
    for (point, is_pole) in zeros.into_iter().map(|zero| (zero, false)).chain(poles.into_iter().map(|pole| (pole, true))) {
        let mut at = marks.len();
        while at > 0 && reals::compare(&point, &marks[at - 1].0, steps)?.is_lt() {
            at -= 1;
        }
        marks.insert(at, (point, is_pole));
    }
    let mut pieces = Vec::new();
    let infinite = |negative: bool| {
        Expression::Constant(if negative { Constant::NegativeInfinity } else { Constant::Infinity })
    };
    let mut start = infinite(true);
    for index in 0..=marks.len() {
        let end = marks.get(index).map_or_else(|| infinite(false), |(point, _)| point.clone());
        let inside = between(&start, &end, steps)?;
        if holds(kind, &fraction, &inside, steps)? {
            let (start, end) = (start.clone(), end.clone());
            pieces.push(Interval { start, end, left_open: true, right_open: true });
        }
        if let Some((point, is_pole)) = marks.get(index)
            && !is_pole
            && matches!(kind, Relation::Equal | Relation::LessOrEqual | Relation::GreaterOrEqual)
        {
            let (start, end) = (point.clone(), point.clone());
            pieces.push(Interval { start, end, left_open: false, right_open: false });
        }
        start = end;
    }
    reals::joined(pieces, steps)
}

/// The solutions of a relation of a variable to a number.
fn of_bound(kind: Relation, left: &Expression, right: &Expression, steps: &mut Steps) -> Option<Reals> {
    if !matches!(left, Expression::Symbol(_)) || matches!(kind, Relation::NotEqual | Relation::Equal) {
        return None;
    }
    numeric::sign(right, steps)?;
    let end = right.clone();
    let open = matches!(kind, Relation::Less | Relation::Greater);
    let piece = if matches!(kind, Relation::Less | Relation::LessOrEqual) {
        let start = Expression::Constant(Constant::NegativeInfinity);
        Interval { start, end, left_open: true, right_open: open }
    } else {
        let infinity = Expression::Constant(Constant::Infinity);
        Interval { start: end, end: infinity, left_open: open, right_open: true }
    };
    Some(Reals { pieces: vec![piece] })
}

/// A rational number between two ends, of which each may be infinite.
fn between(start: &Expression, end: &Expression, steps: &mut Steps) -> Option<num_rational::BigRational> {
    use num_rational::BigRational;
    let one = BigRational::from_integer(1.into());
    let mut value = |end: &Expression| match end {
        Expression::Number(number) => Some(number.clone()),
        end => numeric::approximation(end, steps),
    };
    Some(match (reals::is_infinite(start), reals::is_infinite(end)) {
        (true, true) => BigRational::from_integer(0.into()),
        (true, false) => value(end)? - one,
        (false, true) => value(start)? + one,
        (false, false) => (value(start)? + value(end)?) / BigRational::from_integer(2.into()),
    })
}

fn holds(
    kind: Relation,
    fraction: &Fraction,
    at: &num_rational::BigRational,
    steps: &mut Steps,
) -> Option<bool> {
    let sign = fraction.sign_at(at, steps)?;
    Some(match kind {
        Relation::Equal => sign.is_eq(),
        Relation::NotEqual => sign.is_ne(),
        Relation::Less => sign.is_lt(),
        Relation::LessOrEqual => sign.is_le(),
        Relation::Greater => sign.is_gt(),
        Relation::GreaterOrEqual => sign.is_ge(),
    })
}

/// Whether two equations, each as its left side less its right, have the same solutions: one is a multiple
/// of the other, or both have the same zeros in their one variable.
pub(super) fn same_zeros(gold: &Expression, predicted: &Expression, steps: &mut Steps) -> bool {
    if numeric::proportional(gold, predicted, steps) {
        return true;
    }
    let mut zeros = |side: &Expression| -> Option<(Symbol, Vec<Expression>)> {
        let fraction = polynomial::in_one_variable(side, steps)?;
        Some((fraction.variable.clone(), polynomial::real_zeros(&fraction.numerator, steps)?))
    };
    let (Some((variable, first)), Some((other, second))) = (zeros(gold), zeros(predicted)) else {
        return false;
    };
    variable == other
        && !first.is_empty()
        && first.len() == second.len()
        && first.iter().all(|zero| {
            second.iter().any(|other| reals::compare(zero, other, steps).is_some_and(std::cmp::Ordering::is_eq))
        })
}
