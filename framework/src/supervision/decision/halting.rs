//! A supervisor that has to end does so within the limits of its children, whatever had happened
//! before, though none of them obeys any more.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, any, prop_assert, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;
use tokio::time::Instant;

use super::*;
use crate::supervision::policy::Shutdown;

const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
const CHILDREN_MAX: u64 = 6;

/// What happens to the supervisor under test. Children are named by their place of birth, and do by
/// themselves only what is said here.
#[derive(Clone, Debug)]
enum Operation {
    Up(u64),
    Crash(u64),
    EndNormally(u64),
    Hang(u64),
    Terminate(u64),
    Resume(u64),
    Add(u64),
    Drain,
    /// The next timer is due.
    Wait,
}

/// A world in which nobody obeys: orders are forgotten, and only timers are kept.
struct World {
    decision: Decision,
    now: Instant,
    timers: BinaryHeap<Reverse<(Instant, u64, Option<Key>)>>,
    is_over: bool,
}

impl World {
    fn new(regime: Regime) -> Self {
        let (now, timers) = (Instant::now(), BinaryHeap::new());
        Self { decision: Decision::new(regime), now, timers, is_over: false }
    }

    fn run(&mut self, event: Event) {
        for action in self.decision.step(event, Moment { now: self.now, noise: 0.0 }) {
            match action {
                Action::Timer { owner: Owner::Child(key), ticket, at } => {
                    self.timers.push(Reverse((at, ticket, Some(key))));
                }
                Action::Timer { owner: Owner::Group, ticket, at } => {
                    self.timers.push(Reverse((at, ticket, None)));
                }
                Action::Finish { .. } => self.is_over = true,
                Action::Start { .. }
                | Action::Stop { .. }
                | Action::Kill { .. }
                | Action::Abandon { .. }
                | Action::Retire { .. }
                | Action::Forget { .. }
                | Action::Answer { .. }
                | Action::Ended { .. }
                | Action::Restarting { .. }
                | Action::Escalated
                | Action::Booted => {}
            }
        }
    }

    /// Lets time pass until the next timer. Whether there is one.
    fn wait(&mut self) -> bool {
        let Some(Reverse((at, ticket, key))) = self.timers.pop() else { return false };
        self.now = self.now.max(at);
        self.run(Event::Timer { owner: key.map_or(Owner::Group, Owner::Child), ticket });
        true
    }

    fn apply(&mut self, operation: &Operation) {
        let generation = |id| self.decision.generation(Key(id)).unwrap_or_default();
        let ended = |id, exit| Event::Ended { key: Key(id), generation: generation(id), exit };
        let event = match *operation {
            Operation::Up(id) => Event::Up { key: Key(id), generation: generation(id) },
            Operation::Crash(id) => ended(id, Exit::Killed),
            Operation::EndNormally(id) => ended(id, Exit::Normal),
            Operation::Hang(id) => Event::Hung { key: Key(id), generation: generation(id) },
            Operation::Terminate(id) => Event::Terminate { key: Key(id), asker: 0 },
            Operation::Resume(id) => Event::Resume { key: Key(id), asker: 0 },
            Operation::Add(id) if self.decision.children.contains_key(&Key(id)) => return,
            Operation::Add(id) => {
                let rules = rules(Restart::Permanent, Shutdown::Brutal);
                Event::Add { key: Key(id), rules, asker: 0 }
            }
            Operation::Drain => {
                let order = StopOrder::Drain { until: self.now + SHUTDOWN_LIMIT };
                Event::Halt { exit: Exit::Shutdown, order, afterlife: Afterlife::Close }
            }
            Operation::Wait => {
                self.wait();
                return;
            }
        };
        self.run(event);
    }
}

fn rules(restart: Restart, shutdown: Shutdown) -> Rules {
    let start_timeout = Some(Duration::from_secs(30));
    Rules { id: String::new(), restart, shutdown, is_significant: false, start_timeout }
}

fn births() -> impl Generator<Value = Rules> {
    let restarts =
        prop_oneof![Just(Restart::Permanent), Just(Restart::Transient), Just(Restart::Temporary)];
    let shutdowns = prop_oneof![Just(Shutdown::Brutal), Just(Shutdown::Within(SHUTDOWN_LIMIT))];
    (restarts, shutdowns).prop_map(|(restart, shutdown)| rules(restart, shutdown))
}

fn operations() -> impl Generator<Value = Operation> {
    let id = 0..CHILDREN_MAX;
    prop_oneof![
        8 => id.clone().prop_map(Operation::Up),
        4 => id.clone().prop_map(Operation::Crash),
        2 => id.clone().prop_map(Operation::EndNormally),
        4 => id.clone().prop_map(Operation::Hang),
        2 => id.clone().prop_map(Operation::Terminate),
        2 => id.clone().prop_map(Operation::Resume),
        1 => id.prop_map(Operation::Add),
        1 => Just(Operation::Drain),
        4 => Just(Operation::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_supervisor_ends_in_time_though_no_child_obeys(
        strategy in prop_oneof![
            Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne),
        ],
        max_restarts in 0u32..4,
        is_parked in any::<bool>(),
        born in proptest::collection::vec(births(), 0..5),
        operations in proptest::collection::vec(operations(), 0..30),
    ) {
        let intensity = Intensity { max_restarts, period: Duration::from_secs(5) };
        let afterlife = if is_parked { Afterlife::Park } else { Afterlife::Close };
        let mut world = World::new(Regime { strategy, intensity, afterlife, ..Regime::default() });
        let children = (0..).map(Key).zip(born).collect();
        world.run(Event::Boot { children });
        for operation in &operations {
            world.apply(operation);
        }
        let halt = Event::Halt { exit: Exit::Shutdown, order: StopOrder::Stop, afterlife };
        world.run(halt);
        let halted_at = world.now;
        while !world.is_over {
            prop_assert!(world.wait(), "it waits for nothing");
        }
        let limit = u32::try_from(CHILDREN_MAX).unwrap() * (SHUTDOWN_LIMIT + KILL_GRACE);
        prop_assert!(world.now - halted_at <= limit, "it took {:?}", world.now - halted_at);
    }
}
