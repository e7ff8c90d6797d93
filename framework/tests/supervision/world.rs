//! What the tests share: an actor that does whatever it is told, and a record of its lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use actix::prelude::*;
use framework::supervision::{
    ActorRef, AskError, Backoff, ChildError, ChildSpec, DynamicSupervisor, FailureReport, Handle,
    Intensity, ObserverGuard, Placement, StartError, Strategy, Supervised, Supervisor,
    SupervisorHandle, SupervisorSpec, Task, observe_failures,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::Instant;

/// Runs a test on one thread whose clock stands still.
pub(crate) fn on_paused_clock(test: impl Future<Output = ()>) {
    report_panics_nowhere();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime can be built")
    };
    System::with_tokio_rt(runtime).block_on(test);
}

/// Supervised panics go to tracing, if anything listens there: here nobody does, and says so.
pub(crate) fn report_panics_nowhere() {
    // Another test has said so already.
    let _ = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::default());
}

/// Collects the reports about one actor.
pub(crate) fn reports_of(id: &str) -> (Arc<Mutex<Vec<FailureReport>>>, ObserverGuard) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let (sink, path) = (reports.clone(), format!("test/{id}"));
    let guard = observe_failures(move |report| {
        if *report.path == path {
            sink.lock().unwrap().push(report.clone());
        }
    });
    (reports, guard)
}

/// What the metrics say about dead letters to an actor.
pub(crate) fn dead_letters(id: &str) -> Vec<String> {
    let series = format!("rehearsal_dead_letters_total{{actor=\"test/{id}\",");
    let text = recorded_metrics().render();
    text.lines().filter_map(|line| line.strip_prefix(&series).map(str::to_owned)).collect()
}

/// Has the metrics of this process recorded, from the first call on.
pub(crate) fn recorded_metrics() -> &'static PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}

/// How a worker starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Start {
    #[default]
    Well,
    Decline,
    Fail,
    PanicInFactory,
    PanicInStarted,
    FailInStarted,
    /// Is up after this time.
    After(Duration),
    Never,
}

/// What all workers of a test share.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Shared>);

#[derive(Default)]
struct Shared {
    log: Mutex<Vec<String>>,
    starts: Mutex<HashMap<String, Start>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Decides how a worker will start from now on.
    pub(crate) fn let_start(&self, id: &str, start: Start) {
        self.0.starts.lock().unwrap().insert(id.to_owned(), start);
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.0.log.lock().unwrap().clone()
    }

    pub(crate) fn clear_log(&self) {
        self.0.log.lock().unwrap().clear();
    }

    /// What happened that begins with `word`, without that word.
    pub(crate) fn logged(&self, word: &str) -> Vec<String> {
        let strip = |line: &String| line.strip_prefix(word).map(|rest| rest.trim().to_owned());
        self.log().iter().filter_map(strip).collect()
    }

    fn write(&self, line: String) {
        self.0.log.lock().unwrap().push(line);
    }

    fn start_of(&self, id: &str) -> Start {
        self.0.starts.lock().unwrap().get(id).copied().unwrap_or_default()
    }

    /// A worker with a roomy mailbox on this thread.
    pub(crate) fn worker(&self, id: &str) -> (ActorRef<Worker>, ChildSpec) {
        self.worker_at(id, 1024, Placement::current())
    }

    pub(crate) fn worker_at(
        &self,
        id: &str,
        capacity: usize,
        placement: Placement,
    ) -> (ActorRef<Worker>, ChildSpec) {
        let actor = ActorRef::new(format!("test/{id}"), capacity);
        let spec = self.spec(&actor, id, placement);
        (actor, spec)
    }

    pub(crate) fn spec(
        &self,
        actor: &ActorRef<Worker>,
        id: &str,
        placement: Placement,
    ) -> ChildSpec {
        let (world, name) = (self.clone(), id.to_owned());
        ChildSpec::actor(actor, id, placement, move || {
            world.write(format!("factory {name}"));
            match world.start_of(&name) {
                Start::Decline => Err(StartError::Decline),
                Start::Fail => Err(StartError::failed("init refused")),
                Start::PanicInFactory => panic!("factory broke"),
                _ => Ok(Worker { world: world.clone(), id: name.clone(), count: 0 }),
            }
        })
    }

    pub(crate) fn bare_worker(&self, id: &str) -> Worker {
        Worker { world: self.clone(), id: id.to_owned(), count: 0 }
    }

    pub(crate) fn session(
        &self,
        id: &str,
        sessions: &DynamicSupervisor<Worker>,
    ) -> ActorRef<Worker> {
        sessions.start(self.bare_worker(id), 16).expect("there is room for a session")
    }

