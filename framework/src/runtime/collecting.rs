//! Running a collection: a recorder and a collector under a supervisor of their own, while it runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Runtime;
use super::components::{RESTART_DELAYS, RunningAgent};
use crate::collection::{
    CollectError, Collection, Collector, Plan, Progress, Report, Source, Summary, WiredSource,
};
use crate::dispatch::RolloutPolicy;
use crate::prompt::Prompt;
use crate::recorder::{Append, MakeDurable, Recorder, RecorderActor};
use crate::shards::SideArbiter;
use crate::supervision::{
    ActorRef, ChildSpec, Intensity, Restart, Shutdown, Strategy, SupervisorSpec,
};

/// How often the recorder and the collector together may fail before a collection ends. Each failure
/// costs what is in flight, so a few in a night are no reason to end it. The period is longer than ten
/// starts in a row may take, so that one which never starts does not go on for ever.
const TOLERANCE: Intensity = Intensity { max_restarts: 10, period: Duration::from_secs(10 * 60) };

/// Records that may wait for the recorder.
const RECORDER_MAILBOX: usize = 4096;

impl Runtime {
    /// Runs a collection to its end.
    ///
    /// Progress can be followed, and the collection ended early, through `progress`.
    ///
    /// # Errors
    /// See [`CollectError`]. What was recorded stays, and can be resumed.
    pub async fn collect(
        &self,
        collection: Collection,
        recorder: Arc<dyn Recorder>,
        progress: Arc<Progress>,
    ) -> Result<Summary, CollectError> {
        let sources = self.wire(&collection)?;
        let recorder_actor = ActorRef::new("collection/recorder", RECORDER_MAILBOX);
        let (report, result) = Report::new();
        let sync_interval = collection.sync_interval;
        let plan = Arc::new(Plan {
            collection,
            sources,
            recorder: recorder.clone(),
            append: recorder_actor.handle::<Append>(),
            sync: recorder_actor.handle::<MakeDurable>(),
            progress,
            report,
        });
        let beside = || self.shards.beside().map_err(gave_up);
        let places = [beside()?, beside()?];
        let [recorder_place, collector_place] = places.each_ref().map(SideArbiter::placement);
        let shutdown = Shutdown::Within(self.config.runtime.shutdown_timeout.duration());
        let recorder_child =
            ChildSpec::actor(&recorder_actor, "recorder", recorder_place, move || {
                RecorderActor::open(&recorder, sync_interval)
            });
        let recorder_child = recorder_child.shutdown(shutdown);
        let collector = ActorRef::new("collection/collector", 1);
        let collector_child =
            ChildSpec::actor(&collector, "collector", collector_place, move || {
                Ok(Collector::new(&plan))
            });
        let collector_child = collector_child.restart(Restart::Transient).shutdown(shutdown);
        let children = [recorder_child, collector_child];
        let supervisor = ChildSpec::supervisor("collection", move || {
            let spec = SupervisorSpec::new("collection").strategy(Strategy::RestForOne);
            spec.intensity(TOLERANCE).backoff(RESTART_DELAYS).children(children.clone())
        });
        // Temporary: one that gives up is not started again, so that we hear of it.
        let supervisor = supervisor.restart(Restart::Temporary);
        self.root.start_child(supervisor).await.map_err(gave_up)?;
        let collecting = Collecting { runtime: self, places: Some(places) };
        let result = self.reported(result).await;
        collecting.end().await;
        result
    }

    /// Waits for what the collector reports, or for the end of the supervisor above it: one that was
    /// abandoned on a blocked thread keeps its report there for as long as that blocks.
    async fn reported(
        &self,
        mut report: oneshot::Receiver<Result<Summary, CollectError>>,
    ) -> Result<Summary, CollectError> {
        let over = async {
            if let Ok(collection) = self.root.nested("collection") {
                collection.exited().await;
            }
        };
        let reported = tokio::select! {
            biased;
            reported = &mut report => reported.ok(),
            () = over => report.try_recv().ok(),
        };
        reported.unwrap_or_else(|| Err(gave_up("its supervisor gave up")))
    }

    fn wire(&self, collection: &Collection) -> Result<Vec<WiredSource>, CollectError> {
        let wire = |source: &Source| {
            let Ok(agent) = self.agent(&source.agent) else {
                let reason = format!("there is no agent `{}`", source.agent);
                return Err(CollectError::Nothing { reason });
            };
            let RunningAgent { dispatcher, read_target, rollout_timeout } = agent.clone();
            let timeout = rollout_timeout.unwrap_or(collection.policy.timeout);
            let policy = RolloutPolicy { timeout, ..collection.policy };
            let prompt = source.prompt.as_ref().map(Prompt::new).transpose()?.map(Arc::new);
            Ok(WiredSource { source: source.clone(), dispatcher, read_target, prompt, policy })
        };
        collection.sources.iter().map(wire).collect()
    }
}

/// A collection under way. Dropped, because nobody waits for it any more, it ends by itself.
struct Collecting<'a> {
    runtime: &'a Runtime,
    /// Where its actors live; taken when it ends.
    places: Option<[SideArbiter; 2]>,
}

impl Collecting<'_> {
    async fn end(mut self) {
        let places = self.places.take();
        // One that is gone already is what we want.
        let _ = self.runtime.root.terminate_child("collection").await;
        drop(places);
    }
}

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        let (root, places) = (self.runtime.root.clone(), self.places.take());
        if let (Some(control), Some(places)) = (&self.runtime.control, places) {
            control.spawn(async move {
                let _ = root.terminate_child("collection").await;
                drop(places);
            });
        }
    }
}

fn gave_up(reason: impl std::fmt::Display) -> CollectError {
    CollectError::GaveUp { reason: reason.to_string() }
}
