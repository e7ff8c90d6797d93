//! Sessions: many short-lived actors on one shard.
//!
//! A session costs about a microsecond, so it is started without a handshake: directly on the
//! current `LocalSet`, by the environment's actor on the same thread. Sessions are temporary: one
//! that panics is reported, counted, and gone. They report under the path of their supervisor, since
//! metric labels must not come from data.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use actix::Actor;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::metrics;

use super::cell::{Counters, Life};
use super::census::{self, Group};
use super::context::Supervised;
use super::control::{Control, Order};
use super::exit::Exit;
use super::guard::install_hook;
use super::mailbox::Vessel;
use super::reference::ActorRef;
use super::report;
use super::runner::{Overseer, Runner};

/// A dynamic supervisor has as many children as it may.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{path}` has {limit} children already, which is its limit")]
#[non_exhaustive]
pub struct LimitReached {
    /// The supervisor.
    pub path: Arc<str>,
    /// Its limit.
    pub limit: usize,
}

impl LimitReached {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "keep fewer rollouts in flight, or allow more sessions"
    }
}

/// Starts and stops temporary actors of one type on the current thread. When it is dropped, its
/// children are killed.
pub struct DynamicSupervisor<A: Actor> {
    roster: Rc<Roster>,
    children: PhantomData<fn(A)>,
}

/// The children that live.
struct Roster {
    group: Arc<Group>,
    children: RefCell<HashMap<usize, Arc<Control>>>,
    change: Notify,
}

impl<A: Actor> fmt::Debug for DynamicSupervisor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynamicSupervisor({}, {} children)", self.roster.group.path, self.len())
    }
}

impl<A: Actor> DynamicSupervisor<A> {
    /// How many children live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roster.children.borrow().len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The path under which the children report.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.roster.group.path
    }
}

impl<A: Actor<Context = Supervised<A>>> DynamicSupervisor<A> {
    /// A supervisor of at most `children_max` children, which report under `path`. In the tree they
    /// appear as a count below the actor whose path `path` begins with.
    pub fn new(path: impl Into<Arc<str>>, children_max: usize) -> Self {
        install_hook();
        let counters = Arc::new(Counters::default());
        let live = AtomicUsize::new(0);
        let group = Arc::new(Group { path: path.into(), children_max, live, counters });
        census::enrol_group(&group);
        let roster = Roster { group, children: RefCell::default(), change: Notify::new() };
        Self { roster: Rc::new(roster), children: PhantomData }
    }

    /// Starts a child whose mailbox holds `capacity` messages.
    ///
    /// # Errors
    /// If the supervisor has as many children as it may.
    ///
    /// # Panics
    /// Outside of a tokio `LocalSet`.
    pub fn start(&self, actor: A, capacity: usize) -> Result<ActorRef<A>, LimitReached> {
        let group = &self.roster.group;
        if self.len() >= group.children_max {
            return Err(LimitReached { path: group.path.clone(), limit: group.children_max });
        }
        let child = ActorRef::unlisted(group.path.clone(), group.counters.clone(), capacity);
        let control = Arc::new(Control::new());
        self.roster.enrol(key_of(&child), control.clone());
        let mailbox = child.mailbox().clone();
        let generation = mailbox.cell().begin_generation();
        mailbox.cell().set_life(Life::Up);
        let seat = Seat { roster: self.roster.clone(), child: child.clone(), generation };
        if let Ok(runner) = Runner::new(actor, mailbox, control, generation, seat, None) {
            tokio::task::spawn_local(runner);
        }
        Ok(child)
    }

    /// Asks a child to stop before its next message. New messages to it are refused at once.
    pub fn stop(&self, child: &ActorRef<A>) {
        let control = self.roster.children.borrow().get(&key_of(child)).cloned();
        if let Some(control) = control {
            child.mailbox().refuse();
            control.give(Order::Stop);
        }
    }

    /// Asks all children to stop, all at once, and waits for them; after the deadline the rest is
    /// killed. Returns how many had to be.
    pub async fn stop_all(&self, deadline: Instant) -> usize {
        self.roster.give_all(Order::Stop);
        let is_in_time = timeout_at(deadline, self.roster.emptied()).await.is_ok();
        if is_in_time {
            return 0;
        }
        let forced = self.len();
        self.roster.give_all(Order::Kill);
        self.roster.emptied().await;
        forced
    }
}

impl<A: Actor> Drop for DynamicSupervisor<A> {
    fn drop(&mut self) {
        self.roster.give_all(Order::Kill);
    }
}

/// What a child is known by: the address of its mailbox, which it keeps alive.
fn key_of<A: Actor>(child: &ActorRef<A>) -> usize {
    Arc::as_ptr(child.mailbox()).addr()
}

impl Roster {
    fn enrol(&self, key: usize, control: Arc<Control>) {
        self.children.borrow_mut().insert(key, control);
        self.group.live.fetch_add(1, Relaxed);
    }

    fn strike(&self, key: usize) {
        self.children.borrow_mut().remove(&key);
        self.group.live.fetch_sub(1, Relaxed);
        self.change.notify_waiters();
    }

    fn give_all(&self, order: Order) {
        let controls: Vec<_> = self.children.borrow().values().cloned().collect();
        controls.iter().for_each(|control| control.give(order));
    }

    async fn emptied(&self) {
        while !self.children.borrow().is_empty() {
            self.change.notified().await;
        }
    }
}

/// A child's place on the roster.
struct Seat<A: Actor> {
    roster: Rc<Roster>,
    child: ActorRef<A>,
    generation: u64,
}

impl<A: Actor> Unpin for Seat<A> {}

impl<A: Actor> Overseer for Seat<A> {
    fn ended(&mut self, exit: Exit) {
        let path = &self.roster.group.path;
        metrics::actor_exited(path, exit.label());
        // Panics were reported where they happened, with their location.
        if matches!(exit, Exit::Failed { .. } | Exit::StartFailed { .. }) {
            report::failed(path, self.generation, &exit);
        }
        self.child.mailbox().close();
        self.roster.strike(key_of(&self.child));
    }
}
