//! One child as the decision sees it.

use std::time::Duration;

use tokio::time::Instant;

use crate::supervision::exit::Exit;
use crate::supervision::placement::Relocation;
use crate::supervision::policy::{Backoff, Restart, Shutdown};

use super::event::{Asker, Generation, Moment};

/// What a child's spec says.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) id: String,
    pub(crate) restart: Restart,
    pub(crate) shutdown: Shutdown,
    pub(crate) is_significant: bool,
    pub(crate) start_timeout: Option<Duration>,
}

/// Why a child is started, which decides what its failure to start means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartCause {
    /// The supervisor starts: it gives up.
    Boot,
    /// The child had failed: it has failed again.
    Restart,
    /// `start_child`: the request fails and leaves no trace.
    Added,
    /// `restart_child`: the request fails and the child stays stopped.
    Resumed,
}

/// What follows when a child that is being stopped is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was to be stopped.
    Ordered,
    /// It was killed because it had failed.
    Failed(Exit),
    /// It was killed because it did not start.
    StartFailed(StartCause, Exit),
}

/// Where a child is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not running, and not about to.
    Idle,
    /// About to be started: in `starts`, or in back-off.
    Waiting,
    Starting {
        cause: StartCause,
    },
    Up,
    Stopping {
        ending: Ending,
        is_killed: bool,
    },
}

impl Phase {
    /// Whether an incarnation exists.
    pub(crate) fn is_alive(&self) -> bool {
        match self {
            Self::Idle | Self::Waiting => false,
            Self::Starting { .. } | Self::Up | Self::Stopping { .. } => true,
        }
    }
}

/// What an administrative request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Start,
    Stop,
}

pub(super) struct Child {
    pub(super) rules: Rules,
    pub(super) phase: Phase,
    pub(super) generation: Generation,
    /// Changes with the phase, so that timers set before are known to be stale.
    pub(super) ticket: u64,
    pub(super) up_since: Option<Instant>,
    pub(super) relocation: Relocation,
    failures: u32,
    askers: Vec<(Wish, Asker)>,
}

impl Child {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::Waiting,
            generation: 0,
            ticket: 0,
            up_since: None,
            relocation: Relocation::Stay,
            failures: 0,
            askers: Vec::new(),
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.ticket += 1;
    }

    /// Counts a failure and says how long to wait before the restart.
    pub(super) fn next_delay(&mut self, backoff: &Backoff, moment: Moment) -> Duration {
        let uptime = self.up_since.take().map(|since| moment.now.saturating_duration_since(since));
        let was_healthy = uptime.is_some_and(|uptime| uptime >= backoff.reset_after);
        self.failures = if was_healthy { 1 } else { self.failures.saturating_add(1) };
        backoff.delay(self.failures, moment.noise)
    }

    pub(super) fn ask(&mut self, wish: Wish, asker: Asker) {
        self.askers.push((wish, asker));
    }

    pub(super) fn has_askers(&self, wish: Wish) -> bool {
        self.askers.iter().any(|(theirs, _)| *theirs == wish)
    }

    pub(super) fn take_askers(&mut self, wish: Wish) -> Vec<Asker> {
        let is_wished = |(theirs, _): &mut (Wish, Asker)| *theirs == wish;
        self.askers.extract_if(.., is_wished).map(|(_, asker)| asker).collect()
    }

    pub(super) fn take_all_askers(&mut self) -> Vec<Asker> {
        std::mem::take(&mut self.askers).into_iter().map(|(_, asker)| asker).collect()
    }
}
