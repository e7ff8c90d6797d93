//! The handles that the actor runtime records with: mailboxes, restarts, exits, shards.
//!
//! A mailbox keeps its own totals, since it needs them anyway, and publishes them at intervals;
//! what happens rarely (a restart, a panic) is registered when it happens.
//! Actors that come and go with a rollout share one name, or the series would never end.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::{
    ACTOR_EXITS, ACTOR_MESSAGES, ACTOR_RESTARTS, ASK_FAILURES, DEAD_LETTERS, MAILBOX_MESSAGES,
    MAILBOX_REJECTED, SHARD_LAG, SUPERVISOR_ESCALATIONS, TASK_PANICS,
};

/// What is published about the mailbox of one actor.
#[derive(Clone, Debug)]
pub(crate) struct ActorMetrics {
    handled: Counter,
    queued: Gauge,
    rejected: Counter,
}

impl ActorMetrics {
    /// Registers the series of the actor of this name.
    pub(crate) fn new(actor: &str) -> Self {
        Self {
            handled: ACTOR_MESSAGES.with([actor]),
            queued: MAILBOX_MESSAGES.with([actor]),
            rejected: MAILBOX_REJECTED.with([actor]),
        }
    }

    /// Sets the series to what the mailbox says.
    ///
    /// The totals count over all incarnations of the actor: a total lower than an earlier one
    /// changes nothing, as a counter never goes back.
    pub(crate) fn publish(&self, handled_total: u64, queued: u64, rejected_total: u64) {
        self.handled.absolute(handled_total);
        self.queued.set(queued as f64);
        self.rejected.absolute(rejected_total);
    }
}

/// Counts an actor that its supervisor rebuilt, and why.
pub(crate) fn actor_restarted(actor: &str, reason: &'static str) {
    ACTOR_RESTARTS.with([actor, reason]).increment(1);
}

/// Counts an actor that ended, and why.
pub(crate) fn actor_exited(actor: &str, reason: &'static str) {
    ACTOR_EXITS.with([actor, reason]).increment(1);
}

/// Counts a supervisor that gave up and failed towards its parent.
pub(crate) fn supervisor_escalated(supervisor: &str) {
    SUPERVISOR_ESCALATIONS.with([supervisor]).increment(1);
}

/// Counts a message of a type to the actor that nobody handled, and why.
pub(crate) fn dead_letter(actor: &str, message: &'static str, reason: &'static str) {
    DEAD_LETTERS.with([actor, message, reason]).increment(1);
}

/// Counts a panic in a request task of the actor.
pub(crate) fn task_panicked(actor: &str) {
    TASK_PANICS.with([actor]).increment(1);
}

/// Counts an ask to the actor that got no answer, and why.
pub(crate) fn ask_failed(actor: &str, reason: &'static str) {
    ASK_FAILURES.with([actor, reason]).increment(1);
}

/// What is recorded about one shard.
#[derive(Clone, Debug)]
pub struct ShardMetrics {
    lag: Histogram,
}

impl ShardMetrics {
    /// Registers the series of the shard of this number.
    #[must_use]
    pub fn new(shard: usize) -> Self {
        Self { lag: SHARD_LAG.with([&shard.to_string()]) }
    }

    /// Records how late a heartbeat of the shard ran.
    pub fn lag(&self, lag: Duration) {
        self.lag.record(lag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exporter;

    #[test]
    fn the_totals_of_a_mailbox_never_go_back_but_its_depth_does() {
        let recorder = exporter::recorder();
        let actor = metrics::with_local_recorder(&recorder, || ActorMetrics::new("policy/0"));
        actor.publish(10, 3, 2);
        actor.publish(4, 1, 0);
        let text = recorder.handle().render();
        assert!(text.contains("rehearsal_actor_messages_total{actor=\"policy/0\"} 10\n"), "{text}");
        assert!(text.contains("rehearsal_mailbox_messages{actor=\"policy/0\"} 1\n"), "{text}");
        assert!(text.contains("rehearsal_mailbox_rejected_total{actor=\"policy/0\"} 2\n"));
    }
}
