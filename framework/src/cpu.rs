//! A pool of threads for work that keeps a processor busy: verifiers, large payloads.
//!
//! On a shard such work would hold up every other rollout there, so an author hands it over:
//! `self.cpu.run(move || heavy(input)).await`, with a [`CpuPool`] from
//! [`Wiring::cpu`](crate::wiring::Wiring::cpu). tokio's `spawn_blocking` knows no shares: whoever
//! comes first gets all threads. Here the environments share them fairly:
//!
//! - the next job is one of the environment with the fewest running jobs, in turn among equals;
//! - an environment of which nothing runs never waits for another's job: if all threads are busy it
//!   gets one more, and the operating system divides the processors.
//!
//! So there are at most `runtime.cpu_threads` threads and one for each environment beyond the first.
//! They start when they are needed.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use crate::metrics::CpuMetrics;

/// How long a thread waits for work before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// One environment's door to the pool. Clones share its place.
#[derive(Clone)]
pub struct CpuPool {
    pool: Arc<Pool>,
    lane: usize,
    room: Arc<Semaphore>,
    metrics: CpuMetrics,
}

impl fmt::Debug for CpuPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuPool({})", self.pool.lock().lanes[self.lane].name)
    }
}

impl CpuPool {
    /// How many threads there are for one environment.
    pub(crate) fn threads(&self) -> usize {
        self.pool.threads_max
    }

    /// Runs `work` on a thread of the pool and waits for its result.
    ///
    /// Waits first for room in the environment's queue (`runtime.cpu_queue`). Dropping this future,
    /// as the deadlines of tool calls and verifications do, takes a job that has not started out of
    /// the queue; one that has started runs to its end, since native code cannot be stopped.
    ///
    /// # Panics
    /// Panics if `work` does, with the same text: the call that needed it fails as crashed, and the
    /// thread goes on.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let room = self.room.clone().acquire_owned().await.expect("nobody closes the queue");
        let (reply, result) = oneshot::channel();
        let (metrics, queued) = (self.metrics.clone(), Instant::now());
        let job = move || {
            if reply.is_closed() {
                metrics.ended("cancelled");
                return;
            }
            metrics.started(queued.elapsed());
            let result = catch_unwind(AssertUnwindSafe(work));
            metrics.ended(if result.is_ok() { "ok" } else { "crashed" });
            // The caller may have left meanwhile; then the result goes, on this thread.
            let _ = reply.send(result);
        };
        self.pool.submit(self.lane, Job { run: Box::new(job), room });
        match result.await.expect("a thread could be started") {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// The threads and what waits for them.
pub(crate) struct Pool {
    threads_max: usize,
    queue_max: usize,
    state: Mutex<State>,
    /// Wakes a thread that waits for work.
    work: Condvar,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} threads at most)", self.threads_max)
    }
}

struct Job {
    run: Box<dyn FnOnce() + Send>,
    /// The job's place in the queue.
    room: OwnedSemaphorePermit,
}

#[derive(Default)]
struct State {
    lanes: Vec<Lane>,
    /// The lane that was served last.
    last: usize,
    /// Jobs that run.
    busy: usize,
    /// Threads that wait for work.
    idle: usize,
    is_closed: bool,
}

/// One environment's share.
struct Lane {
    name: Arc<str>,
    room: Arc<Semaphore>,
    queue: VecDeque<Job>,
    running: usize,
}

