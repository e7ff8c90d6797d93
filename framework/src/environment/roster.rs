//! The open sessions of one environment on one shard. Each ends with its rollout, and at the latest
//! when nobody has used it for too long.
//!
//! A rollout that ends says so through a channel that needs no room in any mailbox, and the session
//! is then stopped by an order that overtakes its queue: so a session with a full mailbox, or in the
//! middle of a tool that never returns, ends as surely as any other. One sweep watches over all
//! sessions instead of one timer each, so a session costs no timer; it ends at most an eighth of the
//! timeout late.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use super::Environment;
use super::session::{SessionActor, World};
use crate::supervision::{ActorRef, DynamicSupervisor, LimitReached};
use crate::task::Task;

/// Messages that may wait in a session's mailbox: the calls of one step and the verification.
const SESSION_MAILBOX: usize = 1024;

/// How many times per timeout the sessions are looked at, at most.
const SWEEPS_PER_TIMEOUT: u32 = 8;

/// When a session was last used.
#[derive(Debug)]
pub(super) struct Pulse {
    /// Messages under way, which have limits of their own.
    working: Cell<usize>,
    /// When the last of them was done.
    rested: Cell<Instant>,
}

impl Pulse {
    fn new() -> Self {
        Self { working: Cell::new(0), rested: Cell::new(Instant::now()) }
    }

    /// A message is being handled, until what this returns is dropped.
    pub(super) fn work(self: &Rc<Self>) -> Work {
        self.working.update(|working| working + 1);
        Work(self.clone())
    }

    /// When the session has been idle for too long, unless it is at work.
    fn expiry(&self, timeout: Duration) -> Option<Instant> {
        (self.working.get() == 0).then(|| self.rested.get().checked_add(timeout))?
    }
}

/// A message that a session is handling.
#[derive(Debug)]
pub(super) struct Work(Rc<Pulse>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.working.update(|working| working - 1);
        self.0.rested.set(Instant::now());
    }
}

/// Which session of its roster.
type Number = u64;

/// Has a session stopped when it is dropped.
#[derive(Debug)]
pub(super) struct Closer {
    number: Number,
    closed: UnboundedSender<Number>,
}

impl Drop for Closer {
    fn drop(&mut self) {
        // Without a receiver the environment is gone, and its sessions went with it.
        let _ = self.closed.send(self.number);
    }
}

struct Entry<E: Environment> {
    actor: ActorRef<SessionActor<E>>,
    pulse: Rc<Pulse>,
}

/// The open sessions.
pub(super) struct Roster<E: Environment> {
    sessions: DynamicSupervisor<SessionActor<E>>,
    open: RefCell<HashMap<Number, Entry<E>>>,
    opened: Cell<Number>,
    closed: UnboundedSender<Number>,
    world: Rc<World<E>>,
}

impl<E: Environment> Roster<E> {
    /// A roster of at most `sessions_max` sessions; what comes out of the other end of `closed` is
    /// to be given to [`keep`](Self::keep).
    pub(super) fn new(
        path: String,
        sessions_max: usize,
        world: Rc<World<E>>,
        closed: UnboundedSender<Number>,
    ) -> Self {
        let sessions = DynamicSupervisor::new(path, sessions_max);
        Self { sessions, open: RefCell::default(), opened: Cell::new(0), closed, world }
    }

    /// Starts a session, which lives until its closer is dropped and keeps its permit until then.
    pub(super) fn open(
        &self,
        task: Arc<Task>,
        state: E::Session,
        permit: OwnedSemaphorePermit,
    ) -> Result<(ActorRef<SessionActor<E>>, Closer), LimitReached> {
        let pulse = Rc::new(Pulse::new());
        let actor = SessionActor::new(self.world.clone(), task, state, pulse.clone(), permit);
        let actor = self.sessions.start(actor, SESSION_MAILBOX)?;
        let number = self.opened.replace(self.opened.get() + 1);
        self.open.borrow_mut().insert(number, Entry { actor: actor.clone(), pulse });
        Ok((actor, Closer { number, closed: self.closed.clone() }))
    }

    /// Ends sessions as they are closed or expire, for ever.
    pub(super) async fn keep(&self, mut closed: UnboundedReceiver<Number>) {
        let mut next_sweep = self.after_a_timeout();
        loop {
            tokio::select! {
                biased;
                Some(number) = closed.recv() => self.end(number),
                () = sleep_until(next_sweep) => next_sweep = self.sweep(),
            }
        }
    }

