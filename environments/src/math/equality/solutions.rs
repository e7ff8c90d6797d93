//! What solves equations and inequalities.

use super::Options;
use crate::math::expression::{
    Constant, Expression, Function, Interval, NumberSet, Relation, Symbol,
};
use crate::math::polynomial::{self, Fraction};
use crate::math::reals::{self, Reals};
use crate::math::steps::Steps;
use crate::math::{numeric, weight};

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

fn of_sides(
    kind: Relation,
    left: &Expression,
    right: &Expression,
    steps: &mut Steps,
) -> Option<Reals> {
    if let Some(inner) = absolute_value(left).or_else(|| absolute_value(right)).cloned() {
        return of_cases(kind, left, right, &inner, steps);
    }
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
    for (point, is_pole) in zeros
        .into_iter()
        .map(|zero| (zero, false))
        .chain(poles.into_iter().map(|pole| (pole, true)))
    {
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

/// The argument of an absolute value in an expression.
fn absolute_value(value: &Expression) -> Option<&Expression> {
    match value {
        Expression::Function(Function::Abs, arguments) => arguments.first(),
        Expression::Add(parts) | Expression::Mul(parts) => parts.iter().find_map(absolute_value),
        Expression::Power(sides) => absolute_value(&sides[0]),
        _ => None,
    }
}

/// The expression with an absolute value replaced.
fn without_absolute_value(value: &Expression, inner: &Expression, by: &Expression) -> Expression {
    let replace = |parts: &[Expression]| {
        parts.iter().map(|part| without_absolute_value(part, inner, by)).collect()
    };
    match value {
        Expression::Function(Function::Abs, arguments) if arguments.first() == Some(inner) => {
            by.clone()
        }
        Expression::Add(parts) => Expression::Add(replace(parts)),
        Expression::Mul(parts) => Expression::Mul(replace(parts)),
        Expression::Power(sides) => {
            let [base, exponent] = &**sides;
            without_absolute_value(base, inner, by).power(exponent.clone())
        }
        value => value.clone(),
    }
}

/// Solves a relation with an absolute value in it for both signs of its argument.
fn of_cases(
    kind: Relation,
    left: &Expression,
    right: &Expression,
    inner: &Expression,
    steps: &mut Steps,
) -> Option<Reals> {
    let copied = weight::copying(left).saturating_add(weight::copying(right));
    if !steps.spend(50 + copied) {
        return None;
    }
    let zero = Expression::integer(0);
    let negative = Expression::Mul(vec![Expression::integer(-1), inner.clone()]);
    let mut cases = Vec::with_capacity(2);
    for (sign, by) in [(Relation::GreaterOrEqual, inner), (Relation::Less, &negative)] {
        let left = without_absolute_value(left, inner, by);
        let right = without_absolute_value(right, inner, by);
        let solved = as_expression(of_sides(kind, &left, &right, steps)?);
        let condition = as_expression(of_sides(sign, inner, &zero, steps)?);
        cases.push(Expression::Intersection(vec![solved, condition]));
    }
    reals::of_set(&Expression::Union(cases), steps)
}

/// The solutions of a relation of a variable to a number.
fn of_bound(
    kind: Relation,
    left: &Expression,
    right: &Expression,
    steps: &mut Steps,
) -> Option<Reals> {
    if !matches!(left, Expression::Symbol(_))
        || matches!(kind, Relation::NotEqual | Relation::Equal)
    {
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
fn between(
    start: &Expression,
    end: &Expression,
    steps: &mut Steps,
) -> Option<num_rational::BigRational> {
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
/// of the other. In one variable this counts only if strict, and so do equal zeros.
pub(super) fn same_zeros(
    gold: &Expression,
    predicted: &Expression,
    options: Options,
    steps: &mut Steps,
) -> bool {
    let least_symbols = if options.strict { 1 } else { 2 };
    if numeric::proportional(gold, predicted, least_symbols, steps) {
        return true;
    }
    if !options.strict {
        return false;
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
            second.iter().any(|other| {
                reals::compare(zero, other, steps).is_some_and(std::cmp::Ordering::is_eq)
            })
        })
}
