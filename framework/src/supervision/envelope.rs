//! What travels through an actix channel: a message, the way back, and the place it takes.
//!
//! The message of an ask stays in a `Delivery` that the asker shares. Whoever takes it out first,
//! handler or asker, decides what happened: a message is executed at most once, and an asker whose
//! message never started gets it back without `M: Clone`.

use std::any::{Any, type_name};
use std::sync::{Arc, Mutex, PoisonError};

use actix::dev::{Envelope, EnvelopeProxy, MessageResponse, OneshotSender, ToEnvelope};
use actix::{Actor, Handler, Message};

use crate::metrics;

use super::cell::Counters;
use super::context::Supervised;
use super::guard::drop_guarded;
use super::mailbox::{Inlet, take_ticket};
use super::tree::short_name;

/// The slot between an asker and a handler.
pub(crate) struct Delivery<M>(Mutex<Slot<M>>);

enum Slot<M> {
    /// Under way.
    Queued(M),
    /// Its envelope was dropped before it was opened.
    Returned(M),
    /// Taken by the handler or by the asker.
    Taken,
}

impl<M> Delivery<M> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Slot::Taken))
    }

    fn put(&self, message: M) {
        *self.lock() = Slot::Queued(message);
    }

    /// Takes the message to handle it.
    fn open(&self) -> Option<M> {
        let mut slot = self.lock();
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Queued(message) => Some(message),
            returned @ Slot::Returned(_) => {
                *slot = returned;
                None
            }
            Slot::Taken => None,
        }
    }

    /// Marks an unopened message as returned, and says whether it was one.
    fn give_back(&self) -> bool {
        let mut slot = self.lock();
        let Slot::Queued(message) = std::mem::replace(&mut *slot, Slot::Taken) else {
            return false;
        };
        *slot = Slot::Returned(message);
        true
    }

    /// Takes the message back to the asker; `None` if its handling has started.
    pub(crate) fn reclaim(&self, counters: &Counters) -> Option<M> {
        match std::mem::replace(&mut *self.lock(), Slot::Taken) {
            Slot::Queued(message) => {
                Counters::count(&counters.returned);
                Some(message)
            }
            Slot::Returned(message) => Some(message),
            Slot::Taken => None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slot<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the message is.
enum Contents<M> {
    Own(Option<M>),
    Shared(Arc<Delivery<M>>),
}

impl<M> Contents<M> {
    fn open(&mut self) -> Option<M> {
        match self {
            Self::Own(message) => message.take(),
            Self::Shared(delivery) => delivery.open(),
        }
    }
}

struct Parcel<A: Actor, M: Message> {
    contents: Contents<M>,
    reply: Option<OneshotSender<M::Result>>,
    /// The place it takes; none if it came by a bare `Addr`.
    inlet: Option<Arc<Inlet<A>>>,
}

impl<A, M> ToEnvelope<A, M> for Supervised<A>
where
    A: Actor<Context = Self> + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn pack(message: M, reply: Option<OneshotSender<M::Result>>) -> Envelope<A> {
        let ticket = take_ticket();
        let (inlet, delivery) = match ticket {
            Some(ticket) => (ticket.inlet.downcast().ok(), ticket.delivery.and_then(delivery_of)),
            None => (None, None),
        };
        let contents = match delivery {
            Some(delivery) => {
                delivery.put(message);
                Contents::Shared(delivery)
            }
            None => Contents::Own(Some(message)),
        };
        Envelope::with_proxy(Box::new(Parcel { contents, reply, inlet }))
    }
}

fn delivery_of<M: Send + 'static>(
    delivery: Arc<dyn Any + Send + Sync>,
) -> Option<Arc<Delivery<M>>> {
    delivery.downcast().ok()
}

impl<A, M> EnvelopeProxy<A> for Parcel<A, M>
where
    A: Actor<Context = Supervised<A>> + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn handle(&mut self, actor: &mut A, context: &mut Supervised<A>) {
        let reply = self.reply.take();
        if reply.as_ref().is_some_and(OneshotSender::is_closed) {
            self.skip(context);
            return;
        }
        let Some(message) = self.contents.open() else {
            self.release();
            return;
        };
        let counters = context.cell().counters();
        if self.inlet.is_none() {
            Counters::count(&counters.sent);
        }
        Counters::count(&counters.handled);
        self.release();
        context.enter(type_name::<M>());
        <A as Handler<M>>::handle(actor, message, context).handle(context, reply);
        context.leave();
    }
}

impl<A: Actor, M: Message> Parcel<A, M> {
    fn release(&mut self) {
        if let Some(inlet) = self.inlet.take() {
            inlet.release();
        }
    }

    /// The caller left before its message was opened.
    fn skip(&mut self, context: &Supervised<A>)
    where
        A: Actor<Context = Supervised<A>>,
    {
        let counters = context.cell().counters();
        if self.inlet.is_none() {
            Counters::count(&counters.sent);
        }
        if let Some(message) = self.contents.open() {
            Counters::count(&counters.skipped);
            drop(message);
        }
        self.release();
    }
}

impl<A: Actor, M: Message> Drop for Parcel<A, M> {
    fn drop(&mut self) {
        let Some(inlet) = self.inlet.take() else { return };
        let cell = inlet.cell();
        match &mut self.contents {
            Contents::Own(message) => {
                if let Some(message) = message.take() {
                    Counters::count(&cell.counters().dead_letters);
                    metrics::dead_letter(cell.path(), short_name(type_name::<M>()), inlet.fate());
                    drop_guarded(message);
                }
            }
            Contents::Shared(delivery) => {
                if delivery.give_back() {
                    Counters::count(&cell.counters().returned);
                }
            }
        }
        inlet.release();
    }
}
