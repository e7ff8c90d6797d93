//! Orders of expressions: the one in which SymPy lists them.
//!
//! Sets, sums and products are shown, and compared element by element, in this order. It goes by the kind
//! of the base of a power, then by its parts, then by the exponent, then by the numeric factor.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::expression::{Constant, Expression, Function, NumberSet, Relation};
use super::weight;

/// Where SymPy lists functions: a few before the others, then by name.
const fn function_rank(function: Function) -> u16 {
    match function {
        Function::Exp => 10,
        Function::Log => 11,
        Function::Sin => 20,
        Function::Cos => 21,
        Function::Tan => 22,
        Function::Cot => 23,
        Function::Sinh => 24,
        Function::Cosh => 25,
        Function::Tanh => 26,
        Function::Conjugate => 40,
        Function::Re => 41,
        Function::Im => 42,
        Function::Arg => 43,
        _ => 10_000,
    }
}

/// What SymPy calls a function.
#[must_use]
pub(super) const fn function_name(function: Function) -> &'static str {
    match function {
        Function::Sin => "sin",
        Function::Cos => "cos",
        Function::Tan => "tan",
        Function::Csc => "csc",
        Function::Sec => "sec",
        Function::Cot => "cot",
        Function::Asin => "asin",
        Function::Acos => "acos",
        Function::Atan => "atan",
        Function::Acsc => "acsc",
        Function::Asec => "asec",
        Function::Acot => "acot",
        Function::Sinh => "sinh",
        Function::Cosh => "cosh",
        Function::Tanh => "tanh",
        Function::Asinh => "asinh",
        Function::Acosh => "acosh",
        Function::Atanh => "atanh",
        Function::Exp => "exp",
        Function::Log => "log",
        Function::Abs => "Abs",
        Function::Floor => "floor",
        Function::Ceiling => "ceiling",
        Function::Factorial => "factorial",
        Function::Binomial => "binomial",
        Function::Max => "Max",
        Function::Min => "Min",
        Function::Gcd => "gcd",
        Function::Lcm => "lcm",
        Function::Mod => "Mod",
        Function::Re => "re",
        Function::Im => "im",
        Function::Arg => "arg",
        Function::Conjugate => "conjugate",
        Function::Sign => "sign",
        Function::Determinant => "Determinant",
        Function::Trace => "Trace",
        Function::Rank => "rank",
        Function::Transpose => "Transpose",
        Function::Norm => "norm",
    }
}

/// What SymPy calls a constant.
#[must_use]
pub(super) const fn constant_name(constant: Constant) -> &'static str {
    match constant {
        Constant::Pi => "pi",
        Constant::Euler => "E",
        Constant::ImaginaryUnit => "I",
        Constant::Infinity => "oo",
        Constant::NegativeInfinity => "-oo",
        Constant::ComplexInfinity => "zoo",
        Constant::Undefined => "nan",
    }
}

/// What SymPy calls a set of numbers.
#[must_use]
pub(super) const fn set_name(set: NumberSet) -> &'static str {
    match set {
        NumberSet::Empty => "EmptySet",
        NumberSet::Naturals => "Naturals",
        NumberSet::Integers => "Integers",
        NumberSet::Rationals => "Rationals",
        NumberSet::Reals => "Reals",
        NumberSet::Complexes => "Complexes",
    }
}

const fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "Equality",
        Relation::NotEqual => "Unequality",
        Relation::Less => "StrictLessThan",
        Relation::LessOrEqual => "LessThan",
        Relation::Greater => "StrictGreaterThan",
        Relation::GreaterOrEqual => "GreaterThan",
    }
}

/// The kind of an expression, as far as the order goes.
fn class(value: &Expression) -> (u8, u16, &str) {
    use Expression as E;
    match value {
        E::Number(_) | E::Decimal(_) => (1, 0, "Number"),
        E::Constant(Constant::Pi) => (2, 0, "Pi"),
        E::Constant(Constant::Euler) => (2, 0, "Exp1"),
        E::Constant(Constant::ImaginaryUnit) => (2, 0, "ImaginaryUnit"),
        E::Constant(Constant::ComplexInfinity) => (2, 0, "ComplexInfinity"),
        E::Constant(_) => (1, 0, "Number"),
        E::Symbol(_) => (2, 0, "Symbol"),
        E::Mul(_) => (3, 0, "Mul"),
        E::Add(_) => (3, 1, "Add"),
        E::Power(_) => (3, 2, "Pow"),
        E::Function(function, _) => (4, function_rank(*function), function_name(*function)),
        E::Applied(name, _) => (4, 0, name),
        E::Bound(_) => (5, 0, "Bound"),
        E::Limit(_) => (5, 0, "Limit"),
        E::Derivative { .. } => (5, 0, "Derivative"),
        E::Matrix(_) => (5, 0, "Matrix"),
        E::Set(_) => (5, 0, "FiniteSet"),
        E::Interval(_) => (5, 0, "Interval"),
        E::Union(_) => (5, 0, "Union"),
        E::Intersection(_) => (5, 0, "Intersection"),
        E::Complement(_) => (5, 0, "Complement"),
        E::NumberSet(set) => (5, 0, set_name(*set)),
        E::Tuple(_) => (5, 0, "Tuple"),
        E::Relation(relation, _) => (5, 0, relation_name(*relation)),
        E::Chain(_) => (5, 0, "And"),
    }
}

