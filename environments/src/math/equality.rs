//! Whether two answers are equal.
//!
//! Numbers and whatever is rational by its form are compared exactly; polynomials, rational functions and
//! square roots by their normal forms; anything else by values at random points in high precision with
//! bounds of the error. Math-Verify 0.8.0 computes with SymPy instead, whose `simplify` these methods see
//! at least as much as. Around that are its rules for what an answer may look like, which are kept:
//!
//! | Gold | Accepts | Rejects |
//! |---|---|---|
//! | `5` | `x=5`, `2x+z=5`: the right side of any equation; a chain counts with its last side | |
//! | `x=5`, `a+b=5`, `\sin x=5` | `5`, as there are only symbols on the left | `y=5` |
//! | `f(2)=5`, `\ln x=5`, `\sqrt{x}=5` | | `5` |
//! | `2x+4=0` | `4+2x=0`, `0=2x+4` | `-2`, `x=-2`, `4x+8=0` |
//! | `y=2x+1` | `2y=4x+2`, `x=\frac{y-1}{2}`: equations of two symbols or more may be solved or multiplied | |
//! | `x>1` | `(1,\infty)`, `1<x`, `x-1>0` | `2x>2` |
//! | `(1,\infty)` | | `x>1` |
//! | `1<x<2` | `0<x-1<1`: link by link | `2>x>1` |
//! | `(1,2)` | `1,2` in that order: an open interval is a pair, too | `2,1`, `[1,2]` |
//! | `1,2` | `(2,1)`: order counts only if the gold answer is a tuple | |
//! | `\{5\}` | `5`, `x=5` | |
//! | `\frac{1}{3}`, `\pi` | `0.333333`, `3.14159265`: decimals are compared at six places | `0.33333` |
//! | `0.0000001` | `0.0000002`, for the same reason | |
//! | `17`, `\sqrt{36}` | `17.0` | `17.0000001`: what is a whole number gets no tolerance |
//! | `50\%` | `0.5` | `50` |
//! | `\text{AB}` | `AB`, `ab` | `BA`, though `AB` accepts `BA` |
//! | `x` | `(x)` | `1\cdot x`, `2x-x`: beside a symbol alone the printed forms count |
//! | `2+3 i` | | `2+3i`: symbols beside an `i` that stands alone are complex |
//! | `-2` | | `\sqrt[3]{-8}`: a principal root, which is not real |
//! | `\sqrt{x^2}` | `\|x\|` | `x`: symbols are any real numbers |
//! | `\frac{1}{0}` | | anything |
//!
//! # Strict
//!
//! With [`Options::strict`] the mathematically right thing is done instead:
//!
//! | Case | Otherwise | Strict |
//! |---|---|---|
//! | `5` and `2x+z=5`, `a+b=5` and `5` | equal | different: the left side must be a name |
//! | `2x=4` and `x=2`, `x^2=1` and `x^4=1` | different | equal: the same real solutions |
//! | `2x<4` and `x<2`, `1<x<2` and `2>x>1` | different | equal |
//! | `(1,2)` and `1<x<2` | different | equal: a set is its description |
//! | `\frac{1}{3}` and `0.333333`, `0.0000001` and `0.0000002` | equal | different: decimals are exact |
//! | `1,2` and `(2,1)`, `(1,2)` and `\{1,2\}` | equal | different: a tuple or an interval is no set |
//! | `2+3i`, `2+3 i` and `2+3I` | different | equal: `i` is the imaginary unit |
//! | `x` and `2x-x` | different | equal |
//! | `-2` and `\sqrt[3]{-8}` | different | equal: odd roots are real |
//!
//! # Differs from Math-Verify
//!
//! It says "different" where SymPy's `simplify` finds no zero; here these are equal: `\sin(x+y)` and its
//! expansion, `\sinh x` and `(e^x-e^{-x})/2`, `I^2` and -1, `\prod_{k=1}^n k` and `n!`,
//! `x^2+1>0` and all real numbers. It takes a value and the value plus 10^-20 to be equal,
//! and digits beyond a double's; here they differ. It solves equations of several symbols, and takes
//! `\sqrt{x^2+y^2}=5` and `x^2+y^2=25` for equal; here they differ, as neither is a multiple of the other.
//! What it gives five seconds, and then scores 0, is undecided here after a number of steps: `9^{9^9}`.
//! Limits, infinite sums and integrals without a simple antiderivative are computed by number with an
//! estimate of the error (`numeric/limits.rs`).

mod matrices;
mod numbers;
mod relations;
mod sets;
mod solutions;
mod strict;
mod symbols;
#[cfg(test)]
mod tests;

use super::expression::{Constant, Expression, Relation};
use super::normal::{self, Zeroness};
use super::numeric::{self, Sameness};
use super::steps::{STEPS_MAX, Steps};
use super::{calculus, weight};

/// How equality is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Does the mathematically right thing where Math-Verify rewards a wrong answer or rejects a right one.
    pub strict: bool,
}

