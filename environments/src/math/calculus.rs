//! Derivatives, and integrals of what has a simple antiderivative.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use super::expression::{Bound, BoundKind, Constant, Expression, Function, Limit, Side, Symbol};
use super::steps::Steps;
use super::{exact, polynomial, weight};

/// An expression with its derivatives and integrals carried out, where that is known; none if there is
/// nothing to do.
pub(super) fn carried_out(value: &Expression, steps: &mut Steps) -> Option<Expression> {
    let parts = |parts: &[Expression], steps: &mut Steps| -> Option<Vec<Expression>> {
        let mut changed = false;
        let mut replace = |part: &Expression| match carried_out(part, steps) {
            Some(new) => {
                changed = true;
                new
            }
            None => part.clone(),
        };
        let new: Vec<Expression> = parts.iter().map(&mut replace).collect();
        changed.then_some(new)
    };
    if !has_calculus(value) || !steps.spend(5 + weight::copying(value) / 4) {
        return None;
    }
    match value {
        Expression::Add(terms) => parts(terms, steps).map(Expression::Add),
        Expression::Mul(factors) => parts(factors, steps).map(Expression::Mul),
        Expression::Power(sides) => {
            let [base, exponent] = <[Expression; 2]>::try_from(parts(&sides[..], steps)?).ok()?;
            Some(base.power(exponent))
        }
        Expression::Function(function, arguments) => {
            parts(arguments, steps).map(|arguments| Expression::Function(*function, arguments))
        }
        Expression::Derivative { body, variable, order } => {
            let mut result = carried_out(body, steps).unwrap_or_else(|| (**body).clone());
            for _ in 0..*order {
                result = derivative(&result, variable, steps)?;
            }
            Some(result)
        }
        Expression::Bound(bound) if bound.kind == BoundKind::Integral => integral(bound, steps),
        _ => None,
    }
}

fn has_calculus(value: &Expression) -> bool {
    match value {
        Expression::Derivative { .. } => true,
        Expression::Bound(bound) => bound.kind == BoundKind::Integral,
        Expression::Add(parts) | Expression::Mul(parts) | Expression::Function(_, parts) => {
            parts.iter().any(has_calculus)
        }
        Expression::Power(sides) => sides.iter().any(has_calculus),
        _ => false,
    }
}

/// Whether a variable occurs in an expression.
fn contains(value: &Expression, variable: &Symbol) -> bool {
    match value {
        Expression::Symbol(symbol) => symbol == variable,
        Expression::Add(parts)
        | Expression::Mul(parts)
        | Expression::Function(_, parts)
        | Expression::Applied(_, parts) => parts.iter().any(|part| contains(part, variable)),
        Expression::Power(sides) => sides.iter().any(|side| contains(side, variable)),
        Expression::Number(_) | Expression::Decimal(_) | Expression::Constant(_) => false,
        _ => true,
    }
}

fn one() -> Expression {
    Expression::integer(1)
}

fn minus(value: Expression) -> Expression {
    Expression::Mul(vec![Expression::integer(-1), value])
}

/// The derivative by a variable.
fn derivative(value: &Expression, variable: &Symbol, steps: &mut Steps) -> Option<Expression> {
    // What is searched here is copied once or twice.
    if !steps.spend(5 + weight::copying(value) / 4) {
        return None;
    }
    if !contains(value, variable) {
        return Some(Expression::integer(0));
    }
    match value {
        Expression::Symbol(_) => Some(one()),
        Expression::Add(terms) => {
            let terms: Option<Vec<_>> =
                terms.iter().map(|term| derivative(term, variable, steps)).collect();
            terms.map(Expression::Add)
        }
        Expression::Mul(factors) => {
            let mut terms = Vec::new();
            for (index, factor) in factors.iter().enumerate() {
                if contains(factor, variable) {
                    if !steps.spend(weight::copying(value) / 4) {
                        return None;
                    }
                    let mut product = factors.clone();
                    product[index] = derivative(factor, variable, steps)?;
                    terms.push(Expression::Mul(product));
                }
            }
            Some(Expression::Add(terms))
        }
        Expression::Power(sides) => {
            let [base, exponent] = &**sides;
            let mut terms = Vec::new();
            if contains(base, variable) {
                let lower = Expression::Add(vec![exponent.clone(), Expression::integer(-1)]);
                let lower = exact::rational(&lower, steps).map_or(lower, Expression::Number);
                let inner = derivative(base, variable, steps)?;
                terms.push(Expression::Mul(vec![
                    exponent.clone(),
                    base.clone().power(lower),
                    inner,
                ]));
            }
            if contains(exponent, variable) {
                let logarithm = Expression::Function(Function::Log, vec![base.clone()]);
                let inner = derivative(exponent, variable, steps)?;
                terms.push(Expression::Mul(vec![value.clone(), logarithm, inner]));
            }
            Some(Expression::Add(terms))
        }
        Expression::Function(function, arguments) => {
            let argument = arguments.first()?;
            if arguments.get(1).is_some_and(|second| contains(second, variable)) {
                return None;
            }
            let outer = outer_derivative(*function, argument, arguments.get(1))?;
            Some(Expression::Mul(vec![outer, derivative(argument, variable, steps)?]))
        }
        _ => None,
    }
}

