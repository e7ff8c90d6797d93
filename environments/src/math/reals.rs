//! Sets of real numbers as intervals that do not touch.

use std::cmp::Ordering;

use super::exact;
use super::expression::{Constant, Expression, Interval, NumberSet};
use super::numeric;
use super::steps::Steps;

/// A set of real numbers: intervals in rising order with something between each two.
#[derive(Clone, Debug)]
pub(super) struct Reals {
    pub(super) pieces: Vec<Interval>,
}

/// The most intervals of a set.
const PIECES_MAX: usize = 256;

/// A set of real numbers as intervals; none if it is not one, or its ends cannot be compared.
pub(super) fn of_set(set: &Expression, steps: &mut Steps) -> Option<Reals> {
    match set {
        Expression::NumberSet(NumberSet::Empty) => Some(Reals { pieces: Vec::new() }),
        Expression::NumberSet(NumberSet::Reals) => Some(Reals { pieces: vec![whole()] }),
        Expression::NumberSet(_) => None,
        Expression::Interval(interval) => {
            let mut interval = (**interval).clone();
            interval.left_open |= is_infinite(&interval.start);
            interval.right_open |= is_infinite(&interval.end);
            match compare(&interval.start, &interval.end, steps)? {
                Ordering::Less => Some(Reals { pieces: vec![interval] }),
                Ordering::Equal if !interval.left_open && !interval.right_open => {
                    Some(Reals { pieces: vec![interval] })
                }
                _ => Some(Reals { pieces: Vec::new() }),
            }
        }
        Expression::Set(elements) => {
            let point = |value: &Expression| Interval {
                start: value.clone(),
                end: value.clone(),
                left_open: false,
                right_open: false,
            };
            if elements.iter().any(|element| is_infinite(element) || real(element, steps).is_none())
            {
                return None;
            }
            joined(elements.iter().map(point).collect(), steps)
        }
        Expression::Union(sets) => {
            let mut pieces = Vec::new();
            for set in sets {
                pieces.extend(of_set(set, steps)?.pieces);
            }
            joined(pieces, steps)
        }
        Expression::Intersection(sets) => {
            let mut result = Reals { pieces: vec![whole()] };
            for set in sets {
                let set = of_set(set, steps)?;
                result = intersection(&result, &set, steps)?;
            }
            Some(result)
        }
        Expression::Complement(sides) => {
            let set = of_set(&sides[0], steps)?;
            let without = of_set(&sides[1], steps)?;
            intersection(&set, &outside(&without), steps)
        }
        _ => None,
    }
}

const fn whole() -> Interval {
    Interval {
        start: Expression::Constant(Constant::NegativeInfinity),
        end: Expression::Constant(Constant::Infinity),
        left_open: true,
        right_open: true,
    }
}

pub(super) const fn is_infinite(value: &Expression) -> bool {
    matches!(value, Expression::Constant(Constant::Infinity | Constant::NegativeInfinity))
}

/// The sign of a number, if it is real and known.
fn real(value: &Expression, steps: &mut Steps) -> Option<Ordering> {
    match exact::rational(value, steps) {
        Some(value) => Some(value.cmp(&num_rational::BigRational::from_integer(0.into()))),
        None => numeric::sign(value, steps),
    }
}

/// Compares two numbers or infinities.
pub(super) fn compare(
    left: &Expression,
    right: &Expression,
    steps: &mut Steps,
) -> Option<Ordering> {
    use Constant::{Infinity, NegativeInfinity};
    match (left, right) {
        (left, right) if left == right => Some(Ordering::Equal),
        (Expression::Number(left), Expression::Number(right)) => Some(left.cmp(right)),
        (Expression::Constant(Infinity), _) | (_, Expression::Constant(NegativeInfinity)) => {
            Some(Ordering::Greater)
        }
        (Expression::Constant(NegativeInfinity), _) | (_, Expression::Constant(Infinity)) => {
            Some(Ordering::Less)
        }
        (left, right) => match (exact::rational(left, steps), exact::rational(right, steps)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => real(
                &Expression::Add(vec![
                    left.clone(),
                    Expression::Mul(vec![Expression::integer(-1), right.clone()]),
                ]),
                steps,
            ),
        },
    }
}

/// Intervals in any order, with those that touch made one.
pub(super) fn joined(pieces: Vec<Interval>, steps: &mut Steps) -> Option<Reals> {
    if pieces.len() > PIECES_MAX {
        return None;
    }
    let mut sorted: Vec<Interval> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let mut at = sorted.len();
        while at > 0 && starts_before(&piece, &sorted[at - 1], steps)? {
            at -= 1;
        }
        sorted.insert(at, piece);
    }
    let mut result: Vec<Interval> = Vec::with_capacity(sorted.len());
    for piece in sorted {
        let Some(last) = result.last_mut() else {
            result.push(piece);
            continue;
        };
        let touches = match compare(&piece.start, &last.end, steps)? {
            Ordering::Less => true,
            Ordering::Equal => !(piece.left_open && last.right_open),
            Ordering::Greater => false,
        };
        if !touches {
            result.push(piece);
            continue;
        }
        match compare(&piece.end, &last.end, steps)? {
            Ordering::Greater => {
                last.end = piece.end;
                last.right_open = piece.right_open;
            }
            Ordering::Equal => last.right_open &= piece.right_open,
            Ordering::Less => {}
        }
    }
    Some(Reals { pieces: result })
}

fn starts_before(left: &Interval, right: &Interval, steps: &mut Steps) -> Option<bool> {
    Some(match compare(&left.start, &right.start, steps)? {
        Ordering::Less => true,
        Ordering::Equal => !left.left_open && right.left_open,
        Ordering::Greater => false,
    })
}

/// All real numbers that are not in the set.
fn outside(set: &Reals) -> Reals {
    let mut pieces = Vec::with_capacity(set.pieces.len() + 1);
    let mut next = whole();
    for piece in &set.pieces {
        if !is_infinite(&piece.start) {
            pieces.push(Interval {
                start: next.start.clone(),
                left_open: next.left_open,
                end: piece.start.clone(),
                right_open: !piece.left_open,
            });
        }
        next.start = piece.end.clone();
        next.left_open = !piece.right_open || is_infinite(&piece.end);
    }
    if next.start != Expression::Constant(Constant::Infinity) {
        pieces.push(next);
    }
    Reals { pieces }
}

fn intersection(left: &Reals, right: &Reals, steps: &mut Steps) -> Option<Reals> {
    let mut pieces = Vec::new();
    for first in &left.pieces {
        for second in &right.pieces {
            if !steps.spend(1) {
                return None;
            }
            let (start, left_open) = match compare(&first.start, &second.start, steps)? {
                Ordering::Greater => (&first.start, first.left_open),
                Ordering::Less => (&second.start, second.left_open),
                Ordering::Equal => (&first.start, first.left_open || second.left_open),
            };
            let (end, right_open) = match compare(&first.end, &second.end, steps)? {
                Ordering::Less => (&first.end, first.right_open),
                Ordering::Greater => (&second.end, second.right_open),
                Ordering::Equal => (&first.end, first.right_open || second.right_open),
            };
            let holds = match compare(start, end, steps)? {
                Ordering::Less => true,
                Ordering::Equal => !left_open && !right_open,
                Ordering::Greater => false,
            };
            if holds {
                pieces.push(Interval {
                    start: start.clone(),
                    end: end.clone(),
                    left_open,
                    right_open,
                });
            }
        }
    }
    joined(pieces, steps)
}
