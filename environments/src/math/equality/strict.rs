//! What strictness changes in an expression before it is compared.

use num_traits::{One, Signed};

use crate::math::expression::{Constant, Expression, Matrix};

/// An expression as mathematics reads it: all symbols alike, `i` the imaginary unit unless it runs in a
/// sum, and odd roots of negative numbers real.
pub(super) fn read(value: &Expression) -> Expression {
    rewritten(value, runs(value))
}

/// Whether `i` is the variable of a sum, product, integral or limit.
fn runs(value: &Expression) -> bool {
    let any = |parts: &[Expression]| parts.iter().any(runs);
    match value {
        Expression::Add(parts)
        | Expression::Mul(parts)
        | Expression::Function(_, parts)
        | Expression::Applied(_, parts)
        | Expression::Set(parts)
        | Expression::Union(parts)
        | Expression::Intersection(parts)
        | Expression::Tuple(parts)
        | Expression::Chain(parts) => any(parts),
        Expression::Power(sides)
        | Expression::Complement(sides)
        | Expression::Relation(_, sides) => any(&sides[..]),
        Expression::Bound(bound) => &*bound.variable.name == "i" || runs(&bound.body),
        Expression::Limit(limit) => &*limit.variable.name == "i" || runs(&limit.body),
        Expression::Derivative { body, variable, .. } => &*variable.name == "i" || runs(body),
        Expression::Matrix(matrix) => any(&matrix.entries),
        Expression::Interval(interval) => runs(&interval.start) || runs(&interval.end),
        Expression::Number(_)
        | Expression::Decimal(_)
        | Expression::Constant(_)
        | Expression::Symbol(_)
        | Expression::NumberSet(_) => false,
    }
}

fn rewritten(value: &Expression, runs: bool) -> Expression {
    let parts =
        |parts: &[Expression]| parts.iter().map(|part| rewritten(part, runs)).collect::<Vec<_>>();
    let sides = |sides: &[Expression; 2]| {
        Box::new([rewritten(&sides[0], runs), rewritten(&sides[1], runs)])
    };
    match value {
        Expression::Symbol(symbol) if !runs && &*symbol.name == "i" => {
            Expression::Constant(Constant::ImaginaryUnit)
        }
        Expression::Symbol(symbol) => Expression::symbol(symbol.name.clone(), true),
        Expression::Add(terms) => Expression::Add(parts(terms)),
        Expression::Mul(factors) => Expression::Mul(parts(factors)),
        Expression::Power(pair) => {
            let [base, exponent] = *sides(pair);
            real_root(&base, &exponent).unwrap_or_else(|| base.power(exponent))
        }
        Expression::Function(function, arguments) => {
            Expression::Function(*function, parts(arguments))
        }
        Expression::Applied(name, arguments) => Expression::Applied(name.clone(), parts(arguments)),
        Expression::Set(elements) => Expression::Set(parts(elements)),
        Expression::Tuple(elements) => Expression::Tuple(parts(elements)),
        Expression::Union(sets) => Expression::Union(parts(sets)),
        Expression::Intersection(sets) => Expression::Intersection(parts(sets)),
        Expression::Complement(pair) => Expression::Complement(sides(pair)),
        Expression::Relation(relation, pair) => Expression::Relation(*relation, sides(pair)),
        Expression::Chain(links) => Expression::Chain(parts(links)),
        Expression::Matrix(matrix) => {
            Expression::Matrix(Matrix { columns: matrix.columns, entries: parts(&matrix.entries) })
        }
        Expression::Interval(interval) => {
            let mut interval = interval.clone();
            interval.start = rewritten(&interval.start, runs);
            interval.end = rewritten(&interval.end, runs);
            Expression::Interval(interval)
        }
        Expression::Bound(bound) => {
            let mut bound = bound.clone();
            bound.variable.real = true;
            bound.body = rewritten(&bound.body, runs);
            bound.limits = bound.limits.map(|limits| *sides(&limits));
            Expression::Bound(bound)
        }
        Expression::Limit(limit) => {
            let mut limit = limit.clone();
            limit.variable.real = true;
            limit.body = rewritten(&limit.body, runs);
            limit.point = rewritten(&limit.point, runs);
            Expression::Limit(limit)
        }
        Expression::Derivative { body, variable, order } => {
            let mut variable = variable.clone();
            variable.real = true;
            Expression::Derivative {
                body: Box::new(rewritten(body, runs)),
                variable,
                order: *order,
            }
        }
        Expression::Number(_)
        | Expression::Decimal(_)
        | Expression::Constant(_)
        | Expression::NumberSet(_) => value.clone(),
    }
}

/// An odd root of a negative number, as the negative of the root.
fn real_root(base: &Expression, exponent: &Expression) -> Option<Expression> {
    let (Expression::Number(base), Expression::Number(exponent)) = (base, exponent) else {
        return None;
    };
    let odd = exponent.denom().bit(0) && !exponent.denom().is_one();
    if !base.is_negative() || !odd {
        return None;
    }
    let sign = if exponent.numer().bit(0) { -1 } else { 1 };
    let root = Expression::Number(-base).power(Expression::Number(exponent.clone()));
    Some(Expression::Mul(vec![Expression::integer(sign), root]))
}
