//! Matrices and vectors.

use num_traits::ToPrimitive;

use super::Comparison;
use crate::math::expression::{Expression, Matrix};
use crate::math::steps::Steps;
use crate::math::{exact, weight};

/// The largest power of a matrix that is computed, and the most entries of a product.
const POWER_MAX: u32 = 16;
const ENTRIES_MAX: usize = 256;

/// Whether there is a matrix in an expression that is not the argument of a function.
pub(super) fn has_matrix(value: &Expression) -> bool {
    match value {
        Expression::Matrix(_) => true,
        Expression::Add(parts) | Expression::Mul(parts) => parts.iter().any(has_matrix),
        Expression::Power(sides) => has_matrix(&sides[0]),
        _ => false,
    }
}

impl Comparison {
    /// Entry by entry.
    pub(super) fn matrices(&mut self, gold: &Expression, predicted: &Expression) -> bool {
        let (gold, predicted) =
            (computed(gold, &mut self.steps), computed(predicted, &mut self.steps));
        let (Some(gold), Some(predicted)) = (gold, predicted) else {
            return false;
        };
        gold.columns == predicted.columns
            && gold.entries.len() == predicted.entries.len()
            && gold
                .entries
                .iter()
                .zip(&predicted.entries)
                .all(|(gold, predicted)| gold == predicted || self.values(gold, predicted))
    }
}

/// A matrix expression carried out; none if it is no matrix, or the shapes do not fit.
fn computed(value: &Expression, steps: &mut Steps) -> Option<Matrix> {
    if !steps.spend(1 + weight::copying(value) / 4) {
        return None;
    }
    match value {
        Expression::Matrix(matrix) => Some(matrix.clone()),
        Expression::Add(terms) => {
            let mut sum = computed(terms.first()?, steps)?;
            for term in &terms[1..] {
                let term = computed(term, steps)?;
                if term.columns != sum.columns || term.entries.len() != sum.entries.len() {
                    return None;
                }
                let pairs = sum.entries.into_iter().zip(term.entries);
                sum.entries =
                    pairs.map(|(left, right)| Expression::Add(vec![left, right])).collect();
            }
            Some(sum)
        }
        Expression::Mul(factors) => {
            let (matrices, scalars): (Vec<&Expression>, Vec<&Expression>) =
                factors.iter().partition(|factor| has_matrix(factor));
            let mut product = computed(matrices.first()?, steps)?;
            for factor in &matrices[1..] {
                product = multiplied(&product, &computed(factor, steps)?, steps)?;
            }
            if !scalars.is_empty() {
                let scalars: Vec<Expression> = scalars.into_iter().cloned().collect();
                let copied = scalars.iter().map(weight::copying).fold(0, u64::saturating_add);
                for entry in &mut product.entries {
                    if !steps.spend(1 + copied / 4) {
                        return None;
                    }
                    let mut factors = scalars.clone();
                    factors.push(std::mem::replace(entry, Expression::Tuple(Vec::new())));
                    *entry = Expression::Mul(factors);
                }
            }
            Some(product)
        }
        Expression::Power(sides) => {
            let base = computed(&sides[0], steps)?;
            let times =
                sides[1].as_integer()?.to_u32().filter(|times| (1..=POWER_MAX).contains(times))?;
            let mut power = base.clone();
            for _ in 1..times {
                power = multiplied(&power, &base, steps)?;
            }
            Some(power)
        }
        _ => None,
    }
}

fn multiplied(left: &Matrix, right: &Matrix, steps: &mut Steps) -> Option<Matrix> {
    let (rows, columns) = (left.rows(), right.columns);
    if left.columns != right.rows() || rows * columns > ENTRIES_MAX || left.columns > ENTRIES_MAX {
        return None;
    }
    let mut entries = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let mut products = Vec::with_capacity(left.columns);
            for index in 0..left.columns {
                let factors = [
                    &left.entries[row * left.columns + index],
                    &right.entries[index * columns + column],
                ];
                let copied = factors.map(weight::copying);
                if !steps.spend(1 + copied[0].saturating_add(copied[1]) / 4) {
                    return None;
                }
                products.push(Expression::Mul(factors.map(Clone::clone).to_vec()));
            }
            let sum = Expression::Add(products);
            entries.push(exact::rational(&sum, steps).map_or(sum, Expression::Number));
        }
    }
    Some(Matrix { columns, entries })
}
