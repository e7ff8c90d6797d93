//! The operations of the other universe, with Python's arithmetic and Python's words for what fails.
//!
//! Where Python raises, Rust answers an infinity or a `NaN`, so what raises is asked first. The order
//! of evaluation is that of NeMo Gym's formulas: rewards compare to the last bit.

use std::f64::consts::{E, PI};

use framework::environment::python::float_repr;
use framework::environment::{Tool, ToolError};
use schemars::JsonSchema;

use super::MultiverseMath;

/// One tool.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// What it does in an ordinary universe; the model is to find out.
    pub(super) description: &'static str,
    /// The arguments that belong to it, all of them required.
    parameters: &'static [&'static str],
    /// Offers the model these arguments.
    pub(super) offer: Offer,
    evaluate: fn(&[f64]) -> Result<f64, ToolError>,
}

type Offer = fn(&mut Tool<MultiverseMath>) -> &mut Tool<MultiverseMath>;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "models are offered its schema")]
struct Pair {
    /// The first number.
    a: f64,
    /// The second number.
    b: f64,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "models are offered its schema")]
struct Single {
    /// The number.
    a: f64,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "models are offered its schema")]
struct Angle {
    /// The angle in radians.
    radians: f64,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "models are offered its schema")]
struct Logarithm {
    /// The number to take the logarithm of.
    a: f64,
    /// The logarithm's base.
    base: f64,
}

#[derive(JsonSchema)]
struct Nothing {}

/// All operations, in the order in which models are offered them.
pub(super) static OPERATIONS: [Operation; 11] = [
    pair("multiply", "Multiplies a by b.", |n| Ok(1.1 * n[0] * n[1])),
    pair("divide", "Divides a by b.", |n| quotient(0.5 * n[0], n[1])),
    pair("add", "Adds a and b.", |n| Ok(n[0] + n[1] + 1.2)),
    angle("sin", "Takes the sine of an angle.", |n| of_finite(f64::cos, n[0])),
    angle("cos", "Takes the cosine of an angle.", |n| of_finite(f64::sin, n[0])),
    pair("subtract", "Subtracts b from a.", |n| Ok(n[0] - n[1] - 3.0)),
    pair("power", "Raises a to the power of b.", |n| power(n[0], n[1] + 2.0)),
    Operation {
        name: "log",
        description: "Takes the logarithm of a. In this universe every base is positive.",
        parameters: &["a", "base"],
        offer: Tool::offered_as::<Logarithm>,
        evaluate: |n| {
            let logarithm = ln(n[0])?;
            quotient(logarithm, ln((n[1] + 1.5).abs())?)
        },
    },
    Operation {
        name: "pi",
        description: "Tells the exact value of pi in this universe.",
        parameters: &[],
        offer: Tool::offered_as::<Nothing>,
        evaluate: |_| Ok(E),
    },
    single("negate", "Negates a.", |n| Ok(n[0])),
    single("return_constant", "Returns a as it is.", |n| Ok(n[0])),
];

type Evaluate = fn(&[f64]) -> Result<f64, ToolError>;

const fn pair(name: &'static str, description: &'static str, evaluate: Evaluate) -> Operation {
    Operation {
        name,
        description,
        parameters: &["a", "b"],
        offer: Tool::offered_as::<Pair>,
        evaluate,
    }
}

const fn single(name: &'static str, description: &'static str, evaluate: Evaluate) -> Operation {
    Operation { name, description, parameters: &["a"], offer: Tool::offered_as::<Single>, evaluate }
}

const fn angle(name: &'static str, description: &'static str, evaluate: Evaluate) -> Operation {
    Operation {
        name,
        description,
        parameters: &["radians"],
        offer: Tool::offered_as::<Angle>,
        evaluate,
    }
}

impl Operation {
    /// Calls the operation by keyword, as Python would.
    pub(super) fn call(&self, supplied: &[(&str, f64)]) -> Result<f64, ToolError> {
        let Self { name, parameters, .. } = self;
        let stranger = supplied.iter().find(|(key, _)| !parameters.contains(key));
        if let Some((key, _)) = stranger {
            let text = format!("{name}() got an unexpected keyword argument '{key}'");
            return Err(ToolError::detail(&text));
        }
        let value_of = |parameter: &&str| {
            let (_, value) = supplied.iter().find(|(key, _)| key == parameter)?;
            Some(*value)
        };
        let values: Option<Vec<f64>> = parameters.iter().map(value_of).collect();
        (self.evaluate)(&values.ok_or_else(|| self.missing(supplied))?)
    }

    fn missing(&self, supplied: &[(&str, f64)]) -> ToolError {
        let is_missing = |parameter: &&&str| !supplied.iter().any(|(key, _)| key == *parameter);
        let names = self.parameters.iter().filter(is_missing).map(|name| format!("'{name}'"));
        let names: Vec<_> = names.collect();
        let (count, plural) = (names.len(), if names.len() == 1 { "" } else { "s" });
        let (name, names) = (self.name, names.join(" and "));
        ToolError::detail(&format!(
            "{name}() missing {count} required positional argument{plural}: {names}"
        ))
    }
}

fn quotient(dividend: f64, divisor: f64) -> Result<f64, ToolError> {
    if divisor == 0.0 {
        return Err(ToolError::detail("float division by zero"));
    }
    Ok(dividend / divisor)
}

fn domain_error() -> ToolError {
    ToolError::detail("math domain error")
}

fn ln(value: f64) -> Result<f64, ToolError> {
    if value <= 0.0 { Err(domain_error()) } else { Ok(value.ln()) }
}