impl Pool {
    /// A pool of `threads_max` threads; `queue_max` jobs of each environment may wait.
    pub(crate) fn new(threads_max: usize, queue_max: usize) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self { threads_max, queue_max, state, work: Condvar::new() })
    }

    /// The door of the environment of that name, on whichever shard.
    pub(crate) fn door(self: &Arc<Self>, name: &str) -> CpuPool {
        let mut state = self.lock();
        let found = state.lanes.iter().position(|lane| &*lane.name == name);
        let lane = found.unwrap_or_else(|| {
            let room = Arc::new(Semaphore::new(self.queue_max));
            state.lanes.push(Lane { name: name.into(), room, queue: VecDeque::new(), running: 0 });
            state.lanes.len() - 1
        });
        let room = state.lanes[lane].room.clone();
        drop(state);
        CpuPool { pool: self.clone(), lane, room, metrics: CpuMetrics::new(name) }
    }

    /// Lets threads go as soon as they have nothing to do.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.work.notify_all();
    }

    fn submit(self: &Arc<Self>, lane: usize, job: Job) {
        let mut state = self.lock();
        state.lanes[lane].queue.push_back(job);
        self.staff(state);
    }

    /// Finds a thread for the next job, if it may run now. If not, whoever finishes another takes it.
    fn staff(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.idle > 0 {
            self.work.notify_one();
            return;
        }
        if let Some(taken) = state.take(self.threads_max) {
            drop(state);
            self.start_thread(taken);
        }
    }

    fn start_thread(self: &Arc<Self>, first: (usize, Job)) {
        let (pool, lane) = (self.clone(), first.0);
        let thread = std::thread::Builder::new().name("rehearsal-cpu".into());
        if let Err(error) = thread.spawn(move || pool.serve(first)) {
            // The job went with the closure, so the call that needed it fails as crashed.
            tracing::error!(%error, "no thread for CPU work; lower `runtime.cpu_threads`");
            self.lock().finish(lane);
        }
    }

    /// One thread's life: work while there is some, then wait a while for more.
    fn serve(self: &Arc<Self>, first: (usize, Job)) {
        let mut next = Some(first);
        while let Some((lane, Job { run, room })) = next {
            drop(room);
            // Not only the work is foreign code, so are the destructors of what it holds.
            let _reported_to_the_caller = catch_unwind(AssertUnwindSafe(run));
            let mut state = self.lock();
            state.finish(lane);
            next = state.take(self.threads_max);
            if next.is_none() {
                next = self.await_work(state);
            }
        }
    }

    fn await_work(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> Option<(usize, Job)> {
        state.idle += 1;
        let may_wait =
            |state: &mut State| !state.is_closed && state.next(self.threads_max).is_none();
        let waited = self.work.wait_timeout_while(state, IDLE_MAX, may_wait);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        let taken = state.take(self.threads_max);
        // Several jobs may have come before this thread woke; it was the only one told.
        self.staff(state);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The lane whose job is next: the one with the fewest running jobs, in turn among equals. When
    /// all threads are busy, only one of which nothing runs.
    fn next(&self, threads_max: usize) -> Option<usize> {
        let count = self.lanes.len();
        let in_turn = (1..=count).map(|step| (self.last + step) % count);
        let waiting = in_turn.filter(|lane| !self.lanes[*lane].queue.is_empty());
        let lane = waiting.min_by_key(|lane| self.lanes[*lane].running)?;
        let has_thread = self.busy < threads_max || self.lanes[lane].running == 0;
        has_thread.then_some(lane)
    }

    fn take(&mut self, threads_max: usize) -> Option<(usize, Job)> {
        let lane = self.next(threads_max)?;
        let job = self.lanes[lane].queue.pop_front()?;
        self.lanes[lane].running += 1;
        self.busy += 1;
        self.last = lane;
        Some((lane, job))
    }

    fn finish(&mut self, lane: usize) {
        self.lanes[lane].running -= 1;
        self.busy -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A job that runs until it is told to end.
    struct Burner {
        end: mpsc::Sender<()>,
        result: tokio::task::JoinHandle<()>,
    }

    impl Burner {
        /// Returns once it runs.
        async fn start(cpu: &CpuPool) -> Self {
            let (end, told) = mpsc::channel::<()>();
            let (running, runs) = oneshot::channel();
            let cpu = cpu.clone();
            let result = tokio::spawn(async move {
                cpu.run(move || {
                    running.send(()).unwrap();
                    told.recv().unwrap();
                })
                .await;
            });
            runs.await.unwrap();
            Self { end, result }
        }

        async fn end(self) {
            self.end.send(()).unwrap();
            self.result.await.unwrap();
        }
    }

    /// An environment with so many jobs queued.
    fn lane(name: &str, jobs: usize) -> Lane {
        let room = Arc::new(Semaphore::new(jobs));
        let job = || Job { run: Box::new(|| ()), room: room.clone().try_acquire_owned().unwrap() };
        let queue = (0..jobs).map(|_| job()).collect();
        Lane { name: name.into(), room: room.clone(), queue, running: 0 }
    }

    #[tokio::test]
    async fn work_runs_on_another_thread_and_its_result_comes_back() {
        let cpu = Pool::new(1, 1).door("a");
        let here = std::thread::current().id();
        assert_ne!(cpu.run(|| std::thread::current().id()).await, here);
    }

    #[tokio::test]
    async fn a_panic_is_the_callers_and_the_thread_goes_on() {
        let cpu = Pool::new(1, 8).door("a");
        let thread = cpu.run(|| std::thread::current().id()).await;
        let crashing = cpu.clone();
        let crash = tokio::spawn(async move { crashing.run(|| panic!("no verdict")).await });
        let panic = crash.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"no verdict"));
        assert_eq!(cpu.run(|| std::thread::current().id()).await, thread);
    }

    #[tokio::test]
    async fn a_job_whose_caller_has_left_is_not_started() {
        let cpu = Pool::new(1, 8).door("a");
        let burner = Burner::start(&cpu).await;
        let (started, starts) = mpsc::channel();
        let left = {
            let started = started.clone();
            cpu.run(move || started.send("left").unwrap())
        };
        assert!(futures_util::FutureExt::now_or_never(left).is_none());
        let stays = tokio::spawn({
            let cpu = cpu.clone();
            async move { cpu.run(move || started.send("stays").unwrap()).await }
        });
        burner.end().await;
        stays.await.unwrap();
        assert_eq!(starts.iter().collect::<Vec<_>>(), ["stays"]);
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_waits_for_room() {
        let cpu = Pool::new(1, 1).door("a");
        let burner = Burner::start(&cpu).await;
        let results = futures_util::future::join_all((0..9).map(|n| cpu.run(move || n)));
        let (results, ()) = tokio::join!(results, burner.end());
        assert_eq!(results, (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn environments_take_turns_however_much_one_of_them_has_queued() {
        let lanes = vec![lane("greedy", 5), lane("modest", 2)];
        let mut state = State { lanes, ..State::default() };
        let mut turns = Vec::new();
        while let Some((lane, _)) = state.take(1) {
            turns.push(lane);
            state.finish(lane);
        }
        assert_eq!(turns, [1, 0, 1, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn an_environment_of_which_nothing_runs_does_not_wait_for_anothers_job() {
        let pool = Pool::new(2, 100);
        let (heavy, light) = (pool.door("heavy"), pool.door("light"));
        let burners = [Burner::start(&heavy).await, Burner::start(&heavy).await];
        for n in 0..100 {
            assert_eq!(light.run(move || n).await, n);
        }
        for burner in burners {
            burner.end().await;
        }
    }

    #[test]
    fn no_more_threads_work_than_there_may_be_and_one_for_each_further_environment() {
        let lanes = ["a", "b", "c"].map(|name| lane(name, 9)).into();
        let mut state = State { lanes, ..State::default() };
        let mut taken = Vec::new();
        while let Some((lane, _)) = state.take(2) {
            taken.push(lane);
        }
        assert_eq!(taken, [1, 2, 0]);
        state.finish(1);
        assert_eq!(state.take(2).map(|(lane, _)| lane), Some(1));
        state.lanes[1].queue.clear();
        state.finish(1);
        assert!(state.take(2).is_none(), "two run, and who waits has its share");
        state.finish(2);
        assert_eq!(state.take(2).map(|(lane, _)| lane), Some(2));
    }
}
