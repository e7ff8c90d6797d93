//! What a supervisor does next: a pure function from state and event to actions.
//!
//! No I/O, no tokio, no clock: the driver passes the time and a random number in, and carries the
//! actions out. The semantics are those of OTP's `supervisor.erl`. Since nothing here waits, a
//! supervisor answers during start, back-off and stop.
//!
//! Ordered work is two sets: `stops` is worked off from the last child to the first, then `starts`
//! from the first to the last, one child at a time. What a strategy, a start or a shutdown means is
//! only which children are put into them.

mod admin;
mod child;
mod event;
#[cfg(test)]
mod halting;
#[cfg(test)]
mod model;
mod order;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::exit::Exit;
use super::placement::Relocation;
use super::policy::{AutoShutdown, Backoff, Intensity, Restart, Strategy};
use child::{Child, Ending, Wish};
pub(crate) use child::{Phase, Rules, StartCause};
pub(crate) use event::{
    Action, Afterlife, Asker, Event, Generation, Key, Moment, Owner, Refusal, StopOrder,
};
use window::Window;

/// How long a killed child has to be gone before it is abandoned: its thread is blocked.
pub(crate) const KILL_GRACE: Duration = Duration::from_millis(200);
/// The same after a hang, when it is known not to react.
pub(crate) const HANG_GRACE: Duration = Duration::from_millis(10);

/// The rules of a supervisor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Regime {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
    pub(crate) backoff: Backoff,
    pub(crate) auto_shutdown: AutoShutdown,
    /// What becomes of the mailboxes when the supervisor ends on its own account.
    pub(crate) afterlife: Afterlife,
}

/// What the supervisor is about.
#[derive(Clone, Debug)]
enum Mode {
    Booting,
    Running,
    Halting { exit: Exit, order: StopOrder, afterlife: Afterlife },
    Finished,
}

/// The state of a supervisor.
pub(crate) struct Decision {
    regime: Regime,
    mode: Mode,
    children: BTreeMap<Key, Child>,
    window: Window,
    stops: BTreeSet<Key>,
    starts: BTreeSet<Key>,
    stopping: Option<Key>,
    starting: Option<Key>,
    resume_at: Option<Instant>,
    group_ticket: u64,
    culprit: Option<Key>,
    forced: usize,
    abandoned: usize,
    actions: Vec<Action>,
}

impl Decision {
    pub(crate) fn new(regime: Regime) -> Self {
        Self {
            regime,
            mode: Mode::Booting,
            children: BTreeMap::new(),
            window: Window::new(regime.intensity),
            stops: BTreeSet::new(),
            starts: BTreeSet::new(),
            stopping: None,
            starting: None,
            resume_at: None,
            group_ticket: 0,
            culprit: None,
            forced: 0,
            abandoned: 0,
            actions: Vec::new(),
        }
    }

    /// The phase of a child.
    pub(crate) fn phase(&self, key: Key) -> Option<&Phase> {
        self.children.get(&key).map(|child| &child.phase)
    }

    /// The present incarnation of a child.
    pub(crate) fn generation(&self, key: Key) -> Option<Generation> {
        self.children.get(&key).map(|child| child.generation)
    }

    pub(crate) fn is_halting(&self) -> bool {
        matches!(self.mode, Mode::Halting { .. } | Mode::Finished)
    }

    /// Takes one event in and says what is to be done.
    pub(crate) fn step(&mut self, event: Event, moment: Moment) -> Vec<Action> {
        match event {
            Event::Boot { children } => self.boot(children),
            Event::Up { key, generation } => self.up(key, generation, moment),
            Event::Declined { key, generation } => self.declined(key, generation),
            Event::Ended { key, generation, exit } => self.ended(key, generation, exit, moment),
            Event::Hung { key, generation } => self.hung(key, generation, moment),
            Event::Timer { owner, ticket } => self.timer(owner, ticket, moment),
            Event::Add { key, rules, asker } => self.add(key, rules, asker, moment),
            Event::Terminate { key, asker } => self.terminate(key, asker, moment),
            Event::Resume { key, asker } => self.resume(key, asker, moment),
            Event::Delete { key, asker } => self.delete(key, asker),
            Event::Halt { exit, order, afterlife } => self.halt(exit, order, afterlife),
        }
        self.advance(moment);
        std::mem::take(&mut self.actions)
    }

    fn boot(&mut self, children: Vec<(Key, Rules)>) {
        for (key, rules) in children {
            self.starts.insert(key);
            self.children.insert(key, Child::new(rules));
        }
    }

    fn start(&mut self, key: Key, cause: StartCause, moment: Moment) {
        let Some(child) = self.children.get_mut(&key) else { return };
        child.generation += 1;
        child.enter(Phase::Starting { cause });
        let (generation, ticket) = (child.generation, child.ticket);
        let relocation = std::mem::replace(&mut child.relocation, Relocation::Stay);
        let timeout = child.rules.start_timeout;
        self.actions.push(Action::Start { key, generation, relocation });
        if let Some(timeout) = timeout {
            self.set_timer(Owner::Child(key), ticket, moment.now + timeout);
        }
    }