    fn end(&self, number: Number) {
        let entry = self.open.borrow_mut().remove(&number);
        if let Some(Entry { actor, .. }) = entry {
            // One that has ended already, after its verification, is not found, which is fine.
            self.sessions.stop(&actor);
        }
    }

    /// Ends what has expired. Returns when to look again.
    fn sweep(&self) -> Instant {
        let now = Instant::now();
        let timeout = self.world.limits.idle;
        let (mut expired, mut earliest) = (Vec::new(), self.after_a_timeout());
        for (number, entry) in &*self.open.borrow() {
            match entry.pulse.expiry(timeout) {
                Some(expiry) if expiry <= now => expired.push(*number),
                Some(expiry) => earliest = earliest.min(expiry),
                None => {}
            }
        }
        for number in &expired {
            self.world.metrics.session_expired();
            self.end(*number);
        }
        if !expired.is_empty() {
            let (sessions, path) = (expired.len(), self.sessions.path());
            tracing::warn!(path, sessions, ?timeout, "closed by `session_idle_timeout`");
        }
        earliest.max(now + timeout / SWEEPS_PER_TIMEOUT)
    }

    fn after_a_timeout(&self) -> Instant {
        let now = Instant::now();
        // A timeout beyond the end of time is none; a day later it is still none.
        now.checked_add(self.world.limits.idle).unwrap_or(now + Duration::from_secs(86_400))
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use tokio::task::LocalSet;

    use super::super::session::{Session, SessionLimits};
    use super::super::{EnvironmentActor, EnvironmentError, ToolError, Tools, Verdict};
    use super::*;
    use crate::agent::EnvironmentPort;
    use crate::environment::actor::Sessions;
    use crate::responses::{FunctionCall, Response};
    use crate::rollout::Culprit;
    use crate::task::{Row, Target};
    use crate::wiring::{BuildError, Wiring};
    use tokio::sync::Semaphore;

    const IDLE: Duration = Duration::from_secs(600);
    const SECOND: Duration = Duration::from_secs(1);

    /// Its sessions share one counted value, so that their end shows.
    #[derive(Clone)]
    struct House(Rc<()>);

    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    async fn nap(_: &House, _: &mut Rc<()>, _: Nothing) -> Result<(), ToolError> {
        tokio::time::sleep(IDLE * 3).await;
        Ok(())
    }

    async fn hang(_: &House, _: &mut Rc<()>, _: Nothing) -> Result<(), ToolError> {
        std::future::pending().await
    }

    async fn touch(_: &House, _: &mut Rc<()>, _: Nothing) -> Result<(), ToolError> {
        Ok(())
    }

    async fn stumble(_: &House, _: &Rc<()>, _: Nothing) -> Result<(), ToolError> {
        panic!("over the mat");
    }

    async fn look(_: &House, _: &Rc<()>, _: Nothing) -> Result<(), ToolError> {
        tokio::time::sleep(SECOND).await;
        Ok(())
    }

    impl Environment for House {
        const KIND: &'static str = "house";
        type Config = ();
        type Target = Nothing;
        type Session = Rc<()>;

        fn new((): (), _: &Wiring) -> Result<Self, BuildError> {
            Ok(Self(Rc::new(())))
        }

        fn tools(tools: &mut Tools<Self>) {
            tools.add("nap", nap);
            tools.add("hang", hang);
            tools.add("touch", touch);
            tools.add_shared("stumble", stumble);
            tools.add_shared("look", look);
        }

        async fn open(&self, _: &Nothing) -> Result<Rc<()>, EnvironmentError> {
            Ok(self.0.clone())
        }

        async fn verify(
            &self,
            _: Rc<()>,
            _: &Nothing,
            _: &Response,
        ) -> Result<Verdict, EnvironmentError> {
            std::future::pending().await
        }
    }

    /// An environment without a tree around it.
    struct Street {
        house: House,
        port: EnvironmentPort,
        _supervisor: DynamicSupervisor<EnvironmentActor<House>>,
    }

    impl Street {
        fn new() -> Self {
            let house = House(Rc::new(()));
            let limits = SessionLimits { tool: IDLE * 100, verify: IDLE * 100, idle: IDLE };
            let supervisor = DynamicSupervisor::new("environments", 1);
            let room = Sessions { permits: Arc::new(Semaphore::new(10)), max: 10 };
            let actor =
                EnvironmentActor::new(&Wiring::detached("house"), house.clone(), limits, room);
            let actor = supervisor.start(actor, 16).unwrap();
            Self { house, port: EnvironmentPort::new(actor.handle()), _supervisor: supervisor }
        }

        async fn open(&self) -> Session {
            let row = Row::parse(r#"{"responses_create_params":{"input":"hi"}}"#).unwrap();
            let task = Task::new("house/1".into(), row, Target::new(Nothing {}));
            self.port.open(Arc::new(task), late()).await.unwrap()
        }

        /// The sessions whose state lives: beside the house's own there are ours and the actor's.
        fn living(&self) -> usize {
            Rc::strong_count(&self.house.0) - 2
        }

        async fn until_living(&self, count: usize) {
            while self.living() != count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    fn late() -> Instant {
        Instant::now() + IDLE * 1000
    }

    fn call(name: &str) -> FunctionCall {
        FunctionCall { call_id: "c".into(), name: name.into(), arguments: "{}".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_nobody_uses_is_closed_after_its_timeout_and_says_why() {
        let test = async {
            let street = Street::new();
            let session = street.open().await;
            let opened = Instant::now();
            street.until_living(0).await;
            assert!(opened.elapsed() >= IDLE && opened.elapsed() <= IDLE * 9 / 8 + SECOND);
            let failure = session.call(&call("touch"), late()).await.unwrap_err();
            assert_eq!((failure.culprit, failure.retryable), (Culprit::Environment, true));
            assert!(failure.error.contains("`session_idle_timeout`"), "{failure}");
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_in_use_stays_and_so_does_one_whose_tool_takes_longer_than_the_timeout() {
        let test = async {
            let street = Street::new();
            let (used, busy) = (street.open().await, street.open().await);
            let _forgotten = street.open().await;
            let using = async {
                for _ in 0..5 {
                    tokio::time::sleep(IDLE * 3 / 4).await;
                    used.call(&call("touch"), late()).await.unwrap();
                }
            };
            let nap = call("nap");
            let ((), napped) = tokio::join!(using, busy.call(&nap, late()));
            assert_eq!(napped.unwrap(), "null");
            assert_eq!(street.living(), 2);
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_its_rollout_even_if_its_tool_hangs_and_its_mailbox_is_full() {
        let test = async {
            let street = Street::new();
            let session = street.open().await;
            let hang = call("hang");
            let calls = (0..2 * SESSION_MAILBOX).map(|_| session.call(&hang, late()));
            let calls = futures_util::future::join_all(calls);
            assert!(tokio::time::timeout(SECOND, calls).await.is_err());
            assert_eq!(street.living(), 1);
            let closed = Instant::now();
            drop(session);
            street.until_living(0).await;
            assert!(closed.elapsed() < SECOND);
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_a_tool_that_only_looks_fails_its_call_and_none_of_its_neighbours() {
        let test = async {
            let street = Street::new();
            let session = street.open().await;
            let names = ["look", "stumble", "look"].map(call);
            let calls = names.iter().map(|call| session.call(call, late()));
            let results = futures_util::future::join_all(calls).await;
            let failure = results[1].as_ref().unwrap_err();
            assert_eq!((failure.culprit, failure.retryable), (Culprit::Tool, true));
            assert!(results[0].is_ok() && results[2].is_ok());
            assert!(session.call(&call("touch"), late()).await.is_ok());
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_in_use_until_the_last_of_the_calls_side_by_side_is_done() {
        let test = async {
            let street = Street::new();
            let session = street.open().await;
            let (look, touch) = (call("look"), call("touch"));
            let begun = Instant::now();
            let calls = (0..3).map(|_| session.call(&look, late()));
            futures_util::future::try_join_all(calls).await.unwrap();
            assert_eq!(begun.elapsed(), SECOND, "they ran side by side");
            tokio::time::sleep(IDLE - SECOND / 2).await;
            session.call(&touch, late()).await.unwrap();
            street.until_living(0).await;
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_its_rollout_even_if_its_verifier_hangs() {
        let test = async {
            let street = Street::new();
            let session = street.open().await;
            let response = Arc::new(Response::new("r", "m".into(), vec![]));
            let verify = session.verify(response, late());
            assert!(tokio::time::timeout(SECOND, verify).await.is_err());
            street.until_living(0).await;
        };
        LocalSet::new().run_until(test).await;
    }
}
