//! Measures what supervision costs: the time of a tell, an ask, a session and a restart.
//!
//! Run: cargo bench --bench supervision

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::time::{Duration, Instant as RealInstant};

use actix::prelude::*;
use rehearsal::framework::supervision::{
    ActorRef, Backoff, ChildSpec, DynamicSupervisor, Handle, Intensity, Placement, StartError,
    Supervised, Supervisor, SupervisorSpec,
};
use tokio::time::Instant;

const MESSAGES: u32 = 400_000;
const CLIENTS: u32 = 64;
const SESSIONS: u32 = 100_000;
/// Sessions come and go in so many rounds.
const ROUNDS: u32 = 100;
const RESTARTS: u32 = 2_000;

struct Counter(u64);

impl Actor for Counter {
    type Context = Supervised<Self>;
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Increment;

#[derive(Message)]
#[rtype(result = "()")]
struct Crash;

impl Handler<Increment> for Counter {
    type Result = u64;

    fn handle(&mut self, _: Increment, _: &mut Self::Context) -> u64 {
        self.0 += 1;
        self.0
    }
}

impl Handler<Crash> for Counter {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        std::panic::panic_any("told to");
    }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn print(what: &str, started: RealInstant, count: u32) {
    println!("{what:<28} {:>8.0} ns", started.elapsed().as_nanos() as f64 / f64::from(count));
}

async fn ask_many(handle: Handle<Increment>, count: u32) {
    let deadline = deadline();
    for _ in 0..count {
        let _ = handle.ask(Increment, deadline).await;
    }
}

async fn measure_messages() {
    let actors = DynamicSupervisor::new("costs", 1);
    let actor: Result<ActorRef<Counter>, _> = actors.start(Counter(0), 1024);
    let Ok(actor) = actor else { return };
    let handle = actor.handle::<Increment>();
    let started = RealInstant::now();
    ask_many(handle.clone(), MESSAGES).await;
    print("ask, one client", started, MESSAGES);
    let started = RealInstant::now();
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| actix::spawn(ask_many(handle.clone(), MESSAGES / CLIENTS))).collect();
    for client in clients {
        let _ = client.await;
    }
    print("ask, 64 clients", started, MESSAGES);
    let started = RealInstant::now();
    let deadline = deadline();
    for _ in 0..MESSAGES {
        let _ = handle.tell(Increment, deadline).await;
    }
    print("tell", started, MESSAGES);
}

async fn measure_sessions() {
    let actors = DynamicSupervisor::new("costs/sessions", SESSIONS as usize);
    let before = resident_bytes();
    let sessions: Vec<_> = (0..SESSIONS).map(|_| actors.start(Counter(0), 8)).collect();
    let bytes = resident_bytes().saturating_sub(before) / u64::from(SESSIONS);
    println!("{:<28} {bytes:>8} bytes", "session memory");
    drop(sessions);
    actors.stop_all(deadline()).await;
    let (mut starting, mut stopping) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let started = RealInstant::now();
        let sessions: Vec<_> =
            (0..SESSIONS / ROUNDS).map(|_| actors.start(Counter(0), 8)).collect();
        starting += started.elapsed();
        drop(sessions);
        let started = RealInstant::now();
        actors.stop_all(deadline()).await;
        stopping += started.elapsed();
    }
    println!("{:<28} {:>8} ns", "session start", starting.as_nanos() / u128::from(SESSIONS));
    println!("{:<28} {:>8} ns", "session stop", stopping.as_nanos() / u128::from(SESSIONS));
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

async fn measure_restarts() {
    let actor = ActorRef::new("costs/restarts", 16);
    let factory = || Ok::<_, StartError>(Counter(0));
    let spec = SupervisorSpec::new("costs")
        .intensity(Intensity { max_restarts: u32::MAX, period: Duration::from_secs(1) })
        .backoff(Backoff::NONE)
        .child(ChildSpec::actor(&actor, "counter", Placement::current(), factory));
    let Ok(root) = Supervisor::start(spec).await else { return };
    let started = RealInstant::now();
    for _ in 0..RESTARTS {
        let _ = actor.handle().ask(Crash, deadline()).await;
        let _ = actor.handle().ask(Increment, deadline()).await;
    }
    print("crash to next reply", started, RESTARTS);
    root.shutdown().await;
}

fn main() {
    let nobody = tracing::subscriber::NoSubscriber::default();
    let _ = tracing::subscriber::set_global_default(nobody);
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be built")
    };
    System::with_tokio_rt(runtime).block_on(async {
        measure_messages().await;
        measure_sessions().await;
        measure_restarts().await;
    });
}
