//! The stable reference to an actor of a known type.

use std::fmt;
use std::sync::Arc;

use actix::{Actor, Handler, Message};

use super::cell::{ActorStats, Cell, Counters};
use super::census;
use super::context::Supervised;
use super::exit::Exit;
use super::guard::install_hook;
use super::handle::Handle;
use super::mailbox::Mailbox;

/// Refers to an actor across all its incarnations. It is made before the actor starts, so that
/// actors can be wired to each other first; what is sent meanwhile waits in the mailbox.
///
/// It makes [`Handle`]s; to send messages, take one of those. Clones are cheap.
pub struct ActorRef<A: Actor> {
    mailbox: Arc<Mailbox<A>>,
}

impl<A: Actor> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        Self { mailbox: self.mailbox.clone() }
    }
}

impl<A: Actor> fmt::Debug for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorRef({})", self.mailbox.cell().path())
    }
}

impl<A: Actor> ActorRef<A> {
    /// Makes the mailbox of an actor that will be started under `path`. At most `capacity` messages
    /// wait in it.
    pub fn new(path: impl Into<Arc<str>>, capacity: usize) -> Self {
        install_hook();
        let cell = Arc::new(Cell::new(path.into(), Arc::new(Counters::default())));
        census::enrol(&cell);
        Self { mailbox: Arc::new(Mailbox::new(cell, capacity)) }
    }

    /// A session's mailbox, which is counted with those of its dynamic supervisor.
    pub(crate) fn unlisted(path: Arc<str>, counters: Arc<Counters>, capacity: usize) -> Self {
        let cell = Arc::new(Cell::new(path, counters));
        Self { mailbox: Arc::new(Mailbox::new(cell, capacity)) }
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<A>> {
        &self.mailbox
    }

    /// The path of the actor.
    #[must_use]
    pub fn path(&self) -> &str {
        self.mailbox.cell().path()
    }

    /// The counters of this moment. Sessions share those of their dynamic supervisor.
    #[must_use]
    pub fn stats(&self) -> ActorStats {
        self.mailbox.cell().stats()
    }

    /// Waits for the end of the current incarnation (of the next one, if there is none now) and
    /// returns its generation and how it ended. Watching has no influence on the actor.
    ///
    /// The watch begins with this call, not with the first poll of the future. `None` means that
    /// the actor was dropped before it ever ended.
    pub fn monitor(&self) -> impl Future<Output = Option<(u64, Exit)>> + Send + 'static {
        let end = self.mailbox.cell().monitor();
        async move { end.await.ok() }
    }
}

impl<A: Actor<Context = Supervised<A>>> ActorRef<A> {
    /// A handle that sends messages of one type.
    #[must_use]
    pub fn handle<M>(&self) -> Handle<M>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        Handle::new(self.mailbox.clone())
    }
}
