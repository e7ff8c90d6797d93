//! The collector: keeps `in_flight_max` rollouts going until the datasets are exhausted.

use std::cmp::Ordering;
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Message, WrapFuture};
use futures_util::future::{Fuse, FusedFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::feed::{Due, Feed, KeptKeys};
use super::progress::{Counts, Progress};
use super::summary::{Rewards, Summary};
use super::{CollectError, Collection, WiredSource};
use crate::agent::{Names, Recorded};
use crate::dispatch::Finished;
use crate::recorder::{Append, Kept, MakeDurable, Record, Recorder, RecorderError};
use crate::rollout::{Culprit, Failure, Origin, Outcome};
use crate::rows::count_rows;
use crate::supervision::{AskError, Handle, Supervised};
use crate::task::RolloutKey;

/// Everything that a collector needs, so that it can be built again.
pub(crate) struct Plan {
    pub(crate) collection: Collection,
    pub(crate) sources: Vec<WiredSource>,
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) append: Handle<Append>,
    pub(crate) sync: Handle<MakeDurable>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) report: Report,
}

/// Where the result goes, once.
#[derive(Clone)]
pub(crate) struct Report(Arc<Mutex<Option<ReportSender>>>);

type ReportSender = oneshot::Sender<Result<Summary, CollectError>>;

impl Report {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<Summary, CollectError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(sender)))), receiver)
    }

    fn send(&self, result: Result<Summary, CollectError>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Nobody may be waiting any more; the records are kept all the same.
            let _ = sender.send(result);
        }
    }
}

/// Runs a plan from wherever the recorder says it stands.
pub(crate) struct Collector {
    plan: Arc<Plan>,
}

impl Collector {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        Self { plan: plan.clone() }
    }
}

impl Actor for Collector {
    type Context = Supervised<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let plan = self.plan.clone();
        let run = async move {
            let result = Run::new(&plan).finish().await;
            plan.report.send(result);
        };
        context.spawn(run.into_actor(self).map(|(), _, context| context.stop()));
    }
}

/// One go at a plan.
struct Run<'a> {
    plan: &'a Plan,
    rewards: Rewards,
    summary: Summary,
}

/// A rollout that ended, with its record still to be written.
struct Ended {
    source: usize,
    record: Record,
    ending: Ending,
}

enum Ending {
    Reward(f64),
    Failed { culprit: Culprit, error: String },
}

/// A rollout whose record the recorder has taken.
struct Written {
    source: usize,
    key: RolloutKey,
    outcome: Outcome,
    ending: Ending,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Self {
        plan.progress.reset();
        Self { plan, rewards: Rewards::default(), summary: Summary::default() }
    }

    async fn finish(mut self) -> Result<Summary, CollectError> {
        let started = Instant::now();
        let plan = self.plan;
        let kept = self.read_kept().await?;
        count(plan);
        let mut feed = Feed::new(&plan.collection, &plan.sources, &plan.progress, kept);
        let finished = self.roll_out(&mut feed).await;
        let synced = sync(plan).await;
        finished?;
        synced?;
        let snapshot = plan.progress.snapshot();
        self.summary.kept = snapshot.kept;
        self.summary.rejected = snapshot.rejected;
        self.summary.cancelled = plan.progress.is_cancelled();
        self.summary.seconds = started.elapsed().as_secs_f64();
        self.summary.environments = self.rewards.summarise();
        Ok(self.summary)
    }

    /// Learns what an earlier run has kept.
    async fn read_kept(&mut self) -> Result<KeptKeys, CollectError> {
        let recorder = self.plan.recorder.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut kept = Vec::new();
            recorder.kept(&mut |record| kept.push(record)).map(|()| kept)
        });
        let read =
            read.await.map_err(|error| CollectError::GaveUp { reason: error.to_string() })?;
        let mut keys = KeptKeys::new();
        for Kept { key, environment, reward } in read? {
            self.rewards.add(&environment, &key, reward, u32::MAX);
            keys.entry(key.task).or_default().insert(key.repeat);
        }
        Ok(keys)
    }

    /// Keeps rollouts going until the feed is dry, the collection is cancelled or fails, and has what
    /// has ended recorded. Rollouts go on while the recorder writes; those that it has not taken yet
    /// count as in flight, so a slow one holds up the dataset.
    async fn roll_out(&mut self, feed: &mut Feed<'_>) -> Result<(), CollectError> {
        let plan = self.plan;
        let mut in_flight = FuturesUnordered::new();
        let mut ended = Vec::new();
        let mut writing = pin!(Fuse::terminated());
        let mut being_written = 0;
        let mut failed = None;
        loop {
            let is_given_up = failed.is_some() || plan.progress.is_cancelled();
            if is_given_up {
                in_flight.clear();
            }
            let unrecorded = being_written + ended.len();
            while !is_given_up && in_flight.len() + unrecorded < plan.collection.in_flight_max {
                match feed.next_due() {
                    Ok(Some(due)) => {
                        plan.progress.started();
                        in_flight.push(roll_out(plan, due));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        failed = Some(error.into());
                        break;
                    }
                }
            }
            if writing.is_terminated() && !ended.is_empty() {
                let batch: Vec<Ended> = ended.drain(..ended.len().min(BATCH_MAX)).collect();
                being_written = batch.len();
                writing.set(write(plan, batch).fuse());
            }
            if writing.is_terminated() && in_flight.is_empty() {
                return failed.map_or(Ok(()), Err);
            }
            tokio::select! {
                biased;
                written = &mut writing => {
                    being_written = 0;
                    self.count_all(written?);
                    failed = failed.or(self.too_many_failures());
                }
                Some(rollout) = in_flight.next() => {
                    ended.push(rollout);
                    while let Some(Some(rollout)) = in_flight.next().now_or_never() {
                        ended.push(rollout);
                    }
                }
                () = plan.progress.cancelled(), if !is_given_up => {}
            }
        }
    }

    fn count_all(&mut self, written: Vec<Written>) {
        for Written { source, key, outcome, ending } in written {
            self.count(source, &key, outcome, ending);
        }
    }

    fn too_many_failures(&self) -> Option<CollectError> {
        let failed = self.summary.failures();
        let limit = self.plan.collection.failure_limit.filter(|limit| failed >= limit.get())?;
        Some(CollectError::FailureLimit { failed, limit })
    }

    fn count(&mut self, source: usize, key: &RolloutKey, outcome: Outcome, ending: Ending) {
        let progress = &self.plan.progress;
        match ending {
            Ending::Reward(reward) => {
                let truncated = outcome == Outcome::Truncated;
                let counts = if truncated { Counts::Truncated } else { Counts::Scored };
                progress.scored(reward, counts);
                self.summary.scored += 1;
                self.summary.truncated += u64::from(truncated);
                let WiredSource { dispatcher, source, .. } = &self.plan.sources[source];
                let repeats = source.repeats * self.plan.collection.repeats;
                self.rewards.add(&dispatcher.names().environment, key, reward, repeats);
            }
            Ending::Failed { culprit, error } => {
                progress.failed(culprit);
                let failed = self.summary.failed.entry(culprit.as_str()).or_default();
                *failed += 1;
                match (*failed).cmp(&FAILURES_LOGGED) {
                    Ordering::Less => {
                        tracing::warn!(rollout = %key, %culprit, "rollout failed: {error}");
                    }
                    Ordering::Equal => tracing::warn!(
                        %culprit, "rollout failed: {error}; later ones are only recorded"
                    ),
                    Ordering::Greater => {}
                }
            }
        }
    }
}

