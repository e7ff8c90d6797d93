//! Mathematics: reads answers out of text and decides whether two of them are equal.

mod calculus;
mod determinant;
pub mod equality;
pub mod expression;
pub mod latex;
mod exact;
mod normal;
mod numeric;
mod order;
pub mod plain;
mod polynomial;
mod printing;
mod reals;
