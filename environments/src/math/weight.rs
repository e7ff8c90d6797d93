//! How large expressions are: what copying them and listing their parts in order takes, known before it is
//! done.

use num_rational::BigRational;

use super::expression::{Decimal, Expression};

/// The most comparisons for which the parts of an expression are listed in order.
const ORDERED_MAX: u64 = 20_000;

/// How many objects an expression consists of; long numbers count as several.
pub(super) fn copying(value: &Expression) -> u64 {
    weighed(value, &|inside, _| inside)
}

/// At most how many objects are looked at when an expression is compared with another in the order in which
/// SymPy lists them, where parts of sums and products are put in order first.
pub(super) fn comparing(value: &Expression) -> u64 {
    weighed(value, &|inside, parts| {
        let ordered = ordering(inside, parts);
        if ordered > ORDERED_MAX { inside } else { ordered }
    })
}

/// Whether parts are few enough to be put in order. Others are listed as they were written.
pub(super) fn is_ordered(parts: &[Expression]) -> bool {
    let inside = parts.iter().map(comparing).fold(1, u64::saturating_add);
    ordering(inside, parts.len()) <= ORDERED_MAX
}

/// What it takes to put so many parts in order that take `inside` to be looked at once.
pub(super) fn ordering(inside: u64, parts: usize) -> u64 {
    inside.saturating_mul(2 * u64::from(1 + parts.max(1).ilog2()))
}

/// The weight of an expression, where that of a sum or a product is made of the weight of its parts.
fn weighed(value: &Expression, ordered: &dyn Fn(u64, usize) -> u64) -> u64 {
    use Expression as E;
    let all = |parts: &[Expression]| {
        parts.iter().map(|part| weighed(part, ordered)).fold(1, u64::saturating_add)
    };
    match value {
        E::Number(number) | E::Decimal(Decimal { value: number, .. }) => of_number(number),
        E::Constant(_) | E::Symbol(_) | E::NumberSet(_) => 1,
        E::Add(parts) | E::Mul(parts) => ordered(all(parts), parts.len()),
        E::Function(_, parts)
        | E::Applied(_, parts)
        | E::Set(parts)
        | E::Union(parts)
        | E::Intersection(parts)
        | E::Tuple(parts)
        | E::Chain(parts) => all(parts),
        E::Power(sides) | E::Complement(sides) | E::Relation(_, sides) => all(&sides[..]),
        E::Matrix(matrix) => all(&matrix.entries),
        E::Interval(interval) => {
            weighed(&interval.start, ordered).saturating_add(weighed(&interval.end, ordered))
        }
        E::Bound(bound) => {
            let limits = bound.limits.as_ref().map_or(1, |limits| all(limits));
            weighed(&bound.body, ordered).saturating_add(limits)
        }
        E::Limit(limit) => {
            weighed(&limit.body, ordered).saturating_add(weighed(&limit.point, ordered))
        }
        E::Derivative { body, .. } => 1 + weighed(body, ordered),
    }
}

fn of_number(number: &BigRational) -> u64 {
    1 + (number.numer().bits() + number.denom().bits()) / 64
}