/// The numeric factor in front, and the rest.
fn coefficient(value: &Expression) -> (Option<&BigRational>, Cow<'_, Expression>) {
    let Expression::Mul(factors) = value else { return (None, Cow::Borrowed(value)) };
    let number = match factors.first() {
        Some(Expression::Number(number)) => number,
        Some(Expression::Decimal(decimal)) => &decimal.value,
        _ => return (None, Cow::Borrowed(value)),
    };
    match &factors[1..] {
        [rest] => (Some(number), Cow::Borrowed(rest)),
        rest => (Some(number), Cow::Owned(Expression::Mul(rest.to_vec()))),
    }
}

/// An infinity is beyond all numbers.
const fn infinite_rank(value: &Expression) -> Option<i8> {
    match value {
        Expression::Number(_) | Expression::Decimal(_) => Some(0),
        Expression::Constant(Constant::Infinity) => Some(1),
        Expression::Constant(Constant::NegativeInfinity) => Some(-1),
        _ => None,
    }
}

fn number_of(value: &Expression) -> Option<Cow<'_, BigRational>> {
    match value {
        Expression::Number(number) => Some(Cow::Borrowed(number)),
        Expression::Decimal(decimal) => Some(Cow::Borrowed(&decimal.value)),
        _ => None,
    }
}

/// Compares two expressions in the order in which SymPy lists them.
pub(super) fn compare(left: &Expression, right: &Expression) -> Ordering {
    if let (Some(left), Some(right)) = (number_of(left), number_of(right)) {
        return left.cmp(&right);
    }
    if let (Some(left), Some(right)) = (infinite_rank(left), infinite_rank(right)) {
        return left.cmp(&right);
    }
    let (left_factor, left_rest) = coefficient(left);
    let (right_factor, right_rest) = coefficient(right);
    let (left_base, left_exponent) = base_and_exponent(&left_rest);
    let (right_base, right_exponent) = base_and_exponent(&right_rest);
    let one = BigRational::one();
    class(left_base)
        .cmp(&class(right_base))
        .then_with(|| compare_parts(left_base, right_base, (left, right)))
        .then_with(|| match (left_exponent, right_exponent) {
            (None, None) => Ordering::Equal,
            (None, Some(right)) => compare(&Expression::integer(1), right),
            (Some(left), None) => compare(left, &Expression::integer(1)),
            (Some(left), Some(right)) => compare(left, right),
        })
        .then_with(|| left_factor.unwrap_or(&one).cmp(right_factor.unwrap_or(&one)))
}

fn base_and_exponent(value: &Expression) -> (&Expression, Option<&Expression>) {
    match value {
        Expression::Power(sides) => (&sides[0], Some(&sides[1])),
        value => (value, None),
    }
}

/// Compares the parts of two expressions of the same kind: fewer first, then one by one.
fn compare_parts(
    left: &Expression,
    right: &Expression,
    whole: (&Expression, &Expression),
) -> Ordering {
    // A bare number comes before the power of one.
    if let (Some(left), Some(right)) = (number_of(left), number_of(right)) {
        let bare = |value: &Expression| number_of(value).is_some();
        return bare(whole.1)
            .cmp(&bare(whole.0))
            .then_with(|| left.to_string().cmp(&right.to_string()));
    }
    match (left, right) {
        (Expression::Symbol(left), Expression::Symbol(right)) => left.name.cmp(&right.name),
        (Expression::Constant(left), Expression::Constant(right)) => left.cmp(right),
        (left, right) => {
            let (left, right) = (ordered_parts(left), ordered_parts(right));
            left.len().cmp(&right.len()).then_with(|| {
                let pairs = left.iter().zip(right.iter()).map(|(left, right)| compare(left, right));
                pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            })
        }
    }
}

