//! Values of expressions at points, in high precision with bounds of the error.
//!
//! Two expressions are the same function if they agree at a few points that are drawn from 2^64 numbers
//! each: analytic functions that differ agree in isolated points only, so that it happens by chance with
//! less than 2^-60. Functions in pieces (roots, logarithms, absolute values) are looked at in 64 points of
//! all signs and of sizes from 1/8 to 16384, one of them between each two integers from -12 to 12, and
//! functions of integers at 62 different ones: those that differ on half of what is drawn are found out as
//! surely. Where steps run out, or values are not there, a quarter of these points is enough.
//!
//! "Differ" is certain: the balls of both values are apart. A point where one side has no value is skipped.
//! The points are the same in each run, so a verdict is, too.

mod ball;
mod complex;
mod elementary;
mod evaluation;
mod limits;
mod points;

use std::cmp::Ordering;

use num_rational::BigRational;
#[cfg(test)]
use num_traits::ToPrimitive;

use super::expression::{Expression, Symbol};
use super::steps::Steps;
use ball::{Ball, Bound, Problem};
use complex::Complex;
use evaluation::Evaluation;
use points::{Domain, Random, Symbols, is_piecewise};

/// Bits of precision, from the first attempt on.
const PRECISIONS: [i64; 3] = [192, 448, 1200];

/// At how many points functions in pieces are looked at between integers near zero, and before that.
const CELLS: usize = 24;
const SCALED_POINTS: usize = 10;

/// The bits of precision from there on.
const CELL_PRECISIONS: [i64; 3] = [96, 192, 448];

/// At how many points two expressions must agree.
#[derive(Clone, Copy, Debug)]
struct Needed {
    points: usize,
    /// How many are enough if others have no value or there are no steps for them.
    fewest: usize,
    /// How many are tried beyond those that are needed.
    spare: usize,
}

impl Needed {
    const CONSTANT: Self = Self { points: 1, fewest: 1, spare: 0 };
    const ANALYTIC: Self = Self { points: 3, fewest: 2, spare: 7 };
    const OF_INTEGERS: Self = Self { points: 62, fewest: 14, spare: 2 };
    const IN_PIECES: Self = Self { points: 64, fewest: 16, spare: 7 };

    fn by(symbols: &Symbols, left: &Expression, right: &Expression) -> Self {
        if symbols.found.is_empty() {
            Self::CONSTANT
        } else if is_piecewise(left) || is_piecewise(right) {
            Self::IN_PIECES
        } else if symbols.count_integers() > 0 {
            Self::OF_INTEGERS
        } else {
            Self::ANALYTIC
        }
    }
}

/// What evaluation says about two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    /// They agree wherever it was looked.
    Same,
    /// They differ somewhere.
    Apart,
    /// The steps were used up.
    Steps,
    /// A number became too large.
    Size,
    /// There is no numeric method for a part of them.
    Unsupported(&'static str),
    /// No point was found at which both have a value.
    NoPoint,
}

/// Compares two expressions as functions of their symbols.
pub(super) fn compare(left: &Expression, right: &Expression, steps: &mut Steps) -> Sameness {
    let mut symbols = Symbols::default();
    symbols.collect(left, Domain::Continuous);
    symbols.collect(right, Domain::Continuous);
    if symbols.are_too_many() {
        return Sameness::Unsupported("so many symbols");
    }
    let needed = Needed::by(&symbols, left, right);
    let mut random = Random(0x5DEE_CE66_D1CE_4E5B);
    let (mut agreeing, mut last) = (0, Problem::Undefined);
    for attempt in 0..needed.points + needed.spare {
        let point = symbols.point(&mut random, attempt);
        match compare_at(left, right, &point, precisions(attempt), steps) {
            Ok(true) => agreeing += 1,
            Ok(false) => return Sameness::Apart,
            Err(problem) => last = problem,
        }
        if agreeing == needed.points || last == Problem::Steps {
            break;
        }
    }
    match last {
        _ if agreeing >= needed.fewest => Sameness::Same,
        Problem::Steps => Sameness::Steps,
        Problem::Size => Sameness::Size,
        Problem::Unsupported(kind) => Sameness::Unsupported(kind),
        Problem::Undefined | Problem::Imprecise => Sameness::NoPoint,
    }
}

