//! The feed: every rollout that is still to be made, one at a time, in dataset order.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use super::dataset::{Dataset, DatasetError};
use super::progress::Progress;
use super::{Collection, Source, WiredSource};
use crate::metrics::CollectionMetrics;
use crate::task::{RolloutKey, Task, TaskId};

/// Keys of rollouts that are kept already.
pub(super) type KeptKeys = HashMap<TaskId, HashSet<u32>>;

/// One rollout to be made.
pub(super) struct Due {
    /// Index of its source.
    pub(super) source: usize,
    pub(super) task: Arc<Task>,
    pub(super) key: RolloutKey,
}

/// Reads tasks, multiplies them by their repeats, and leaves out what is kept.
pub(super) struct Feed<'a> {
    collection: &'a Collection,
    sources: &'a [WiredSource],
    progress: &'a Progress,
    metrics: CollectionMetrics,
    kept: KeptKeys,
    /// The source being read and its index.
    open: Option<(usize, Dataset)>,
    next_source: usize,
    /// The task being repeated.
    current: Option<Repeats>,
    /// Tasks still to be read from the open source.
    tasks_left: u64,
}

struct Repeats {
    source: usize,
    task: Arc<Task>,
    left: Range<u32>,
    kept: HashSet<u32>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(
        collection: &'a Collection,
        sources: &'a [WiredSource],
        progress: &'a Progress,
        kept: KeptKeys,
    ) -> Self {
        Self {
            collection,
            sources,
            progress,
            metrics: CollectionMetrics::new(),
            kept,
            open: None,
            next_source: 0,
            current: None,
            tasks_left: 0,
        }
    }

    /// The next rollout; `None` when all have been given out.
    pub(super) fn next_due(&mut self) -> Result<Option<Due>, DatasetError> {
        loop {
            if let Some(due) = self.repeat_current() {
                return Ok(Some(due));
            }
            let Some((source, task)) = self.next_task()? else { return Ok(None) };
            let repeats = self.sources[source].source.repeats * self.collection.repeats;
            let kept = self.kept.remove(&task.id).unwrap_or_default();
            self.current = Some(Repeats { source, task, left: 0..repeats, kept });
        }
    }

    fn repeat_current(&mut self) -> Option<Due> {
        let current = self.current.as_mut()?;
        for repeat in current.left.by_ref() {
            if current.kept.contains(&repeat) {
                self.progress.kept();
                continue;
            }
            let (source, task) = (current.source, current.task.clone());
            let key = task.rollout(repeat);
            return Some(Due { source, task, key });
        }
        self.current = None;
        None
    }

    fn next_task(&mut self) -> Result<Option<(usize, Arc<Task>)>, DatasetError> {
        loop {
            let Some((source, dataset)) = self.open_dataset()? else { return Ok(None) };
            match dataset.next_task() {
                None => self.open = None,
                Some(Ok(task)) => {
                    self.tasks_left -= 1;
                    return Ok(Some((source, task)));
                }
                Some(Err(error)) if error.is_about_a_row() => self.reject(&error),
                Some(Err(error)) => return Err(error),
            }
        }
    }

    fn open_dataset(&mut self) -> Result<Option<(usize, &mut Dataset)>, DatasetError> {
        if self.open.is_none() || self.tasks_left == 0 {
            let Some(wired) = self.sources.get(self.next_source) else { return Ok(None) };
            let Source { agent, dataset, path, .. } = &wired.source;
            let dataset = Dataset::open(path, agent, dataset, wired.read_target)?;
            let dataset = dataset.with_prompt(wired.prompt.clone());
            self.open = Some((self.next_source, dataset));
            self.tasks_left = self.collection.limit.map_or(u64::MAX, NonZeroU64::get);
            self.next_source += 1;
        }
        Ok(self.open.as_mut().map(|(source, dataset)| (*source, dataset)))
    }

    fn reject(&mut self, error: &DatasetError) {
        self.progress.rejected();
        self.metrics.rows_rejected(1);
        tracing::warn!("{error}; the row is left out");
    }
}
