//! Actors that crash at random under load from many tasks, on several threads.
//!
//! `CHAOS_SEED=… cargo test -p rehearsal-framework --test supervision chaos` repeats a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use actix::prelude::*;
use framework::supervision::{
    ActorRef, AskError, Backoff, ChildSpec, Intensity, Placement, Strategy, Supervised, Supervisor,
    SupervisorSpec, Task,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::world::{millis, report_panics_nowhere, seconds, soon};

const ACTORS: usize = 6;
const CLIENTS: u64 = 16;
const ASKS: usize = 400;

/// Crashes when it is told to.
struct Victim {
    live: Arc<AtomicUsize>,
}

impl Victim {
    fn new(live: &Arc<AtomicUsize>) -> Self {
        let others = live.fetch_add(1, SeqCst);
        assert_eq!(others, 0, "two incarnations live at once");
        Self { live: live.clone() }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.live.fetch_sub(1, SeqCst);
    }
}

impl Actor for Victim {
    type Context = Supervised<Self>;
}

/// What to do with a message.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Answer,
    Panic,
    Fail,
    Work,
    PanicInTask,
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Suffer(Fate);

impl Handler<Suffer> for Victim {
    type Result = Task<u64>;

    fn handle(&mut self, Suffer(fate): Suffer, ctx: &mut Self::Context) -> Task<u64> {
        let generation = ctx.generation();
        match fate {
            Fate::Panic => panic!("as told"),
            Fate::Fail => ctx.fail("as told"),
            Fate::Answer | Fate::Work | Fate::PanicInTask => {}
        }
        Task::new(async move {
            match fate {
                Fate::Work => tokio::time::sleep(millis(1)).await,
                Fate::PanicInTask => panic!("as told"),
                Fate::Answer | Fate::Panic | Fate::Fail => {}
            }
            generation
        })
    }
}

fn fate(random: &mut StdRng) -> Fate {
    match random.random_range(0..100) {
        0..2 => Fate::Panic,
        2..3 => Fate::Fail,
        3..5 => Fate::PanicInTask,
        5..30 => Fate::Work,
        _ => Fate::Answer,
    }
}

/// What came of one client's asks.
#[derive(Default)]
struct Tally {
    answered: usize,
    crashed: usize,
}

/// Asks at random, and checks that generations never fall.
async fn client(actors: Vec<ActorRef<Victim>>, seed: u64) -> Tally {
    let mut random = StdRng::seed_from_u64(seed);
    let mut tally = Tally::default();
    let mut generations = [0; ACTORS];
    for _ in 0..ASKS {
        let index = random.random_range(0..ACTORS);
        let outcome = actors[index].handle().ask(Suffer(fate(&mut random)), soon()).await;
        match outcome {
            Ok(generation) => {
                assert!(generation >= generations[index], "generations fell");
                generations[index] = generation;
                tally.answered += 1;
            }
            Err(AskError::Crashed { .. }) => tally.crashed += 1,
            Err(other) => panic!("an ask was neither answered nor crashed: {other}"),
        }
    }
    tally
}

fn tree(placements: &[Placement; 2]) -> (Vec<ActorRef<Victim>>, ActorRef<Victim>, SupervisorSpec) {
    let backoff = Backoff { max: millis(2), min: millis(0), ..Backoff::NONE };
    let mut spec = SupervisorSpec::new("chaos")
        .strategy(Strategy::OneForOne)
        .intensity(Intensity { max_restarts: u32::MAX, period: seconds(1) })
        .backoff(backoff);
    let mut actors = Vec::new();
    for index in 0..=ACTORS {
        let actor = ActorRef::new(format!("chaos/{index}"), 8);
        let live = Arc::new(AtomicUsize::new(0));
        let placement = placements[index % 2].clone();
        let factory = move || Ok(Victim::new(&live));
        spec = spec.child(ChildSpec::actor(&actor, index.to_string(), placement, factory));
        actors.push(actor);
    }
    let bystander = actors.pop().unwrap();
    (actors, bystander, spec)
}

#[test]
fn under_random_crashes_no_answer_is_lost_and_no_message_unaccounted_for() {
    report_panics_nowhere();
    let seed = std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("CHAOS_SEED={seed}");
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    };
    let test = async {
        let placements = [Arbiter::new(), Arbiter::new()].map(|it| Placement::fixed(it.handle()));
        let (actors, bystander, spec) = tree(&placements);
        let root = Supervisor::start(spec).await.unwrap();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| tokio::spawn(client(actors.clone(), seed.wrapping_add(number))))
            .collect();
        let mut sum = Tally::default();
        for client in clients {
            let tally = client.await.unwrap();
            sum.answered += tally.answered;
            sum.crashed += tally.crashed;
        }
        let asks = usize::try_from(CLIENTS).unwrap() * ASKS;
        assert_eq!(sum.answered + sum.crashed, asks);
        root.shutdown().await;
        for actor in &actors {
            let stats = actor.stats();
            let settled = stats.handled + stats.skipped + stats.dead_letters + stats.returned;
            assert_eq!((stats.sent, stats.queued), (settled, 0), "{stats:?}");
            assert!(stats.generation > 1, "nothing crashed: {stats:?}");
        }
        assert_eq!(bystander.stats().generation, 1);
    };
    let limit = tokio::time::Duration::from_secs(60);
    let outcome =
        System::with_tokio_rt(runtime).block_on(async { tokio::time::timeout(limit, test).await });
    assert!(outcome.is_ok(), "the run did not end within {limit:?}");
}
