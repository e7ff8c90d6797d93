//! A pool: workers of one profile, how many executions they may have, and who waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::execution::Execution;
use super::worker::{Start, Worker, ZygoteConfig};
use super::{Limits, Profile, SandboxError, Settings, native};

/// The wait before a worker that failed is started again; doubled each time, up to the largest.
const RESTART_DELAY: Duration = Duration::from_millis(10);
const RESTART_DELAY_MAX: Duration = Duration::from_secs(5);

/// Workers of one profile. Clones share them; the last one's end is theirs.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limits: Limits,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue_max: usize,
    starts: mpsc::Sender<Start>,
}

impl Pool {
    /// A pool whose workers start now, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// Fails if the interpreter does not run, or the machine cannot keep foreign code inside.
    pub fn start(settings: &Settings, profile: &Profile) -> Result<Self, SandboxError> {
        let (plan, config) = native::plan(settings, profile)?;
        let (starts, queue) = mpsc::channel(1);
        let limits = profile.limits.clone().overridden(settings);
        let places = Arc::new(Semaphore::new(settings.executions_max.get()));
        let (waiting, queue_max) = (AtomicUsize::new(0), settings.queue_max.get());
        tokio::spawn(keep(Arc::new(plan), config, queue));
        Ok(Self { inner: Arc::new(Inner { limits, places, waiting, queue_max, starts }) })
    }

    /// What an execution may use, unless its start says otherwise.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Starts an execution, as soon as there is a place for it.
    ///
    /// # Errors
    /// Fails if too many wait already, or no worker can be started.
    pub async fn execute(&self, limits: Limits) -> Result<Execution, SandboxError> {
        let place = self.place().await?;
        let (reply, started) = oneshot::channel();
        let start = Start { limits, reply, place: Box::new((place, self.clone())) };
        let gone = || SandboxError::Worker { reason: "the worker ended".into() };
        self.inner.starts.send(start).await.map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, SandboxError> {
        let Inner { places, waiting, queue_max, .. } = &*self.inner;
        if let Ok(place) = places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _waits = Waits::new(waiting, *queue_max)?;
        Ok(places.clone().acquire_owned().await.expect("nobody closes it"))
    }
}

/// One that waits, counted as long as it does.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize, queue_max: usize) -> Result<Self, SandboxError> {
        let waits = Self(waiting);
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        if before < queue_max { Ok(waits) } else { Err(SandboxError::QueueFull { queue_max }) }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps a worker alive until nobody needs it.
async fn keep(plan: Arc<native::Plan>, config: ZygoteConfig, mut starts: mpsc::Receiver<Start>) {
    let mut delay = RESTART_DELAY;
    while !starts.is_closed() {
        match Worker::start(plan.clone(), &config).await {
            Ok(mut worker) => {
                delay = RESTART_DELAY;
                match worker.serve(&mut starts).await {
                    Ok(()) => return,
                    Err(reason) => tracing::warn!(reason, "a sandbox worker is replaced"),
                }
            }
            Err(error) => {
                tracing::error!(%error, "a sandbox worker does not start");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(RESTART_DELAY_MAX);
                while let Ok(start) = starts.try_recv() {
                    let _ = start.reply.send(Err(error.clone()));
                }
            }
        }
    }
}
