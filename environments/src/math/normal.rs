//! Normal forms: quotients of polynomials with rational coefficients in what cannot be taken apart.
//!
//! Those are symbols, constants, roots of integers without square factors, and functions of arguments, which
//! count as the same if their arguments are written alike. The squares of the imaginary unit and of square
//! roots are replaced by their values. A difference whose normal form is zero is zero; if it is not, and
//! there is nothing in it but symbols, it is not zero.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::expression::{Constant, Expression};
use super::steps::Steps;
use super::{exact, weight};

/// The most terms of a polynomial.
const TERMS_MAX: usize = 400;

/// The steps of a normal form. There are other methods beside this one.
const STEPS_MAX: u64 = 12_000;

/// The steps of multiplying two terms, beside those of their coefficients.
const PAIR_STEPS: u64 = 2;

/// The largest exponent that is multiplied out, and the largest of a single generator.
const EXPANDED_MAX: u32 = 32;

/// The largest factor that is looked for under a root.
const FACTOR_MAX: u32 = 1000;

/// What a normal form says about an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeroness {
    /// It is zero.
    Zero,
    /// It is not.
    Nonzero,
    /// That is not known from the normal form.
    Unknown,
}

/// Whether one expression less another is zero.
pub(super) fn difference(left: &Expression, right: &Expression, steps: &mut Steps) -> Zeroness {
    steps.lend(STEPS_MAX, |steps| {
        Form { generators: Vec::new(), steps }.difference(left, right).unwrap_or(Zeroness::Unknown)
    })
}

/// Whether two quotients of polynomials in two symbols or more are zero at the same points, since the
/// numerator of one is a multiple of the other's, and neither denominator takes zeros away.
pub(super) fn same_numerators(left: &Expression, right: &Expression, steps: &mut Steps) -> bool {
    steps.lend(STEPS_MAX, |steps| {
        Form { generators: Vec::new(), steps }.same_numerators(left, right).unwrap_or(false)
    })
}

/// Exponents by generator, without zeros.
type Monomial = Vec<(usize, u32)>;

/// Coefficients by monomial, without zeros.
type Polynomial = BTreeMap<Monomial, BigRational>;

struct Form<'a> {
    generators: Vec<Expression>,
    steps: &'a mut Steps,
}

fn constant(value: BigRational) -> Polynomial {
    if value.is_zero() { Polynomial::new() } else { Polynomial::from([(Monomial::new(), value)]) }
}

fn add_term(
    polynomial: &mut Polynomial,
    monomial: Monomial,
    coefficient: BigRational,
    steps: &mut Steps,
) -> Option<()> {
    use std::collections::btree_map::Entry;
    match polynomial.entry(monomial) {
        Entry::Vacant(entry) => {
            if !coefficient.is_zero() {
                entry.insert(coefficient);
            }
        }
        Entry::Occupied(mut entry) => {
            let sum = exact::sum(entry.get(), &coefficient, steps)?;
            if sum.is_zero() {
                entry.remove();
            } else {
                entry.insert(sum);
            }
        }
    }
    Some(())
}

fn product(left: &Monomial, right: &Monomial) -> Monomial {
    let mut result = left.clone();
    for (generator, exponent) in right {
        match result.binary_search_by_key(generator, |(generator, _)| *generator) {
            Ok(at) => result[at].1 += exponent,
            Err(at) => result.insert(at, (*generator, *exponent)),
        }
    }
    result
}

fn value_at(polynomial: &Polynomial, point: &[BigRational]) -> BigRational {
    let term = |(monomial, coefficient): (&Monomial, &BigRational)| {
        let powers = monomial.iter().map(|(generator, exponent)| {
            point[*generator].pow(i32::try_from(*exponent).unwrap_or(i32::MAX))
        });
        powers.fold(coefficient.clone(), |product, power| product * power)
    };
    polynomial.iter().map(term).sum()
}

