//! What an answer says, as a tree: numbers, symbols, functions, sets, relations and the like.
//!
//! Nothing is computed when a tree is built, as the form counts: an answer is shown as it was written,
//! and `2^{10}` costs as little as `2^{9^9}`. Numbers are exact; a decimal keeps the digits that it was
//! written with. Trees are at most [`DEPTH_MAX`] levels deep, which the parsers see to, so that walking
//! and dropping them by recursion is safe.

use std::sync::Arc;

pub use super::decimals::DIGITS_MAX;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

/// The deepest nesting that a parser builds. The original's parser needs minutes for less.
pub const DEPTH_MAX: usize = 40;

/// A mathematical object.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// An integer or a fraction in lowest terms.
    Number(BigRational),
    /// A number written with a decimal point.
    Decimal(Decimal),
    /// One of the named numbers.
    Constant(Constant),
    /// A variable, or a text.
    Symbol(Symbol),
    /// A sum of two terms or more.
    Add(Vec<Expression>),
    /// A product of two factors or more.
    Mul(Vec<Expression>),
    /// Base and exponent. Roots and quotients are powers too.
    Power(Box<[Expression; 2]>),
    /// A known function of its arguments.
    Function(Function, Vec<Expression>),
    /// An unknown function of its arguments: `f(x)`.
    Applied(Arc<str>, Vec<Expression>),
    /// A sum, product or integral, not carried out.
    Bound(Box<Bound>),
    /// A limit, not carried out.
    Limit(Box<Limit>),
    /// The `order`-th derivative of `body` by `variable`, not carried out.
    Derivative {
        /// What is differentiated.
        body: Box<Expression>,
        /// By what.
        variable: Symbol,
        /// How many times.
        order: u32,
    },
    /// A matrix or a vector.
    Matrix(Matrix),
    /// A set given by its elements, in the order written, perhaps with repetitions.
    Set(Vec<Expression>),
    /// An interval of the reals.
    Interval(Box<Interval>),
    /// A union of two sets or more.
    Union(Vec<Expression>),
    /// An intersection of two sets or more.
    Intersection(Vec<Expression>),
    /// The elements of the first set that are not in the second.
    Complement(Box<[Expression; 2]>),
    /// One of the sets of numbers that have a name.
    NumberSet(NumberSet),
    /// An ordered list.
    Tuple(Vec<Expression>),
    /// An equation or an inequality.
    Relation(Relation, Box<[Expression; 2]>),
    /// Relations that hold together, in the order written: `1 < x < 5`, `a = b = 3`.
    Chain(Vec<Expression>),
}

/// A number written with a decimal point.
#[derive(Clone, Debug, PartialEq)]
pub struct Decimal {
    /// The number that the digits say, exactly.
    pub value: BigRational,
    /// The digits that count: those written, at least 15.
    pub digits: u32,
}

/// A number with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Constant {
    /// π.
    Pi,
    /// Euler's number.
    Euler,
    /// The imaginary unit.
    ImaginaryUnit,
    /// +∞.
    Infinity,
    /// -∞.
    NegativeInfinity,
    /// ∞ in the complex plane, of no direction: 1/0.
    ComplexInfinity,
    /// 0/0.
    Undefined,
}

/// A variable, or a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    /// Its name as printed.
    pub name: Arc<str>,
    /// Whether it stands for a real number. Symbols that differ in this are different.
    pub real: bool,
}

