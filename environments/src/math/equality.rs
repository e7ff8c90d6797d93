//! Whether two answers are equal.

mod matrices;
mod numbers;
mod relations;
mod sets;
mod solutions;
mod symbols;

use super::calculus;
use super::expression::{Constant, Expression, Relation};
use super::numeric::{self, Sameness, Steps};

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
    let mut comparison =
        Comparison { options, steps: Steps::new(numeric::STEPS_MAX), undecided: None };
    if comparison.answers(gold, predicted) {
        return Equality::Equal;
    }
    comparison.undecided.map_or(Equality::Different, Equality::Undecided)
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
        let (gold, predicted) = relations::assigned(gold, predicted);
        self.objects(&gold, &predicted)
    }

    /// Compares two objects as they are.
    fn objects(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        if !self.steps.spend(1) {
            self.undecided = Some(Undecided::Steps { limit: numeric::STEPS_MAX });
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
            (true, false) | (false, true) if !sets::is_collection(gold) && !sets::is_collection(predicted) => {
                return false;
            }
            _ => {}
        }
        if sets::is_collection(gold) || sets::is_collection(predicted) {
            return self.collections(gold, predicted);
        }
        symbols::equal(gold, predicted) || self.values(gold, predicted)
    }

    /// Whether two expressions have the same value, as functions of their symbols.
    fn same(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        let carried = |value: &Expression, steps: &mut Steps| calculus::carried_out(value, steps);
        let new_gold = carried(gold, &mut self.steps);
        let new_predicted = carried(predicted, &mut self.steps);
        let gold = new_gold.as_ref().unwrap_or(gold);
        let predicted = new_predicted.as_ref().unwrap_or(predicted);
        let reason = match numeric::compare(gold, predicted, &mut self.steps) {
            Sameness::Same => return true,
            Sameness::Apart => return false,
            Sameness::Steps => Undecided::Steps { limit: numeric::STEPS_MAX },
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