impl Form<'_> {
    fn difference(&mut self, left: &Expression, right: &Expression) -> Option<Zeroness> {
        let (left, left_below) = self.quotient(left)?;
        let (right, right_below) = self.quotient(right)?;
        let left = self.times(&left, &right_below)?;
        let mut right = self.times(&right, &left_below)?;
        right.values_mut().for_each(|coefficient| *coefficient = -&*coefficient);
        let symbols = |generator: &Expression| matches!(generator, Expression::Symbol(_));
        Some(match self.sum(left, right)? {
            difference if difference.is_empty() => Zeroness::Zero,
            _ if self.generators.iter().all(symbols) => Zeroness::Nonzero,
            _ => Zeroness::Unknown,
        })
    }

    fn same_numerators(&mut self, left: &Expression, right: &Expression) -> Option<bool> {
        let (left, left_below) = self.quotient(left)?;
        let (right, right_below) = self.quotient(right)?;
        let symbols =
            self.generators.iter().filter(|it| matches!(it, Expression::Symbol(_))).count();
        if symbols < 2 || left.len() != right.len() {
            return Some(false);
        }
        let ratio = exact::quotient(left.values().next()?, right.values().next()?, self.steps)?;
        for ((monomial, coefficient), (other, multiplied)) in left.iter().zip(&right) {
            let is_multiple = exact::product(&ratio, multiplied, self.steps)? == *coefficient;
            if monomial != other || !is_multiple {
                return Some(false);
            }
        }
        Some(self.is_apart(&left, &left_below)? && self.is_apart(&left, &right_below)?)
    }

    /// Whether it is known that a denominator has no factor in common with a numerator: its only term has
    /// none, or the numerator is not zero at a point where the denominator, linear in a generator, is.
    fn is_apart(&mut self, above: &Polynomial, below: &Polynomial) -> Option<bool> {
        // Twice as much as multiplying the terms of both.
        if !self.steps.spend(2 * PAIR_STEPS * (above.len() + below.len()) as u64) {
            return None;
        }
        if let [only] = below.keys().collect::<Vec<_>>().as_slice() {
            let has = |monomial: &Monomial, factor| monomial.iter().any(|(it, _)| *it == factor);
            let is_common = |factor| above.keys().all(|term| has(term, factor));
            return Some(!only.iter().any(|(factor, _)| is_common(*factor)));
        }
        let is_linear = |generator: &usize| {
            let with = |term: &&Monomial| term.iter().any(|(it, _)| it == generator);
            below.keys().filter(with).eq([&vec![(*generator, 1)]])
        };
        let Some(generator) = (0..self.generators.len()).find(is_linear) else {
            return Some(false);
        };
        // Odd numbers, of which no two are equal.
        let mut point: Vec<BigRational> = (0..self.generators.len())
            .map(|index| BigRational::from_integer((2 * index + 7).into()))
            .collect();
        point[generator] = BigRational::zero();
        let rest = value_at(below, &point);
        point[generator] = -rest / &below[&vec![(generator, 1)]];
        Some(!value_at(above, &point).is_zero())
    }

    fn sum(&mut self, mut left: Polynomial, right: Polynomial) -> Option<Polynomial> {
        for (monomial, coefficient) in right {
            if !self.steps.spend(1) {
                return None;
            }
            add_term(&mut left, monomial, coefficient, self.steps)?;
        }
        Some(left)
    }

    fn quotient(&mut self, value: &Expression) -> Option<(Polynomial, Polynomial)> {
        let one = || constant(BigRational::one());
        if !self.steps.spend(2) {
            return None;
        }
        Some(match value {
            Expression::Number(number) => (constant(number.clone()), one()),
            Expression::Decimal(decimal) => (constant(decimal.value.clone()), one()),
            Expression::Add(terms) => {
                let mut total = (Polynomial::new(), one());
                for term in terms {
                    let (above, below) = self.quotient(term)?;
                    if below == total.1 {
                        total.0 = self.sum(total.0, above)?;
                    } else {
                        let (left, right) =
                            (self.times(&total.0, &below)?, self.times(&above, &total.1)?);
                        total = (self.sum(left, right)?, self.times(&total.1, &below)?);
                    }
                }
                total
            }
            Expression::Mul(factors) => {
                let mut total = (one(), one());
                for factor in factors {
                    let (above, below) = self.quotient(factor)?;
                    total = (self.times(&total.0, &above)?, self.times(&total.1, &below)?);
                }
                total
            }
            Expression::Power(sides) => return self.power(value, &sides[0], &sides[1]),
            Expression::Symbol(_) | Expression::Function(..) | Expression::Applied(..) => {
                match exact::rational(value, self.steps) {
                    Some(number) => (constant(number), one()),
                    None => (self.generator(value)?, one()),
                }
            }
            Expression::Constant(Constant::Pi | Constant::Euler | Constant::ImaginaryUnit) => {
                (self.generator(value)?, one())
            }
            _ => return None,
        })
    }

    fn power(
        &mut self,
        whole: &Expression,
        base: &Expression,
        exponent: &Expression,
    ) -> Option<(Polynomial, Polynomial)> {
        let one = || constant(BigRational::one());
        if let Some(number) = exact::rational(whole, self.steps) {
            return Some((constant(number), one()));
        }
        let exponent = exact::rational(exponent, self.steps)?;
        let times = exponent.numer().to_i32()?;
        let (above, below) = match exponent.denom().to_u32()? {
            1 => self.quotient(base)?,
            2 => {
                let base = exact::rational(base, self.steps)?;
                (self.square_root(&base)?, one())
            }
            _ => return None,
        };
        let (above, below) = if times < 0 { (below, above) } else { (above, below) };
        if below.is_empty() || times.unsigned_abs() > EXPANDED_MAX {
            return None;
        }
        let mut total = (one(), one());
        for _ in 0..times.unsigned_abs() {
            total = (self.times(&total.0, &above)?, self.times(&total.1, &below)?);
        }
        Some(total)
    }

    /// The square root of a fraction: a fraction times the root of an integer without square factors.
    fn square_root(&mut self, value: &BigRational) -> Option<Polynomial> {
        // √(p/q) = √(pq)/q
        let mut rest = value.numer() * value.denom();
        let mut factor = BigRational::new(BigInt::one(), value.denom().clone());
        let negative = rest.is_negative();
        rest = rest.abs();
        if rest.bits() > 64 {
            return None;
        }
        for divisor in 2..=FACTOR_MAX {
            let square = BigInt::from(divisor) * divisor;
            while (&rest % &square).is_zero() && !rest.is_zero() {
                rest /= &square;
                factor *= BigRational::from_integer(divisor.into());
            }
        }
        let mut root = constant(factor);
        if negative {
            let unit = self.generator(&Expression::Constant(Constant::ImaginaryUnit))?;
            root = self.times(&root, &unit)?;
        }
        if rest.is_one() {
            return Some(root);
        }
        let radical = Expression::integer(rest).power(Expression::fraction(1, 2));
        let radical = self.generator(&radical)?;
        self.times(&root, &radical)
    }

    fn generator(&mut self, value: &Expression) -> Option<Polynomial> {
        let known = u64::try_from(self.generators.len()).ok()?;
        if !self.steps.spend(1 + known * weight::copying(value) / 64) {
            return None;
        }
        let known = self.generators.iter().position(|known| known == value);
        let index = known.unwrap_or_else(|| {
            self.generators.push(value.clone());
            self.generators.len() - 1
        });
        Some(Polynomial::from([(vec![(index, 1)], BigRational::one())]))
    }

    /// The value of a generator's square, if it is a number.
    fn square_of(&self, generator: usize) -> Option<BigRational> {
        match &self.generators[generator] {
            Expression::Constant(Constant::ImaginaryUnit) => Some(-BigRational::one()),
            Expression::Power(sides) => match &sides[0] {
                Expression::Number(number) => Some(number.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    fn times(&mut self, left: &Polynomial, right: &Polynomial) -> Option<Polynomial> {
        let pairs = left.len() * right.len();
        if pairs > TERMS_MAX * TERMS_MAX / 4
            || !self.steps.spend(1 + PAIR_STEPS * u64::try_from(pairs).ok()?)
        {
            return None;
        }
        let mut total = Polynomial::new();
        for (first, first_coefficient) in left {
            for (second, second_coefficient) in right {
                let mut coefficient =
                    exact::product(first_coefficient, second_coefficient, self.steps)?;
                let mut monomial = product(first, second);
                for (generator, exponent) in &mut monomial {
                    if *exponent < 2 {
                        continue;
                    }
                    if let Some(square) = self.square_of(*generator) {
                        let times = BigRational::from_integer((*exponent / 2).into());
                        let power = exact::power(&square, &times, self.steps)?;
                        coefficient = exact::product(&coefficient, &power, self.steps)?;
                        *exponent %= 2;
                    }
                }
                monomial.retain(|(_, exponent)| *exponent > 0);
                if coefficient.numer().bits().max(coefficient.denom().bits()) > exact::BITS_MAX {
                    return None;
                }
                add_term(&mut total, monomial, coefficient, self.steps)?;
            }
        }
        (total.len() <= TERMS_MAX).then_some(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::latex;

    fn zeroness(left: &str, right: &str) -> Zeroness {
        let read = |text| latex::parse(text).expect("the text is LaTeX");
        difference(&read(left), &read(right), &mut Steps::new(10_000))
    }

    #[test]
    fn polynomials_rational_functions_and_roots_are_decided_exactly() {
        for (left, right, expected) in [
            ("(a+b)^{2}", "a^2+2ab+b^2", Zeroness::Zero),
            ("(a+b)^{2}", "a^2+ab+b^2", Zeroness::Nonzero),
            ("\\frac{x^2-1}{x-1}", "x+1", Zeroness::Zero),
            ("\\frac{1}{x}+\\frac{1}{y}", "\\frac{x+y}{xy}", Zeroness::Zero),
            ("\\frac{1}{\\sqrt{2}}", "\\frac{\\sqrt{2}}{2}", Zeroness::Zero),
            ("\\sqrt{8}+\\sqrt{18}", "5\\sqrt{2}", Zeroness::Zero),
            ("\\frac{1}{1+I}", "\\frac{1-I}{2}", Zeroness::Zero),
            ("\\sqrt{-12}", "2I\\sqrt{3}", Zeroness::Zero),
            ("(1+\\sqrt{2})^{2}", "3+2\\sqrt{2}", Zeroness::Zero),
            ("2\\pi+\\pi", "3\\pi", Zeroness::Zero),
            ("\\sin(x)+\\sin(x)", "2\\sin(x)", Zeroness::Zero),
            ("\\sqrt{3}", "\\sqrt{2}", Zeroness::Unknown),
            ("\\sqrt{x}", "x", Zeroness::Unknown),
            ("0.5x", "\\frac{x}{2}", Zeroness::Zero),
        ] {
            assert_eq!(zeroness(left, right), expected, "{left} and {right}");
        }
    }

    #[test]
    fn large_powers_are_left_alone() {
        assert_eq!(zeroness("(a+b+c+d)^{3000}", "x"), Zeroness::Unknown);
        assert_eq!(zeroness("9^{9^{9}}", "x"), Zeroness::Unknown);
        assert_eq!(zeroness("(a+b+c+d+f+g)^{31}", "x"), Zeroness::Unknown);
    }
}
