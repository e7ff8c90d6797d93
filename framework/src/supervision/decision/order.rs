//! Ordered work: stopping from the last child to the first, starting from the first to the last.

use std::time::Duration;

use crate::supervision::policy::{Restart, Shutdown};

use super::child::{Ending, Wish};
use super::{
    Action, Afterlife, Decision, KILL_GRACE, Key, Mode, Moment, Owner, Phase, Refusal, StartCause,
    StopOrder,
};

impl Decision {
    /// Works off `stops`, then `starts`, one child at a time.
    pub(super) fn advance(&mut self, moment: Moment) {
        while self.stopping.is_none() {
            if let Some(key) = self.stops.pop_last() {
                self.stop_in_turn(key, moment);
                continue;
            }
            if self.is_halting() {
                self.finish();
                return;
            }
            if self.resume_at.is_some() || self.starting.is_some() {
                return;
            }
            let Some(key) = self.starts.pop_first() else {
                self.finish_boot();
                return;
            };
            self.starting = Some(key);
            let is_boot = matches!(self.mode, Mode::Booting);
            let cause = if is_boot { StartCause::Boot } else { StartCause::Restart };
            self.start(key, cause, moment);
        }
    }

    fn stop_in_turn(&mut self, key: Key, moment: Moment) {
        let Some(child) = self.children.get(&key) else { return };
        match child.phase {
            Phase::Starting { .. } | Phase::Up => {
                self.stopping = Some(key);
                self.begin_stop(key, moment);
            }
            Phase::Stopping { .. } => self.stopping = Some(key),
            Phase::Idle | Phase::Waiting => {}
        }
    }

    fn finish_boot(&mut self) {
        if matches!(self.mode, Mode::Booting) {
            self.mode = Mode::Running;
            self.actions.push(Action::Booted);
        }
    }

    fn finish(&mut self) {
        let Mode::Halting { exit, .. } = std::mem::replace(&mut self.mode, Mode::Finished) else {
            return;
        };
        let (forced, abandoned, culprit) = (self.forced, self.abandoned, self.culprit);
        self.actions.push(Action::Finish { exit, forced, abandoned, culprit });
    }

    pub(super) fn kill(&mut self, key: Key, ending: Ending, grace: Duration, moment: Moment) {
        let Some(child) = self.children.get_mut(&key) else { return };
        child.enter(Phase::Stopping { ending, is_killed: true });
        let (generation, ticket) = (child.generation, child.ticket);
        self.actions.push(Action::Kill { key, generation });
        self.set_timer(Owner::Child(key), ticket, moment.now + grace);
    }

    pub(super) fn begin_stop(&mut self, key: Key, moment: Moment) {
        let (order, afterlife) = self.stop_order(key);
        let Some(child) = self.children.get_mut(&key) else { return };
        let deadline = match (child.rules.shutdown, order) {
            (Shutdown::Brutal, _) => {
                self.kill(key, Ending::Ordered, KILL_GRACE, moment);
                return;
            }
            (Shutdown::Within(_) | Shutdown::Infinity, StopOrder::Drain { until }) => Some(until),
            (Shutdown::Within(limit), StopOrder::Stop) => Some(moment.now + limit),
            (Shutdown::Infinity, StopOrder::Stop) => None,
        };
        child.enter(Phase::Stopping { ending: Ending::Ordered, is_killed: false });
        let (generation, ticket) = (child.generation, child.ticket);
        self.actions.push(Action::Stop { key, generation, order, afterlife });
        if let Some(deadline) = deadline {
            self.set_timer(Owner::Child(key), ticket, deadline);
        }
    }

    /// How a child is to stop, and whether its mailbox will be needed again.
    fn stop_order(&self, key: Key) -> (StopOrder, Afterlife) {
        match self.mode {
            Mode::Halting { order, afterlife, .. } => (order, afterlife),
            _ if self.starts.contains(&key) => (StopOrder::Stop, Afterlife::Park),
            _ => (StopOrder::Stop, Afterlife::Close),
        }
    }

    /// A child is gone as it was told to, or as it would have been told to.
    pub(super) fn settle_stopped(&mut self, key: Key) {
        self.stops.remove(&key);
        self.leave_starting(key);
        if self.starts.contains(&key) && !self.is_halting() {
            if let Some(child) = self.children.get_mut(&key) {
                child.enter(Phase::Waiting);
            }
            if self.stopping == Some(key) {
                self.stopping = None;
            }
            return;
        }
        self.put_at_disposal(key);
    }

    /// Ends a child, for good unless the supervisor keeps its mailbox for a successor.
    pub(super) fn put_at_disposal(&mut self, key: Key) {
        let is_parked = match self.mode {
            Mode::Halting { afterlife, .. } => afterlife == Afterlife::Park,
            Mode::Booting | Mode::Running | Mode::Finished => false,
        };
        if !is_parked {
            self.put_to_rest(key);
            return;
        }
        self.leave_order(key);
        let Some(child) = self.children.get_mut(&key) else { return };
        child.enter(Phase::Idle);
        let askers = child.take_all_askers();
        self.answer_all(askers, Err(Refusal::Halting));
    }

    /// Ends a child for good; its spec stays unless it is temporary.
    pub(super) fn put_to_rest(&mut self, key: Key) {
        self.leave_order(key);
        let Some(child) = self.children.get_mut(&key) else { return };
        child.enter(Phase::Idle);
        let is_temporary = child.rules.restart == Restart::Temporary;
        let stop_askers = child.take_askers(Wish::Stop);
        let start_askers = child.take_askers(Wish::Start);
        self.actions.push(Action::Retire { key });
        self.answer_all(start_askers, Err(Refusal::Stopped));
        if is_temporary {
            self.forget(key);
        }
        self.answer_all(stop_askers, Ok(()));
    }

    pub(super) fn leave_order(&mut self, key: Key) {
        self.stops.remove(&key);
        self.starts.remove(&key);
        self.leave_starting(key);
        if self.stopping == Some(key) {
            self.stopping = None;
        }
    }

    pub(super) fn leave_starting(&mut self, key: Key) {
        if self.starting == Some(key) {
            self.starting = None;
        }
    }

    pub(super) fn forget(&mut self, key: Key) {
        self.children.remove(&key);
        self.actions.push(Action::Forget { key });
    }
}