    /// Three workers `a`, `b` and `c`.
    pub(crate) fn trio(&self) -> ([ActorRef<Worker>; 3], [ChildSpec; 3]) {
        let ((a, a_spec), (b, b_spec), (c, c_spec)) =
            (self.worker("a"), self.worker("b"), self.worker("c"));
        ([a, b, c], [a_spec, b_spec, c_spec])
    }
}

/// A supervisor that restarts at once, and nearly for ever.
pub(crate) fn supervisor(strategy: Strategy) -> SupervisorSpec {
    SupervisorSpec::new("root")
        .strategy(strategy)
        .intensity(Intensity { max_restarts: 1000, period: Duration::from_secs(5) })
        .backoff(Backoff::NONE)
}

pub(crate) async fn start(spec: SupervisorSpec) -> SupervisorHandle {
    Supervisor::start(spec).await.expect("the tree starts")
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// Lets everything that can happen without time passing happen.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How often each child was started, in start order.
pub(crate) fn generations(handle: &SupervisorHandle) -> Vec<u64> {
    handle.which_children().iter().map(|child| child.generation).collect()
}

/// The actor of the tests.
pub(crate) struct Worker {
    world: World,
    id: String,
    count: usize,
}

impl Actor for Worker {
    type Context = Supervised<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.world.write(format!("started {}", self.id));
        match self.world.start_of(&self.id) {
            Start::PanicInStarted => panic!("started broke"),
            Start::FailInStarted => ctx.fail("no luck"),
            Start::After(time) => ctx.wait(tokio::time::sleep(time).into_actor(self)),
            Start::Never => ctx.wait(std::future::pending().into_actor(self)),
            _ => {}
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.world.write(format!("stopped {}", self.id));
        if self.id == "panics_in_stopped" {
            panic!("stopped broke");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.world.write(format!("dropped {}", self.id));
        if self.id == "panics_in_drop" && !std::thread::panicking() {
            panic!("drop broke");
        }
    }
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident $(($field:ty))? -> $result:literal;)*) => {
        $($(#[$doc])* #[derive(Message)] #[rtype(result = $result)]
        pub(crate) struct $name $((pub(crate) $field))?;)*
    };
}

messages! {
    /// Adds one and returns the count.
    Increment -> "usize";
    /// Panics.
    Crash -> "usize";
    /// Panics with a payload that is no text.
    CrashOddly -> "()";
    /// Ends with `ctx.fail`.
    Fail -> "()";
    /// Ends with `ctx.stop`.
    Stop -> "()";
    /// Ends with `ctx.shut_down`.
    ShutDown -> "()";
    /// Panics with a text that is known at compile time.
    CrashWithStaticText -> "()";
    /// Waits inside of the actor, which serves nothing meanwhile.
    Hold(Duration) -> "()";
    /// Works in a task of its own.
    Work(Duration) -> "usize";
    /// Panics in a task of its own.
    CrashTask -> "usize";
    /// Spends this much real time on the actor's thread.
    Block(std::sync::mpsc::Receiver<()>) -> "()";
    /// Asks another worker and returns its answer.
    Relay((Handle<Increment>, Duration)) -> "Result<usize, AskError>";
    /// Has the first of these workers do the same with the rest, and waits for it.
    Pass((Vec<Handle<Pass>>, Duration)) -> "Result<usize, AskError>";
    /// Asks a supervisor to start a child, and waits inside of the actor.
    AskSupervisor((SupervisorHandle, ChildSpec)) -> "Result<(), ChildError>";
    /// Spawns a future, and answers once that has been woken by another thread.
    Spawn -> "()";
}

impl Handler<Increment> for Worker {
    type Result = usize;

    fn handle(&mut self, _: Increment, _: &mut Self::Context) -> usize {
        self.count += 1;
        self.count
    }
}

impl Handler<Crash> for Worker {
    type Result = usize;

    fn handle(&mut self, _: Crash, _: &mut Self::Context) -> usize {
        panic!("{} broke", self.id);
    }
}

impl Handler<CrashOddly> for Worker {
    type Result = ();

    fn handle(&mut self, _: CrashOddly, _: &mut Self::Context) {
        std::panic::panic_any(42);
    }
}

impl Handler<Fail> for Worker {
    type Result = ();

    fn handle(&mut self, _: Fail, ctx: &mut Self::Context) {
        ctx.fail("it said so");
    }
}

impl Handler<Stop> for Worker {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<ShutDown> for Worker {
    type Result = ();

    fn handle(&mut self, _: ShutDown, ctx: &mut Self::Context) {
        ctx.shut_down();
    }
}

impl Handler<CrashWithStaticText> for Worker {
    type Result = ();

    fn handle(&mut self, _: CrashWithStaticText, _: &mut Self::Context) {
        panic!("broke");
    }
}

impl Handler<Hold> for Worker {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, Hold(time): Hold, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(tokio::time::sleep(time).into_actor(self)))
    }
}