/// The bits of precision at the points of an attempt.
const fn precisions(attempt: usize) -> [i64; 3] {
    if attempt < SCALED_POINTS { PRECISIONS } else { CELL_PRECISIONS }
}

/// Whether two expressions agree at a point.
fn compare_at(
    left: &Expression,
    right: &Expression,
    point: &[(Symbol, Complex)],
    precisions: [i64; 3],
    steps: &mut Steps,
) -> Result<bool, Problem> {
    for precision in precisions {
        let mut evaluation = Evaluation::new(point, precision, steps);
        let values = evaluation.value(left).and_then(|left| Ok((left, evaluation.value(right)?)));
        let (left, right) = match values {
            Err(Problem::Imprecise) => continue,
            values => values?,
        };
        let difference = left.minus(&right, precision);
        if difference.is_nonzero() {
            return Ok(false);
        }
        let scale = left.above().plus(right.above()).plus(Bound::power_of_two(0));
        if difference.above().magnitude() < scale.magnitude() - precision * 3 / 5 {
            return Ok(true);
        }
    }
    Err(Problem::Imprecise)
}

/// Whether one expression is a constant multiple of the other, and not zero.
pub(super) fn proportional(
    left: &Expression,
    right: &Expression,
    least_symbols: usize,
    steps: &mut Steps,
) -> bool {
    let mut symbols = Symbols::default();
    symbols.collect(left, Domain::Continuous);
    symbols.collect(right, Domain::Continuous);
    if symbols.found.len() < least_symbols || symbols.are_too_many() {
        return false;
    }
    let needed = Needed::by(&symbols, left, right);
    let mut random = Random(0x5DEE_CE66_D1CE_4E5B);
    let mut first: Option<(Complex, Complex)> = None;
    let mut agreeing = 0;
    for attempt in 0..needed.points + needed.spare {
        let precision = precisions(attempt)[0];
        let point = symbols.point(&mut random, attempt);
        let mut evaluation = Evaluation::new(&point, precision, steps);
        let values = evaluation.value(left).and_then(|left| Ok((left, evaluation.value(right)?)));
        let (left, right) = match values {
            Ok(values) => values,
            Err(Problem::Steps) => break,
            Err(_) => continue,
        };
        if !left.is_nonzero() || !right.is_nonzero() {
            continue;
        }
        let Some((first_left, first_right)) = &first else {
            first = Some((left, right));
            continue;
        };
        let cross = left.times(first_right, precision);
        let difference = cross.minus(&right.times(first_left, precision), precision);
        if difference.is_nonzero() {
            return false;
        }
        agreeing += 1;
        if agreeing == needed.points {
            break;
        }
    }
    agreeing >= needed.fewest
}

/// The real value of an expression without symbols, as a fraction close to it: within 10^-40 or so.
pub(super) fn approximation(value: &Expression, steps: &mut Steps) -> Option<BigRational> {
    for precision in PRECISIONS {
        match Evaluation::new(&[], precision, steps).value(value) {
            Ok(value) => {
                if value.imaginary.as_ref().is_some_and(|part| part.above().magnitude() > -100) {
                    return None;
                }
                if value.real.radius().magnitude() < -140 || value.real.is_exact() {
                    return Ball::exact(value.real.mantissa().clone(), value.real.exponent())
                        .as_rational();
                }
            }
            Err(Problem::Imprecise) => {}
            Err(_) => return None,
        }
    }
    None
}

