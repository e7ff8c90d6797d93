//! Reads LaTeX, already normalised, as a mathematical object.
//!
//! The language is that of `latex2sympy2_extended` 1.10.2, described from its behaviour: a recursive
//! descent without backtracking, so its time is linear in the text. What is written stays as it is: a sum
//! of numbers is a sum. Only these are computed, as there: quotients of two integers, a minus before a
//! number, binomial coefficients and common divisors of integers, determinants of numbers.
//!
//! # Decided
//!
//! | Written | Read as |
//! |---|---|
//! | `5 7`, `2(3)` | 12 and 5: an integer before a positive integer or fraction is a mixed number |
//! | `1/2x` | 1/(2x): factors side by side bind more tightly than a slash |
//! | `\sin 2x \cdot y`, `\sin(x)y` | sin(2xy), but sin(x)·y after round brackets |
//! | `f(x)` | a function of `x`; with anything longer than a number or symbol, `f(2x)`, a product |
//! | `A` | `a`: all symbols are lower-cased |
//! | `x^T` | the transpose, which of anything but a matrix is itself; so is `x'` |
//! | `90^\circ` | 90 |
//! | `101_2` | 101: an index of a number says nothing |
//! | `(2,1)`, `[2,1]` | pairs, as they are no intervals; `(1,2)` is an interval |
//! | `x \approx 3` | 3, but `2x \approx 3` is `2x` |
//! | `x_{i}`, `2+3 i` | `i` alone: symbols are complex, and differ from the real ones of the same name |

mod bounds;
mod functions;
mod lists;
mod names;
mod terms;
#[cfg(test)]
mod tests;
mod tokens;
mod vocabulary;

use super::equality::Options;
use super::exact;
use super::expression::{DEPTH_MAX, DIGITS_MAX, Expression, Symbol};
use super::steps::Steps;
use tokens::{Spanned, Token};

/// The longest text that is read, in bytes. The original needs more than its five seconds for it.
pub const LENGTH_MAX: usize = 16 * 1024;

/// How often a text may continue a chain that nests to the left: `a/b/c`, `x!!!`, `A \cup B \cup C`.
const CHAIN_MAX: usize = 150;

/// How much work is done for what is computed while a text is read: quotients, mixed numbers, the order of
/// the ends of intervals.
const STEPS_MAX: u64 = 5000;

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
    /// Its numbers are too long to compute what is computed when a text is read.
    #[error("more than {limit} steps of work")]
    Steps {
        /// How many are allowed.
        limit: u64,
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
/// If the text cannot be read, has no list, and at least two `=`, what follows the last one is read.
///
/// # Errors
///
/// [`ParseError`] if the text says nothing that is known, or is too long or too deep.
pub fn parse(normalised: &str) -> Result<Expression, ParseError> {
    parse_with(normalised, Options::default())
}

/// Reads a LaTeX text like [`parse`], by options. Strictly, what the original cannot read is read if it is
/// clear what it means.
///
/// # Errors
///
/// As of [`parse`].
pub fn parse_with(normalised: &str, options: Options) -> Result<Expression, ParseError> {
    let text = normalised.trim();
    if text.len() > LENGTH_MAX {
        return Err(ParseError::Length { length: text.len(), limit: LENGTH_MAX });
    }
    let result = parse_whole(text, options.strict);
    let chain = !text.contains([',', ';']) && text.matches('=').count() >= 2;
    match (result, text.rsplit_once('=')) {
        (Err(_), Some((_, last))) if chain => parse_whole(last.trim(), options.strict),
        (result, _) => result,
    }
}

fn parse_whole(text: &str, lenient: bool) -> Result<Expression, ParseError> {
    if let Some(number) = plain_number(text) {
        return Ok(number);
    }
    let mut parser = Parser {
        source: text,
        tokens: tokens::tokenize(text, lenient)?,
        at: 0,
        end: 0,
        depth: 0,
        chained: 0,
        bars: 0,
        real: !is_complex(text),
        plus_minus: false,
        operated: false,
        of_sets: false,
        first_pair: false,
        lenient,
        steps: Steps::new(STEPS_MAX),
    };
    parser.end = parser.tokens.len();
    let value = parser.top()?;
    if parser.at < parser.end { Err(parser.unexpected()) } else { Ok(value) }
}

/// A text that is nothing but a number, perhaps with commas between thousands.
fn plain_number(text: &str) -> Option<Expression> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let bytes = digits.as_bytes();
    if !bytes.first()?.is_ascii_digit() || !bytes.last()?.is_ascii_digit() {
        return None;
    }
    if bytes.iter().all(u8::is_ascii_digit) {
        return Expression::number(text);
    }
    let mut groups = digits.split(',');
    let first = groups.next()?;
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let last = groups.next_back()?;
    let (last, decimals) = last.split_once('.').unwrap_or((last, ""));
    let grouped = first.len() <= 3
        && all_digits(first)
        && all_digits(decimals)
        && groups.chain([last]).all(|group| group.len() == 3 && all_digits(group));
    if !grouped {
        return None;
    }
    // A zero in front makes the comma a decimal one.
    let separator = if first.starts_with('0') { "." } else { "" };
    let number = digits.replacen(',', separator, 1).replace(',', "");
    Expression::number(&format!("{}{number}", if negative { "-" } else { "" }))
}

