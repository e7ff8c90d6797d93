//! What people ask of a running supervisor.

use super::child::{Child, Ending, Wish};
use super::{Action, Asker, Decision, Key, Moment, Phase, Refusal, Rules, StartCause};

impl Decision {
    /// Adds a child at the end of the order and starts it.
    pub(super) fn add(&mut self, key: Key, rules: Rules, asker: Asker, moment: Moment) {
        if self.is_halting() {
            self.answer_all(vec![asker], Err(Refusal::Halting));
            self.actions.push(Action::Retire { key });
            self.actions.push(Action::Forget { key });
            return;
        }
        let mut child = Child::new(rules);
        child.ask(Wish::Start, asker);
        self.children.insert(key, child);
        self.start(key, StartCause::Added, moment);
    }

    /// Stops a child and keeps its spec, unless it is temporary.
    pub(super) fn terminate(&mut self, key: Key, asker: Asker, moment: Moment) {
        let is_in_turn = self.stops.contains(&key) || self.stopping == Some(key);
        self.starts.remove(&key);
        let Some(child) = self.children.get_mut(&key) else { return };
        child.ask(Wish::Stop, asker);
        match &mut child.phase {
            Phase::Idle | Phase::Waiting => self.put_to_rest(key),
            Phase::Starting { .. } | Phase::Up if is_in_turn => {}
            Phase::Starting { .. } | Phase::Up => self.begin_stop(key, moment),
            Phase::Stopping { ending, .. } => *ending = Ending::Ordered,
        }
    }

    /// Starts a child that is stopped.
    pub(super) fn resume(&mut self, key: Key, asker: Asker, moment: Moment) {
        let is_halting = self.is_halting();
        let Some(child) = self.children.get_mut(&key) else { return };
        let refusal = match child.phase {
            _ if is_halting => Refusal::Halting,
            Phase::Idle => {
                child.ask(Wish::Start, asker);
                self.start(key, StartCause::Resumed, moment);
                return;
            }
            Phase::Waiting | Phase::Starting { .. } => Refusal::Restarting,
            Phase::Up | Phase::Stopping { .. } => Refusal::Running,
        };
        self.answer_all(vec![asker], Err(refusal));
    }

    /// Drops the spec of a child that is stopped.
    pub(super) fn delete(&mut self, key: Key, asker: Asker) {
        let Some(child) = self.children.get(&key) else { return };
        let outcome = match child.phase {
            Phase::Idle => Ok(()),
            Phase::Waiting => Err(Refusal::Restarting),
            Phase::Starting { .. } | Phase::Up | Phase::Stopping { .. } => Err(Refusal::Running),
        };
        if outcome.is_ok() {
            self.forget(key);
        }
        self.answer_all(vec![asker], outcome);
    }
}
