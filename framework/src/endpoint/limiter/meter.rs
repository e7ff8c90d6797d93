//! What is left of some limits.

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::time::Instant;

use super::LimitsConfig;
use crate::endpoint::bucket::Bucket;

/// What is left of some limits.
pub(super) struct Meter {
    pub(super) in_flight: usize,
    in_flight_max: usize,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// Whether a request has room.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Room {
    Now,
    /// When time has passed.
    After(Duration),
    /// When another request has ended.
    WhenFreed,
}

impl Meter {
    pub(super) fn new(config: LimitsConfig, now: Instant) -> Self {
        Self {
            in_flight: 0,
            in_flight_max: config.in_flight.map_or(usize::MAX, NonZeroUsize::get),
            requests: config.requests_per_minute.map(|n| Bucket::new(f64::from(n.get()), now)),
            tokens: config.tokens_per_minute.map(|n| Bucket::new(n.get() as f64, now)),
        }
    }

    pub(super) fn room(&mut self, tokens: f64, now: Instant) -> Room {
        if self.in_flight >= self.in_flight_max {
            return Room::WhenFreed;
        }
        let requests = self.requests.as_mut().map(|bucket| bucket.wait(1.0, now));
        let tokens = self.tokens.as_mut().map(|bucket| bucket.wait(tokens, now));
        match requests.max(tokens).unwrap_or_default() {
            Duration::ZERO => Room::Now,
            wait => Room::After(wait),
        }
    }

    pub(super) fn take(&mut self, tokens: f64) {
        self.in_flight += 1;
        self.charge(1.0, tokens);
    }

    pub(super) fn give_back(&mut self, tokens: f64) {
        self.in_flight -= 1;
        self.charge(-1.0, -tokens);
    }

    pub(super) fn charge(&mut self, requests: f64, tokens: f64) {
        self.requests.iter_mut().for_each(|bucket| bucket.take(requests));
        self.tokens.iter_mut().for_each(|bucket| bucket.take(tokens));
    }
}