/// Whether a text speaks of complex numbers, so that its symbols are not taken to be real.
fn is_complex(text: &str) -> bool {
    const SIGNS: [&str; 13] = [
        "\\mathbb{C}",
        "\\imath",
        "\\det",
        "\\operatorname{tr}",
        "\\operatorname{rank}",
        "\\text{rank}",
        "\\arg{",
        "\\Re{",
        "\\Im{",
        "\\operatorname{Re}",
        "\\operatorname{Im}",
        "\\text{Re}",
        "\\text{Im}",
    ];
    let bytes = text.as_bytes();
    let word = |at: usize| {
        bytes
            .get(at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80)
    };
    let alone = |at: usize| !word(at + 1) && (at == 0 || !word(at - 1));
    let unit = bytes.iter().enumerate().any(|(at, byte)| *byte == b'i' && alone(at));
    unit || (text.contains('\\') && SIGNS.iter().any(|sign| text.contains(sign)))
}

/// Reads tokens from `at` up to `end`.
struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Spanned<'a>>,
    at: usize,
    end: usize,
    depth: usize,
    chained: usize,
    /// How many vertical bars are open.
    bars: usize,
    real: bool,
    /// Whether the side read last was `\pm`, whose two values join the list around.
    plus_minus: bool,
    /// Whether an operation of sets was read since this was last reset.
    operated: bool,
    /// Whether the relation read last, at the start of the text, may hold of sets.
    of_sets: bool,
    /// Whether the right side of the relation at the start of the text was `\pm`.
    first_pair: bool,
    /// Whether what the original cannot read is read if it is clear what it means.
    lenient: bool,
    /// For what is computed.
    steps: Steps,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.peek_at(0)
    }

    fn peek_at(&self, offset: usize) -> Option<&Token<'a>> {
        let at = self.at + offset;
        if at < self.end { Some(&self.tokens[at].token) } else { None }
    }

    fn unexpected(&self) -> ParseError {
        let at = self.tokens.get(self.at).map_or(self.source.len(), |spanned| spanned.start);
        ParseError::Unexpected { at }
    }

    fn next_is(&self, sign: char) -> bool {
        self.peek() == Some(&Token::Sign(sign))
    }

    fn next_is_command(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Command(command)) if *command == name)
    }

    fn accept(&mut self, sign: char) -> bool {
        let found = self.next_is(sign);
        self.at += usize::from(found);
        found
    }

    fn accept_command(&mut self, name: &str) -> bool {
        let found = self.next_is_command(name);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: char) -> Result<(), ParseError> {
        if self.accept(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_command(&mut self, name: &str) -> Result<(), ParseError> {
        if self.accept_command(name) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Goes a level deeper while `read` runs.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= DEPTH_MAX {
            return Err(ParseError::Depth { limit: DEPTH_MAX });
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Notes that a chain grows to the left.
    fn chain(&mut self) -> Result<(), ParseError> {
        self.chained += 1;
        if self.chained > CHAIN_MAX {
            return Err(ParseError::Depth { limit: CHAIN_MAX });
        }
        Ok(())
    }

    fn symbol(&self, name: &str) -> Symbol {
        Symbol { name: name.into(), real: self.real }
    }

    /// A number as written; with an exponent it is a decimal.
    fn number(&mut self, text: &str) -> Result<Expression, ParseError> {
        let too_long = ParseError::Digits { limit: DIGITS_MAX };
        let Some((digits, exponent)) = text.split_once('E') else {
            return Expression::number(text).ok_or(too_long);
        };
        let zeros = exponent.parse::<i32>().map_or(0, i32::unsigned_abs);
        self.spend(1 + u64::from(zeros) / 16)?;
        Expression::scientific(digits, exponent).ok_or(too_long)
    }

    fn spend(&mut self, steps: u64) -> Result<(), ParseError> {
        if self.steps.spend(steps) { Ok(()) } else { Err(Self::spent()) }
    }

    const fn spent() -> ParseError {
        ParseError::Steps { limit: STEPS_MAX }
    }

    /// A quotient: of integers a fraction, otherwise the product with the inverse.
    fn quotient(&mut self, left: Expression, right: Expression) -> Result<Expression, ParseError> {
        let (Some(above), Some(below)) = (left.as_integer(), right.as_integer()) else {
            return Ok(Expression::Mul(vec![left, right.power(Expression::integer(-1))]));
        };
        self.spend(exact::reduction_steps(above, below))?;
        Ok(Expression::fraction(above.clone(), below.clone()))
    }
}
