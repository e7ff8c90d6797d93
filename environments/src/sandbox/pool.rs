//! A pool: workers of one profile, how many executions they may have, and who waits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use framework::environment::Workers;
use framework::metrics::WorkerMetrics;
use framework::wiring::Wiring;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::execution::Execution;
use super::keeper::Keeper;
use super::native;
use super::turns::{Lane, Turn};
use super::worker::{Start, Worker, ZygoteConfig};
use super::{Limits, Profile, SandboxError, Settings};

/// How often an execution is asked for whose worker died before it began.
const STARTS_MAX: u32 = 3;
/// The wait before a worker that failed is started again by a pool that nobody supervises; doubled
/// each time, up to the largest.
const RESTART_DELAY: Duration = Duration::from_millis(10);
const RESTART_DELAY_MAX: Duration = Duration::from_secs(1);

/// Workers of one profile. Clones share them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({})", self.shared.name)
    }
}

/// What the users of a pool share with its workers.
pub(super) struct Shared {
    name: String,
    settings: Settings,
    profile: Profile,
    limits: Limits,
    plan: OnceLock<Result<(Arc<native::Plan>, ZygoteConfig), SandboxError>>,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    starts: mpsc::Sender<Start>,
    lane: Lane,
    duty: Duty,
    /// Modules of the profile that the interpreter does not have, once a worker has said so.
    missing: OnceLock<Vec<String>>,
    /// Somebody starts workers, and starts them again.
    has_keepers: AtomicBool,
}

/// What a worker works for. It keeps nobody's pool alive.
#[derive(Clone, Debug)]
pub(super) struct Duty {
    /// Workers wait for work in the order in which they became free.
    pub(super) queue: Arc<tokio::sync::Mutex<mpsc::Receiver<Start>>>,
    pub(super) metrics: WorkerMetrics,
}

