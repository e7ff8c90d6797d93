//! The decision against an independent model: OTP's supervisor as a plain synchronous program.
//!
//! Random trees suffer random crashes, failing starts and administration. The decision runs in a
//! simulated world whose children obey at once; after each operation both must agree on who exists,
//! who runs, how often everyone was started, and whether the supervisor lives.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;
use tokio::time::Instant;

use super::*;
use crate::supervision::policy::Shutdown;

/// What happens to the supervisor under test. Children are named by their place of birth.
#[derive(Clone, Debug)]
enum Operation {
    Crash(usize),
    EndNormally(usize),
    /// The next `n` starts of a child fail.
    LetFail(usize, u32),
    Terminate(usize),
    Restart(usize),
    Delete(usize),
    Add(Restart),
    Wait(u64),
}

/// A child as the model sees it.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    restart: Restart,
    is_running: bool,
    starts: u64,
}

/// OTP's supervisor, one step after the other.
#[derive(Clone, Debug)]
struct Model {
    strategy: Strategy,
    intensity: Intensity,
    children: BTreeMap<usize, Known>,
    failing: BTreeMap<usize, u32>,
    restarts: Vec<Instant>,
    is_over: bool,
}

impl Model {
    fn start(&mut self, id: usize) -> bool {
        let Some(child) = self.children.get_mut(&id) else { return true };
        child.starts += 1;
        child.is_running = !consume(&mut self.failing, id);
        child.is_running
    }

    fn end(&mut self, id: usize, is_abnormal: bool, now: Instant) {
        let Some(child) = self.children.get_mut(&id) else { return };
        if !std::mem::take(&mut child.is_running) {
            return;
        }
        match child.restart {
            Restart::Permanent => self.restart(id, now),
            Restart::Transient if is_abnormal => self.restart(id, now),
            Restart::Transient => {}
            Restart::Temporary => {
                self.children.remove(&id);
            }
        }
    }

    fn restart(&mut self, id: usize, now: Instant) {
        self.restarts.retain(|restart| now - *restart <= self.intensity.period);
        self.restarts.push(now);
        if self.restarts.len() > self.intensity.max_restarts as usize {
            self.is_over = true;
            return;
        }
        let first = match self.strategy {
            Strategy::OneForOne => {
                if !self.start(id) {
                    self.restart(id, now);
                }
                return;
            }
            Strategy::OneForAll => 0,
            Strategy::RestForOne => id,
        };
        self.children.retain(|other, child| *other < first || child.restart != Restart::Temporary);
        let group: Vec<usize> = self.children.range(first..).map(|(other, _)| *other).collect();
        for other in &group {
            if let Some(child) = self.children.get_mut(other) {
                child.is_running = false;
            }
        }
        for other in group {
            if !self.start(other) {
                self.restart(other, now);
                // What is left to start is in the group of that restart.
                return;
            }
        }
    }

    fn apply(&mut self, operation: &Operation, next_id: usize, now: Instant) {
        match *operation {
            Operation::Crash(id) => self.end(id, true, now),
            Operation::EndNormally(id) => self.end(id, false, now),
            Operation::LetFail(id, times) => {
                self.failing.insert(id, times);
            }
            Operation::Terminate(id) => self.terminate(id),
            Operation::Restart(id) => {
                if self.children.get(&id).is_some_and(|child| !child.is_running) {
                    self.start(id);
                }
            }
            Operation::Delete(id) => {
                if self.children.get(&id).is_some_and(|child| !child.is_running) {
                    self.children.remove(&id);
                }
            }
            Operation::Add(restart) => {
                self.children.insert(next_id, Known { restart, is_running: false, starts: 0 });
                if !self.start(next_id) {
                    self.children.remove(&next_id);
                }
            }
            Operation::Wait(_) => {}
        }
    }

    fn terminate(&mut self, id: usize) {
        let Some(child) = self.children.get_mut(&id) else { return };
        child.is_running = false;
        if child.restart == Restart::Temporary {
            self.children.remove(&id);
        }
    }
}

fn consume(failing: &mut BTreeMap<usize, u32>, id: usize) -> bool {
    let left = failing.entry(id).or_default();
    let fails = *left > 0;
    *left = left.saturating_sub(1);
    fails
}

/// A world whose children do at once what they are told.
struct World {
    decision: Decision,
    failing: BTreeMap<usize, u32>,
    live: BTreeMap<usize, Generation>,
    events: VecDeque<Event>,
    is_over: bool,
}

impl World {
    fn new(regime: Regime) -> Self {
        Self {
            decision: Decision::new(regime),
            failing: BTreeMap::new(),
            live: BTreeMap::new(),
            events: VecDeque::new(),
            is_over: false,
        }
    }

