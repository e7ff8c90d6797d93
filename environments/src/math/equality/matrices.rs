//! Matrices and vectors.

use num_traits::ToPrimitive;

use super::Comparison;
use crate::math::expression::{Expression, Matrix};

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
        let (Some(gold), Some(predicted)) = (computed(gold), computed(predicted)) else {
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
fn computed(value: &Expression) -> Option<Matrix> {
    match value {
        Expression::Matrix(matrix) => Some(matrix.clone()),
        Expression::Add(terms) => {
            let mut sum = computed(terms.first()?)?;
            for term in &terms[1..] {
                let term = computed(term)?;
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
            let mut product = computed(matrices.first()?)?;
            for factor in &matrices[1..] {
                product = multiplied(&product, &computed(factor)?)?;
            }
            if !scalars.is_empty() {
                let scalars: Vec<Expression> = scalars.into_iter().cloned().collect();
                for entry in &mut product.entries {
                    let mut factors = scalars.clone();
                    factors.push(std::mem::replace(entry, Expression::Tuple(Vec::new())));
                    *entry = Expression::Mul(factors);
                }
            }
            Some(product)
        }
        Expression::Power(sides) => {
            let base = computed(&sides[0])?;
            let times =
                sides[1].as_integer()?.to_u32().filter(|times| (1..=POWER_MAX).contains(times))?;
            let mut power = base.clone();
            for _ in 1..times {
                power = multiplied(&power, &base)?;
            }
            Some(power)
        }
        _ => None,
    }
}

fn multiplied(left: &Matrix, right: &Matrix) -> Option<Matrix> {
    let (rows, columns) = (left.rows(), right.columns);
    if left.columns != right.rows() || rows * columns > ENTRIES_MAX || left.columns > ENTRIES_MAX {
        return None;
    }
    let entry = |row: usize, column: usize| {
        let product = |index: usize| {
            Expression::Mul(vec![
                left.entries[row * left.columns + index].clone(),
                right.entries[index * columns + column].clone(),
            ])
        };
        let sum = Expression::Add((0..left.columns).map(product).collect());
        match crate::math::exact::rational(&sum) {
            Some(value) => Expression::Number(value),
            None => sum,
        }
    };
    let entries = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    Some(Matrix { columns, entries: entries.map(|(row, column)| entry(row, column)).collect() })
}
