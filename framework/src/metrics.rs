//! Stand-in for the metrics module, until the real one is merged: the same signatures, no effect.

/// The series of one actor.
pub(crate) struct ActorMetrics;

impl ActorMetrics {
    pub(crate) fn new(_actor: &str) -> Self {
        Self
    }

    pub(crate) fn publish(&self, _handled_total: u64, _queued: u64, _rejected_total: u64) {}
}

pub(crate) fn actor_restarted(_actor: &str, _reason: &'static str) {}

pub(crate) fn actor_exited(_actor: &str, _reason: &'static str) {}

pub(crate) fn supervisor_escalated(_supervisor: &str) {}

pub(crate) fn dead_letter(_actor: &str, _reason: &'static str) {}

pub(crate) fn task_panicked(_actor: &str) {}

pub(crate) fn ask_failed(_actor: &str, _reason: &'static str) {}
