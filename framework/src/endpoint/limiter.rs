//! Limits that all shards share, and the queue before them: requests under way, requests and tokens
//! per minute, of a whole and of each of its parts (a model and its replicas).
//!
//! Whoever finds no room waits in the queue of its caller, and the callers are served in turn, so an
//! agent with ten thousand rollouts does not keep one with ten from the model. A request for a part
//! without room does not hold up those for the other parts.
//!
//! What a request costs in tokens is known when it has been answered. Until then it is charged with
//! an estimate: a token for four bytes of its text, and as many output tokens as the last answers had
//! on average.

mod meter;
mod queue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::metrics::WaitMetrics;
use meter::{Meter, Room};
use queue::{Lane, Queue, Waiter};

/// How much may be asked of a model, or of one of its replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// So many requests are under way at once. Default: no limit.
    pub in_flight: Option<NonZeroUsize>,
    /// So many requests are sent within any minute, evenly spread. Default: no limit.
    pub requests_per_minute: Option<NonZeroU32>,
    /// So many tokens are read and written within any minute, evenly spread. Default: no limit.
    pub tokens_per_minute: Option<NonZeroU64>,
}

impl LimitsConfig {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The deadline came before the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late;

/// Everybody who waits looks at the queue this often, lest the one who keeps the time is held up.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// How much an answer counts in the average of output tokens.
const NEWEST: f64 = 0.1;

/// Limits with a queue.
pub(crate) struct Limiter {
    is_limited: bool,
    state: Mutex<State>,
    /// Calls somebody who waits to keep the time.
    keeper: Notify,
    metrics: Box<dyn Fn(&str) -> WaitMetrics + Send + Sync>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter({} under way)", self.lock().whole.in_flight)
    }
}

struct State {
    whole: Meter,
    parts: Vec<Meter>,
    lanes: Vec<Lane>,
    /// The lane that was served last.
    last: usize,
    /// Somebody who waits looks at the queue when time has made room. Invariant: while that is what
    /// the queue waits for, there is somebody, or somebody has been called.
    is_kept: bool,
    /// Of the last answers, on average.
    output_tokens: f64,
}

impl Limiter {
    /// A limiter for a whole and its parts; `metrics` makes the series of a caller.
    pub(crate) fn new(
        whole: LimitsConfig,
        part: LimitsConfig,
        parts: usize,
        metrics: impl Fn(&str) -> WaitMetrics + Send + Sync + 'static,
    ) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            whole: Meter::new(whole, now),
            parts: (0..parts).map(|_| Meter::new(part, now)).collect(),
            lanes: Vec::new(),
            last: 0,
            is_kept: false,
            output_tokens: 0.0,
        };
        let is_limited = !(whole.is_none() && part.is_none());
        let (state, metrics) = (Mutex::new(state), Box::new(metrics));
        Arc::new(Self { is_limited, state, keeper: Notify::new(), metrics })
    }

    /// Requests of a part that are under way or wait.
    pub(crate) fn load(&self, part: usize) -> usize {
        let state = self.lock();
        let waiting = state.lanes.iter().map(|lane| lane.queues[part].waiting());
        state.parts[part].in_flight + waiting.sum::<usize>()
    }

    /// Waits for a request's turn. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// Fails if the deadline comes first.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        part: usize,
        caller: &Arc<str>,
        bytes: usize,
        deadline: Instant,
    ) -> Result<Permit, Late> {
        let started = Instant::now();
        let (metrics, mut waiting) = {
            let mut state = self.lock();
            let tokens = bytes as f64 / 4.0 + state.output_tokens;
            let mut has_room = || state.is_idle() && state.room(part, tokens, started) == Room::Now;
            if !self.is_limited || has_room() {
                return Ok(state.enter(self, part, tokens));
            }
            let lane = state.lane(caller, &self.metrics);
            let (grant, granted) = oneshot::channel();
            state.lanes[lane].queues[part].waiters.push_back(Waiter { tokens, grant });
            state.serve(self, started);
            let metrics = state.lanes[lane].metrics.clone();
            let _shown = metrics.enter();
            (metrics, Waiting { limiter: self, lane, part, granted, is_keeper: false, _shown })
        };
        let result = waiting.turn(deadline).await;
        metrics.waited(started.elapsed());
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(&mut self, caller: &Arc<str>, metrics: impl Fn(&str) -> WaitMetrics) -> usize {
        let found = self.lanes.iter().position(|lane| lane.caller == *caller);
        found.unwrap_or_else(|| {
            let queues = self.parts.iter().map(|_| Queue::default()).collect();
            self.lanes.push(Lane { caller: caller.clone(), queues, metrics: metrics(caller) });
            self.lanes.len() - 1
        })
    }

    /// Whether nobody waits.
    fn is_idle(&self) -> bool {
        let mut queues = self.lanes.iter().flat_map(|lane| &lane.queues);
        queues.all(|queue| queue.waiters.is_empty())
    }

    fn enter(&mut self, limiter: &Arc<Limiter>, part: usize, tokens: f64) -> Permit {
        self.whole.take(tokens);
        self.parts[part].take(tokens);
        Permit { limiter: Some(limiter.clone()), part, reserved: tokens }
    }

    /// Lets in whoever has room, the callers in turn.
    fn serve(&mut self, limiter: &Arc<Limiter>, now: Instant) {
        let count = self.lanes.len();
        let mut idle = 0;
        // A round in which nobody has room is the last.
        while idle < count {
            let lane = (self.last + 1) % count;
            self.last = lane;
            idle = if self.serve_one(lane, limiter, now) { 0 } else { idle + 1 };
        }
    }

    fn serve_one(&mut self, lane: usize, limiter: &Arc<Limiter>, now: Instant) -> bool {
        let count = self.parts.len();
        // Parts in turn as well, so that none is always first.
        let first = self.whole.in_flight % count;
        for part in (0..count).map(|step| (first + step) % count) {
            while let Some(waiter) = self.lanes[lane].queues[part].front() {
                let tokens = waiter.tokens;
                if self.room(part, tokens, now) != Room::Now {
                    break;
                }
                let waiter = self.lanes[lane].queues[part].waiters.pop_front();
                let Some(Waiter { grant, .. }) = waiter else { break };
                let permit = self.enter(limiter, part, tokens);
                match grant.send(permit) {
                    Ok(()) => return true,
                    Err(unwanted) => self.undo(unwanted),
                }
            }
        }
        false
    }

    fn room(&mut self, part: usize, tokens: f64, now: Instant) -> Room {
        match (self.whole.room(tokens, now), self.parts[part].room(tokens, now)) {
            (Room::Now, other) | (other, Room::Now) => other,
            (Room::After(one), Room::After(other)) => Room::After(one.max(other)),
            (Room::WhenFreed, _) | (_, Room::WhenFreed) => Room::WhenFreed,
        }
    }

    /// How long it takes until time makes room for somebody, if that is what is waited for.
    fn look(&mut self, now: Instant) -> Option<Duration> {
        let mut soonest = None::<Duration>;
        for lane in 0..self.lanes.len() {
            for part in 0..self.parts.len() {
                let front = self.lanes[lane].queues[part].front();
                let Some(tokens) = front.map(|waiter| waiter.tokens) else { continue };
                if let Room::After(wait) = self.room(part, tokens, now) {
                    soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
                }
            }
        }
        // Timers count in milliseconds.
        soonest.map(|soonest| soonest + Duration::from_millis(1))
    }

    /// Lets in whoever has room, and sees to it that somebody keeps the time for the others.
    fn freed(&mut self, limiter: &Arc<Limiter>) {
        let now = Instant::now();
        self.serve(limiter, now);
        if !self.is_kept && self.look(now).is_some() {
            limiter.keeper.notify_one();
        }
    }

    /// Takes back a permit that nobody wants any more.
    fn undo(&mut self, mut permit: Permit) {
        permit.limiter = None;
        self.whole.give_back(permit.reserved);
        self.parts[permit.part].give_back(permit.reserved);
    }
}