fn ordered_parts(value: &Expression) -> Vec<&Expression> {
    match value {
        Expression::Add(terms) => ordered_terms(terms),
        Expression::Mul(factors) => ordered_factors(factors),
        Expression::Function(_, parts)
        | Expression::Applied(_, parts)
        | Expression::Set(parts)
        | Expression::Union(parts)
        | Expression::Intersection(parts)
        | Expression::Tuple(parts)
        | Expression::Chain(parts) => parts.iter().collect(),
        Expression::Matrix(matrix) => matrix.entries.iter().collect(),
        Expression::Relation(_, sides) | Expression::Complement(sides) => sides.iter().collect(),
        Expression::Interval(interval) => vec![&interval.start, &interval.end],
        Expression::Bound(bound) => vec![&bound.body],
        Expression::Limit(limit) => vec![&limit.body],
        Expression::Derivative { body, .. } => vec![body],
        Expression::Number(_)
        | Expression::Decimal(_)
        | Expression::Constant(_)
        | Expression::Symbol(_)
        | Expression::Power(_)
        | Expression::NumberSet(_) => Vec::new(),
    }
}

/// The factors of a product, or the elements of a set, in order, unless there are too many.
pub(super) fn ordered_factors(factors: &[Expression]) -> Vec<&Expression> {
    let mut ordered: Vec<&Expression> = factors.iter().collect();
    if weight::is_ordered(factors) {
        ordered.sort_by(|left, right| compare(left, right));
    }
    ordered
}

/// A term of a sum: its numeric value, and the powers of what is not a number.
struct Term<'a> {
    term: &'a Expression,
    value: f64,
    imaginary: bool,
    powers: Vec<(Cow<'a, Expression>, i64)>,
}

impl Term<'_> {
    /// The exponents of the bases that occur, by the place of the base among those in order.
    fn exponents(&self, bases: &[Expression]) -> BTreeMap<usize, i64> {
        let place = |base: &Expression| {
            let first = bases.partition_point(|known| compare(known, base).is_lt());
            bases[first..].iter().position(|known| known == base).map(|offset| first + offset)
        };
        let powers = self.powers.iter();
        powers.filter_map(|(base, exponent)| Some((place(base)?, *exponent))).collect()
    }
}

/// Higher exponents of earlier bases come first.
fn compare_exponents(left: &BTreeMap<usize, i64>, right: &BTreeMap<usize, i64>) -> Ordering {
    let exponent = |of: &BTreeMap<usize, i64>, place: usize| of.get(&place).copied().unwrap_or(0);
    let compared = |place: usize| exponent(right, place).cmp(&exponent(left, place));
    let differs = |place: &usize| compared(*place).is_ne();
    let first = |of: &BTreeMap<usize, i64>| of.keys().copied().find(differs);
    first(left).into_iter().chain(first(right)).min().map_or(Ordering::Equal, compared)
}

/// The terms of a sum in order: by falling powers of the symbols, then by rising numbers. As written if there
/// are too many.
pub(super) fn ordered_terms(terms: &[Expression]) -> Vec<&Expression> {
    if let Some(pair) = number_less_product(terms) {
        return pair;
    }
    if !weight::is_ordered(terms) {
        return terms.iter().collect();
    }
    let split: Vec<Term<'_>> = terms.iter().map(split_term).collect();
    let mut bases: Vec<Expression> = split
        .iter()
        .flat_map(|term| term.powers.iter().map(|(base, _)| base.clone().into_owned()))
        .collect();
    bases.sort_by(compare);
    bases.dedup();
    let mut keyed: Vec<(BTreeMap<usize, i64>, Term<'_>)> =
        split.into_iter().map(|term| (term.exponents(&bases), term)).collect();
    keyed.sort_by(|(left_exponents, left), (right_exponents, right)| {
        compare_exponents(left_exponents, right_exponents)
            .then(left.imaginary.cmp(&right.imaginary))
            .then_with(|| left.value.total_cmp(&right.value))
    });
    keyed.into_iter().map(|(_, term)| term.term).collect()
}

/// `3 - 2*x` and `pi - x` keep their number in front.
fn number_less_product(terms: &[Expression]) -> Option<Vec<&Expression>> {
    let [first, second] = terms else { return None };
    let is_constant = |value: &Expression| {
        let named = matches!(value, Expression::Constant(Constant::Pi | Constant::Euler));
        named || number_of(value).is_some()
    };
    let swapped = is_constant(second) && !is_constant(first);
    let (number, product) = if swapped { (second, first) } else { (first, second) };
    let positive =
        number_of(number).map_or_else(|| is_constant(number), |number| number.is_positive());
    let Expression::Mul(factors) = product else { return None };
    let negative = factors.len() == 2 && factors.iter().any(Expression::is_negative_number);
    (positive && negative).then(|| vec![number, product])
}

fn split_term(term: &Expression) -> Term<'_> {
    let factors = match term {
        Expression::Mul(factors) => factors.as_slice(),
        term => std::slice::from_ref(term),
    };
    let mut split = Term { term, value: 1.0, imaginary: false, powers: Vec::new() };
    for factor in factors {
        if *factor == Expression::Constant(Constant::ImaginaryUnit) {
            split.imaginary = true;
            continue;
        }
        if let Some(value) = estimate(factor) {
            split.value *= value;
            continue;
        }
        split.powers.push(integer_power(factor));
    }
    split
}

