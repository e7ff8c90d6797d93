//! What the outside sees of one actor without asking it: state, generation, counters, occupation.
//!
//! A cell is not generic and is only ever written with relaxed atomics, so supervisors, the tree and
//! the metrics read it from any thread, also while the actor's own thread is blocked.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as RealInstant};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::exit::Exit;

/// The zero of the stamps in a cell. Real time: a paused tokio clock only ever runs ahead of it.
static EPOCH: LazyLock<RealInstant> = LazyLock::new(RealInstant::now);

/// The stamp of this instant in microseconds; never zero, which means "idle".
fn stamp_now() -> u64 {
    let elapsed = Instant::now().into_std().saturating_duration_since(*EPOCH);
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).saturating_add(1)
}

/// How far the actor behind a mailbox is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Life {
    /// Made, but not started yet.
    Waiting,
    /// An incarnation initialises itself.
    Starting,
    /// An incarnation serves messages.
    Up,
    /// Between two incarnations; messages queue.
    Restarting,
    /// Asked to stop.
    Stopping,
    /// Ended for good, until somebody restarts it by hand.
    Down,
}

impl Life {
    fn from_code(code: u8) -> Self {
        const ALL: [Life; 6] =
            [Life::Waiting, Life::Starting, Life::Up, Life::Restarting, Life::Stopping, Life::Down];
        ALL[usize::from(code)]
    }
}

/// Message counters, shared by all sessions of one dynamic supervisor.
///
/// Invariant: `sent = handled + skipped + dead_letters + returned` plus what is queued now.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) handled: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) dead_letters: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) tasks_cancelled: AtomicU64,
    pub(crate) tasks_panicked: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn queued(&self) -> u64 {
        let settled = self.handled.load(Relaxed)
            + self.skipped.load(Relaxed)
            + self.dead_letters.load(Relaxed)
            + self.returned.load(Relaxed);
        self.sent.load(Relaxed).saturating_sub(settled)
    }
}

/// A snapshot of an actor's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorStats {
    /// The incarnation, starting at 1; 0 before the first.
    pub generation: u64,
    /// Messages accepted into the mailbox.
    pub sent: u64,
    /// Messages whose handling was started.
    pub handled: u64,
    /// Asks whose caller left before their handling started.
    pub skipped: u64,
    /// Tells that nobody will ever handle.
    pub dead_letters: u64,
    /// Asks that came back unstarted, to be sent again.
    pub returned: u64,
    /// Sends refused because the mailbox was full or closed.
    pub rejected: u64,
    /// Tasks cancelled because their caller left or their incarnation ended.
    pub tasks_cancelled: u64,
    /// Tasks that panicked.
    pub tasks_panicked: u64,
    /// Messages waiting in the mailbox.
    pub queued: u64,
}

/// The part of an actor that outlives its incarnations and knows no types.
pub(crate) struct Cell {
    path: Arc<str>,
    counters: Arc<Counters>,
    life: AtomicU8,
    generation: AtomicU64,
    watched: AtomicBool,
    occupied_since: AtomicU64,
    progress: AtomicU64,
    message: Mutex<&'static str>,
    monitors: Mutex<Vec<oneshot::Sender<(u64, Exit)>>>,
    /// Whom its waited-for futures ask: one entry for each ask.
    awaited: Mutex<Vec<Arc<Cell>>>,
}

impl Cell {
    pub(crate) fn new(path: Arc<str>, counters: Arc<Counters>) -> Self {
        Self {
            path,
            counters,
            life: AtomicU8::new(Life::Waiting as u8),
            generation: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            occupied_since: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            message: Mutex::new(""),
            monitors: Mutex::new(Vec::new()),
            awaited: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn life(&self) -> Life {
        Life::from_code(self.life.load(Relaxed))
    }

    pub(crate) fn set_life(&self, life: Life) {
        self.life.store(life as u8, Relaxed);
    }

    /// Whether an incarnation serves this mailbox, or is about to.
    pub(crate) fn is_served(&self) -> bool {
        matches!(self.life(), Life::Starting | Life::Up)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Counts a new incarnation and returns its number.
    pub(crate) fn begin_generation(&self) -> u64 {
        self.occupied_since.store(0, Relaxed);
        self.set_life(Life::Starting);
        self.generation.fetch_add(1, Relaxed) + 1
    }

    /// Whether a supervisor looks for hangs here, so that askers must expect a relocation.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Relaxed)
    }

    pub(crate) fn watch(&self) {
        self.watched.store(true, Relaxed);
    }

    /// Marks that the actor's code runs, or that it waits for one of its own futures.
    pub(crate) fn occupy(&self) {
        self.occupied_since.store(stamp_now(), Relaxed);
    }

    pub(crate) fn vacate(&self) {
        self.occupied_since.store(0, Relaxed);
    }

    /// Counts one step forward: a message or a waited-for future was finished.
    pub(crate) fn advance(&self) {
        self.progress.fetch_add(1, Relaxed);
    }

    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Relaxed)
    }

    pub(crate) fn occupied_for(&self) -> Option<Duration> {
        let since = self.occupied_since.load(Relaxed);
        (since != 0).then(|| Duration::from_micros(stamp_now().saturating_sub(since)))
    }

    pub(crate) fn set_message(&self, message: &'static str) {
        *self.message.lock().unwrap_or_else(PoisonError::into_inner) = message;
    }

    pub(crate) fn message(&self) -> &'static str {
        *self.message.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the actor serves nobody until the other one has answered.
    pub(crate) fn await_other(&self, other: &Arc<Cell>) {
        self.lock_awaited().push(other.clone());
    }

    pub(crate) fn await_no_more(&self, other: &Arc<Cell>) {
        let mut awaited = self.lock_awaited();
        if let Some(index) = awaited.iter().position(|known| Arc::ptr_eq(known, other)) {
            awaited.swap_remove(index);
        }
    }

    /// Those who have to answer before the actor serves anybody.
    pub(crate) fn awaited(&self) -> Vec<Arc<Cell>> {
        self.lock_awaited().clone()
    }

    fn lock_awaited(&self) -> MutexGuard<'_, Vec<Arc<Cell>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when the current incarnation, or else the next one, has ended.
    pub(crate) fn monitor(&self) -> oneshot::Receiver<(u64, Exit)> {
        let (sender, receiver) = oneshot::channel();
        self.monitors.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Tells the monitors that an incarnation has ended.
    pub(crate) fn announce_end(&self, generation: u64, exit: &Exit) {
        let monitors =
            std::mem::take(&mut *self.monitors.lock().unwrap_or_else(PoisonError::into_inner));
        for monitor in monitors {
            // A watcher that left is not interested any more.
            let _ = monitor.send((generation, exit.clone()));
        }
    }

    pub(crate) fn stats(&self) -> ActorStats {
        let counters = &self.counters;
        ActorStats {
            generation: self.generation(),
            sent: counters.sent.load(Relaxed),
            handled: counters.handled.load(Relaxed),
            skipped: counters.skipped.load(Relaxed),
            dead_letters: counters.dead_letters.load(Relaxed),
            returned: counters.returned.load(Relaxed),
            rejected: counters.rejected.load(Relaxed),
            tasks_cancelled: counters.tasks_cancelled.load(Relaxed),
            tasks_panicked: counters.tasks_panicked.load(Relaxed),
            queued: counters.queued(),
        }
    }
}
