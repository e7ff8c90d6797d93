//! The points at which expressions are compared.

use num_bigint::BigInt;

use super::ball::Ball;
use super::complex::Complex;
use super::{CELLS, SCALED_POINTS};
use crate::math::expression::{Expression, Function, Symbol};

/// How large the numbers of a point are, as powers of two, from attempt to attempt.
const SCALES: [i64; 8] = [2, 14, 9, 5, 0, -3, 1, 3];

/// How far symbols go from point to point through cells and integers. They have no factor in common with
/// the number of these.
const STRIDES: [usize; 6] = [5, 7, 11, 13, 17, 19];

/// The most symbols of expressions that are compared by their values.
const SYMBOLS_MAX: usize = 200;

/// Integers are drawn from so many, from 2 up.
const INTEGERS: usize = 64;

/// Whether an expression may be another analytic function for other signs or sizes of its symbols.
pub(super) fn is_piecewise(value: &Expression) -> bool {
    match value {
        Expression::Add(parts) | Expression::Mul(parts) => parts.iter().any(is_piecewise),
        Expression::Power(sides) => {
            let analytic = sides[1].as_integer().is_some() || !has_symbol(&sides[0]);
            !analytic || sides.iter().any(is_piecewise)
        }
        Expression::Function(function, arguments) => {
            use Function::{
                Binomial, Cos, Cosh, Cot, Csc, Exp, Factorial, Sec, Sin, Sinh, Tan, Tanh,
            };
            let analytic = matches!(
                function,
                Binomial | Cos | Cosh | Cot | Csc | Exp | Factorial | Sec | Sin | Sinh | Tan | Tanh
            );
            let varies = arguments.iter().any(has_symbol);
            (varies && !analytic) || arguments.iter().any(is_piecewise)
        }
        Expression::Number(_)
        | Expression::Decimal(_)
        | Expression::Constant(_)
        | Expression::Symbol(_) => false,
        _ => true,
    }
}

fn has_symbol(value: &Expression) -> bool {
    match value {
        Expression::Number(_) | Expression::Decimal(_) | Expression::Constant(_) => false,
        Expression::Add(parts) | Expression::Mul(parts) | Expression::Function(_, parts) => {
            parts.iter().any(has_symbol)
        }
        Expression::Power(sides) => sides.iter().any(has_symbol),
        _ => true,
    }
}

/// From what a symbol is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// Real or complex numbers.
    Continuous,
    /// Integers, as it counts something: the argument of a factorial, the end of a sum.
    Integers,
}

/// The free symbols of expressions.
#[derive(Default)]
pub(super) struct Symbols {
    pub(super) found: Vec<(Symbol, bool)>,
    bound: Vec<Symbol>,
}

impl Symbols {
    /// Collects what is free in an expression. Beyond [`SYMBOLS_MAX`] nothing more is noted.
    pub(super) fn collect(&mut self, value: &Expression, domain: Domain) {
        use Expression as E;
        match value {
            E::Symbol(symbol) => self.note(symbol, domain),
            E::Function(
                Function::Factorial | Function::Binomial | Function::Gcd | Function::Lcm,
                parts,
            ) => {
                parts.iter().for_each(|part| self.collect(part, Domain::Integers));
            }
            E::Add(parts) | E::Mul(parts) | E::Function(_, parts) | E::Applied(_, parts) => {
                parts.iter().for_each(|part| self.collect(part, domain));
            }
            E::Power(sides) | E::Complement(sides) | E::Relation(_, sides) => {
                sides.iter().for_each(|side| self.collect(side, domain));
            }
            E::Bound(bound) => {
                for limit in bound.limits.iter().flatten() {
                    self.collect(limit, Domain::Integers);
                }
                self.bound.push(bound.variable.clone());
                self.collect(&bound.body, domain);
                self.bound.pop();
            }
            E::Limit(limit) => {
                self.collect(&limit.point, domain);
                self.bound.push(limit.variable.clone());
                self.collect(&limit.body, domain);
                self.bound.pop();
            }
            E::Matrix(matrix) => matrix.entries.iter().for_each(|part| self.collect(part, domain)),
            E::Set(parts)
            | E::Tuple(parts)
            | E::Union(parts)
            | E::Intersection(parts)
            | E::Chain(parts) => {
                parts.iter().for_each(|part| self.collect(part, domain));
            }
            E::Interval(interval) => {
                self.collect(&interval.start, domain);
                self.collect(&interval.end, domain);
            }
            E::Number(_)
            | E::Decimal(_)
            | E::Constant(_)
            | E::NumberSet(_)
            | E::Derivative { .. } => {}
        }
    }

    pub(super) const fn are_too_many(&self) -> bool {
        self.found.len() > SYMBOLS_MAX
    }

    /// How many symbols stand for integers.
    pub(super) fn count_integers(&self) -> usize {
        self.found.iter().filter(|(_, integer)| *integer).count()
    }

    fn note(&mut self, symbol: &Symbol, domain: Domain) {
        if self.bound.contains(symbol) || self.are_too_many() {
            return;
        }
        let integer = domain == Domain::Integers;
        match self.found.iter_mut().find(|(found, _)| found == symbol) {
            Some((_, known)) => *known |= integer,
            None => self.found.push((symbol.clone(), integer)),
        }
    }

    pub(super) fn point(&self, random: &mut Random, attempt: usize) -> Vec<(Symbol, Complex)> {
        let draw = |(index, (symbol, integer)): (usize, &(Symbol, bool))| {
            // All signs of the first symbols come up in turn, each with several sizes.
            let negative =
                if index < 4 { attempt >> index & 1 == 1 } else { random.next() & 1 == 1 };
            let scale = SCALES[(attempt / 2 + 3 * index) % SCALES.len()];
            let among_cells = (SCALED_POINTS..SCALED_POINTS + CELLS).contains(&attempt);
            if among_cells && !integer && symbol.real {
                // Each symbol goes through the cells in an order of its own.
                let cell = ((attempt + index) * STRIDES[index % STRIDES.len()]) % CELLS;
                let value = random.between(i64::try_from(cell).unwrap_or(0) - 12);
                return (symbol.clone(), Complex::real(value));
            }
            let value = match (integer, symbol.real) {
                (true, _) => {
                    let value = 2 + ((attempt + index) * STRIDES[index % STRIDES.len()]) % INTEGERS;
                    Complex::real(Ball::exact(BigInt::from(value), 0))
                }
                (false, true) => Complex::real(random.real(negative, scale)),
                (false, false) => {
                    Complex::new(random.real(negative, scale), random.real(attempt & 4 == 4, scale))
                }
            };
            (symbol.clone(), value)
        };
        self.found.iter().enumerate().map(draw).collect()
    }
}

/// A sequence of numbers that look random: SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number of 64 random bits between an integer and the next.
    fn between(&mut self, integer: i64) -> Ball {
        Ball::exact((BigInt::from(integer) << 64_u32) + (self.next() | 1), -64)
    }

    /// A number of 64 random bits below two to the power of `scale`.
    pub(super) fn real(&mut self, negative: bool, scale: i64) -> Ball {
        let magnitude = Ball::exact(BigInt::from(self.next() | 1), scale - 64);
        if negative { magnitude.negated() } else { magnitude }
    }
}
