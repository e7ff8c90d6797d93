//! Mathematical objects as text, in the form of SymPy's `str`.
//!
//! What was not computed is shown as it is: `2*3`, `(2*x)/3`. The rules are those of SymPy's string
//! printer (BSD licence), for the objects that the parsers build.

mod matrices;

use std::fmt::{self, Write};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::expression::{
    Bound, BoundKind, Constant, Decimal, Expression, Interval, Relation, Side,
};
use super::order;

/// How tightly an expression binds when printed.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Relation,
    Sum,
    Product,
    Power,
    Atom,
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal(decimal) => f.write_str(&decimal_text(decimal, Zeros::Kept)),
            Self::Matrix(matrix) => f.write_str(&matrices::alone(matrix)),
            value => f.write_str(&text(value)),
        }
    }
}

/// An expression inside of another one, or of a whole.
fn text(value: &Expression) -> String {
    match value {
        Expression::Number(number) => number.to_string(),
        Expression::Decimal(decimal) => decimal_text(decimal, Zeros::Stripped),
        Expression::Constant(constant) => order::constant_name(*constant).into(),
        Expression::Symbol(symbol) => symbol.name.to_string(),
        Expression::Add(terms) => sum(terms),
        Expression::Mul(factors) => product(factors),
        Expression::Power(sides) => power(&sides[0], &sides[1]),
        Expression::Function(function, arguments) => {
            format!("{}({})", order::function_name(*function), joined(arguments))
        }
        Expression::Applied(name, arguments) => format!("{name}({})", joined(arguments)),
        Expression::Bound(bound) => bound_text(bound),
        Expression::Limit(limit) => {
            let side = match limit.side {
                Side::Above => "+",
                Side::Below => "-",
                Side::Both => "+-",
            };
            let (body, point) = (text(&limit.body), text(&limit.point));
            format!("Limit({body}, {}, {point}, dir='{side}')", limit.variable.name)
        }
        Expression::Derivative { body, variable, order: 1 } => {
            format!("Derivative({}, {})", text(body), variable.name)
        }
        Expression::Derivative { body, variable, order } => {
            format!("Derivative({}, ({}, {order}))", text(body), variable.name)
        }
        Expression::Matrix(matrix) => matrices::inside(matrix),
        Expression::Set(elements) => set(elements),
        Expression::Interval(interval) => interval_text(interval),
        Expression::Union(sets) => format!("Union({})", sorted(sets)),
        Expression::Intersection(sets) => format!("Intersection({})", sorted(sets)),
        Expression::Complement(sides) => format!("Complement({})", joined(&sides[..])),
        Expression::NumberSet(named) => order::set_name(*named).into(),
        Expression::Tuple(elements) => match elements.as_slice() {
            [only] => format!("({},)", text(only)),
            elements => format!("({})", joined(elements)),
        },
        Expression::Relation(relation, sides) => relation_text(*relation, &sides[0], &sides[1]),
        Expression::Chain(links) => chain(links),
    }
}

