//! The scalar conversions of pydantic's lax mode: `"3"` is an integer, `3` is no text.
//!
//! Models are sloppy with types and NeMo Gym forgives exactly this much. The rules are those of
//! pydantic-core 2.11 (`src/input/shared.rs`, `input_python.rs`); tests compare with pydantic itself
//! where it is installed.

use super::Json;
use super::integer::{DIGITS_MAX, Integer};

/// Why a value is not of the type wanted, in pydantic's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error's `type`.
    pub kind: &'static str,
    /// The error's `msg`.
    pub message: &'static str,
}

const fn refusal(kind: &'static str, message: &'static str) -> Refusal {
    Refusal { kind, message }
}

const INT_TYPE: Refusal = refusal("int_type", "Input should be a valid integer");
const INT_PARSING: Refusal =
    refusal("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
const INT_PARSING_SIZE: Refusal = refusal(
    "int_parsing_size",
    "Unable to parse input string as an integer, exceeded maximum size",
);
const INT_FROM_FLOAT: Refusal = refusal(
    "int_from_float",
    "Input should be a valid integer, got a number with a fractional part",
);
const FINITE_NUMBER: Refusal = refusal("finite_number", "Input should be a finite number");
const FLOAT_TYPE: Refusal = refusal("float_type", "Input should be a valid number");
const FLOAT_PARSING: Refusal =
    refusal("float_parsing", "Input should be a valid number, unable to parse string as a number");
const BOOL_TYPE: Refusal = refusal("bool_type", "Input should be a valid boolean");
const BOOL_PARSING: Refusal =
    refusal("bool_parsing", "Input should be a valid boolean, unable to interpret input");

/// A value as an `int` field takes it.
///
/// # Errors
/// Fails if it is no integer, nor anything that says one.
pub fn integer(value: &Json) -> Result<Integer, Refusal> {
    match value {
        Json::Integer(value) => Ok(value.clone()),
        Json::Bool(value) => Ok(Integer::from(i64::from(*value))),
        Json::Float(value) => integer_of_float(*value),
        Json::String(text) => integer_of_text(text),
        Json::Null | Json::Array(_) | Json::Object(_) => Err(INT_TYPE),
    }
}

/// Floats beyond 64 bits are refused, unlike integers of that size.
fn integer_of_float(value: f64) -> Result<Integer, Refusal> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if !value.is_finite() {
        return Err(FINITE_NUMBER);
    }
    if value.abs() >= LIMIT {
        return Err(INT_PARSING_SIZE);
    }
    Integer::of_float(value).ok_or(INT_FROM_FLOAT)
}

fn integer_of_text(text: &str) -> Result<Integer, Refusal> {
    let text = text.trim();
    let (sign, unsigned) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    let whole = match unsigned.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => {
            whole
        }
        Some(_) => return Err(INT_PARSING),
        None => unsigned,
    };
    let digits = without_separators(whole).ok_or(INT_PARSING)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(INT_PARSING);
    }
    if digits.len() > DIGITS_MAX {
        return Err(INT_PARSING_SIZE);
    }
    Integer::parse(&format!("{sign}{digits}")).ok_or(INT_PARSING)
}

/// A number's text without its single underscores; `None` if one stands at an end or beside another.
fn without_separators(text: &str) -> Option<String> {
    let misplaced = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (!misplaced).then(|| text.replace('_', ""))
}

/// A value as a `float` field takes it; it may be `NaN` or an infinity.
///
/// # Errors
/// Fails if it is no number, nor anything that says one.
pub fn float(value: &Json) -> Result<f64, Refusal> {
    match value {
        Json::Float(value) => Ok(*value),
        Json::Integer(value) => {
            Some(value.to_float()).filter(|value| value.is_finite()).ok_or(FLOAT_TYPE)
        }
        Json::Bool(value) => Ok(f64::from(u8::from(*value))),
        Json::String(text) => float_of_text(text),
        Json::Null | Json::Array(_) | Json::Object(_) => Err(FLOAT_TYPE),
    }
}

