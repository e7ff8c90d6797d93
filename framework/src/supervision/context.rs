//! The context of a supervised actor: what `ctx` is in its handlers.

use std::rc::Rc;
use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFuture, ActorState, Addr, AsyncContext, Handler, Message, SpawnHandle,
};

use super::cell::Cell;
use super::exit::Exit;
use super::handle::Handle;
use super::mailbox::Mailbox;
use super::spawned::{LocalActorFuture, Spawned};
use super::task::Scope;

std::thread_local! {
    /// The type of the message that this thread handles, for the report of a panic.
    static CURRENT: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

/// Takes the type of the message whose handler has just panicked on this thread.
pub(crate) fn take_current_message() -> Option<&'static str> {
    CURRENT.take()
}

/// The context of an actor that lives in a supervision tree.
///
/// It is an actix context: futures, timers, streams, `notify` and every response type of actix work.
/// Three things differ from `actix::Context`. The actor lives as long as its supervisor says, not as
/// long as somebody holds its address. A panic ends the incarnation, not the mailbox. A spawned
/// future is polled when it was woken, not whenever the actor was.
pub struct Supervised<A: Actor<Context = Supervised<A>>> {
    mailbox: Arc<Mailbox<A>>,
    generation: u64,
    state: ActorState,
    exit: Option<Exit>,
    waits: Vec<LocalActorFuture<A>>,
    has_waits: bool,
    spawned: Spawned<A>,
    scope: Option<Rc<Scope>>,
}

impl<A: Actor<Context = Supervised<A>>> Supervised<A> {
    pub(crate) fn new(mailbox: Arc<Mailbox<A>>, generation: u64) -> Self {
        Self {
            mailbox,
            generation,
            state: ActorState::Started,
            exit: None,
            waits: Vec::new(),
            has_waits: false,
            spawned: Spawned::new(),
            scope: None,
        }
    }

    /// Ends this incarnation as failed, before the next message is handled. What happens then is
    /// up to the supervisor.
    pub fn fail(&mut self, reason: impl Into<String>) {
        let reason = reason.into().into();
        self.end(Exit::Failed { reason }, ActorState::Stopped);
    }

    /// Ends this incarnation as shut down, before the next message is handled: what it served is
    /// going away, which is no failure. `stopping` is not asked.
    pub fn shut_down(&mut self) {
        self.end(Exit::Shutdown, ActorState::Stopping);
    }

    /// The path of the actor in its tree.
    #[must_use]
    pub fn path(&self) -> &str {
        self.mailbox.cell().path()
    }

    /// Which incarnation this is: 1 is the first.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// A handle to this actor itself, bounded like any other.
    #[must_use]
    pub fn handle<M>(&self) -> Handle<M>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        Handle::new(self.mailbox.clone())
    }

    pub(crate) fn cell(&self) -> &Arc<Cell> {
        self.mailbox.cell()
    }

    /// Ends the incarnation; the first reason given stays.
    pub(crate) fn end(&mut self, exit: Exit, state: ActorState) {
        self.exit.get_or_insert(exit);
        if self.state != ActorState::Stopped {
            self.state = state;
        }
    }

    pub(crate) fn set_state(&mut self, state: ActorState) {
        self.state = state;
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state.stopping()
    }

    pub(crate) fn exit(&self) -> Option<&Exit> {
        self.exit.as_ref()
    }

    pub(crate) fn take_exit(&mut self) -> Exit {
        self.exit.take().unwrap_or(Exit::Normal)
    }

    pub(crate) fn take_waits(&mut self) -> Vec<LocalActorFuture<A>> {
        std::mem::take(&mut self.waits)
    }

    /// Tells the context whether the incarnation still waits for earlier futures.
    pub(crate) fn set_has_waits(&mut self, has_waits: bool) {
        self.has_waits = has_waits;
    }

    pub(crate) fn spawned(&mut self) -> &mut Spawned<A> {
        &mut self.spawned
    }

    /// The scope in which tasks of this incarnation live.
    pub(crate) fn scope(&mut self) -> Rc<Scope> {
        self.scope.get_or_insert_with(|| Rc::new(Scope::new())).clone()
    }

    pub(crate) fn end_scope(&mut self) {
        if let Some(scope) = self.scope.take() {
            scope.end();
        }
    }

    /// Marks that the handling of a message starts.
    pub(crate) fn enter(&self, message: &'static str) {
        CURRENT.set(Some(message));
        self.cell().set_message(message);
    }

    pub(crate) fn leave(&self) {
        CURRENT.set(None);
        self.cell().advance();
    }
}

impl<A: Actor<Context = Supervised<A>>> ActorContext for Supervised<A> {
    fn stop(&mut self) {
        self.end(Exit::Normal, ActorState::Stopping);
    }

    fn terminate(&mut self) {
        self.end(Exit::Normal, ActorState::Stopped);
    }

    fn state(&self) -> ActorState {
        self.state
    }
}

impl<A: Actor<Context = Supervised<A>>> AsyncContext<A> for Supervised<A> {
    fn address(&self) -> Addr<A> {
        self.mailbox.addr()
    }

    fn spawn<F>(&mut self, future: F) -> SpawnHandle
    where
        F: ActorFuture<A, Output = ()> + 'static,
    {
        self.spawned.add(Box::pin(future))
    }

    fn wait<F>(&mut self, future: F)
    where
        F: ActorFuture<A, Output = ()> + 'static,
    {
        self.waits.push(Box::pin(future));
    }

    fn waiting(&self) -> bool {
        self.has_waits || !self.waits.is_empty() || self.state.stopping()
    }

    fn cancel_future(&mut self, handle: SpawnHandle) -> bool {
        self.spawned.cancel(handle)
    }
}
