//! Quantities as people write them: `30s`, `10m`, `500ms`; `64MiB`.
//!
//! A bare number is seconds or bytes. Negative quantities are refused, and so are spans beyond a year:
//! they are mistakes, and adding one to the present instant could overflow.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

/// Units of time, in milliseconds, the largest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Units of size, in bytes, the largest first.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];
const TIME_SPAN_MAX: Duration = Duration::from_secs(366 * 86_400);

const TIME_SPAN_FORM: &str = "a time span such as `30s`, `10m`, `500ms` or a number of seconds";
const BYTE_SIZE_FORM: &str = "a size such as `64MiB`, `10kB` or a number of bytes";

/// A length of time in configuration: `30s`, `10m`, `500ms`, `2h`, `1d`, or a number of seconds; a year at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(Duration);

impl TimeSpan {
    /// Creates a span of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Creates a span of whole milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// Returns the span as the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whether the span has no length.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    fn from_seconds(seconds: f64) -> Option<Self> {
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        (duration <= TIME_SPAN_MAX).then_some(Self(duration))
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let milliseconds = number * unit_factor(&TIME_UNITS, unit)? as f64;
        let is_whole =
            milliseconds.fract() == 0.0 && milliseconds <= TIME_SPAN_MAX.as_millis() as f64;
        if is_whole {
            return Some(Self::from_millis(milliseconds as u64));
        }
        Self::from_seconds(milliseconds / 1000.0)
    }
}

impl From<TimeSpan> for Duration {
    fn from(span: TimeSpan) -> Self {
        span.0
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let is_whole = Duration::from_millis(milliseconds as u64) == self.0;
        if milliseconds == 0 || !is_whole {
            return write!(formatter, "{}s", self.0.as_secs_f64());
        }
        for (unit, factor) in TIME_UNITS {
            if milliseconds.is_multiple_of(u128::from(factor)) {
                return write!(formatter, "{}{unit}", milliseconds / u128::from(factor));
            }
        }
        Ok(())
    }
}

/// A number of bytes in configuration: `64MiB`, `10kB`, `1GB`, or a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// Creates a size of so many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let bytes = number * unit_factor(&SIZE_UNITS, unit)? as f64;
        let is_representable = bytes >= 0.0 && bytes < u64::MAX as f64 && bytes.fract() == 0.0;
        is_representable.then_some(Self(bytes as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary_units = SIZE_UNITS.iter().filter(|(unit, _)| unit.contains('i'));
        for (unit, factor) in binary_units {
            if self.0 > 0 && self.0.is_multiple_of(*factor) {
                return write!(formatter, "{}{unit}", self.0 / factor);
            }
        }
        write!(formatter, "{}B", self.0)
    }
}

/// Splits `1.5s` into its number and its unit.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

fn unit_factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

struct TimeSpanVisitor;

impl Visitor<'_> for TimeSpanVisitor {
    type Value = TimeSpan;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(TIME_SPAN_FORM)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<TimeSpan, E> {
        let refused = || E::invalid_value(de::Unexpected::Unsigned(seconds), &self);
        TimeSpan::from_seconds(seconds as f64).ok_or_else(refused)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<TimeSpan, E> {
        TimeSpan::from_seconds(seconds)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Float(seconds), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TimeSpan, E> {
        TimeSpan::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeSpanVisitor)
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct ByteSizeVisitor;

impl Visitor<'_> for ByteSizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(BYTE_SIZE_FORM)
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
        ByteSize::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ByteSizeVisitor)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn time_spans_are_read_with_and_without_units() {
        let cases = [
            (json!("30s"), 30_000),
            (json!("10m"), 600_000),
            (json!("500ms"), 500),
            (json!("1.5s"), 1_500),
            (json!("2 h"), 7_200_000),
            (json!("1d"), 86_400_000),
            (json!(3), 3_000),
            (json!(0.25), 250),
            (json!("0s"), 0),
        ];
        for (text, milliseconds) in cases {
            let span: TimeSpan = serde_json::from_value(text).unwrap();
            assert_eq!(span, TimeSpan::from_millis(milliseconds));
        }
    }

    #[test]
    fn what_is_no_time_span_is_refused() {
        for text in [
            json!("-3s"),
            json!(-3),
            json!(-0.5),
            json!("s"),
            json!("3 weeks"),
            json!("1.2.3s"),
            json!("400d"),
            json!("5"),
        ] {
            assert!(serde_json::from_value::<TimeSpan>(text.clone()).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        let cases = [
            (json!("64MiB"), 64 << 20),
            (json!("10kB"), 10_000),
            (json!("10KB"), 10_000),
            (json!("1.5KiB"), 1536),
            (json!("2GB"), 2_000_000_000),
            (json!("7B"), 7),
            (json!(9), 9),
        ];
        for (text, bytes) in cases {
            let size: ByteSize = serde_json::from_value(text).unwrap();
            assert_eq!(size.bytes(), bytes);
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            json!("-1B"),
            json!(-1),
            json!(1.5),
            json!("0.3B"),
            json!("1MBit"),
            json!("99999999999GiB"),
        ] {
            assert!(serde_json::from_value::<ByteSize>(text.clone()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_time_span_reads_as_itself(milliseconds in 0_u64..31_000_000_000) {
            let span = TimeSpan::from_millis(milliseconds);
            prop_assert_eq!(TimeSpan::parse(&span.to_string()), Some(span));
        }

        #[test]
        fn a_printed_size_reads_as_itself(bytes in 0_u64..1 << 50) {
            let size = ByteSize::from_bytes(bytes);
            prop_assert_eq!(ByteSize::parse(&size.to_string()), Some(size));
        }
    }
}