/// What is known of two answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Equality {
    /// They are equal.
    Equal,
    /// They differ.
    Different,
    /// It is not known, for the reason given.
    Undecided(Undecided),
}

/// Why it is not known whether two answers are equal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// The steps allowed were used up.
    #[error("more than {limit} steps of work")]
    Steps {
        /// How many are allowed.
        limit: u64,
    },
    /// A number would become too large.
    #[error("a number that is too large to compute")]
    Size,
    /// There is no method for objects of these kinds.
    #[error("no method for `{kind}`")]
    Unsupported {
        /// What it is.
        kind: &'static str,
    },
    /// Neither exact methods nor numeric ones gave a result.
    #[error("no point at which both sides have a value")]
    NoPoint,
}

/// Decides whether `predicted` is the answer `gold`. Not symmetric, as Math-Verify is not.
#[must_use]
pub fn equal(gold: &Expression, predicted: &Expression, options: Options) -> Equality {
    let mut comparison = Comparison { options, steps: Steps::new(STEPS_MAX), undecided: None };
    let equal = if options.strict {
        comparison.answers(&strict::read(gold), &strict::read(predicted))
    } else {
        comparison.answers(gold, predicted)
    };
    if equal {
        return Equality::Equal;
    }
    let spent = comparison.steps.are_spent().then_some(Undecided::Steps { limit: STEPS_MAX });
    comparison.undecided.or(spent).map_or(Equality::Different, Equality::Undecided)
}

/// One comparison of two answers.
struct Comparison {
    options: Options,
    steps: Steps,
    /// Why a part could not be decided, if there was one.
    undecided: Option<Undecided>,
}

impl Comparison {
    /// Compares two answers, of which one may name what it is the value of.
    fn answers(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        let (gold, predicted) = relations::assigned(gold, predicted, self.options);
        self.objects(&gold, &predicted)
    }

    /// Compares two objects as they are.
    fn objects(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        if !self.steps.spend(1) {
            self.undecided = Some(Undecided::Steps { limit: STEPS_MAX });
            return false;
        }
        if sets::is_set(predicted)
            && relations::is_relation(gold)
            && let Some(solved) = solutions::of_relation(gold, &mut self.steps)
        {
            return self.collections(&solved, predicted);
        }
        if self.options.strict
            && sets::is_set(gold)
            && relations::is_relation(predicted)
            && let Some(solved) = solutions::of_relation(predicted, &mut self.steps)
        {
            return self.collections(gold, &solved);
        }
        if gold == predicted {
            return !matches!(
                gold,
                Expression::Constant(Constant::Undefined | Constant::ComplexInfinity)
            );
        }
        match (relations::is_relation(gold), relations::is_relation(predicted)) {
            (true, true) => return self.relations(gold, predicted),
            (true, false) | (false, true)
                if !sets::is_collection(gold) && !sets::is_collection(predicted) =>
            {
                return false;
            }
            _ => {}
        }
        if sets::is_collection(gold) || sets::is_collection(predicted) {
            return self.collections(gold, predicted);
        }
        // A symbol is compared with how the other one is printed.
        let printed = weight::comparing(gold).saturating_add(weight::comparing(predicted));
        if symbols::is_one(gold, predicted) && !self.steps.spend(printed / 8) {
            return false;
        }
        match symbols::equal(gold, predicted) {
            Some(equal) if equal || !self.options.strict => equal,
            _ => self.values(gold, predicted),
        }
    }

    /// Whether two expressions have the same value, as functions of their symbols.
    fn same(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        match normal::difference(gold, predicted, &mut self.steps) {
            Zeroness::Zero => return true,
            Zeroness::Nonzero => return false,
            Zeroness::Unknown => {}
        }
        let carried = |value: &Expression, steps: &mut Steps| calculus::carried_out(value, steps);
        let new_gold = carried(gold, &mut self.steps);
        let new_predicted = carried(predicted, &mut self.steps);
        let gold = new_gold.as_ref().unwrap_or(gold);
        let predicted = new_predicted.as_ref().unwrap_or(predicted);
        let reason = match numeric::compare(gold, predicted, &mut self.steps) {
            Sameness::Same => return true,
            Sameness::Apart => return false,
            Sameness::Steps => Undecided::Steps { limit: STEPS_MAX },
            Sameness::Size => Undecided::Size,
            Sameness::Unsupported(kind) => Undecided::Unsupported { kind },
            Sameness::NoPoint => Undecided::NoPoint,
        };
        self.undecided.get_or_insert(reason);
        false
    }
}

/// One expression less another.
fn difference(left: &Expression, right: &Expression) -> Expression {
    let negative = Expression::Mul(vec![Expression::integer(-1), right.clone()]);
    Expression::Add(vec![left.clone(), negative])
}

/// Both sides of an equation or inequality.
fn sides(value: &Expression) -> Option<(Relation, &Expression, &Expression)> {
    match value {
        Expression::Relation(relation, sides) => Some((*relation, &sides[0], &sides[1])),
        _ => None,
    }
}
