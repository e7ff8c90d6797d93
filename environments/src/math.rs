//! Mathematics: reads answers out of text and decides whether two of them are equal.

mod calculus;
mod determinant;
pub mod equality;
mod exact;
pub mod expression;
pub mod latex;
mod normal;
mod numeric;
mod order;
pub mod plain;
mod polynomial;
mod printing;
#[cfg(test)]
mod properties;
mod reals;