impl Handler<Work> for Worker {
    type Result = Task<usize>;

    fn handle(&mut self, Work(time): Work, _: &mut Self::Context) -> Self::Result {
        let dropped = OnDrop(self.world.clone(), "task ended");
        Task::new(async move {
            tokio::time::sleep(time).await;
            drop(dropped);
            7
        })
    }
}

/// Writes a line when it is dropped.
struct OnDrop(World, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.write(self.1.to_owned());
    }
}

impl Handler<CrashTask> for Worker {
    type Result = Task<usize>;

    fn handle(&mut self, _: CrashTask, _: &mut Self::Context) -> Self::Result {
        Task::new(async { panic!("task broke") })
    }
}

impl Handler<Block> for Worker {
    type Result = ();

    fn handle(&mut self, Block(released): Block, _: &mut Self::Context) {
        let _ = released.recv();
    }
}

impl Handler<Relay> for Worker {
    type Result = AtomicResponse<Self, Result<usize, AskError>>;

    fn handle(&mut self, Relay((other, limit)): Relay, _: &mut Self::Context) -> Self::Result {
        let answer = async move { other.ask(Increment, Instant::now() + limit).await };
        AtomicResponse::new(Box::pin(answer.into_actor(self)))
    }
}

impl Handler<Pass> for Worker {
    type Result = AtomicResponse<Self, Result<usize, AskError>>;

    fn handle(&mut self, Pass((workers, limit)): Pass, _: &mut Self::Context) -> Self::Result {
        let answer = async move {
            let Some((next, rest)) = workers.split_first() else { return Ok(0) };
            let deadline = Instant::now() + limit;
            next.ask(Pass((rest.to_vec(), limit)), deadline).await?
        };
        AtomicResponse::new(Box::pin(answer.into_actor(self)))
    }
}

impl Handler<AskSupervisor> for Worker {
    type Result = AtomicResponse<Self, Result<(), ChildError>>;

    fn handle(
        &mut self,
        AskSupervisor((supervisor, spec)): AskSupervisor,
        _: &mut Self::Context,
    ) -> Self::Result {
        let answer = async move { supervisor.start_child(spec).await };
        AtomicResponse::new(Box::pin(answer.into_actor(self)))
    }
}

impl Handler<Spawn> for Worker {
    type Result = Task<()>;

    fn handle(&mut self, _: Spawn, ctx: &mut Self::Context) -> Task<()> {
        let (done, is_done) = tokio::sync::oneshot::channel();
        let (word, told) = tokio::sync::oneshot::channel::<()>();
        let future = async move {
            let _ = told.await;
            // Nobody waits any more once the test has failed.
            let _ = done.send(());
        };
        ctx.spawn(future.into_actor(self));
        std::thread::spawn(move || word.send(()));
        Task::new(async move { is_done.await.expect("the future runs to its end") })
    }
}

/// Short forms of asking a worker.
pub(crate) trait Asking {
    fn ask<M>(&self, message: M) -> impl Future<Output = Result<M::Result, AskError>>
    where
        Worker: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send;
    fn increment(&self) -> impl Future<Output = Result<usize, AskError>>;
    fn crash(&self) -> impl Future<Output = Result<usize, AskError>>;
    fn crashed(&self) -> AskError;
    fn unavailable(&self) -> AskError;
}

impl Asking for ActorRef<Worker> {
    async fn ask<M>(&self, message: M) -> Result<M::Result, AskError>
    where
        Worker: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.handle().ask(message, soon()).await
    }

    async fn increment(&self) -> Result<usize, AskError> {
        self.handle().ask(Increment, soon()).await
    }

    async fn crash(&self) -> Result<usize, AskError> {
        self.handle().ask(Crash, soon()).await
    }

    fn crashed(&self) -> AskError {
        AskErrorOf(self.path()).crashed()
    }

    fn unavailable(&self) -> AskError {
        AskErrorOf(self.path()).unavailable()
    }
}

struct AskErrorOf<'a>(&'a str);

impl AskErrorOf<'_> {
    fn crashed(&self) -> AskError {
        AskError::Crashed { actor: self.0.into() }
    }

    fn unavailable(&self) -> AskError {
        AskError::Unavailable { actor: self.0.into() }
    }
}
