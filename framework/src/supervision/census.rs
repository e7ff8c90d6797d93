//! Everything that lives, for the metrics and the tree: cells, groups of sessions, root supervisors.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::metrics::ActorMetrics;

use super::cell::{Cell, Counters};
use super::tree::Board;

/// The sessions of one dynamic supervisor, taken together.
pub(crate) struct Group {
    pub(crate) path: Arc<str>,
    pub(crate) children_max: usize,
    pub(crate) live: AtomicUsize,
    pub(crate) counters: Arc<Counters>,
}

/// Something with a path and counters.
enum Resident {
    Actor(Weak<Cell>),
    Group(Weak<Group>),
}

struct Entry {
    resident: Resident,
    metrics: ActorMetrics,
}

#[derive(Default)]
struct Census {
    entries: Vec<Entry>,
    roots: Vec<Weak<Board>>,
    /// The length at which the next enrolment clears the dead out.
    sweep_at: usize,
}

static CENSUS: Mutex<Census> =
    Mutex::new(Census { entries: Vec::new(), roots: Vec::new(), sweep_at: 64 });

fn census() -> MutexGuard<'static, Census> {
    CENSUS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    fn is_alive(&self) -> bool {
        match &self.resident {
            Resident::Actor(cell) => cell.strong_count() > 0,
            Resident::Group(group) => group.strong_count() > 0,
        }
    }

    fn publish(&self) {
        let publish = |counters: &Counters| {
            let (handled, rejected) = (&counters.handled, &counters.rejected);
            self.metrics.publish(handled.load(Relaxed), counters.queued(), rejected.load(Relaxed));
        };
        match &self.resident {
            Resident::Actor(cell) => {
                if let Some(cell) = cell.upgrade() {
                    publish(cell.counters());
                }
            }
            Resident::Group(group) => {
                if let Some(group) = group.upgrade() {
                    publish(&group.counters);
                }
            }
        }
    }
}

impl Census {
    fn add(&mut self, path: &str, resident: Resident) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(Entry::is_alive);
            self.roots.retain(|root| root.strong_count() > 0);
            self.sweep_at = (self.entries.len() * 2).max(64);
        }
        self.entries.push(Entry { resident, metrics: ActorMetrics::new(path) });
    }
}

pub(crate) fn enrol(cell: &Arc<Cell>) {
    census().add(cell.path(), Resident::Actor(Arc::downgrade(cell)));
}

pub(crate) fn enrol_group(group: &Arc<Group>) {
    census().add(&group.path, Resident::Group(Arc::downgrade(group)));
}

pub(crate) fn enrol_root(board: &Arc<Board>) {
    census().roots.push(Arc::downgrade(board));
}

/// The groups of sessions that live now.
pub(crate) fn groups() -> Vec<Arc<Group>> {
    let census = census();
    let group = |entry: &Entry| match &entry.resident {
        Resident::Actor(_) => None,
        Resident::Group(group) => group.upgrade(),
    };
    census.entries.iter().filter_map(group).collect()
}

/// Writes the counters of all living actors into their metrics. To be called about every second.
pub fn publish_metrics() {
    census().entries.iter().for_each(Entry::publish);
}
