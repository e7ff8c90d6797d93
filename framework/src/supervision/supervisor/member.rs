//! One child as its supervisor's driver holds it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::super::control::{Control, Order};
use super::super::decision::Key;
use super::super::exit::Exit;
use super::super::guard::guarded;
use super::super::mailbox::Vessel;
use super::super::spec::{ChildKind, ChildSpec, SupervisorSpec};
use super::super::tree::Board;
use super::launch;
use super::probe::Probe;
use super::signal::{Command, Line, Parent};

/// A child and what there is of it now.
pub(super) struct Member {
    pub(super) spec: ChildSpec,
    pub(super) running: Option<Running>,
    /// The mailboxes that an ended supervisor has left for its successor.
    pub(super) remains: Vec<Arc<dyn Vessel>>,
    pub(super) watch: Option<Watch>,
}

/// The line of command to a running child.
pub(super) enum Running {
    Actor { control: Arc<Control>, probe: Option<Probe> },
    Supervisor { commands: mpsc::UnboundedSender<Command>, task: AbortHandle },
}

/// What is known about a child's progress.
pub(super) struct Watch {
    pub(super) limit: Duration,
    pub(super) progress: u64,
    pub(super) stuck_since: Option<Instant>,
}

impl Running {
    pub(super) fn kill(&self) {
        match self {
            Self::Actor { control, .. } => control.give(Order::Kill),
            Self::Supervisor { task, .. } => task.abort(),
        }
    }
}

impl Member {
    pub(super) fn vessels(&self) -> impl Iterator<Item = Arc<dyn Vessel>> {
        let own = match &self.spec.kind {
            ChildKind::Actor(actor) => Some(actor.vessel()),
            ChildKind::Supervisor(_) => None,
        };
        self.remains.iter().cloned().chain(own)
    }

    /// The label of the child in metrics: an actor's own path.
    pub(super) fn path(&self, supervisor: &Arc<str>) -> Arc<str> {
        match &self.spec.kind {
            ChildKind::Actor(actor) => actor.vessel().cell().path().clone(),
            ChildKind::Supervisor(_) => format!("{supervisor}/{}", self.spec.id()).into(),
        }
    }

    /// Closes the mailboxes that the successor of a supervisor has not taken over.
    pub(super) fn close_unused_remains(&mut self) {
        for vessel in self.remains.drain(..) {
            if !vessel.cell().is_served() {
                vessel.close();
            }
        }
    }

    /// Whether the child has made no progress for too long, or its thread has not: also one that has
    /// nothing to do would never learn of its next message on a blocked thread.
    pub(super) fn hangs(&mut self, now: Instant) -> bool {
        let (Some(watch), ChildKind::Actor(actor)) = (&mut self.watch, &self.spec.kind) else {
            return false;
        };
        if let Some(Running::Actor { probe: Some(probe), .. }) = &mut self.running
            && probe.silence(now) >= watch.limit
        {
            return true;
        }
        let vessel = actor.vessel();
        let cell = vessel.cell();
        let is_occupied = self.running.is_some() && cell.occupied_for().is_some();
        let progress = cell.progress();
        if !is_occupied || progress != watch.progress {
            watch.progress = progress;
            watch.stuck_since = is_occupied.then_some(now);
            return false;
        }
        let since = *watch.stuck_since.get_or_insert(now);
        now.saturating_duration_since(since) >= watch.limit
    }
}

/// Starts the task of a nested supervisor. Its line says what is wrong with a spec that cannot start.
pub(super) fn launch_supervisor(
    make: &(dyn Fn() -> SupervisorSpec + Send + Sync),
    mut line: Line,
    board: &Arc<Board>,
    key: Key,
) -> Option<Running> {
    let spec = guarded(make)
        .map_err(|panic| format!("its spec panicked: {}", panic.text))
        .and_then(|spec| spec.build().map_err(|error| error.to_string()));
    let spec = match spec {
        Ok(spec) => spec,
        Err(reason) => {
            line.ended_with(Exit::StartFailed { reason: reason.into() }, Vec::new());
            return None;
        }
    };
    let parent = Parent { up: Some(Box::new(line.up_call())), line };
    let (handle, task) = launch(spec, Some(parent));
    let commands = handle.commands.clone();
    board.attach(key, handle, task.clone());
    Some(Running::Supervisor { commands, task })
}