    fn set_timer(&mut self, owner: Owner, ticket: u64, at: Instant) {
        self.actions.push(Action::Timer { owner, ticket, at });
    }

    fn up(&mut self, key: Key, generation: Generation, moment: Moment) {
        let Some(child) = self.current(key, generation) else { return };
        if !matches!(child.phase, Phase::Starting { .. }) {
            return;
        }
        child.enter(Phase::Up);
        child.up_since = Some(moment.now);
        let askers = child.take_askers(Wish::Start);
        self.answer_all(askers, Ok(()));
        self.leave_starting(key);
    }

    fn declined(&mut self, key: Key, generation: Generation) {
        let Some(child) = self.current(key, generation) else { return };
        if !matches!(child.phase, Phase::Starting { .. } | Phase::Stopping { .. }) {
            return;
        }
        let askers = child.take_askers(Wish::Start);
        self.answer_all(askers, Ok(()));
        self.starts.remove(&key);
        self.settle_stopped(key);
    }

    fn ended(&mut self, key: Key, generation: Generation, exit: Exit, moment: Moment) {
        let is_to_be_stopped = self.stops.contains(&key);
        let Some(child) = self.current(key, generation) else { return };
        match child.phase.clone() {
            Phase::Idle | Phase::Waiting => {}
            Phase::Starting { .. } | Phase::Up if is_to_be_stopped => self.settle_stopped(key),
            Phase::Starting { cause } => self.start_failed(key, cause, exit, moment),
            Phase::Up => self.ended_by_itself(key, exit, moment),
            Phase::Stopping { ending, .. } => self.settle(key, ending, moment),
        }
    }

    /// A child that was being stopped is gone.
    fn settle(&mut self, key: Key, ending: Ending, moment: Moment) {
        match ending {
            Ending::Ordered => self.settle_stopped(key),
            _ if self.is_halting() || self.stopping == Some(key) => self.settle_stopped(key),
            Ending::Failed(exit) => self.ended_by_itself(key, exit, moment),
            Ending::StartFailed(cause, exit) => self.start_failed(key, cause, exit, moment),
        }
    }

    fn start_failed(&mut self, key: Key, cause: StartCause, exit: Exit, moment: Moment) {
        self.actions.push(Action::Ended { key, exit: exit.clone() });
        self.leave_starting(key);
        match cause {
            StartCause::Boot => {
                self.culprit = Some(key);
                let id = self.children.get(&key).map_or("", |child| child.rules.id.as_str());
                let reason = format!("child `{id}` {exit}").into();
                self.halt_without(key, Exit::StartFailed { reason });
            }
            StartCause::Restart => self.failed(key, exit, moment),
            StartCause::Added | StartCause::Resumed => {
                self.refuse_start(key, cause, exit);
            }
        }
    }

    fn refuse_start(&mut self, key: Key, cause: StartCause, exit: Exit) {
        let Some(child) = self.children.get_mut(&key) else { return };
        let askers = child.take_askers(Wish::Start);
        self.answer_all(askers, Err(Refusal::StartFailed(exit)));
        self.put_to_rest(key);
        if cause == StartCause::Added {
            self.forget(key);
        }
    }

    /// A child has ended that nobody had asked to.
    fn ended_by_itself(&mut self, key: Key, exit: Exit, moment: Moment) {
        self.actions.push(Action::Ended { key, exit: exit.clone() });
        let Some(child) = self.children.get(&key) else { return };
        let is_significant = child.rules.is_significant;
        let is_restarted = match child.rules.restart {
            Restart::Permanent => true,
            Restart::Transient => exit.is_abnormal(),
            Restart::Temporary => false,
        };
        if is_restarted {
            self.failed(key, exit, moment);
            return;
        }
        self.put_to_rest(key);
        if is_significant && self.is_shutdown_due() {
            self.halt_on_own_account(Exit::Shutdown);
        }
    }

