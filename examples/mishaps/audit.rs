//! A recorder that checks instead of keeping: each rollout once, with the reward of its row.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rehearsal::framework::collection::CollectError;
use rehearsal::framework::recorder::{Kept, Record, RecordWriter, Recorder, RecorderError};
use rehearsal::prelude::*;
use serde::Deserialize;

use super::mischief::Mischief;
use super::world::reward;

/// What a collection has recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit {
    seen: HashSet<(usize, u32, u32)>,
    pub(crate) offered: u64,
    pub(crate) scored: u64,
    pub(crate) doubled: u64,
    pub(crate) mis_scored: u64,
    pub(crate) given_up: u64,
    /// How often the recorder was opened, the first time not counted.
    pub(crate) reopened: u64,
}

impl Audit {
    /// Rollouts that were offered and not recorded.
    pub(crate) fn lost(&self) -> u64 {
        (self.offered + self.doubled).saturating_sub(self.scored + self.given_up)
    }

    /// Whether every rollout was recorded once, with its own reward.
    pub(crate) fn is_sound(&self) -> bool {
        self.lost() + self.doubled + self.mis_scored == 0
    }

    /// Adds the counts of another collection.
    pub(crate) fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.scored += other.scored;
        self.doubled += other.doubled;
        self.mis_scored += other.mis_scored;
        self.given_up += other.given_up;
        self.reopened += other.reopened;
    }
}

/// Runs one collection of so many rollouts to its end.
pub(crate) async fn collect(runtime: &Runtime, offered: u64) -> Result<Audit, CollectError> {
    let auditor = Auditor(Arc::new(Mutex::new(Audit { offered, ..Audit::default() })));
    let collection = runtime.collection()?;
    runtime.collect(collection, Arc::new(auditor.clone()), Arc::default()).await?;
    let mut audit = auditor.lock().clone();
    audit.reopened = audit.reopened.saturating_sub(1);
    Ok(audit)
}

#[derive(Clone)]
struct Auditor(Arc<Mutex<Audit>>);

impl Auditor {
    fn lock(&self) -> MutexGuard<'_, Audit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordWriter for Auditor {
    fn write(&mut self, record: Record) -> Result<(), RecorderError> {
        #[derive(Deserialize)]
        struct Scored {
            reward: f64,
        }
        assert!(!Mischief::get().crashes_recorder(), "injected");
        let mut audit = self.lock();
        if record.outcome == Outcome::Failed {
            audit.given_up += 1;
            return Ok(());
        }
        let parts: Vec<_> = record.key.task.as_str().split('/').collect();
        let world = parts[0].trim_start_matches('w').parse().expect("w0, w1, …");
        let row = parts[2].parse().expect("a line's number");
        let Scored { reward: earned } = serde_json::from_str(&record.line).expect("a record");
        audit.scored += 1;
        audit.doubled += u64::from(!audit.seen.insert((world, row, record.key.repeat)));
        audit.mis_scored += u64::from(earned != reward(row));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), RecorderError> {
        Ok(())
    }
}

impl Recorder for Auditor {
    fn open(&self) -> Result<Box<dyn RecordWriter>, RecorderError> {
        self.lock().reopened += 1;
        Ok(Box::new(self.clone()))
    }

    fn kept(&self, visit: &mut dyn FnMut(Kept)) -> Result<(), RecorderError> {
        let seen = self.lock().seen.clone();
        for (world, row, repeat) in seen {
            let task = TaskId::of_row(&format!("w{world}"), "t", row.into());
            let key = RolloutKey { task, repeat };
            visit(Kept { key, environment: format!("w{world}"), reward: reward(row) });
        }
        Ok(())
    }
}