/// The derivative of a function by its argument.
fn outer_derivative(
    function: Function,
    argument: &Expression,
    second: Option<&Expression>,
) -> Option<Expression> {
    let of = |function: Function| Expression::Function(function, vec![argument.clone()]);
    let power = |value: Expression, exponent: i32| value.power(Expression::integer(exponent));
    let square = || power(argument.clone(), 2);
    let root = |value: Expression| value.power(Expression::fraction(-1, 2));
    Some(match function {
        Function::Sin => of(Function::Cos),
        Function::Cos => minus(of(Function::Sin)),
        Function::Tan => power(of(Function::Cos), -2),
        Function::Cot => minus(power(of(Function::Sin), -2)),
        Function::Sec => Expression::Mul(vec![of(Function::Sec), of(Function::Tan)]),
        Function::Csc => minus(Expression::Mul(vec![of(Function::Csc), of(Function::Cot)])),
        Function::Sinh => of(Function::Cosh),
        Function::Cosh => of(Function::Sinh),
        Function::Tanh => power(of(Function::Cosh), -2),
        Function::Exp => of(Function::Exp),
        Function::Log => {
            let inverse = power(argument.clone(), -1);
            match second {
                None => inverse,
                Some(base) => {
                    let base = Expression::Function(Function::Log, vec![base.clone()]);
                    Expression::Mul(vec![inverse, power(base, -1)])
                }
            }
        }
        Function::Asin => root(Expression::Add(vec![one(), minus(square())])),
        Function::Acos => minus(root(Expression::Add(vec![one(), minus(square())]))),
        Function::Atan => power(Expression::Add(vec![one(), square()]), -1),
        Function::Asinh => root(Expression::Add(vec![one(), square()])),
        _ => return None,
    })
}

fn integral(bound: &Bound, steps: &mut Steps) -> Option<Expression> {
    let body = carried_out(&bound.body, steps).unwrap_or_else(|| bound.body.clone());
    let antiderivative = antiderivative(&body, &bound.variable, steps)?;
    let Some([lower, upper]) = &bound.limits else { return Some(antiderivative) };
    let infinite = |value: &Expression| {
        matches!(value, Expression::Constant(Constant::Infinity | Constant::NegativeInfinity))
    };
    let copied = |value: &Expression| weight::copying(value) / 4;
    let ends = copied(lower).saturating_add(copied(upper));
    if !steps.spend(2 + ends.saturating_mul(copied(&antiderivative))) {
        return None;
    }
    let end = |point: &Expression, side: Side| {
        if !infinite(point) {
            return substituted(&antiderivative, &bound.variable, point);
        }
        let (body, variable) = (antiderivative.clone(), bound.variable.clone());
        Expression::Limit(Box::new(Limit { body, variable, point: point.clone(), side }))
    };
    Some(Expression::Add(vec![end(upper, Side::Below), minus(end(lower, Side::Above))]))
}

/// The expression with a variable replaced.
fn substituted(value: &Expression, variable: &Symbol, by: &Expression) -> Expression {
    let parts = |parts: &[Expression]| {
        parts.iter().map(|part| substituted(part, variable, by)).collect::<Vec<_>>()
    };
    match value {
        Expression::Symbol(symbol) if symbol == variable => by.clone(),
        Expression::Add(terms) => Expression::Add(parts(terms)),
        Expression::Mul(factors) => Expression::Mul(parts(factors)),
        Expression::Power(sides) => {
            substituted(&sides[0], variable, by).power(substituted(&sides[1], variable, by))
        }
        Expression::Function(function, arguments) => {
            Expression::Function(*function, parts(arguments))
        }
        value => value.clone(),
    }
}

