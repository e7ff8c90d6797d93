//! The recorder contract: takes finished rollouts and keeps them.

use std::future::Future;
use std::io;
use std::path::PathBuf;

use actix::{Actor, ActorFutureExt, AsyncContext, AtomicResponse, Handler, Message, WrapFuture};

use crate::rollout::Outcome;
use crate::supervision::Supervised;
use crate::task::RolloutKey;

/// One finished rollout, ready to be kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose rollout it is.
    pub key: RolloutKey,
    /// How it ended. Failed ones have no reward and are kept apart.
    pub outcome: Outcome,
    /// Its JSON, one line without its end.
    pub line: String,
}

/// Keeps records.
pub trait Recorder: Send + 'static {
    /// Keeps one record. When this returns, the record may still be buffered.
    ///
    /// # Errors
    /// Fails if it cannot be kept; the collection then stops.
    fn record(&mut self, record: Record) -> impl Future<Output = Result<(), RecorderError>> + Send;

    /// Makes everything kept so far durable.
    ///
    /// # Errors
    /// Fails if it cannot be; the collection then stops.
    fn sync(&mut self) -> impl Future<Output = Result<(), RecorderError>> + Send;
}

/// Why records could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecorderError {
    /// The file system refuses.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
