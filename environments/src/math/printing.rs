//! Mathematical objects as text, in the form of SymPy.

use std::fmt;

use super::expression::Expression;

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self)
    }
}
