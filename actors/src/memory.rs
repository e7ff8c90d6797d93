//! `memory`: keeps records in memory, for embedders that take them from there and for tests.

use std::sync::{Arc, Mutex, PoisonError};

use framework::recorder::{Kept, Record, RecordWriter, Recorder, RecorderError};
use framework::rollout::Outcome;

use crate::jsonl::parse_kept;

/// Records in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryRecorder {
    records: Arc<Mutex<Vec<Record>>>,
}

impl MemoryRecorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes out what has been recorded so far, scored and failed, in the order it came.
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Copies what has been recorded so far.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Recorder for MemoryRecorder {
    fn open(&self) -> Result<Box<dyn RecordWriter>, RecorderError> {
        Ok(Box::new(self.clone()))
    }

    fn kept(&self, visit: &mut dyn FnMut(Kept)) -> Result<(), RecorderError> {
        for record in self.records() {
            match record.outcome {
                Outcome::Scored | Outcome::Truncated => {
                    visit(parse_kept(&record.line).expect("a scored record parses as one"));
                }
                Outcome::Failed => {}
            }
        }
        Ok(())
    }
}

impl RecordWriter for MemoryRecorder {
    fn write(&mut self, record: Record) -> Result<(), RecorderError> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), RecorderError> {
        Ok(())
    }
}
