//! The futures an actor has spawned, polled one by one as they are woken.
//!
//! actix polls all of them whenever the actor wakes, which costs 7 ns for each, every time. Here each
//! has its own waker, which puts it on a ready list and wakes the actor.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use actix::{Actor, ActorFuture, SpawnHandle};
use futures_util::task::AtomicWaker;

use super::context::Supervised;

/// A future of an actor.
pub(crate) type LocalActorFuture<A> = Pin<Box<dyn ActorFuture<A, Output = ()>>>;

/// Which futures were woken, and whom to tell.
#[derive(Default)]
struct Ready {
    woken: Mutex<VecDeque<SpawnHandle>>,
    actor: AtomicWaker,
}

impl Ready {
    fn push(&self, handle: SpawnHandle) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push_back(handle);
    }

    fn has_woken(&self) -> bool {
        !self.woken.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn pop(&self) -> Option<SpawnHandle> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// The waker of one spawned future.
struct Alarm {
    handle: SpawnHandle,
    is_ready: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_ready.swap(true, SeqCst) {
            self.ready.push(self.handle);
            self.ready.actor.wake();
        }
    }
}

/// A spawned future, taken out of the set to be polled.
pub(crate) struct Woken<A: Actor> {
    handle: SpawnHandle,
    future: LocalActorFuture<A>,
    alarm: Arc<Alarm>,
}

impl<A: Actor<Context = Supervised<A>>> Woken<A> {
    pub(crate) fn poll(&mut self, actor: &mut A, context: &mut Supervised<A>) -> Poll<()> {
        self.alarm.is_ready.store(false, SeqCst);
        let waker = Waker::from(self.alarm.clone());
        self.future.as_mut().poll(actor, context, &mut Context::from_waker(&waker))
    }
}

/// The spawned futures of an incarnation.
pub(crate) struct Spawned<A: Actor> {
    last: SpawnHandle,
    /// Absent until the first spawn: most sessions never spawn.
    ready: Option<Arc<Ready>>,
    idle: HashMap<SpawnHandle, (LocalActorFuture<A>, Arc<Alarm>)>,
    /// The future that is being polled, and whether it was cancelled meanwhile.
    polled: Option<SpawnHandle>,
    is_polled_cancelled: bool,
}

impl<A: Actor> Spawned<A> {
    pub(crate) fn new() -> Self {
        Self {
            last: SpawnHandle::default(),
            ready: None,
            idle: HashMap::new(),
            polled: None,
            is_polled_cancelled: false,
        }
    }

    pub(crate) fn add(&mut self, future: LocalActorFuture<A>) -> SpawnHandle {
        self.last = self.last.next();
        let handle = self.last;
        let ready = self.ready.get_or_insert_default().clone();
        ready.push(handle);
        let alarm = Arc::new(Alarm { handle, is_ready: AtomicBool::new(true), ready });
        self.idle.insert(handle, (future, alarm));
        handle
    }

    /// Drops a future, or has it dropped after the poll that is going on.
    pub(crate) fn cancel(&mut self, handle: SpawnHandle) -> bool {
        if self.polled == Some(handle) {
            self.is_polled_cancelled = true;
            return true;
        }
        self.idle.remove(&handle).is_some()
    }

    /// Has the actor's task woken when a future is.
    pub(crate) fn register(&self, waker: &Waker) {
        if let Some(ready) = &self.ready {
            ready.actor.register(waker);
        }
    }

    /// Whether a future was woken and not polled since.
    pub(crate) fn has_woken(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| ready.has_woken())
    }

    /// Takes the next future that was woken.
    pub(crate) fn next_woken(&mut self) -> Option<Woken<A>> {
        let ready = self.ready.as_ref()?;
        while let Some(handle) = ready.pop() {
            if let Some((future, alarm)) = self.idle.remove(&handle) {
                self.polled = Some(handle);
                self.is_polled_cancelled = false;
                return Some(Woken { handle, future, alarm });
            }
        }
        None
    }

    /// Puts back a future that is not finished. `must_repoll` says that it gave way to a wait
    /// without having registered its waker, as actix's streams do.
    pub(crate) fn put_back(&mut self, woken: Woken<A>, must_repoll: bool) {
        self.polled = None;
        if self.is_polled_cancelled {
            return;
        }
        if must_repoll && !woken.alarm.is_ready.swap(true, SeqCst) {
            woken.alarm.ready.push(woken.handle);
        }
        self.idle.insert(woken.handle, (woken.future, woken.alarm));
    }

    pub(crate) fn finish_poll(&mut self) {
        self.polled = None;
    }

    /// Takes all futures out, to be dropped one by one.
    pub(crate) fn take_all(&mut self) -> Vec<LocalActorFuture<A>> {
        self.idle.drain().map(|(_, (future, _))| future).collect()
    }
}
