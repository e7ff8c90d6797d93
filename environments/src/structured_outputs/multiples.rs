//! `multipleOf`: by remainder for whole divisors, by division of floats for others, as Python does it.

use framework::environment::python::Integer;
use num_bigint::BigInt;

use super::validator::Fault;
use super::value::Value;

/// Whether a number is a multiple of another.
pub(super) fn is_multiple(number: &Value, divisor: &Value) -> Result<bool, Fault> {
    match divisor {
        Value::Integer(divisor) => is_multiple_of_integer(number, divisor),
        Value::Float(divisor) => is_multiple_of_float(number, *divisor),
        _ => Err(Fault::Broken("TypeError: a divisor is no number".into())),
    }
}

fn big(integer: &Integer) -> BigInt {
    integer.as_str().parse().expect("an integer is decimal digits")
}

fn is_multiple_of_integer(instance: &Value, divisor: &Integer) -> Result<bool, Fault> {
    let divisor_float = divisor.to_float();
    match instance {
        Value::Integer(value) if divisor.as_str() != "0" => {
            Ok(big(value) % big(divisor) == BigInt::ZERO)
        }
        Value::Float(value) if divisor_float.is_finite() && divisor_float != 0.0 => {
            Ok(value % divisor_float == 0.0)
        }
        _ => Err(Fault::Broken("ZeroDivisionError or OverflowError".into())),
    }
}

fn is_multiple_of_float(instance: &Value, divisor: f64) -> Result<bool, Fault> {
    let value = match instance {
        Value::Integer(value) => value.to_float(),
        Value::Float(value) => *value,
        _ => return Err(Fault::Broken("TypeError: no number".into())),
    };
    let is_finite = !matches!(instance, Value::Integer(_)) || value.is_finite();
    if !is_finite || divisor == 0.0 {
        return Err(Fault::Broken("ZeroDivisionError or OverflowError".into()));
    }
    let quotient = value / divisor;
    if quotient.is_nan() {
        return Err(Fault::Broken("ValueError: cannot convert float NaN to integer".into()));
    }
    if quotient.is_infinite() {
        return is_exact_multiple(instance, divisor);
    }
    Ok(quotient.fract() == 0.0)
}

/// By fractions, where the quotient of floats overflows.
fn is_exact_multiple(instance: &Value, divisor: f64) -> Result<bool, Fault> {
    let (numerator, shift) = match instance {
        Value::Integer(value) => (big(value), 0),
        Value::Float(value) if value.is_finite() => fraction(*value),
        _ => return Err(Fault::Broken("OverflowError: cannot convert infinity".into())),
    };
    if divisor.is_infinite() {
        return Err(Fault::Broken("OverflowError: cannot convert infinity".into()));
    }
    let (divisor, divisor_shift) = fraction(divisor);
    Ok((numerator << divisor_shift) % (divisor << shift) == BigInt::ZERO)
}

/// A float as a whole number over a power of two.
fn fraction(value: f64) -> (BigInt, usize) {
    let bits = value.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default();
    let mantissa = bits & ((1 << 52) - 1);
    let (mantissa, power) =
        if exponent == 0 { (mantissa, -1074) } else { (mantissa | (1 << 52), exponent - 1075) };
    let mantissa = if value < 0.0 { -BigInt::from(mantissa) } else { BigInt::from(mantissa) };
    match usize::try_from(power) {
        Ok(power) => (mantissa << power, 0),
        Err(_) => (mantissa, power.unsigned_abs() as usize),
    }
}