/// The pools of one environment, by the names of their profiles.
#[derive(Default)]
struct Pools(Mutex<BTreeMap<&'static str, Pool>>);

impl Pool {
    /// The environment's pool of that profile, the same for all its instances.
    ///
    /// Problems of the machine or the interpreter show when its workers start: that is when the runtime
    /// does, if they are [supervised](Self::supervise), and else with the first execution.
    pub fn of(settings: &Settings, profile: &Profile, wiring: &Wiring) -> Self {
        let pools = wiring.share(Pools::default);
        let mut pools = pools.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{}/{}", wiring.name(), profile.name);
        let make = || Self::new(name, settings.clone(), profile.clone());
        pools.entry(profile.name).or_insert_with(make).clone()
    }

    /// A pool of its own, for programs without a runtime. Its workers start with the first execution, on
    /// the tokio runtime of whoever asks for it.
    pub fn new(name: String, settings: Settings, profile: Profile) -> Self {
        let (starts, queue) = mpsc::channel(1);
        let limits = profile.limits.clone().overridden(&settings);
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let shared = Shared {
            limits,
            plan: OnceLock::new(),
            places: semaphore(settings.executions_max.get()),
            waiting: semaphore(settings.queue_max.get()),
            starts,
            lane: Lane::of(&name),
            duty: Duty {
                queue: Arc::new(tokio::sync::Mutex::new(queue)),
                metrics: WorkerMetrics::new(&name),
            },
            missing: OnceLock::new(),
            has_keepers: AtomicBool::new(false),
            name,
            settings,
            profile,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has its workers kept by actors in the tree of the runtime that is being made.
    pub fn supervise(&self, workers: &mut Workers<'_>) {
        self.shared.has_keepers.store(true, Ordering::Relaxed);
        for _ in 0..self.shared.settings.workers.get() {
            let shared = self.shared.clone();
            workers.add(move || Ok(Keeper::new(shared.clone())));
        }
    }

    /// What an execution may use, unless its start says otherwise.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The modules of the profile that the interpreter does not have; none is known before the first
    /// worker is ready.
    pub fn missing(&self) -> &[String] {
        self.shared.missing.get().map_or(&[], Vec::as_slice)
    }

    /// Starts an execution, as soon as there is a place for it.
    ///
    /// # Errors
    /// Fails if too many wait already, or no worker can be started.
    pub async fn execute(&self, limits: Limits) -> Result<Execution, SandboxError> {
        let queued = Instant::now();
        let place = self.place().await?;
        self.shared.duty.metrics.queued(queued.elapsed());
        self.begin(limits, Some(self.shared.lane.clone()), place).await
    }

    /// Like [`execute`](Self::execute), with a turn on the processors that it keeps until its end: for
    /// what runs without a pause. A request to a longer execution takes a turn by itself.
    ///
    /// # Errors
    /// As [`execute`](Self::execute) does.
    pub async fn execute_in_turn(&self, limits: Limits) -> Result<Execution, SandboxError> {
        let queued = Instant::now();
        let place = self.place().await?;
        let turn = self.shared.lane.turn().await;
        self.shared.duty.metrics.queued(queued.elapsed());
        self.begin(limits, None, (place, turn)).await
    }

    /// Waits for a turn on the processors, which other environments' foreign code also waits for.
    pub async fn turn(&self) -> Turn {
        self.shared.lane.turn().await
    }

    async fn begin(
        &self,
        limits: Limits,
        lane: Option<Lane>,
        held: impl Send + Sync + 'static,
    ) -> Result<Execution, SandboxError> {
        self.shared.plan().await?;
        if !self.shared.has_keepers.swap(true, Ordering::Relaxed) {
            for _ in 0..self.shared.settings.workers.get() {
                tokio::spawn(keep(Arc::downgrade(&self.shared)));
            }
        }
        // The execution keeps its place, and the pool, until it has ended.
        let held: Arc<dyn std::any::Any + Send + Sync> = Arc::new((held, self.clone()));
        for _ in 0..STARTS_MAX {
            let (reply, started) = oneshot::channel();
            let (limits, lane, held) = (limits.clone(), lane.clone(), held.clone());
            let start = Start { limits, reply, lane, held };
            if self.shared.starts.send(start).await.is_err() {
                break;
            }
            // Without an answer it never began: its worker died first.
            if let Ok(started) = started.await {
                return started;
            }
        }
        Err(SandboxError::Worker { reason: "its workers die again and again".into() })
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, SandboxError> {
        let Shared { places, waiting, settings, duty, .. } = &*self.shared;
        if let Ok(place) = places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let queue_max = settings.queue_max.get();
        let full = |_| SandboxError::QueueFull { queue_max };
        let _waits = waiting.try_acquire().map_err(full)?;
        let _counted = duty.metrics.waiting();
        Ok(places.clone().acquire_owned().await.expect("nobody closes it"))
    }
}

impl Shared {
    /// How its workers are started, found out once.
    async fn plan(self: &Arc<Self>) -> Result<&(Arc<native::Plan>, ZygoteConfig), SandboxError> {
        if self.plan.get().is_none() {
            let shared = self.clone();
            let planning = tokio::task::spawn_blocking(move || {
                shared.plan.get_or_init(|| {
                    let (plan, config) = native::plan(&shared.settings, &shared.profile)?;
                    Ok((Arc::new(plan), config))
                });
            });
            let crashed =
                |error: tokio::task::JoinError| SandboxError::Worker { reason: error.to_string() };
            planning.await.map_err(crashed)?;
        }
        self.plan.get().expect("it was planned above").as_ref().map_err(Clone::clone)
    }

    /// Starts a worker.
    pub(super) async fn start_worker(self: &Arc<Self>) -> Result<Worker, SandboxError> {
        let (plan, config) = self.plan().await?;
        let worker = Worker::start(plan.clone(), config, self.duty.clone()).await?;
        self.missing.get_or_init(|| worker.ready.missing.clone());
        Ok(worker)
    }
}

/// Keeps a worker alive for a pool that nobody supervises, until nobody needs it.
async fn keep(shared: Weak<Shared>) {
    let mut delay = RESTART_DELAY;
    while let Some(pool) = shared.upgrade() {
        match pool.start_worker().await {
            Ok(worker) => {
                delay = RESTART_DELAY;
                drop(pool);
                let reason = worker.serve().await;
                tracing::info!(reason, "a sandbox worker has ended");
            }
            Err(error) => {
                tracing::error!(%error, hint = error.hint(), "a sandbox worker does not start");
                if let Ok(start) = pool.duty.queue.lock().await.try_recv() {
                    let _ = start.reply.send(Err(error));
                }
                drop(pool);
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(RESTART_DELAY_MAX);
            }
        }
    }
}