fn float_of_text(text: &str) -> Result<f64, Refusal> {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let plain = without_separators(text).ok_or(FLOAT_PARSING)?;
    plain.parse().map_err(|_| FLOAT_PARSING)
}

/// A value as a `bool` field takes it.
///
/// # Errors
/// Fails if it is no truth value, nor anything that says one.
pub fn boolean(value: &Json) -> Result<bool, Refusal> {
    const YES: [&str; 6] = ["1", "on", "t", "true", "y", "yes"];
    const NO: [&str; 6] = ["0", "off", "f", "false", "n", "no"];
    match value {
        Json::Bool(value) => Ok(*value),
        Json::String(text) => {
            let says = |words: [&str; 6]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
            if says(YES) { Ok(true) } else { says(NO).then_some(false).ok_or(BOOL_PARSING) }
        }
        Json::Integer(number) => match number.as_str() {
            "0" => Ok(false),
            "1" => Ok(true),
            text => Err(if text.parse::<i64>().is_ok() { BOOL_PARSING } else { BOOL_TYPE }),
        },
        Json::Float(value) => match *value {
            0.0 => Ok(false),
            1.0 => Ok(true),
            value => Err(if integer_of_float(value).is_ok() { BOOL_PARSING } else { BOOL_TYPE }),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => Err(BOOL_TYPE),
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;

    const INTEGERS: [(&str, Result<&str, &str>); 36] = [
        ("7", Ok("7")),
        ("1000000000000000000000000000000", Ok("1000000000000000000000000000000")),
        ("2.0", Ok("2")),
        ("-0.0", Ok("0")),
        ("true", Ok("1")),
        ("false", Ok("0")),
        ("9223372036854774784.0", Ok("9223372036854774784")),
        ("9223372036854775808.0", Err("int_parsing_size")),
        ("1e22", Err("int_parsing_size")),
        ("2.5", Err("int_from_float")),
        ("NaN", Err("finite_number")),
        ("Infinity", Err("finite_number")),
        ("null", Err("int_type")),
        ("{}", Err("int_type")),
        ("[]", Err("int_type")),
        (r#""3.0""#, Ok("3")),
        (r#"" 3 ""#, Ok("3")),
        (r#""\u00a03""#, Ok("3")),
        (r#""+3""#, Ok("3")),
        (r#""-007""#, Ok("-7")),
        (r#""-00""#, Ok("0")),
        (r#""1_000""#, Ok("1000")),
        (r#""1_0.00""#, Ok("10")),
        (r#""1__0""#, Err("int_parsing")),
        (r#""_1""#, Err("int_parsing")),
        (r#""-_1""#, Err("int_parsing")),
        (r#""1_""#, Err("int_parsing")),
        (r#""+-3""#, Err("int_parsing")),
        (r#""+ 3""#, Err("int_parsing")),
        (r#""3.""#, Err("int_parsing")),
        (r#"".0""#, Err("int_parsing")),
        (r#""3.0_0""#, Err("int_parsing")),
        (r#""1e3""#, Err("int_parsing")),
        (r#""x""#, Err("int_parsing")),
        (r#""""#, Err("int_parsing")),
        (r#""\uff13""#, Err("int_parsing")),
    ];

    const FLOATS: [(&str, Result<&str, &str>); 24] = [
        ("3", Ok("3.0")),
        ("true", Ok("1.0")),
        ("1e999", Ok("Infinity")),
        ("NaN", Ok("NaN")),
        (r#""1.5""#, Ok("1.5")),
        (r#"" +1.5 ""#, Ok("1.5")),
        (r#"".5""#, Ok("0.5")),
        (r#""5.""#, Ok("5.0")),
        (r#""1_000.5""#, Ok("1000.5")),
        (r#""1._5""#, Ok("1.5")),
        (r#""1e5""#, Ok("100000.0")),
        (r#""nan""#, Ok("NaN")),
        (r#""-inf""#, Ok("-Infinity")),
        (r#""Infinity""#, Ok("Infinity")),
        (r#""1e999""#, Ok("Infinity")),
        (r#""1__0.5""#, Err("float_parsing")),
        (r#""_1""#, Err("float_parsing")),
        (r#""inf_""#, Err("float_parsing")),
        (r#""1e""#, Err("float_parsing")),
        (r#""x""#, Err("float_parsing")),
        (r#""""#, Err("float_parsing")),
        ("null", Err("float_type")),
        ("[]", Err("float_type")),
        ("{}", Err("float_type")),
    ];

    const BOOLEANS: [(&str, Result<&str, &str>); 17] = [
        ("true", Ok("true")),
        ("0", Ok("false")),
        ("1.0", Ok("true")),
        (r#""YES""#, Ok("true")),
        (r#""oFF""#, Ok("false")),
        (r#""t""#, Ok("true")),
        (r#""0""#, Ok("false")),
        ("2", Err("bool_parsing")),
        ("2.0", Err("bool_parsing")),
        (r#""2""#, Err("bool_parsing")),
        (r#"" true""#, Err("bool_parsing")),
        ("0.5", Err("bool_type")),
        ("1e300", Err("bool_type")),
        ("10000000000000000000000", Err("bool_type")),
        ("NaN", Err("bool_type")),
        ("null", Err("bool_type")),
        ("[]", Err("bool_type")),
    ];

    fn outcome<T>(result: Result<T, Refusal>, json: fn(T) -> Json) -> String {
        result.map_or_else(|refusal| refusal.kind.to_owned(), |value| json(value).to_string())
    }

    fn coerced(kind: &str, input: &str) -> String {
        let value = Json::parse(input).unwrap();
        match kind {
            "int" => outcome(integer(&value), Json::Integer),
            "float" => outcome(float(&value), Json::Float),
            _ => outcome(boolean(&value), Json::Bool),
        }
    }

    fn cases() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let of = |kind, table: &'static [(&'static str, Result<&'static str, &'static str>)]| {
            table.iter().map(move |(input, expected)| {
                (kind, *input, expected.unwrap_or_else(|refusal| refusal))
            })
        };
        of("int", &INTEGERS).chain(of("float", &FLOATS)).chain(of("bool", &BOOLEANS))
    }

    #[test]
    fn values_are_converted_as_far_as_pydantic_goes() {
        for (kind, input, expected) in cases() {
            assert_eq!(coerced(kind, input), expected, "{kind} of {input}");
        }
    }

    #[test]
    fn a_converted_value_stays_what_it_is() {
        for (kind, input, _) in cases() {
            let once = coerced(kind, input);
            if Json::parse(&once).is_ok() {
                assert_eq!(coerced(kind, &once), once, "{kind} of {input}");
            }
        }
    }

    #[test]
    fn pydantic_itself_agrees() {
        const SCRIPT: &str = r#"
import json, sys
from pydantic import TypeAdapter, ValidationError
types = {"int": TypeAdapter(int), "float": TypeAdapter(float), "bool": TypeAdapter(bool)}
for kind, text in json.load(sys.stdin):
    try: print(json.dumps(types[kind].validate_python(json.loads(text))))
    except ValidationError as error: print(error.errors()[0]["type"] + "|" + error.errors()[0]["msg"])
"#;
        let values = INTEGERS.iter().chain(&FLOATS).chain(&BOOLEANS).map(|(input, _)| *input);
        let inputs: Vec<_> =
            values.flat_map(|input| ["int", "float", "bool"].map(|kind| (kind, input))).collect();
        let Some(output) = reference::python(SCRIPT, &serde_json::to_string(&inputs).unwrap())
        else {
            return;
        };
        for ((kind, input), expected) in inputs.iter().zip(output.lines()) {
            let kind_of_error = expected.split('|').next().unwrap();
            assert_eq!(coerced(kind, input), kind_of_error, "{kind} of {input}");
        }
    }
}
