//! How long to wait before asking again: exponential with full jitter, so that many rollouts that
//! failed together do not come back together (Brooker, "Exponential Backoff And Jitter", 2015).

use std::time::{Duration, SystemTime};

use framework::config::TimeSpan;

/// The waits between retries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(first: TimeSpan, max: TimeSpan) -> Self {
        Self { first: first.duration(), max: max.duration() }
    }

    /// Draws the wait before a retry, counted from 0.
    pub(super) fn draw(self, retry: u32) -> Duration {
        self.longest(retry).mul_f64(rand::random())
    }

    fn longest(self, retry: u32) -> Duration {
        let factor = 2_u32.saturating_pow(retry);
        self.first.saturating_mul(factor).min(self.max)
    }
}

/// How long a `Retry-After` header asks to wait: seconds, or until a date (RFC 9110, 10.2.3).
pub(super) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_longest() {
        let backoff = Backoff::new(TimeSpan::from_millis(500), TimeSpan::from_secs(30));
        let longest: Vec<_> =
            [0, 1, 2, 6, 7, 99].iter().map(|retry| backoff.longest(*retry).as_millis()).collect();
        assert_eq!(longest, [500, 1000, 2000, 30_000, 30_000, 30_000]);
        assert!((0..100).all(|_| backoff.draw(1) <= Duration::from_secs(1)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, expected) in [
            ("0", Some(0.0)),
            (" 2 ", Some(2.0)),
            ("0.5", Some(0.5)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60.0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0.0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
        ] {
            let parsed = parse_retry_after(value, now).map(|wait| wait.as_secs_f64());
            assert_eq!(parsed, expected, "{value}");
        }
    }
}
