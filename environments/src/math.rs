//! Mathematics: reads answers out of text and decides whether two of them are equal.
//!
//! The reward "is this answer equal to that one", without a computer-algebra system: exact where both
//! sides are exact, bounded in steps everywhere, and in agreement with Math-Verify 0.8.0, by which
//! training on mathematics is graded. It needs no environment and no runtime:
//!
//! ```
//! use environments::math::{extract, verify};
//!
//! let verdict = verify(r"\frac{1}{2}", r"Half of them, so \boxed{0.5}.");
//! assert!(verdict.equal);
//! let answers = extract("The answer is $x + 1$.");
//! assert_eq!(answers[0].to_string(), "x + 1");
//! ```
//!
//! | Stage | Where |
//! |---|---|
//! | find the answer in the text, and normalise its LaTeX | `extraction` |
//! | read LaTeX and plain arithmetic | [`latex`], [`plain`] |
//! | what is read | [`expression`] |
//! | compare | [`equality`] |
//!
//! The gold answer is LaTeX and is looked for as if it stood in a box. In what a model said plain numbers
//! and arithmetic count as well. Each of the two gives at most a value, and the text of the first place that
//! looked like an answer; values are compared with values, texts with texts, and one match suffices.
//!
//! # Differs from Math-Verify
//!
//! Verdicts and printed answers are compared with the library's by `tests/differential`, in more than ten
//! thousand pairs of all kinds of answers; what differs, and why:
//!
//! - It takes up to five seconds for each text and for each comparison, and then gives up. Here all work is
//!   counted in steps, so that a verdict does not depend on the machine. Where the library runs out of time
//!   on equal answers (sums and sets of nested roots, products of sines), they are equal here.
//! - Where steps run out, or there is no method, the verdict is "not equal" and says why
//!   ([`Verdict::undecided`]). A text of which more than 2,000 places look like an answer and cannot be read
//!   is given up.
//! - A number such as `-007` makes the library fail on the whole text; here it is -7.
//! - Digits of other scripts than the Latin are no digits.
//! - Its chains of inequalities forget the order in which they were written, by what it has read before; here
//!   `1>x\ge 0` and `0\le x<1` always differ. Common divisors of symbols stay, where it takes them for 1.
//! - Sums, products and sets of more than some hundred parts are printed in the order in which they are
//!   written.
//! - Expressions with more than 200 symbols are compared by their normal forms only, not by values; more than
//!   150 minuses before other minuses are not read.
//!
//! # Strict
//!
//! Quirks of the library that change rewards are kept unless [`Options::strict`] is set. What that does to
//! comparisons is said in [`equality`]; to what is found:
//!
//! | Answer | The library | Strict |
//! |---|---|---|
//! | `2t`, `2ab`, `x^2 + c` | letters that may be units are dropped: 2, 2, and nothing | they are variables |
//! | `5 less`, `5 east` | words that are no units are dropped | they are not |
//! | `d\sqrt{3}`, `2d\cdot 3` | a `d` and the command behind it are one symbol | a `d`, and what follows |
//! | `x^e`, `v_e`, `\log_e 2`, `\operatorname{arctan} x`, `\sum\limits_{k=1}^n k`, words such as `rank`, `2k\pi, k\in\mathbb{Z}`, `(1,2)^T` | outside its grammar: a number among it counts, or nothing | are read |
//! | `\text{a} + 5\text{ cm}` | all from the first `\text` on is a unit | only the last one is |
//! | `\boxed{4} \boxed{5}` | boxes near to each other are a set | the last box counts |
//! | `\boxed{4}, then, wait: \boxed{5}` | so are boxes with a comma or `or` somewhere between them | only what commas, `and` or `or` alone join is a list |

mod calculus;
mod decimals;
mod determinant;
pub mod equality;
mod exact;
pub mod expression;
mod extraction;
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
mod steps;
mod weight;

use std::fmt;

use framework::environment::python::text::strip;

pub use self::equality::Options;
use self::equality::{Equality, equal};
use self::expression::Expression;
use self::extraction::Targets;
pub use self::extraction::TooMany;

