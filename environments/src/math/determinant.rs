//! Determinants.

use num_rational::BigRational;
use num_traits::{One, Zero};

use super::exact;
use super::expression::{Expression, Function, Matrix};
use super::steps::Steps;

/// The largest matrix of which a determinant is computed.
const ROWS_MAX: usize = 12;

/// The determinant of a matrix, computed if its entries are exact numbers, written out if it has two or
/// three rows, and otherwise as a function of the matrix.
pub(super) fn written_out(matrix: Matrix, steps: &mut Steps) -> Expression {
    let rows = matrix.rows();
    if rows != matrix.columns || rows == 0 || rows > ROWS_MAX {
        return Expression::Function(Function::Determinant, vec![Expression::Matrix(matrix)]);
    }
    let number = |entry: &Expression| match entry {
        Expression::Number(value) => Some(value.clone()),
        _ => None,
    };
    let numbers: Option<Vec<BigRational>> = matrix.entries.iter().map(number).collect();
    if let Some(numbers) = numbers {
        return match of_numbers(numbers, rows, steps) {
            Some(number) => Expression::Number(number),
            None => Expression::Function(Function::Determinant, vec![Expression::Matrix(matrix)]),
        };
    }
    let entry = |row: usize, column: usize| matrix.entries[row * rows + column].clone();
    let product = |columns: &[usize], negative: bool| {
        let mut factors: Vec<Expression> =
            negative.then(|| Expression::integer(-1)).into_iter().collect();
        factors.extend(columns.iter().enumerate().map(|(row, column)| entry(row, *column)));
        Expression::Mul(factors)
    };
    match rows {
        1 => entry(0, 0),
        2 => Expression::Add(vec![product(&[0, 1], false), product(&[1, 0], true)]),
        3 => Expression::Add(vec![
            product(&[0, 1, 2], false),
            product(&[0, 2, 1], true),
            product(&[1, 0, 2], true),
            product(&[1, 2, 0], false),
            product(&[2, 0, 1], false),
            product(&[2, 1, 0], true),
        ]),
        _ => Expression::Function(Function::Determinant, vec![Expression::Matrix(matrix)]),
    }
}

/// By elimination over the fractions; none if there are no steps for it.
fn of_numbers(
    mut entries: Vec<BigRational>,
    rows: usize,
    steps: &mut Steps,
) -> Option<BigRational> {
    let mut determinant = BigRational::one();
    for pivot in 0..rows {
        let Some(found) = (pivot..rows).find(|row| !entries[row * rows + pivot].is_zero()) else {
            return Some(BigRational::zero());
        };
        if found != pivot {
            determinant = -determinant;
            for column in 0..rows {
                entries.swap(found * rows + column, pivot * rows + column);
            }
        }
        let divisor = entries[pivot * rows + pivot].clone();
        for row in pivot + 1..rows {
            let factor = -exact::quotient(&entries[row * rows + pivot], &divisor, steps)?;
            for column in pivot..rows {
                let summand = exact::product(&factor, &entries[pivot * rows + column], steps)?;
                let entry = &mut entries[row * rows + column];
                *entry = exact::sum(entry, &summand, steps)?;
            }
        }
        determinant = exact::product(&determinant, &divisor, steps)?;
    }
    Some(determinant)
}
