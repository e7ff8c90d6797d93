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

use super::backend::{self, Backend, Duty, Ready, Start};
use super::execution::Execution;
use super::keeper::Keeper;
use super::turns::Lane;
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
    backend: OnceLock<Result<Arc<dyn Backend>, SandboxError>>,
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
            backend: OnceLock::new(),
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
        self.begin(None, limits, place).await
    }

    /// Like [`execute`](Self::execute), in a container of this image, which is made now. For pools of
    /// [`Programs::Image`](super::Programs::Image).
    ///
    /// # Errors
    /// Fails as `execute` does, and if the engine makes no such container.
    pub async fn execute_in(&self, image: &str, limits: Limits) -> Result<Execution, SandboxError> {
        let queued = Instant::now();
        let place = self.place().await?;
        self.shared.duty.metrics.queued(queued.elapsed());
        self.begin(Some(image), limits, place).await
    }

    async fn begin(
        &self,
        image: Option<&str>,
        limits: Limits,
        place: OwnedSemaphorePermit,
    ) -> Result<Execution, SandboxError> {
        self.shared.backend().await?;
        if !self.shared.has_keepers.swap(true, Ordering::Relaxed) {
            for _ in 0..self.shared.settings.workers.get() {
                tokio::spawn(keep(Arc::downgrade(&self.shared)));
            }
        }
        // The execution keeps its place, and the pool, until it has ended.
        let held: Arc<dyn std::any::Any + Send + Sync> = Arc::new((place, self.clone()));
        for _ in 0..STARTS_MAX {
            let (reply, started) = oneshot::channel();
            let (limits, held) = (limits.clone(), held.clone());
            let (image, lane) = (image.map(str::to_owned), self.shared.lane.clone());
            let start = Start { image, limits, reply, lane, held };
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
    async fn backend(self: &Arc<Self>) -> Result<&Arc<dyn Backend>, SandboxError> {
        if self.backend.get().is_none() {
            let shared = self.clone();
            let planning = tokio::task::spawn_blocking(move || {
                shared.backend.get_or_init(|| backend::plan(&shared.settings, &shared.profile));
            });
            let crashed =
                |error: tokio::task::JoinError| SandboxError::Worker { reason: error.to_string() };
            planning.await.map_err(crashed)?;
        }
        self.backend.get().expect("it was planned above").as_ref().map_err(Clone::clone)
    }

    /// Starts a worker.
    pub(super) async fn start_worker(self: &Arc<Self>) -> Result<Ready, SandboxError> {
        let backend = self.backend().await?;
        let ready = backend.clone().start(self.duty.clone()).await?;
        self.missing.get_or_init(|| ready.missing.clone());
        Ok(ready)
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
                let reason = worker.serving.await;
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