/// What was found in a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A mathematical object.
    Value(Expression),
    /// The text of the first place that looked like an answer, whether or not it can be read.
    Text(String),
}

/// In the form of SymPy.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Whether an answer is the gold one, and what was read of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether they are equal. False where that is not known.
    pub equal: bool,
    /// Why it is not known.
    pub undecided: Option<Undecided>,
    /// What the gold answer says.
    pub golds: Vec<Answer>,
    /// What the answer says.
    pub predictions: Vec<Answer>,
}

/// Why it is not known whether an answer is the gold one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// The gold answer says nothing.
    #[error("nothing can be read in the gold answer")]
    NoGold,
    /// The answer was not found.
    #[error(transparent)]
    Extraction(#[from] TooMany),
    /// The two could not be compared.
    #[error(transparent)]
    Comparison(#[from] equality::Undecided),
}

impl Verdict {
    /// What the answer is reported to say: the first of its readings that a reading of the gold answer is
    /// printed as, else the first. `None` if one of the two says nothing.
    #[must_use]
    pub fn extracted_answer(&self) -> Option<String> {
        if self.golds.is_empty() {
            return None;
        }
        let golds: Vec<String> = self.golds.iter().map(Answer::to_string).collect();
        let is_gold = |prediction: &String| {
            let prediction = strip(prediction);
            !prediction.is_empty() && golds.iter().any(|gold| strip(gold) == prediction)
        };
        let mut predictions: Vec<String> = self.predictions.iter().map(Answer::to_string).collect();
        let found = predictions.iter().position(is_gold).unwrap_or(0);
        (!predictions.is_empty()).then(|| predictions.swap_remove(found))
    }
}

/// Decides whether a model's text gives the gold answer, which is LaTeX without delimiters.
#[must_use]
pub fn verify(gold: &str, answer: &str) -> Verdict {
    verify_with(gold, answer, Options::default())
}

/// Decides whether a model's text gives the gold answer, by options.
#[must_use]
pub fn verify_with(gold: &str, answer: &str, options: Options) -> Verdict {
    let boxed = format!("\\boxed{{{gold}}}");
    let golds = extraction::extract(&boxed, Targets::Latex, options);
    let predictions = extraction::extract(answer, Targets::All, options);
    let failure = golds.as_ref().err().or(predictions.as_ref().err()).copied();
    let (golds, predictions) = (golds.unwrap_or_default(), predictions.unwrap_or_default());
    let mut undecided = failure.map(Undecided::from);
    if golds.is_empty() && undecided.is_none() {
        undecided = Some(Undecided::NoGold);
    }
    let pairs = golds.iter().flat_map(|gold| predictions.iter().map(move |answer| (gold, answer)));
    for (gold, answer) in pairs {
        match compare(gold, answer, options) {
            Equality::Equal => {
                return Verdict { equal: true, undecided: None, golds, predictions };
            }
            Equality::Different => {}
            Equality::Undecided(reason) => undecided = undecided.or(Some(reason.into())),
        }
    }
    Verdict { equal: false, undecided, golds, predictions }
}

fn compare(gold: &Answer, answer: &Answer, options: Options) -> Equality {
    match (gold, answer) {
        (Answer::Value(gold), Answer::Value(answer)) => equal(gold, answer, options),
        (Answer::Text(gold), Answer::Text(answer)) => {
            let (gold, answer) = (strip(gold), strip(answer));
            if !gold.is_empty() && gold == answer { Equality::Equal } else { Equality::Different }
        }
        // A text never is a value.
        (Answer::Value(_), Answer::Text(_)) | (Answer::Text(_), Answer::Value(_)) => {
            Equality::Different
        }
    }
}

/// What a model's text says: at most a value, and the text of the first place that looked like an answer.
/// Nothing if too many places look like answers that cannot be read.
#[must_use]
pub fn extract(text: &str) -> Vec<Answer> {
    extraction::extract(text, Targets::All, Options::default()).unwrap_or_default()
}