/// The sign of an expression without symbols; none if it is not known or not real.
pub(super) fn sign(value: &Expression, steps: &mut Steps) -> Option<Ordering> {
    for precision in PRECISIONS {
        match Evaluation::new(&[], precision, steps).value(value) {
            Ok(value) => match (&value.imaginary, value.real.sign()) {
                (Some(_), _) => return None,
                (None, Some(sign)) => return Some(sign),
                // Zero cannot be told from what is very close to it.
                (None, None) if value.real.above().magnitude() < -precision / 2 => {
                    return Some(Ordering::Equal);
                }
                (None, None) => {}
            },
            Err(Problem::Imprecise) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Roughly the value of an expression without symbols, if it is real.
pub(super) fn estimate(value: &Expression, steps: &mut Steps) -> Option<f64> {
    let value = Evaluation::new(&[], PRECISIONS[0], steps).value(value).ok()?;
    value.imaginary.is_none().then(|| value.real.to_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{latex, steps::STEPS_MAX};

    fn same(left: &str, right: &str) -> Sameness {
        let read = |text| latex::parse(text).expect("the text is LaTeX");
        compare(&read(left), &read(right), &mut Steps::new(STEPS_MAX))
    }

    #[test]
    fn constants_have_the_digits_that_are_known_of_them() {
        for (text, digits) in [
            (
                "\\pi",
                "3.14159265358979323846264338327950288419716939937510582097494459230781640628",
            ),
            ("e", "2.71828182845904523536028747135266249775724709369995957496696762772407663035"),
            (
                "\\ln 2",
                "0.69314718055994530941723212145817656807550013436025525412068000949339362196",
            ),
            (
                "\\sqrt{2}",
                "1.41421356237309504880168872420969807856967187537694807317667973799073247846",
            ),
            (
                "\\sin(1)",
                "0.84147098480789650665250232163029899962256306079837106567275170999191040439",
            ),
            (
                "\\cos(1)",
                "0.54030230586813971740093660744297660373231042061792222767009725538110039477",
            ),
            (
                "\\arctan(2)",
                "1.10714871779409050301706546017853704007004764540143264667653920743270411013",
            ),
            (
                "\\cosh(1)",
                "1.54308063481524377847790562075706168260152911236586370473740221471076906304",
            ),
            (
                "\\ln(10)",
                "2.30258509299404568401799145468436420760110148862877297603332790096757260967",
            ),
        ] {
            let read = |text: &str| latex::parse(text).expect("the text is LaTeX");
            let mut steps = Steps::new(STEPS_MAX);
            let value = approximation(&read(text), &mut steps).expect("the value is real");
            let Expression::Decimal(known) = read(digits) else { panic!("{digits} is a decimal") };
            let error = (value - known.value).to_f64().expect("the error is small");
            assert!(error.abs() < 1e-40, "{text} is off by {error}");
        }
    }

    #[test]
    fn identities_hold_at_all_points_and_near_misses_do_not() {
        for (left, right) in [
            ("e^{\\ln x}", "x"),
            ("\\sin^2 x + \\cos^2 x", "1"),
            ("\\tan x", "\\frac{\\sin x}{\\cos x}"),
            ("\\cosh^2 x - \\sinh^2 x", "1"),
            ("\\sin(3x)", "3\\sin x - 4\\sin^3 x"),
            ("\\arcsin x + \\arccos x", "\\frac{\\pi}{2}"),
            ("\\sinh(\\operatorname{arcsinh} x)", "x"),
            ("\\tan(\\arctan(x))", "x"),
            ("|x+yI|", "\\sqrt{x^2+y^2}"),
            ("e^{Ix}", "\\cos x + I\\sin x"),
            ("2^{x+y}", "2^x 2^y"),
            ("16\\arctan(\\frac{1}{5}) - 4\\arctan(\\frac{1}{239})", "\\pi"),
            ("\\sqrt[3]{2+\\sqrt{5}} - \\sqrt[3]{\\sqrt{5}-2}", "1"),
        ] {
            assert_eq!(same(left, right), Sameness::Same, "{left} and {right}");
        }
        for (left, right) in [
            ("\\sqrt{x^2}", "x"),
            ("\\ln(x^2)", "2\\ln x"),
            ("e^{\\pi\\sqrt{163}}", "262537412640768744"),
            ("x^{10^{6}}", "x^{10^{6}+1}"),
            ("\\lfloor 10\\pi \\rfloor", "32"),
            ("br\\sqrt{k}", "\\sqrt{(br\\sqrt{k})^2}"),
            ("|x-10|", "10-x"),
            ("|x+y+100|", "x+y+100"),
            ("|x+1000|", "x+1000"),
            ("|xy|", "xy"),
            ("n! + (n-5)(n-7)(n-9)(n-11)(n-13)", "n!"),
        ] {
            assert_eq!(same(left, right), Sameness::Apart, "{left} and {right}");
        }
    }

    #[test]
    fn zero_is_not_divided_by() {
        assert_eq!(same("\\frac{x}{x-x}", "1"), Sameness::NoPoint);
        assert_eq!(same("\\ln(\\sin(\\pi))", "1"), Sameness::NoPoint);
        assert_eq!(same("\\frac{x^2-x}{x-1}", "x"), Sameness::Same);
    }
}
