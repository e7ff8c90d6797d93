//! How long the mock takes, and how it fails.

use std::f64::consts::TAU;
use std::time::Duration;

use rehearsal::framework::config::TimeSpan;

/// How long answers take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Latency {
    #[default]
    None,
    Fixed(Duration),
    Uniform(Duration, Duration),
    Exponential(Duration),
    LogNormal(Duration, f64),
}

impl Latency {
    /// Reads `20ms`, `uniform(10ms,50ms)`, `exponential(20ms)` or `lognormal(20ms,0.5)`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let span = |text: &str| {
            let span: Result<TimeSpan, _> = serde_json::from_value(text.trim().into());
            span.map(TimeSpan::duration).map_err(|error| error.to_string())
        };
        let Some((name, arguments)) = text.split_once('(') else {
            let fixed = span(text)?;
            return Ok(if fixed.is_zero() { Self::None } else { Self::Fixed(fixed) });
        };
        let arguments = arguments.strip_suffix(')').ok_or("`)` is missing")?;
        let two = || arguments.split_once(',').ok_or("two values are needed");
        match name {
            "uniform" => {
                let (low, high) = two()?;
                let (low, high) = (span(low)?, span(high)?);
                if low > high {
                    return Err("the first value is above the second".to_owned());
                }
                Ok(Self::Uniform(low, high))
            }
            "exponential" => Ok(Self::Exponential(span(arguments)?)),
            "lognormal" => {
                let (median, deviation) = two()?;
                let deviation: f64 = deviation.trim().parse().map_err(|_| "no number")?;
                Ok(Self::LogNormal(span(median)?, deviation.clamp(0.0, 5.0)))
            }
            _ => Err(format!("`{name}` is none of uniform, exponential, lognormal")),
        }
    }

    /// The latency of a request.
    pub(crate) fn draw(self, number: u64) -> Duration {
        let (one, other) = (random(2 * number), random(2 * number + 1));
        match self {
            Self::None => Duration::ZERO,
            Self::Fixed(span) => span,
            Self::Uniform(low, high) => low + (high - low).mul_f64(one),
            Self::Exponential(mean) => mean.mul_f64(-(1.0 - one).ln()),
            Self::LogNormal(median, deviation) => {
                // After Box and Muller, 1958.
                let normal = (-2.0 * (1.0 - one).ln()).sqrt() * (TAU * other).cos();
                median.mul_f64((deviation * normal).exp())
            }
        }
    }
}

/// A number from 0 to 1, the same for the same seed (SplitMix64).
fn random(seed: u64) -> f64 {
    let mut bits = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Status(u16),
    /// The connection stays, and nothing comes.
    Hang,
    /// It is closed without an answer.
    HangUp,
    /// It is closed after half an answer.
    Truncate,
    /// A web page, or events that are none.
    Garbage,
}

/// How often to fail in a way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) fault: Fault,
    pub(crate) share: f64,
}

impl Rate {
    /// Reads `429=0.01`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, share) = text.split_once('=').ok_or("write it as `503=0.01`")?;
        let share: f64 = share.parse().map_err(|_| format!("`{share}` is no number"))?;
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("`{share}` is not from 0 to 1"));
        }
        let fault = match name {
            "hang" => Fault::Hang,
            "hang-up" => Fault::HangUp,
            "truncate" => Fault::Truncate,
            "garbage" => Fault::Garbage,
            _ => {
                let status = name.parse().ok().filter(|status| (400..600).contains(status));
                let known = "a status from 400, `hang`, `hang-up`, `truncate` or `garbage`";
                Fault::Status(status.ok_or_else(|| format!("`{name}` is none of {known}"))?)
            }
        };
        Ok(Self { fault, share })
    }

    /// Whether the request of that number, from 0, fails: evenly, and always the same ones.
    pub(crate) fn strikes(&self, number: u64) -> bool {
        let number = number as f64;
        ((number + 1.0) * self.share).floor() > (number * self.share).floor()
    }
}