/// A function that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// The tangent.
    Tan,
    /// The cosecant.
    Csc,
    /// The secant.
    Sec,
    /// The cotangent.
    Cot,
    /// The inverse of the sine.
    Asin,
    /// The inverse of the cosine.
    Acos,
    /// The inverse of the tangent.
    Atan,
    /// The inverse of the cosecant.
    Acsc,
    /// The inverse of the secant.
    Asec,
    /// The inverse of the cotangent.
    Acot,
    /// The hyperbolic sine.
    Sinh,
    /// The hyperbolic cosine.
    Cosh,
    /// The hyperbolic tangent.
    Tanh,
    /// The inverse of the hyperbolic sine.
    Asinh,
    /// The inverse of the hyperbolic cosine.
    Acosh,
    /// The inverse of the hyperbolic tangent.
    Atanh,
    /// `e` to the power of its argument.
    Exp,
    /// The logarithm of the first argument to the base of the second, or to the base `e`.
    Log,
    /// The absolute value.
    Abs,
    /// The greatest integer not above.
    Floor,
    /// The least integer not below.
    Ceiling,
    /// The factorial.
    Factorial,
    /// The binomial coefficient.
    Binomial,
    /// The greatest of its arguments.
    Max,
    /// The least of its arguments.
    Min,
    /// The greatest common divisor.
    Gcd,
    /// The least common multiple.
    Lcm,
    /// The remainder of the first argument by the second.
    Mod,
    /// The real part.
    Re,
    /// The imaginary part.
    Im,
    /// The angle of a complex number.
    Arg,
    /// The complex conjugate.
    Conjugate,
    /// The sign.
    Sign,
    /// The determinant of a matrix.
    Determinant,
    /// The trace of a matrix.
    Trace,
    /// The rank of a matrix.
    Rank,
    /// The transpose of a matrix.
    Transpose,
    /// The length of a vector.
    Norm,
}

/// A sum, product or integral, not carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Which of them.
    pub kind: BoundKind,
    /// What is summed, multiplied or integrated.
    pub body: Expression,
    /// The variable that runs.
    pub variable: Symbol,
    /// From where to where; an integral may have none.
    pub limits: Option<[Expression; 2]>,
}

/// What a [`Bound`] does with its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BoundKind {
    /// Adds.
    Sum,
    /// Multiplies.
    Product,
    /// Integrates.
    Integral,
}

/// A limit, not carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What goes to the limit.
    pub body: Expression,
    /// The variable that moves.
    pub variable: Symbol,
    /// Where it goes.
    pub point: Expression,
    /// From where it comes.
    pub side: Side,
}

/// From where the variable of a limit comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// From above.
    Above,
    /// From below.
    Below,
    /// From both sides.
    Both,
}

/// A matrix by rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// How many columns each row has.
    pub columns: usize,
    /// The entries, row after row.
    pub entries: Vec<Expression>,
}

/// An interval of the reals.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// Where it begins.
    pub start: Expression,
    /// Where it ends.
    pub end: Expression,
    /// Whether the start is left out.
    pub left_open: bool,
    /// Whether the end is left out.
    pub right_open: bool,
}

/// A set of numbers that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NumberSet {
    /// No number.
    Empty,
    /// 1, 2, 3, ...
    Naturals,
    /// ..., -1, 0, 1, ...
    Integers,
    /// The fractions.
    Rationals,
    /// The real numbers.
    Reals,
    /// The complex numbers.
    Complexes,
}

/// How two sides relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relation {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Relation {
    /// The relation of the two sides swapped.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

impl Matrix {
    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        match self.columns {
            0 => 0,
            columns => self.entries.len() / columns,
        }
    }

    /// Rows and columns exchanged.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let rows = self.rows();
        let column = |column: usize| {
            (0..rows).map(move |row| self.entries[row * self.columns + column].clone())
        };
        Self { columns: rows, entries: (0..self.columns).flat_map(column).collect() }
    }
}

impl Expression {
    /// An integer.
    pub fn integer(value: impl Into<BigInt>) -> Self {
        Self::Number(BigRational::from_integer(value.into()))
    }

