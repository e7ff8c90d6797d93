//! Matrices, in SymPy's form.

use super::text;
use crate::math::expression::{Expression, Matrix};

/// A matrix inside of something: its columns are as wide as the widest of their entries.
pub(super) fn inside(matrix: &Matrix) -> String {
    let columns = matrix.columns.max(1);
    let entries: Vec<String> = matrix.entries.iter().map(text).collect();
    let width = |column: usize| {
        let of_column = entries.iter().skip(column).step_by(columns);
        of_column.map(|entry| entry.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let row = |row: &[String]| {
        let padded: Vec<String> =
            row.iter().zip(&widths).map(|(entry, width)| format!("{entry:>width$}")).collect();
        format!("[{}]", padded.join(", "))
    };
    let rows: Vec<String> = entries.chunks(columns).map(row).collect();
    match rows.as_slice() {
        [only] => format!("Matrix([{only}])"),
        rows => format!("Matrix([\n{}])", rows.join(",\n")),
    }
}

/// A matrix that stands alone.
pub(super) fn alone(matrix: &Matrix) -> String {
    let row = |row: &[Expression]| {
        let entries: Vec<String> = row.iter().map(ToString::to_string).collect();
        format!("[{}]", entries.join(", "))
    };
    let rows: Vec<String> = matrix.entries.chunks(matrix.columns.max(1)).map(row).collect();
    format!("Matrix([{}])", rows.join(", "))
}