    fn run(&mut self, event: Event, now: Instant) {
        self.events.push_back(event);
        while let Some(event) = self.events.pop_front() {
            for action in self.decision.step(event, Moment { now, noise: 0.0 }) {
                self.perform(action);
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { key, generation, .. } => self.start(key, generation),
            Action::Stop { key, generation, .. } | Action::Kill { key, generation } => {
                self.end(id_of(key), generation, Exit::Shutdown);
            }
            Action::Finish { .. } => self.is_over = true,
            Action::Abandon { .. }
            | Action::Retire { .. }
            | Action::Forget { .. }
            | Action::Timer { .. }
            | Action::Answer { .. }
            | Action::Ended { .. }
            | Action::Restarting { .. }
            | Action::Escalated
            | Action::Booted => {}
        }
    }

    fn start(&mut self, key: Key, generation: Generation) {
        let earlier = self.live.insert(id_of(key), generation);
        assert_eq!(earlier, None, "two incarnations of child {key:?} at once");
        if consume(&mut self.failing, id_of(key)) {
            let exit = Exit::StartFailed { reason: "told to".into() };
            self.end(id_of(key), generation, exit);
        } else {
            self.events.push_back(Event::Up { key, generation });
        }
    }

    fn end(&mut self, id: usize, generation: Generation, exit: Exit) {
        if self.live.get(&id) == Some(&generation) {
            self.live.remove(&id);
            self.events.push_back(Event::Ended { key: key_of(id), generation, exit });
        }
    }

    fn apply(&mut self, operation: &Operation, next_id: usize, now: Instant) {
        let event = match *operation {
            Operation::Crash(id) => self.ended(id, Exit::Killed),
            Operation::EndNormally(id) => self.ended(id, Exit::Normal),
            Operation::LetFail(id, times) => {
                self.failing.insert(id, times);
                None
            }
            Operation::Terminate(id) => Some(Event::Terminate { key: key_of(id), asker: 0 }),
            Operation::Restart(id) => Some(Event::Resume { key: key_of(id), asker: 0 }),
            Operation::Delete(id) => Some(Event::Delete { key: key_of(id), asker: 0 }),
            Operation::Add(restart) => {
                Some(Event::Add { key: key_of(next_id), rules: rules(restart), asker: 0 })
            }
            Operation::Wait(_) => None,
        };
        if let Some(event) = event {
            self.run(event, now);
        }
    }

    fn ended(&mut self, id: usize, exit: Exit) -> Option<Event> {
        let generation = self.live.remove(&id)?;
        Some(Event::Ended { key: key_of(id), generation, exit })
    }

    fn known(&self) -> BTreeMap<usize, Known> {
        let known = |(key, child): (&Key, &Child)| {
            let (id, is_running) = (id_of(*key), child.phase == Phase::Up);
            assert_eq!(is_running, self.live.contains_key(&id), "child {id} is {:?}", child.phase);
            let restart = child.rules.restart;
            (id, Known { restart, is_running, starts: child.generation })
        };
        self.decision.children.iter().map(known).collect()
    }
}

fn key_of(id: usize) -> Key {
    Key(u64::try_from(id).expect("ids are small"))
}

fn id_of(key: Key) -> usize {
    usize::try_from(key.0).expect("ids are small")
}

fn rules(restart: Restart) -> Rules {
    let shutdown = Shutdown::Infinity;
    Rules { id: String::new(), restart, shutdown, is_significant: false, start_timeout: None }
}

fn restarts() -> impl Generator<Value = Restart> {
    prop_oneof![
        3 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary),
    ]
}

fn operations() -> impl Generator<Value = Operation> {
    prop_oneof![
        6 => (0usize..8).prop_map(Operation::Crash),
        2 => (0usize..8).prop_map(Operation::EndNormally),
        2 => (0usize..8, 0u32..3).prop_map(|(id, times)| Operation::LetFail(id, times)),
        2 => (0usize..8).prop_map(Operation::Terminate),
        2 => (0usize..8).prop_map(Operation::Restart),
        1 => (0usize..8).prop_map(Operation::Delete),
        1 => restarts().prop_map(Operation::Add),
        3 => (1u64..8).prop_map(Operation::Wait),
    ]
}

fn strategies() -> impl Generator<Value = Strategy> {
    prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_decision_agrees_with_a_synchronous_supervisor(
        strategy in strategies(),
        max_restarts in 0u32..12,
        born in proptest::collection::vec(restarts(), 0..5),
        operations in proptest::collection::vec(operations(), 0..40),
    ) {
        let intensity = Intensity { max_restarts, period: Duration::from_secs(5) };
        let backoff = Backoff::NONE;
        let regime = Regime { strategy, intensity, backoff, ..Regime::default() };
        let mut now = Instant::now();
        let mut world = World::new(regime);
        let (failing, restarts) = (BTreeMap::new(), Vec::new());
        let known = |restart: &Restart| Known { restart: *restart, is_running: true, starts: 1 };
        let children = born.iter().map(known).enumerate().collect();
        let mut model =
            Model { strategy, intensity, children, failing, restarts, is_over: false };
        let rules = |(id, restart): (usize, &Restart)| (key_of(id), rules(*restart));
        let children = born.iter().enumerate().map(rules).collect();
        world.run(Event::Boot { children }, now);
        prop_assert_eq!(world.known(), model.children.clone());
        let mut next_id = born.len();
        for operation in &operations {
            if let Operation::Wait(seconds) = operation {
                now += Duration::from_secs(*seconds);
            }
            world.apply(operation, next_id, now);
            model.apply(operation, next_id, now);
            next_id += usize::from(matches!(operation, Operation::Add(_)));
            prop_assert_eq!(world.is_over, model.is_over, "after {:?}", operation);
            if model.is_over {
                prop_assert!(world.live.is_empty());
                break;
            }
            prop_assert_eq!(world.known(), model.children.clone(), "after {:?}", operation);
        }
    }
}