fn joined(parts: &[Expression]) -> String {
    parts.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The parts without repetitions, in order.
fn sorted(parts: &[Expression]) -> String {
    let mut ordered = order::ordered_factors(parts);
    ordered.dedup();
    ordered.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Whether there is a set given by its elements in it.
fn has_set(value: &Expression) -> bool {
    match value {
        Expression::Set(_) => true,
        Expression::Mul(parts)
        | Expression::Tuple(parts)
        | Expression::Chain(parts)
        | Expression::Union(parts)
        | Expression::Intersection(parts) => parts.iter().any(has_set),
        Expression::Relation(_, sides) | Expression::Complement(sides) => sides.iter().any(has_set),
        _ => false,
    }
}

fn set(elements: &[Expression]) -> String {
    if elements.iter().any(has_set) {
        format!("FiniteSet({})", sorted(elements))
    } else {
        format!("{{{}}}", sorted(elements))
    }
}

fn sum(terms: &[Expression]) -> String {
    let mut result = String::new();
    for (index, term) in order::ordered_terms(terms).into_iter().enumerate() {
        let printed = text(term);
        let nested = matches!(term, Expression::Add(_));
        let (sign, printed) = match printed.strip_prefix('-') {
            Some(rest) if !nested => ('-', rest),
            _ => ('+', printed.as_str()),
        };
        match (index, sign) {
            (0, '-') => result.push('-'),
            (0, _) => {}
            (_, sign) => {
                let _ = write!(result, " {sign} ");
            }
        }
        if nested || binding(term) < Binding::Sum {
            let _ = write!(result, "({printed})");
        } else {
            result.push_str(printed);
        }
    }
    result
}

fn binding(value: &Expression) -> Binding {
    match value {
        Expression::Number(number) if number.is_negative() => Binding::Sum,
        Expression::Number(number) if !number.denom().is_one() => Binding::Product,
        Expression::Decimal(decimal) if decimal.value.is_negative() => Binding::Sum,
        Expression::Constant(Constant::NegativeInfinity) | Expression::Add(_) => Binding::Sum,
        Expression::Mul(factors) if has_minus(factors) => Binding::Sum,
        Expression::Mul(_) => Binding::Product,
        Expression::Power(_) => Binding::Power,
        Expression::Relation(..) | Expression::Chain(_) => Binding::Relation,
        _ => Binding::Atom,
    }
}

/// Whether a product has a minus that can be put in front of it.
fn has_minus(factors: &[Expression]) -> bool {
    factors.first().is_some_and(Expression::is_negative_number)
}

/// An expression, in brackets unless it binds more tightly than what is around it.
fn within(value: &Expression, around: Binding) -> String {
    let printed = text(value);
    if binding(value) <= around { format!("({printed})") } else { printed }
}

/// The base of a denominator and its exponent without the minus.
fn inverted(value: &Expression) -> Option<(&Expression, Expression)> {
    let Expression::Power(sides) = value else { return None };
    let exponent = match &sides[1] {
        Expression::Number(number) if number.is_negative() => Expression::Number(-number),
        Expression::Decimal(decimal) if decimal.value.is_negative() => {
            Expression::Decimal(Decimal { value: -&decimal.value, digits: decimal.digits })
        }
        Expression::Mul(factors) if has_minus(factors) => {
            let mut factors = factors.clone();
            if let Expression::Number(number) = &factors[0] {
                factors[0] = Expression::Number(-number);
            }
            match factors.as_slice() {
                [one, rest] if one.as_integer().is_some_and(One::is_one) => rest.clone(),
                _ => Expression::Mul(factors),
            }
        }
        _ => return None,
    };
    Some((&sides[0], exponent))
}

fn product(factors: &[Expression]) -> String {
    let is_plain = |factor: &Expression| match factor {
        Expression::Number(_) | Expression::Decimal(_) => true,
        Expression::Constant(Constant::Infinity | Constant::NegativeInfinity) => true,
        Expression::Power(sides) => sides.iter().all(|side| side.as_integer().is_some()),
        _ => false,
    };
    let written = factors.first().and_then(Expression::as_integer).is_some_and(One::is_one);
    if written || factors[1..].iter().any(is_plain) {
        return written_product(factors);
    }
    let around = if has_minus(factors) { Binding::Sum } else { Binding::Product };
    let (sign, kept);
    match factors.first() {
        Some(Expression::Number(number)) if number.is_negative() => {
            sign = "-";
            let mut rest = factors.to_vec();
            if (-number).is_one() {
                rest.remove(0);
            } else {
                rest[0] = Expression::Number(-number);
            }
            kept = rest;
        }
        Some(Expression::Decimal(decimal)) if decimal.value.is_negative() => {
            sign = "-";
            let mut rest = factors.to_vec();
            rest[0] =
                Expression::Decimal(Decimal { value: -&decimal.value, digits: decimal.digits });
            kept = rest;
        }
        _ => {
            sign = "";
            kept = factors.to_vec();
        }
    }
    if let [Expression::Mul(inner)] = kept.as_slice() {
        if sign == "-" {
            return format!("-{}", ordered_product(&order::ordered_factors(inner), Binding::Sum));
        }
        return product(inner);
    }
    if let [only] = kept.as_slice() {
        return match only {
            Expression::Add(_) => format!("{sign}({})", text(only)),
            only => format!("{sign}{}", ordered_product(&[only], around)),
        };
    }
    if let ("-", Some(text)) = (sign, over_product(&kept)) {
        return format!("-{text}");
    }
    let factors = if kept.iter().any(|factor| matches!(factor, Expression::Matrix(_))) {
        kept.iter().collect()
    } else {
        order::ordered_factors(&kept)
    };
    format!("{sign}{}", ordered_product(&factors, around))
}

/// A number over a product, after a minus: `-2*1/(3*x)`, `-2*(-1/x)`.
fn over_product(factors: &[Expression]) -> Option<String> {
    let [number @ Expression::Number(_), Expression::Power(sides)] = factors else { return None };
    let (Expression::Mul(below), Some(exponent)) = (&sides[0], sides[1].as_integer()) else {
        return None;
    };
    if !(-exponent).is_one() {
        return None;
    }
    let negative = matches!(below.first(), Some(Expression::Number(first)) if (-first).is_one());
    let below = if negative { &below[1..] } else { below.as_slice() };
    let below: Vec<String> = below.iter().map(|factor| within(factor, Binding::Product)).collect();
    let inverse = quotient(&[], &below);
    Some(if negative {
        format!("{}*(-{inverse})", text(number))
    } else {
        format!("{}*{inverse}", text(number))
    })
}

/// A product with its factors in the order written, as nothing in it was computed.
fn written_product(factors: &[Expression]) -> String {
    let around = if has_minus(factors) { Binding::Sum } else { Binding::Product };
    let mut above = Vec::new();
    let mut below = Vec::new();
    for factor in factors {
        match inverted(factor) {
            Some((base, exponent)) => below.push(raised(base.clone(), exponent)),
            None => above.push(factor),
        }
    }
    let above: Vec<String> = above
        .into_iter()
        .enumerate()
        .map(|(index, factor)| {
            let minus = match factor {
                Expression::Mul(factors) => has_minus(factors),
                factor => factor.is_negative_number(),
            };
            if index == 0 && minus { text(factor) } else { within(factor, around) }
        })
        .collect();
    let below: Vec<String> = below.iter().map(|factor| within(factor, around)).collect();
    quotient(&above, &below)
}

fn raised(base: Expression, exponent: Expression) -> Expression {
    if exponent.as_integer().is_some_and(One::is_one) { base } else { base.power(exponent) }
}

fn quotient(above: &[String], below: &[String]) -> String {
    let numerator = if above.is_empty() { "1".into() } else { above.join("*") };
    match below {
        [] => numerator,
        [only] => format!("{numerator}/{only}"),
        below => format!("{numerator}/({})", below.join("*")),
    }
}

fn ordered_product(factors: &[&Expression], around: Binding) -> String {
    let mut above = Vec::new();
    let mut below = Vec::new();
    for factor in factors {
        if let Expression::Number(number) = factor
            && !factors.iter().any(|factor| matches!(factor, Expression::Matrix(_)))
        {
            if !number.numer().is_one() {
                above.push(within(&Expression::integer(number.numer().clone()), around));
            }
            if !number.denom().is_one() {
                below.push(number.denom().to_string());
            }
            continue;
        }
        let Some((base, exponent)) = inverted(factor) else {
            above.push(within(factor, around));
            continue;
        };
        let inverse = exponent.as_integer().is_some_and(One::is_one);
        let printed = within(&raised(base.clone(), exponent), around);
        let doubled = inverse
            && matches!(base, Expression::Mul(_) | Expression::Power(_))
            && parts(base) != 1;
        below.push(if doubled { format!("({printed})") } else { printed });
    }
    quotient(&above, &below)
}

fn parts(value: &Expression) -> usize {
    match value {
        Expression::Mul(factors) => factors.len(),
        // A root has a sign of its own.
        Expression::Power(_) => 2,
        _ => 1,
    }
}

fn power(base: &Expression, exponent: &Expression) -> String {
    if let (Expression::Number(number), false) = (exponent, matches!(base, Expression::Matrix(_))) {
        let half = BigRational::new(BigInt::one(), BigInt::from(2));
        if *number == half {
            return format!("sqrt({})", text(base));
        }
        if -number == half {
            return format!("1/sqrt({})", text(base));
        }
        if (-number).is_one() {
            return format!("1/{}", within(base, Binding::Power));
        }
    }
    format!("{}**{}", within(base, Binding::Power), within(exponent, Binding::Power))
}

fn bound_text(bound: &Bound) -> String {
    let name = match bound.kind {
        BoundKind::Sum => "Sum",
        BoundKind::Product => "Product",
        BoundKind::Integral => "Integral",
    };
    let mut ranges = Vec::new();
    let mut current = bound;
    loop {
        ranges.push(match &current.limits {
            Some([lower, upper]) => {
                format!("({}, {}, {})", current.variable.name, text(lower), text(upper))
            }
            None => current.variable.name.to_string(),
        });
        match &current.body {
            Expression::Bound(inner) if inner.kind == bound.kind => current = inner,
            _ => break,
        }
    }
    ranges.reverse();
    format!("{name}({}, {})", text(&current.body), ranges.join(", "))
}

fn interval_text(interval: &Interval) -> String {
    let infinite = |value: &Expression| {
        matches!(value, Expression::Constant(Constant::Infinity | Constant::NegativeInfinity))
    };
    let left = interval.left_open && !infinite(&interval.start);
    let right = interval.right_open && !infinite(&interval.end);
    let (start_infinite, end_infinite) = (infinite(&interval.start), infinite(&interval.end));
    let form = match (interval.left_open, interval.right_open) {
        _ if start_infinite && end_infinite => "",
        (_, false) if start_infinite => "",
        (false, _) if end_infinite => "",
        (_, false) if !left => "",
        (false, _) if !right => "",
        (true, true) => ".open",
        (true, false) => ".Lopen",
        (false, true) => ".Ropen",
        (false, false) => "",
    };
    // The ends are shown as if each stood alone.
    format!("Interval{form}({}, {})", interval.start, interval.end)
}

fn relation_text(relation: Relation, left: &Expression, right: &Expression) -> String {
    let sign = match relation {
        Relation::Equal => return format!("Eq({}, {})", text(left), text(right)),
        Relation::NotEqual => return format!("Ne({}, {})", text(left), text(right)),
        Relation::Less => "<",
        Relation::LessOrEqual => "<=",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => ">=",
    };
    format!("{} {sign} {}", text(left), text(right))
}

fn chain(links: &[Expression]) -> String {
    let link = |link: &Expression| {
        let printed = text(link);
        match link {
            Expression::Relation(Relation::Equal | Relation::NotEqual, _) => printed,
            _ => format!("({printed})"),
        }
    };
    let mut ordered: Vec<&Expression> = links.iter().collect();
    ordered.sort_by(|left, right| {
        order::size(left).cmp(&order::size(right)).then_with(|| order::compare(left, right))
    });
    ordered.into_iter().map(link).collect::<Vec<_>>().join(" & ")
}

/// Whether zeros at the end of a decimal are shown.
#[derive(Clone, Copy, PartialEq)]
enum Zeros {
    Kept,
    Stripped,
}

/// A decimal to as many significant digits as it has, rounded, in scientific notation if very small or
/// large.
fn decimal_text(decimal: &Decimal, zeros: Zeros) -> String {
    let digits = i64::from(decimal.digits);
    if decimal.value.is_zero() {
        return "0.0".into();
    }
    let sign = if decimal.value.is_negative() { "-" } else { "" };
    let (mut printed, exponent) = significant(&decimal.value.abs(), digits);
    if zeros == Zeros::Stripped {
        printed.truncate(printed.trim_end_matches('0').len().max(1));
    }
    let lowest = (-(digits / 3)).min(-5);
    if exponent <= lowest || exponent >= digits {
        let (first, rest) = printed.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}.{rest}e{direction}{}", exponent.abs());
    }
    if exponent < 0 {
        let leading = usize::try_from(-exponent - 1).unwrap_or(0);
        return format!("{sign}0.{}{printed}", "0".repeat(leading));
    }
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    if printed.len() <= whole {
        let filled = format!("{printed:0<whole$}");
        return format!("{sign}{filled}.{}", if zeros == Zeros::Stripped { "0" } else { "" });
    }
    let (integer, fraction) = printed.split_at(whole);
    format!("{sign}{integer}.{fraction}")
}

/// That many significant digits of a positive number, and the power of ten of the first.
fn significant(value: &BigRational, digits: i64) -> (String, i64) {
    let length = |number: &BigInt| i64::try_from(number.to_string().len()).unwrap_or(i64::MAX);
    let mut exponent = length(value.numer()) - length(value.denom());
    loop {
        let shift = digits - 1 - exponent;
        let ten = BigInt::from(10).pow(u32::try_from(shift.abs()).unwrap_or(u32::MAX));
        let scaled = if shift >= 0 {
            value * BigRational::from_integer(ten)
        } else {
            value / BigRational::from_integer(ten)
        };
        let text = scaled.round().to_integer().to_string();
        let found = i64::try_from(text.len()).unwrap_or(i64::MAX);
        if found == digits {
            return (text, exponent);
        }
        exponent += found - digits;
    }
}