/// A place in a queue, left when it is dropped.
struct Waiting<'a> {
    limiter: &'a Arc<Limiter>,
    lane: usize,
    part: usize,
    granted: oneshot::Receiver<Permit>,
    is_keeper: bool,
    _shown: crate::metrics::InFlight,
}

impl Waiting<'_> {
    async fn turn(&mut self, deadline: Instant) -> Result<Permit, Late> {
        loop {
            if let Ok(permit) = self.granted.try_recv() {
                return Ok(permit);
            }
            let look = deadline.min(Instant::now() + self.keep_time().unwrap_or(LOOK_MAX));
            tokio::select! {
                biased;
                permit = &mut self.granted => return permit.map_err(|_| Late),
                () = self.limiter.keeper.notified(), if !self.is_keeper => {}
                () = sleep_until(look) => {}
            }
            if Instant::now() >= deadline {
                return Err(Late);
            }
            self.limiter.lock().serve(self.limiter, Instant::now());
        }
    }

    /// Keeps the time if nobody does and it has to be kept; returns how long to wait then.
    fn keep_time(&mut self) -> Option<Duration> {
        let mut state = self.limiter.lock();
        if state.is_kept && !self.is_keeper {
            return None;
        }
        let look = state.look(Instant::now());
        self.is_keeper = look.is_some();
        state.is_kept = look.is_some();
        look
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        let was_served = self.granted.is_terminated();
        // A permit that has come meanwhile gives itself back, once the lock is free.
        let late = if was_served { None } else { self.granted.try_recv().ok() };
        if !was_served && late.is_none() {
            self.granted.close();
            state.lanes[self.lane].queues[self.part].leave();
        }
        state.is_kept &= !self.is_keeper;
        // It may have been called to keep the time, too, and not have come to it.
        state.freed(self.limiter);
        drop(state);
    }
}

/// A request that may be sent; dropped, it makes room for another.
pub(crate) struct Permit {
    /// `None` once it has been taken back.
    limiter: Option<Arc<Limiter>>,
    part: usize,
    reserved: f64,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({})", self.part)
    }
}

impl Permit {
    /// The request was answered, with so many tokens read and written: settles what was estimated.
    pub(crate) fn settle(&mut self, input: u64, output: u64) {
        let Some(limiter) = &self.limiter else { return };
        let mut state = limiter.lock();
        state.output_tokens += NEWEST * (output as f64 - state.output_tokens);
        let actual = input.saturating_add(output) as f64;
        let owed = actual - self.reserved;
        state.whole.charge(0.0, owed);
        state.parts[self.part].charge(0.0, owed);
        self.reserved = actual;
    }

    /// The request was not sent: nothing is charged.
    pub(crate) fn cancel(mut self) {
        let Some(limiter) = self.limiter.take() else { return };
        let mut state = limiter.lock();
        state.whole.give_back(self.reserved);
        state.parts[self.part].give_back(self.reserved);
        state.freed(&limiter);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(limiter) = self.limiter.take() else { return };
        let mut state = limiter.lock();
        state.whole.in_flight -= 1;
        state.parts[self.part].in_flight -= 1;
        state.freed(&limiter);
    }
}