/// An antiderivative of polynomials, powers, exponentials, sines and cosines of linear arguments, and of
/// their linear combinations.
fn antiderivative(value: &Expression, variable: &Symbol, steps: &mut Steps) -> Option<Expression> {
    if !steps.spend(10 + weight::copying(value) / 4) {
        return None;
    }
    let itself = || Expression::Symbol(variable.clone());
    if !contains(value, variable) {
        return Some(Expression::Mul(vec![value.clone(), itself()]));
    }
    if let Some(fraction) = polynomial::in_one_variable(value, steps)
        && fraction.denominator.len() == 1
    {
        let term = |(degree, coefficient): (usize, &BigRational)| {
            let degree = BigRational::from_integer(BigInt::from(degree + 1));
            let coefficient = coefficient / &fraction.denominator[0] / &degree;
            Expression::Mul(vec![
                Expression::Number(coefficient),
                itself().power(Expression::Number(degree)),
            ])
        };
        return Some(Expression::Add(fraction.numerator.iter().enumerate().map(term).collect()));
    }
    match value {
        Expression::Add(terms) => {
            let terms: Option<Vec<_>> =
                terms.iter().map(|term| antiderivative(term, variable, steps)).collect();
            terms.map(Expression::Add)
        }
        Expression::Mul(factors) => {
            let (varying, constant): (Vec<&Expression>, Vec<&Expression>) =
                factors.iter().partition(|factor| contains(factor, variable));
            let [only] = varying.as_slice() else { return None };
            let mut product: Vec<Expression> = constant.into_iter().cloned().collect();
            product.push(antiderivative(only, variable, steps)?);
            Some(Expression::Mul(product))
        }
        value => of_linear_argument(value, variable, steps),
    }
}

fn of_linear_argument(
    value: &Expression,
    variable: &Symbol,
    steps: &mut Steps,
) -> Option<Expression> {
    let (argument, whole) = match value {
        Expression::Symbol(_) => (value, None),
        Expression::Power(sides) if !contains(&sides[1], variable) => (&sides[0], None),
        Expression::Power(sides) if !contains(&sides[0], variable) => (&sides[1], Some(&sides[0])),
        Expression::Function(_, arguments) if arguments.len() == 1 => (&arguments[0], None),
        _ => return None,
    };
    let slope = derivative(argument, variable, steps)?;
    let slope =
        if contains(&slope, variable) { exact_slope(argument, variable, steps)? } else { slope };
    let of = |function: Function| Expression::Function(function, vec![argument.clone()]);
    let result = match value {
        Expression::Power(sides) if whole.is_none() => {
            let exponent = exact::rational(&sides[1], steps)?;
            if (&exponent + BigRational::one()).is_zero() {
                of(Function::Log)
            } else {
                let next = Expression::Number(exponent + BigRational::one());
                let inverse = next.clone().power(Expression::integer(-1));
                Expression::Mul(vec![argument.clone().power(next), inverse])
            }
        }
        Expression::Power(_) => {
            let logarithm = Expression::Function(Function::Log, vec![whole?.clone()]);
            Expression::Mul(vec![value.clone(), logarithm.power(Expression::integer(-1))])
        }
        Expression::Function(Function::Exp, _) => value.clone(),
        Expression::Function(Function::Sin, _) => minus(of(Function::Cos)),
        Expression::Function(Function::Cos, _) => of(Function::Sin),
        Expression::Function(Function::Sinh, _) => of(Function::Cosh),
        Expression::Function(Function::Cosh, _) => of(Function::Sinh),
        _ => return None,
    };
    Some(Expression::Mul(vec![result, slope.power(Expression::integer(-1))]))
}

/// The slope of a linear polynomial.
fn exact_slope(argument: &Expression, variable: &Symbol, steps: &mut Steps) -> Option<Expression> {
    let fraction =
        polynomial::in_one_variable(argument, steps).filter(|found| found.variable == *variable)?;
    let linear = fraction.numerator.len() == 2 && fraction.denominator.len() == 1;
    linear.then(|| Expression::Number(&fraction.numerator[1] / &fraction.denominator[0]))
}