/// Failed rollouts of one culprit that are logged; all are recorded.
const FAILURES_LOGGED: u64 = 20;
/// Records that are handed over at a time.
const BATCH_MAX: usize = 256;

/// Makes one rollout.
async fn roll_out(plan: &Plan, due: Due) -> Ended {
    let Due { source, task, key } = due;
    let WiredSource { dispatcher, policy, .. } = &plan.sources[source];
    let finished = dispatcher.roll_out::<Recorded>(&task, &key, policy).await;
    let Finished { attempts, result } = finished;
    match result {
        Ok(Recorded { outcome, reward, line }) => {
            let record = Record { key, outcome, line };
            Ended { source, record, ending: Ending::Reward(reward) }
        }
        Err(failure) => {
            let Names { agent, environment } = dispatcher.names();
            let origin = Origin { key: &key, agent, environment, attempt: attempts };
            let line = origin.failure_record(&task, &failure);
            let record = Record { key, outcome: Outcome::Failed, line };
            let Failure { culprit, error, .. } = failure;
            Ended { source, record, ending: Ending::Failed { culprit, error } }
        }
    }
}

/// Has rollouts recorded.
async fn write(plan: &Plan, batch: Vec<Ended>) -> Result<Vec<Written>, CollectError> {
    let mut records = Vec::with_capacity(batch.len());
    let mut written = Vec::with_capacity(batch.len());
    for Ended { source, record, ending } in batch {
        let (key, outcome) = (record.key.clone(), record.outcome);
        written.push(Written { source, key, outcome, ending });
        records.push(record);
    }
    ask_recorder(plan, &plan.append, Append(records)).await?;
    Ok(written)
}

async fn sync(plan: &Plan) -> Result<(), CollectError> {
    ask_recorder(plan, &plan.sync, MakeDurable).await
}

async fn ask_recorder<M>(plan: &Plan, recorder: &Handle<M>, message: M) -> Result<(), CollectError>
where
    M: Message<Result = Result<(), RecorderError>> + Send + 'static,
{
    let deadline = Instant::now() + plan.collection.record_timeout;
    match recorder.ask(message, deadline).await {
        Ok(answer) => Ok(answer?),
        // The recorder's supervisor is about to restart it and this collector with it.
        Err(AskError::Crashed { .. } | AskError::Lost { .. }) => std::future::pending().await,
        Err(AskError::Timeout { .. }) => {
            let seconds = plan.collection.record_timeout.as_secs_f64();
            let limit = "`collect.record_timeout`";
            let reason = format!("the recorder did not answer within {seconds:.1} s ({limit})");
            Err(CollectError::GaveUp { reason })
        }
        Err(error) => Err(CollectError::GaveUp { reason: format!("recorder: {error}") }),
    }
}

/// Counts the rollouts to come, for the progress display, without holding anything up. A file that
/// cannot be read shows when it is its turn.
fn count(plan: &Plan) {
    let sources: Vec<_> = plan.sources.iter().map(|wired| wired.source.clone()).collect();
    let limit = plan.collection.limit.map_or(u64::MAX, NonZeroU64::get);
    let repeats = plan.collection.repeats;
    let progress = plan.progress.clone();
    tokio::task::spawn_blocking(move || {
        let mut total = 0;
        for source in sources {
            let rows = count_rows(&source.path).unwrap_or(0).min(limit);
            total += rows * u64::from(source.repeats) * u64::from(repeats);
        }
        progress.set_total(total);
    });
}
