//! Scores portions of rows: read and written on the CPU pool, verified on the shards.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::reader::{Provenance, Read, Reader};
use super::rows::{Portion, Text};
use crate::cpu::CpuPool;
use crate::environment::Verdict;
use crate::responses::{CreateParams, Response};
use crate::rollout::{Failure, Origin, Outcome, Rollout, Timings};
use crate::runtime::{Runtime, SubmitError};
use crate::task::{RolloutKey, Task};

/// How long scoring one row may take.
const TIMEOUT: Duration = Duration::from_secs(600);
/// The extra that marks what an environment has scored which cannot do so from a record alone.
const UNREPRODUCIBLE: &str = "unreproducible";

/// A rollout and its task, ready to be scored.
pub(super) struct Prepared {
    pub(super) environment: String,
    /// Why its environment cannot score it as it was, if so.
    pub(super) unreproducible: Option<&'static str>,
    pub(super) agent: String,
    pub(super) key: RolloutKey,
    pub(super) task: Arc<Task>,
    pub(super) response: Arc<Response>,
    /// What the model was asked with, if the task has no prompt of its own.
    pub(super) params: Option<Arc<CreateParams>>,
    pub(super) reward: Option<f64>,
    pub(super) provenance: Option<Provenance>,
}

/// What became of a row.
pub(super) enum Row {
    Scored(Scored),
    Failed {
        line: u64,
        key: RolloutKey,
        record: String,
        reason: String,
    },
    LeftOut {
        line: u64,
        reason: String,
    },
    /// The output holds its key.
    Held,
    /// It is not of those that are wanted.
    PassedOver,
}

/// A row with its new reward.
pub(super) struct Scored {
    pub(super) key: RolloutKey,
    pub(super) environment: String,
    pub(super) outcome: Outcome,
    pub(super) record: String,
    pub(super) reward: f64,
    pub(super) is_changed: bool,
}

/// A row on its way: with what its verifier says, or ended already.
enum Verified {
    With { line: u64, prepared: Box<Prepared>, verdict: Result<Verdict, Failure> },
    Ended(Row),
}

impl Runtime {
    /// Scores a portion.
    pub(super) async fn score(
        &self,
        portion: Portion,
        reader: &Arc<Reader>,
        cpu: &CpuPool,
    ) -> Vec<Row> {
        let reader = reader.clone();
        let read =
            move |Text { line, text }: Text| (line, text.and_then(|text| reader.read(line, &text)));
        let read = move || portion.rows.into_iter().map(read).collect::<Vec<_>>();
        let verified = cpu.run(read).await.into_iter().map(|(line, read)| async move {
            match read {
                Ok(Read::Due(prepared)) => self.verify_prepared(line, prepared).await,
                Ok(Read::Held) => Verified::Ended(Row::Held),
                Ok(Read::PassedOver) => Verified::Ended(Row::PassedOver),
                Err(reason) => Verified::Ended(Row::LeftOut { line, reason }),
            }
        });
        let verified = join_all(verified).await;
        let write = |verified| match verified {
            Verified::With { line, prepared, verdict } => prepared.written(line, verdict),
            Verified::Ended(row) => row,
        };
        cpu.run(move || verified.into_iter().map(write).collect()).await
    }

    async fn verify_prepared(&self, line: u64, prepared: Box<Prepared>) -> Verified {
        let Prepared { environment, task, response, .. } = &*prepared;
        let deadline = Instant::now() + TIMEOUT;
        let verdict = match self.verify(environment, task, response, deadline).await {
            Ok(verdict) => Ok(match prepared.unreproducible {
                Some(reason) => verdict.with(UNREPRODUCIBLE, reason),
                None => verdict,
            }),
            Err(SubmitError::Failed(failure)) => Err(failure),
            Err(error) => {
                let reason = error.to_string();
                return Verified::Ended(Row::LeftOut { line, reason });
            }
        };
        Verified::With { line, prepared, verdict }
    }
}

impl Prepared {
    fn written(self, line: u64, verdict: Result<Verdict, Failure>) -> Row {
        let Self { environment, agent, key, task, response, params, reward, provenance, .. } = self;
        let known = provenance.as_ref();
        let origin = Origin {
            key: &key,
            agent: &agent,
            environment: &environment,
            attempt: known.and_then(|known| known.attempt).unwrap_or(1),
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(failure) => {
                let reason = failure.to_string();
                let failure = Failure { response: Some(response), ..failure };
                let record = origin.failure_record(&task, &failure);
                return Row::Failed { line, key, record, reason };
            }
        };
        let scored = verdict.reward.get();
        let is_changed = reward.is_some_and(|recorded| recorded != scored);
        let timings = known.and_then(|known| known.timings);
        let rollout = Rollout {
            response,
            params,
            verdict,
            truncated: known.and_then(|known| known.limit),
            steps: known.and_then(|known| known.steps).unwrap_or(0),
            timings: timings.map_or_else(Timings::default, Timings::from),
        };
        let record = origin.record(&task, &rollout);
        let (outcome, reward) = (rollout.outcome(), scored);
        Row::Scored(Scored { key, environment, outcome, record, reward, is_changed })
    }
}
