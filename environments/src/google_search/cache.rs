//! Answers that all sessions of all shards share: bounded in bytes, for a time, and each asked for once
//! at a time.
//!
//! moka keeps them (TinyLFU within a bound, expiry, one initialisation per key however many wait for
//! it). What fails is not kept: those who waited for it hear of the failure, the next one asks anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use framework::config::{ByteSize, TimeSpan};
use framework::metrics::WebMetrics;
use moka::future::Cache;
use serde::Deserialize;

use super::failure::Failure;

/// What an entry takes beside its key and its text, roughly.
const OVERHEAD: usize = 256;

/// What is kept, and for how long: `settings.cache`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Bytes of search results that are kept; 0 keeps none. Default: 256MiB.
    pub searches_max: ByteSize,
    /// Bytes of pages' texts that are kept; 0 keeps none. Default: 256MiB.
    pub pages_max: ByteSize,
    /// How long search results are kept. Default: 1d.
    pub searches_for: TimeSpan,
    /// How long pages are kept. Default: 1d.
    pub pages_for: TimeSpan,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            searches_max: ByteSize::from_bytes(256 << 20),
            pages_max: ByteSize::from_bytes(256 << 20),
            searches_for: TimeSpan::from_secs(86_400),
            pages_for: TimeSpan::from_secs(86_400),
        }
    }
}

/// The answers of one service, by what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    cache: Cache<Arc<str>, Arc<str>>,
    metrics: WebMetrics,
}

impl Answers {
    pub(crate) fn new(bytes_max: ByteSize, kept_for: TimeSpan, metrics: WebMetrics) -> Self {
        let weigh = |key: &Arc<str>, text: &Arc<str>| {
            u32::try_from(key.len() + text.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().weigher(weigh).max_capacity(bytes_max.bytes());
        Self { cache: cache.time_to_live(kept_for.duration()).build(), metrics }
    }

    /// An answer that is there.
    pub(crate) async fn get(&self, key: &str) -> Option<Arc<str>> {
        let found = self.cache.get(key).await;
        if found.is_some() {
            self.metrics.lookup("hit");
        }
        found
    }

    /// The answer; made by `ask`, unless it is there or somebody is about to make it.
    pub(crate) async fn get_or(
        &self,
        key: &str,
        ask: impl Future<Output = Result<String, Failure>>,
    ) -> Result<Arc<str>, Arc<Failure>> {
        let has_asked = AtomicBool::new(false);
        let ask = async {
            has_asked.store(true, Ordering::Relaxed);
            ask.await.map(Arc::from)
        };
        let answer = self.cache.try_get_with(key.into(), ask).await;
        let has_asked = has_asked.into_inner();
        self.metrics.lookup(if has_asked { "miss" } else { "joined" });
        if has_asked {
            self.cache.run_pending_tasks().await;
            self.metrics.cached(self.cache.weighted_size());
        }
        answer
    }

    /// Counts an answer that came too late for whoever wanted it.
    pub(crate) fn late(&self) {
        self.metrics.lookup("late");
    }
}