    /// Whether the end of a significant child, which is at rest by now, ends the supervisor.
    fn is_shutdown_due(&self) -> bool {
        let is_another_left = || {
            let mut others = self.children.values();
            others.any(|child| child.rules.is_significant && child.phase != Phase::Idle)
        };
        match self.regime.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !is_another_left(),
        }
    }

    /// A child has to be restarted: intensity, then back-off, then strategy.
    fn failed(&mut self, key: Key, exit: Exit, moment: Moment) {
        if self.is_halting() {
            self.settle_stopped(key);
            return;
        }
        if self.window.exceeds(moment.now) {
            self.actions.push(Action::Escalated);
            self.halt_without(key, Exit::RestartsExceeded);
            return;
        }
        let backoff = self.regime.backoff;
        let Some(child) = self.children.get_mut(&key) else { return };
        let delay = child.next_delay(&backoff, moment);
        if exit.suspects_arbiter() {
            child.relocation = Relocation::Move;
        }
        child.enter(Phase::Waiting);
        let ticket = child.ticket;
        self.actions.push(Action::Restarting { key, exit });
        match self.regime.strategy {
            Strategy::OneForOne if delay.is_zero() => self.start(key, StartCause::Restart, moment),
            Strategy::OneForOne => self.set_timer(Owner::Child(key), ticket, moment.now + delay),
            Strategy::OneForAll => self.regroup(Key(0), key, delay, moment),
            Strategy::RestForOne => self.regroup(key, key, delay, moment),
        }
    }

    /// Puts all children from `first` on into the ordered sets, on behalf of the one that failed.
    fn regroup(&mut self, first: Key, failed: Key, delay: Duration, moment: Moment) {
        for (&key, child) in self.children.range_mut(first..) {
            let is_alive = child.phase.is_alive();
            let is_terminated_by_hand = child.has_askers(Wish::Stop);
            if is_alive && self.stopping != Some(key) {
                self.stops.insert(key);
            }
            if child.rules.restart != Restart::Temporary && !is_terminated_by_hand {
                self.starts.insert(key);
            }
            if child.phase == Phase::Idle && self.starts.contains(&key) {
                child.enter(Phase::Waiting);
            }
            if self.starting == Some(key) {
                self.starting = None;
            }
        }
        self.starts.insert(failed);
        if !delay.is_zero() {
            let at = self.resume_at.map_or(moment.now + delay, |at| at.max(moment.now + delay));
            self.resume_at = Some(at);
            self.group_ticket += 1;
            self.set_timer(Owner::Group, self.group_ticket, at);
        }
    }

    fn hung(&mut self, key: Key, generation: Generation, moment: Moment) {
        let is_to_be_stopped = self.stops.contains(&key);
        let Some(child) = self.current(key, generation) else { return };
        if child.phase == Phase::Up && !is_to_be_stopped {
            self.kill(key, Ending::Failed(Exit::Hung), HANG_GRACE, moment);
        }
    }

    fn timer(&mut self, owner: Owner, ticket: u64, moment: Moment) {
        let Owner::Child(key) = owner else {
            if ticket == self.group_ticket {
                self.resume_at = None;
            }
            return;
        };
        let Some(child) = self.children.get_mut(&key) else { return };
        if child.ticket != ticket {
            return;
        }
        match child.phase.clone() {
            Phase::Idle | Phase::Up => {}
            Phase::Waiting => self.start(key, StartCause::Restart, moment),
            Phase::Starting { cause } => {
                let ending = Ending::StartFailed(cause, Exit::StartTimeout);
                self.kill(key, ending, KILL_GRACE, moment);
            }
            Phase::Stopping { ending, is_killed: false } => {
                self.forced += 1;
                self.kill(key, ending, KILL_GRACE, moment);
            }
            Phase::Stopping { ending, is_killed: true } => {
                self.abandoned += usize::from(matches!(ending, Ending::Ordered));
                self.actions.push(Action::Abandon { key, generation: child.generation });
                self.settle(key, ending, moment);
            }
        }
    }

    /// Gives up because of a child that is gone.
    fn halt_without(&mut self, key: Key, exit: Exit) {
        self.leave_order(key);
        if let Some(child) = self.children.get_mut(&key) {
            child.enter(Phase::Idle);
        }
        self.halt_on_own_account(exit);
    }

    fn halt_on_own_account(&mut self, exit: Exit) {
        self.halt(exit, StopOrder::Stop, self.regime.afterlife);
    }

    fn halt(&mut self, exit: Exit, order: StopOrder, afterlife: Afterlife) {
        match &mut self.mode {
            Mode::Finished => return,
            Mode::Halting { order: present, .. } => {
                *present = order;
                self.hurry(order, afterlife);
                return;
            }
            Mode::Booting | Mode::Running => {}
        }
        self.mode = Mode::Halting { exit, order, afterlife };
        self.starts.clear();
        self.resume_at = None;
        let keys: Vec<Key> = self.children.keys().copied().collect();
        for key in keys {
            match self.children.get(&key).map(|child| child.phase.is_alive()) {
                Some(true) if self.stopping != Some(key) => {
                    self.stops.insert(key);
                }
                Some(true) | None => {}
                Some(false) => self.put_at_disposal(key),
            }
        }
    }

    /// Passes a stricter order on to the child that is being stopped now.
    fn hurry(&mut self, order: StopOrder, afterlife: Afterlife) {
        let Some(key) = self.stopping else { return };
        let Some(child) = self.children.get(&key) else { return };
        let generation = child.generation;
        self.actions.push(Action::Stop { key, generation, order, afterlife });
    }

    fn current(&mut self, key: Key, generation: Generation) -> Option<&mut Child> {
        self.children.get_mut(&key).filter(|child| child.generation == generation)
    }

    fn answer_all(&mut self, askers: Vec<Asker>, outcome: Result<(), Refusal>) {
        for asker in askers {
            self.actions.push(Action::Answer { asker, outcome: outcome.clone() });
        }
    }
}
