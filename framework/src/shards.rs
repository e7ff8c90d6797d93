//! Shards: one arbiter per core, each a thread with a runtime of its own.
//!
//! Everything that one rollout needs lives on one shard, so its messages cross no thread. A shard
//! whose thread is gone or blocked is replaced by a fresh one; the actors move over one by one, each
//! when its own supervisor has given it up.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_rt::{Arbiter, ArbiterHandle, System};
use tokio::time::Instant;

use crate::metrics::ShardMetrics;
use crate::supervision::{Placement, Relocation};

/// All shards of a runtime. A collection has arbiters beside them, since its recorder may block.
pub(crate) struct Shards {
    slots: Vec<Mutex<Slot>>,
    system: System,
    /// Kept so that they can be stopped and waited for.
    arbiters: Mutex<Vec<Arbiter>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Where a shard's actors are placed now.
struct Slot {
    arbiter: ArbiterHandle,
    /// Rises with every replacement of the arbiter.
    epoch: u64,
}

impl Shards {
    /// Starts `count` shards.
    pub(crate) fn start(count: usize) -> io::Result<Arc<Self>> {
        let (sender, receiver) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("rehearsal-system".into()).spawn(move || {
                let runner = System::new();
                // The starter may have given up; then the system ends with nobody to run for.
                let _ = sender.send(System::current());
                let _ = runner.run();
            })?;
        let system =
            receiver.recv().map_err(|_| io::Error::other("the actix system did not start"))?;
        let mut slots = Vec::with_capacity(count);
        let mut arbiters = Vec::with_capacity(count);
        for _ in 0..count {
            let arbiter = new_arbiter(&system)?;
            slots.push(Mutex::new(Slot { arbiter: arbiter.handle(), epoch: 1 }));
            arbiters.push(arbiter);
        }
        let (arbiters, thread) = (Mutex::new(arbiters), Mutex::new(Some(thread)));
        Ok(Arc::new(Self { slots, system, arbiters, thread }))
    }

    /// A fresh arbiter beside the shards, for work that may block its thread.
    pub(crate) fn beside(&self) -> io::Result<SideArbiter> {
        let arbiter = new_arbiter(&self.system)?.handle();
        Ok(SideArbiter { system: self.system.clone(), arbiter: Arc::new(Mutex::new(arbiter)) })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Where an actor of that shard is placed: on the shard, and on its replacement once it has to
    /// move.
    pub(crate) fn placement(self: &Arc<Self>, shard: usize) -> Placement {
        let (shards, placed) = (self.clone(), AtomicU64::new(0));
        Placement::new(move |relocation| {
            let mut slot = lock(&shards.slots[shard]);
            let stale = !slot.arbiter.alive();
            let must_leave = match relocation {
                Relocation::Stay => false,
                Relocation::Move => slot.epoch <= placed.load(Ordering::Relaxed),
            };
            if stale || must_leave {
                shards.replace(shard, &mut slot);
            }
            placed.store(slot.epoch, Ordering::Relaxed);
            slot.arbiter.clone()
        })
    }

    fn replace(&self, shard: usize, slot: &mut Slot) {
        match new_arbiter(&self.system) {
            Ok(fresh) => {
                let arbiter = fresh.handle();
                lock(&self.arbiters).push(fresh);
                tracing::warn!(shard, "shard replaced: its thread is gone or blocked");
                *slot = Slot { arbiter, epoch: slot.epoch + 1 };
            }
            Err(error) => tracing::error!(shard, %error, "shard cannot be replaced"),
        }
    }

    /// Measures every shard's lag, for ever: how long a no-op waits for its turn.
    pub(crate) async fn heartbeat(self: Arc<Self>, every: Duration) {
        let metrics: Vec<_> =
            (0..self.len()).map(|shard| Arc::new(ShardMetrics::new(shard))).collect();
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            interval.tick().await;
            for (slot, metrics) in self.slots.iter().zip(&metrics) {
                let (sent, metrics) = (Instant::now(), metrics.clone());
                lock(slot).arbiter.spawn(async move { metrics.lag(sent.elapsed()) });
            }
            crate::supervision::publish_metrics();
        }
    }

    /// Stops all shards. Threads that are blocked are left behind.
    pub(crate) fn stop(&self) {
        for arbiter in lock(&self.arbiters).drain(..) {
            arbiter.stop();
        }
        self.system.stop();
        lock(&self.thread).take();
    }
}

/// An arbiter for as long as this is kept; a fresh one once its thread has ended.
///
/// One that is blocked is not left: who blocks it, such as a recorder in a write, may yet do what it is
/// about, and nobody else may do the same meanwhile. Its successor has its turn on the same thread,
/// after it.
pub(crate) struct SideArbiter {
    system: System,
    arbiter: Arc<Mutex<ArbiterHandle>>,
}

impl SideArbiter {
    /// For an actor that lives on it.
    pub(crate) fn placement(&self) -> Placement {
        let (system, arbiter) = (self.system.clone(), self.arbiter.clone());
        Placement::new(move |_| {
            let mut arbiter = lock(&arbiter);
            if !arbiter.alive() {
                match new_arbiter(&system) {
                    Ok(fresh) => *arbiter = fresh.handle(),
                    Err(error) => tracing::error!(%error, "no thread for the collection"),
                }
            }
            arbiter.clone()
        })
    }
}

impl Drop for SideArbiter {
    fn drop(&mut self) {
        lock(&self.arbiter).stop();
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An arbiter, made on the system's own thread, where the system is current.
fn new_arbiter(system: &System) -> io::Result<Arbiter> {
    let (sender, receiver) = mpsc::channel();
    system.arbiter().spawn_fn(move || {
        let _ = sender.send(Arbiter::new());
    });
    let patience = Duration::from_secs(10);
    receiver
        .recv_timeout(patience)
        .map_err(|_| io::Error::other("an arbiter's thread did not start"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
