//! Reads arithmetic written in plain text: `3 + 5*(2)`.

use super::expression::{DEPTH_MAX, DIGITS_MAX, Expression};
use super::latex::{LENGTH_MAX, ParseError};

/// How often a text may continue `**`, or put a minus before a minus, each of which nests.
const NESTED_MAX: usize = 64;

/// Reads numbers joined by `+ - * / ^ **` and round brackets, without computing.
///
/// The rules are Python's: `**` binds more tightly than a minus before it and to the right, an integer does
/// not begin with a zero, two things side by side are no product.
///
/// # Errors
///
/// [`ParseError`] if the text is not of this kind, or is too long or too deep.
pub fn parse_arithmetic(text: &str) -> Result<Expression, ParseError> {
    if text.len() > LENGTH_MAX {
        return Err(ParseError::Length { length: text.len(), limit: LENGTH_MAX });
    }
    let mut reader = Reader { text, at: 0, depth: 0, nested: 0 };
    let value = reader.sum()?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.unexpected()) } else { Ok(value) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    nested: usize,
}

impl Reader<'_> {
    fn unexpected(&self) -> ParseError {
        ParseError::Unexpected { at: self.at }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn accept(&mut self, sign: &str) -> bool {
        self.skip_space();
        let found = self.text[self.at..].starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn sum(&mut self) -> Result<Expression, ParseError> {
        let first = self.product()?;
        let mut terms = match first {
            Expression::Add(terms) => terms,
            first => vec![first],
        };
        loop {
            let term = if self.accept("+") {
                self.product()?
            } else if self.accept("-") {
                Expression::integer(-1).times(self.product()?)
            } else {
                break;
            };
            match term {
                Expression::Add(inner) => terms.extend(inner),
                term => terms.push(term),
            }
        }
        Ok(match terms.len() {
            1 => terms.pop().ok_or_else(|| self.unexpected())?,
            _ => Expression::Add(terms),
        })
    }

    fn product(&mut self) -> Result<Expression, ParseError> {
        let first = self.signed()?;
        let mut factors = match first {
            Expression::Mul(factors) => factors,
            first => vec![first],
        };
        loop {
            let factor = if self.accept("*") {
                self.signed()?
            } else if self.accept("/") {
                self.signed()?.power(Expression::integer(-1))
            } else {
                break;
            };
            match factor {
                Expression::Mul(inner) => factors.extend(inner),
                factor => factors.push(factor),
            }
        }
        Ok(match factors.len() {
            1 => factors.pop().ok_or_else(|| self.unexpected())?,
            _ => Expression::Mul(factors),
        })
    }

    fn signed(&mut self) -> Result<Expression, ParseError> {
        let mut minuses = 0_usize;
        loop {
            if self.accept("-") {
                minuses += 1;
            } else if !self.accept("+") {
                break;
            }
        }
        self.nested += minuses.saturating_sub(1);
        if self.nested > NESTED_MAX {
            return Err(ParseError::Depth { limit: NESTED_MAX });
        }
        let mut value = self.power()?;
        for _ in 0..minuses {
            value = match value {
                Expression::Number(number) => Expression::Number(-number),
                Expression::Decimal(mut decimal) => {
                    decimal.value = -decimal.value;
                    Expression::Decimal(decimal)
                }
                value => Expression::integer(-1).times(value),
            };
        }
        Ok(value)
    }

    fn power(&mut self) -> Result<Expression, ParseError> {
        let base = self.atom()?;
        if !self.accept("**") && !self.accept("^") {
            return Ok(base);
        }
        self.nested += 1;
        if self.nested > NESTED_MAX {
            return Err(ParseError::Depth { limit: NESTED_MAX });
        }
        Ok(base.power(self.signed()?))
    }

    fn atom(&mut self) -> Result<Expression, ParseError> {
        if self.accept("(") {
            if self.depth >= DEPTH_MAX {
                return Err(ParseError::Depth { limit: DEPTH_MAX });
            }
            self.depth += 1;
            let value = self.sum()?;
            self.depth -= 1;
            return if self.accept(")") { Ok(value) } else { Err(self.unexpected()) };
        }
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let digits = &rest[..length];
        let zeros = digits.len() > 1 && digits.starts_with('0') && !digits.contains('.');
        if digits.is_empty() || (zeros && digits.bytes().any(|byte| byte != b'0')) {
            return Err(self.unexpected());
        }
        if length > DIGITS_MAX {
            return Err(ParseError::Digits { limit: DIGITS_MAX });
        }
        let number = Expression::number(digits).ok_or_else(|| self.unexpected())?;
        self.at += length;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        parse_arithmetic(text).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    #[test]
    fn arithmetic_is_read_as_python_reads_it() {
        for (text, expected) in [
            ("3 + 5*(2)", "3 + 5*2"),
            ("1/2", "1/2"),
            ("3-5", "3 - 1*5"),
            ("-3+2", "-3 + 2"),
            ("2^3**2", "2**(3**2)"),
            ("6/3/2", "6/(3*2)"),
            ("1.5*2", "1.5*2"),
            ("-(3)", "-3"),
            ("3--5", "3 - 1*(-5)"),
            ("2**-1", "1/2"),
            ("3-(2-1)", "3 - (2 - 1*1)"),
            ("(1+2)*3", "(1 + 2)*3"),
            ("-3**2", "-1*3**2"),
            ("10-2-3", "-1*3 - 1*2 + 10"),
            ("4/2*3", "4*3/2"),
        ] {
            assert_eq!(printed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for text in ["", "3 4", "5(2)", "007+1", "((3)", "2×3", "3 +", "1..2", "x+1"] {
            assert!(parse_arithmetic(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(parse_arithmetic(&deep), Err(ParseError::Depth { limit: DEPTH_MAX }));
        let tower = ["2"; 3000].join("^");
        assert_eq!(parse_arithmetic(&tower), Err(ParseError::Depth { limit: NESTED_MAX }));
        assert!(parse_arithmetic(&"1+".repeat(600_000)).is_err());
    }
}