/// A factor as an integer power: of a root if the exponent is a fraction, or has one in front.
fn integer_power(factor: &Expression) -> (Cow<'_, Expression>, i64) {
    use num_traits::ToPrimitive;
    let exponent = match factor {
        Expression::Power(sides) => Some(&sides[1]),
        Expression::Function(Function::Exp, arguments) => arguments.first(),
        _ => None,
    };
    if let Some(exponent @ Expression::Mul(_)) = exponent
        && let (Some(number), rest) = coefficient(exponent)
        && let Some(times) = number.numer().to_i64()
    {
        let rest = match number.denom().is_one() {
            true => rest.into_owned(),
            false => Expression::fraction(1, number.denom().clone()).times(rest.into_owned()),
        };
        let base = match factor {
            Expression::Power(sides) => sides[0].clone().power(rest),
            _ => Expression::Function(Function::Exp, vec![rest]),
        };
        return (Cow::Owned(base), times);
    }
    if let Expression::Power(sides) = factor
        && let Expression::Number(exponent) = &sides[1]
        && let Some(times) = exponent.numer().to_i64()
    {
        if exponent.denom().is_one() {
            return (Cow::Borrowed(&sides[0]), times);
        }
        let root = Expression::fraction(1, exponent.denom().clone());
        return (Cow::Owned(sides[0].clone().power(root)), times);
    }
    (Cow::Borrowed(factor), 1)
}

/// How large an expression is, as SymPy counts when it orders relations.
pub(super) fn size(value: &Expression) -> u64 {
    match value {
        Expression::Decimal(_) => 1,
        value => 2 + parts_of(value).into_iter().map(size).sum::<u64>(),
    }
}

fn parts_of(value: &Expression) -> Vec<&Expression> {
    match value {
        Expression::Power(sides) | Expression::Relation(_, sides) => sides.iter().collect(),
        Expression::Add(parts) | Expression::Mul(parts) => parts.iter().collect(),
        value => ordered_parts(value),
    }
}

/// Roughly the value of an expression without symbols.
pub(super) fn estimate(value: &Expression) -> Option<f64> {
    use num_traits::ToPrimitive;
    Some(match value {
        Expression::Number(number) => number.to_f64()?,
        Expression::Decimal(decimal) => decimal.value.to_f64()?,
        Expression::Constant(Constant::Pi) => std::f64::consts::PI,
        Expression::Constant(Constant::Euler) => std::f64::consts::E,
        Expression::Constant(Constant::Infinity) => f64::INFINITY,
        Expression::Constant(Constant::NegativeInfinity) => f64::NEG_INFINITY,
        Expression::Constant(Constant::ImaginaryUnit) => return Some(0.0),
        Expression::Add(terms) => terms.iter().map(estimate).sum::<Option<f64>>()?,
        Expression::Mul(factors) => factors.iter().map(estimate).product::<Option<f64>>()?,
        Expression::Power(sides) => estimate(&sides[0])?.powf(estimate(&sides[1])?),
        Expression::Function(function, arguments) => {
            let first = estimate(arguments.first()?)?;
            match function {
                Function::Sin => first.sin(),
                Function::Cos => first.cos(),
                Function::Tan => first.tan(),
                Function::Exp => first.exp(),
                Function::Log => match arguments.get(1) {
                    Some(base) => first.ln() / estimate(base)?.ln(),
                    None => first.ln(),
                },
                Function::Abs => first.abs(),
                Function::Floor => first.floor(),
                Function::Ceiling => first.ceil(),
                Function::Asin => first.asin(),
                Function::Acos => first.acos(),
                Function::Atan => first.atan(),
                Function::Factorial => factorial(first)?,
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn factorial(value: f64) -> Option<f64> {
    if !(0.0..=170.0).contains(&value) || !value.fract().is_zero() {
        return None;
    }
    let mut product = 1.0;
    let mut factor = 2.0;
    while factor <= value {
        product *= factor;
        factor += 1.0;
    }
    Some(product)
}