fn of_finite(function: fn(f64) -> f64, value: f64) -> Result<f64, ToolError> {
    if value.is_infinite() { Err(domain_error()) } else { Ok(function(value)) }
}

/// `base ** exponent`, by the rules of CPython's `float_pow`.
fn power(base: f64, exponent: f64) -> Result<f64, ToolError> {
    let is_finite = base.is_finite() && exponent.is_finite();
    if base == 0.0 && exponent < 0.0 && is_finite {
        return Err(ToolError::detail("0.0 cannot be raised to a negative power"));
    }
    if base < 0.0 && exponent.fract() != 0.0 && is_finite {
        return Err(complex_power(base, exponent));
    }
    let result = base.powf(exponent);
    if result.is_infinite() && is_finite {
        return Err(ToolError::detail("(34, 'Numerical result out of range')"));
    }
    Ok(result)
}

/// A negative number to a fractional power is complex, and so no valid solution: pydantic's words,
/// with the number computed as CPython's `_Py_c_pow` does.
fn complex_power(base: f64, exponent: f64) -> ToolError {
    let length = base.abs().powf(exponent);
    let (sine, cosine) = (PI * exponent).sin_cos();
    let (real, imaginary) = (length * cosine, length * sine);
    if real.is_infinite() || imaginary.is_infinite() {
        return ToolError::detail("complex exponentiation");
    }
    let input = shortened(&complex_repr(real, imaginary));
    ToolError::detail(&format!(
        "1 validation error for MultiVerseMathHardResponse\nsolution\n  Input should be a valid number \
         [type=float_type, input_value={input}, input_type=complex]\n    For further information visit \
         https://errors.pydantic.dev/2.11/v/float_type"
    ))
}

/// Python's `repr` of a complex number, which leaves a real part out that is a positive zero.
fn complex_repr(real: f64, imaginary: f64) -> String {
    let part = |value| float_repr(value).trim_end_matches(".0").to_owned();
    if real == 0.0 && real.is_sign_positive() {
        return format!("{}j", part(imaginary));
    }
    let sign = if imaginary.is_sign_negative() { "" } else { "+" };
    format!("({}{sign}{}j)", part(real), part(imaginary))
}

/// A value's text as pydantic quotes it: 50 characters at most.
fn shortened(text: &str) -> String {
    match text.len() {
        0..=50 => text.to_owned(),
        length => format!("{}...{}", &text[..25], &text[length - 24..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials;

    /// The formulas as Python computes them, and pydantic's text for a complex number.
    const SCRIPT: &str = r#"
import math, struct, sys
from pydantic import TypeAdapter, ValidationError
formulas = {
    "add": lambda a, b: (a + b) + 1.2,
    "subtract": lambda a, b: (a - b) - 3,
    "multiply": lambda a, b: (1.1 * a) * b,
    "divide": lambda a, b: (0.5 * a) / b,
    "sin": math.cos, "cos": math.sin, "pi": lambda: math.e,
    "power": lambda a, b: a ** (b + 2),
    "log": lambda a, base: math.log(a) / math.log(abs(base + 1.5)),
    "negate": lambda a: a, "return_constant": lambda a: a,
}
number = TypeAdapter(float)
for line in sys.stdin:
    name, *bits = line.split()
    values = [struct.unpack(">d", bytes.fromhex(text))[0] for text in bits]
    try: print(repr(number.validate_python(formulas[name](*values))))
    except ValidationError as error: print("complex", str(error).split("input_value=")[1].split(",")[0])
    except Exception as error: print(str(error))
"#;

    const VALUES: [f64; 28] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        -1.5,
        -2.5,
        2.0,
        3.0,
        -3.0,
        1e-5,
        9.25,
        -8.0,
        100.0,
        0.1,
        1e16,
        1e200,
        -1e200,
        1e308,
        5e-324,
        -1e-300,
        1075.5,
        -1077.0,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];

    fn inputs() -> Vec<(&'static Operation, Vec<f64>)> {
        let mut inputs = Vec::new();
        for operation in &OPERATIONS {
            for (index, first) in VALUES.iter().enumerate() {
                let seconds =
                    if operation.parameters.len() == 2 { &VALUES[..] } else { &VALUES[..1] };
                for second in seconds {
                    inputs.push((
                        operation,
                        [*first, *second][..operation.parameters.len()].to_vec(),
                    ));
                }
                if operation.parameters.is_empty() && index == 0 {
                    break;
                }
            }
        }
        inputs
    }

    fn outcome(operation: &Operation, values: &[f64]) -> String {
        let supplied: Vec<_> =
            operation.parameters.iter().copied().zip(values.iter().copied()).collect();
        let text = match operation.call(&supplied) {
            Ok(value) => return float_repr(value),
            Err(error) => error.into_text(),
        };
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        let detail = body["detail"].as_str().unwrap().to_owned();
        match detail.split_once("input_value=") {
            Some((_, rest)) => format!("complex {}", rest.split(',').next().unwrap()),
            None => detail,
        }
    }

    #[test]
    fn python_computes_the_same_to_the_last_bit_and_fails_in_the_same_words() {
        let inputs = inputs();
        let line = |(operation, values): &(&Operation, Vec<f64>)| {
            let bits = values.iter().map(|value| format!(" {:016x}", value.to_bits()));
            format!("{}{}\n", operation.name, bits.collect::<String>())
        };
        let text: String = inputs.iter().map(line).collect();
        let Some(output) = trials::python(SCRIPT, &text) else { return };
        assert_eq!(output.lines().count(), inputs.len());
        for ((operation, values), expected) in inputs.iter().zip(output.lines()) {
            assert_eq!(outcome(operation, values), expected, "{} {values:?}", operation.name);
        }
    }
}
