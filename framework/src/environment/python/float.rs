//! A float as Python holds and prints it.
//!
//! JSON has no `NaN` and no infinities, Python's has; `1e-05` is Python's way to write 0.00001, and a
//! model that copies a tool's answer copies that.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An argument or a key of a row that may be `NaN` or an infinity, unlike an `f64` read from JSON. It
/// displays as Python's `json.dumps` writes it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Float(pub f64);

const NAN: &str = "NaN";
const INFINITY: &str = "Infinity";
const NEGATIVE_INFINITY: &str = "-Infinity";

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str(NAN),
            f64::INFINITY => f.write_str(INFINITY),
            f64::NEG_INFINITY => f.write_str(NEGATIVE_INFINITY),
            value => f.write_str(&float_repr(value)),
        }
    }
}

/// A float as Python's `repr` writes it: the shortest digits that read back as the same number, with
/// an exponent below 1e-4 and from 1e16 on, and always a point or an exponent.
///
/// The rules are those of CPython's `float_repr_style` `short` (`Python/pystrtod.c`).
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = shortest(value);
    let (digits, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let digits = digits.trim_start_matches('-').replace('.', "");
    match usize::try_from(exponent) {
        Err(_) => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        Ok(exponent) if digits.len() <= exponent + 1 => {
            format!("{sign}{digits}{}.0", "0".repeat(exponent + 1 - digits.len()))
        }
        Ok(exponent) => format!("{sign}{}.{}", &digits[..=exponent], &digits[exponent + 1..]),
    }
}

/// The fewest digits that read back as the number, and of those the nearest; of two that are equally
/// near the one that ends in an even digit, where Rust's `{:e}` takes either.
fn shortest(value: f64) -> String {
    let some = format!("{value:e}");
    let digits = some.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let nearest = format!("{value:.*e}", digits - 1);
    if nearest.parse() == Ok(value) { nearest } else { some }
}

/// What Python says when it is to write `NaN` or an infinity as strict JSON.
pub(super) const NOT_COMPLIANT: &str = "Out of range float values are not JSON compliant";

/// As Python's `repr`; fails on `NaN` and infinities.
impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.to_string());
        text.map_err(|_| serde::ser::Error::custom(NOT_COMPLIANT))?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Float;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Float, E> {
                Ok(Float(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Float, E> {
                Ok(Float(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Float, E> {
                Ok(Float(value as f64))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Float, E> {
                match text {
                    NAN => Ok(Float(f64::NAN)),
                    INFINITY => Ok(Float(f64::INFINITY)),
                    NEGATIVE_INFINITY => Ok(Float(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Float {
    fn schema_name() -> Cow<'static, str> {
        "Float".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn floats_print_as_pythons_repr() {
        for (value, expected) in [
            (9.9, "9.9"),
            (-3.0, "-3.0"),
            (4096.0, "4096.0"),
            (1e22, "1e+22"),
            (1.1e-7, "1.1e-07"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (9999999999999998.0, "9999999999999998.0"),
            (1.0000000000000002e16, "1.0000000000000002e+16"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (1_438_971_106_210_492.2, "1438971106210492.2"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float_repr(value), expected);
        }
    }

    #[test]
    fn a_float_may_be_what_json_has_no_number_for() {
        let floats: Vec<Float> = serde_json::from_str(r#"[1, -2.5, "NaN", "-Infinity"]"#).unwrap();
        let text: Vec<_> = floats.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["1.0", "-2.5", "NaN", "-Infinity"]);
        assert!(serde_json::from_str::<Float>(r#""1.5""#).is_err());
        assert!(
            serde_json::to_string(&Float(f64::NAN))
                .unwrap_err()
                .to_string()
                .contains(NOT_COMPLIANT)
        );
    }

    #[test]
    fn pythons_own_repr_of_floats_agrees() {
        const SCRIPT: &str = "import sys,struct\nfor line in sys.stdin:\n \
            print(repr(struct.unpack('>d',bytes.fromhex(line.strip()))[0]))";
        let mut bits: Vec<u64> =
            (0..4000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let quarters = (0..500).map(|n| 1e15 + 7e12 * f64::from(n) + 0.25);
        bits.extend(quarters.map(f64::to_bits));
        bits.extend((-1074..1024).map(|n| 2.0_f64.powi(n).to_bits()));
        bits.extend((0..2000).map(|n| (f64::from(n) * 0.37).to_bits()));
        bits.extend((-330..330).map(|e| format!("1e{e}").parse::<f64>().unwrap().to_bits()));
        let input: String = bits.iter().map(|bits| format!("{bits:016x}\n")).collect();
        let Some(output) = reference::python(SCRIPT, &input) else { return };
        for (bits, expected) in bits.iter().zip(output.lines()) {
            assert_eq!(float_repr(f64::from_bits(*bits)), expected);
        }
    }

    proptest! {
        #[test]
        fn a_float_reads_back_from_its_repr(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(float_repr(value).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
