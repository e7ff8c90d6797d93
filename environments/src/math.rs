//! Mathematics: reads answers out of text and decides whether two of them are equal.

pub mod equality;
pub mod expression;
pub mod latex;
pub mod plain;
mod printing;