    /// A fraction, which is brought to lowest terms. A denominator of zero makes it infinite or undefined.
    pub fn fraction(numerator: impl Into<BigInt>, denominator: impl Into<BigInt>) -> Self {
        let (numerator, denominator) = (numerator.into(), denominator.into());
        if !denominator.is_zero() {
            return Self::Number(BigRational::new(numerator, denominator));
        }
        let undefined = numerator.is_zero();
        Self::Constant(if undefined { Constant::Undefined } else { Constant::ComplexInfinity })
    }

    /// A symbol.
    pub fn symbol(name: impl Into<Arc<str>>, real: bool) -> Self {
        Self::Symbol(Symbol { name: name.into(), real })
    }

    /// That many hundredths, as a product that is not carried out; none of sets, tuples and relations.
    #[must_use]
    pub fn percent(self) -> Option<Self> {
        if self.is_collection() {
            return None;
        }
        Some(self.times(Self::fraction(1, 100)))
    }

    /// Whether there are symbols and nothing else in it. What is before the equals sign says then no more
    /// than a name does, and may be left out: `a+b=5`, `\sin x=\frac{1}{2}`.
    pub(super) fn is_symbolic(&self) -> bool {
        match self {
            Self::Symbol(_) => true,
            Self::Power(sides) if sides[1].as_integer().is_some_and(|it| *it == (-1).into()) => {
                // Of a denominator that is no expression anything is allowed.
                matches!(sides[0], Self::Number(_) | Self::Decimal(_) | Self::Constant(_))
                    || sides[0].is_symbolic()
            }
            Self::Power(sides) | Self::Relation(_, sides) => sides.iter().all(Self::is_symbolic),
            // The original takes the common divisor of symbols for 1.
            Self::Function(Function::Gcd, _) => false,
            Self::Add(parts)
            | Self::Mul(parts)
            | Self::Function(_, parts)
            | Self::Applied(_, parts)
            | Self::Tuple(parts)
            | Self::Chain(parts) => parts.iter().all(Self::is_symbolic),
            _ => false,
        }
    }

    /// Whether this is a set, a tuple or a relation, with which one cannot calculate.
    #[must_use]
    pub const fn is_collection(&self) -> bool {
        match self {
            Self::Set(_)
            | Self::Interval(_)
            | Self::Union(_)
            | Self::Intersection(_)
            | Self::Complement(_)
            | Self::NumberSet(_)
            | Self::Tuple(_)
            | Self::Relation(..)
            | Self::Chain(_) => true,
            Self::Number(_)
            | Self::Decimal(_)
            | Self::Constant(_)
            | Self::Symbol(_)
            | Self::Add(_)
            | Self::Mul(_)
            | Self::Power(_)
            | Self::Function(..)
            | Self::Applied(..)
            | Self::Bound(_)
            | Self::Limit(_)
            | Self::Derivative { .. }
            | Self::Matrix(_) => false,
        }
    }

    /// A power that is not carried out.
    #[must_use]
    pub fn power(self, exponent: Self) -> Self {
        Self::Power(Box::new([self, exponent]))
    }

    /// A product that is not carried out; factors that are products are taken apart.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        let mut factors = Vec::with_capacity(2);
        for factor in [self, other] {
            match factor {
                Self::Mul(inner) => factors.extend(inner),
                factor => factors.push(factor),
            }
        }
        Self::Mul(factors)
    }

    /// A sum that is not carried out; terms that are sums are taken apart.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut terms = Vec::with_capacity(2);
        for term in [self, other] {
            match term {
                Self::Add(inner) => terms.extend(inner),
                term => terms.push(term),
            }
        }
        Self::Add(terms)
    }

    /// The integer that this is, if it is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<&BigInt> {
        match self {
            Self::Number(value) if value.denom().is_one() => Some(value.numer()),
            _ => None,
        }
    }

    /// Whether this is a number, exact or decimal, below zero.
    #[must_use]
    pub fn is_negative_number(&self) -> bool {
        match self {
            Self::Number(value) | Self::Decimal(Decimal { value, .. }) => value.is_negative(),
            _ => false,
        }
    }
}
