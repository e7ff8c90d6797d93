//! The mailbox of an actor, which outlives its incarnations.
//!
//! The sending side is swapped as one piece (`Inlet`: channel and permits) when an actor is
//! relocated. The receiving side is owned by the running incarnation, and parked here in between, so
//! that what is queued waits for the next one. Bounds are enforced by permits, since actix's own
//! `send` and `do_send` ignore the capacity of its channel.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use actix::dev::channel::{AddressReceiver, AddressSender, channel};
use actix::{Actor, Addr, Handler, Message};
use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore, oneshot};

use super::cell::{Cell, Counters, Life};
use super::context::Supervised;
use super::envelope::Delivery;
use super::guard::drop_guarded;

/// What `Supervised::pack` needs to know and actix cannot pass: set around the synchronous send.
pub(crate) struct Ticket {
    pub(crate) inlet: Arc<dyn Any + Send + Sync>,
    pub(crate) delivery: Option<Arc<dyn Any + Send + Sync>>,
}

thread_local! {
    static TICKET: RefCell<Option<Ticket>> = const { RefCell::new(None) };
}

/// Takes the ticket of the send that is going on; none if the message came by a bare `Addr`.
pub(crate) fn take_ticket() -> Option<Ticket> {
    TICKET.take()
}

/// The sending side of one channel.
pub(crate) struct Inlet<A: Actor> {
    sender: AddressSender<A>,
    permits: Semaphore,
    retired: AtomicBool,
    retirement: Notify,
    cell: Arc<Cell>,
}

impl<A: Actor> Inlet<A> {
    fn open(cell: Arc<Cell>, capacity: usize) -> (Arc<Self>, AddressReceiver<A>) {
        let (sender, receiver) = channel(0);
        let inlet = Self {
            sender,
            permits: Semaphore::new(capacity),
            retired: AtomicBool::new(false),
            retirement: Notify::new(),
            cell,
        };
        (Arc::new(inlet), receiver)
    }

    /// Gives back the place that a message took.
    pub(crate) fn release(&self) {
        self.permits.add_permits(1);
    }

    pub(crate) fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    /// Why nobody handled what is left in the channel.
    pub(crate) fn fate(&self) -> &'static str {
        let is_over = matches!(self.cell.life(), Life::Down | Life::Stopping);
        if self.retired.load(SeqCst) && !is_over { "moved" } else { "stopped" }
    }

    /// Sends away everybody who waits here.
    fn retire(&self) {
        self.permits.close();
        self.retired.store(true, SeqCst);
        self.retirement.notify_waiters();
    }
}

/// An ask that is under way.
pub(crate) struct Sent<M: Message> {
    pub(crate) reply: oneshot::Receiver<M::Result>,
    pub(crate) delivery: Arc<Delivery<M>>,
}

/// One channel, as the sender of one type of message sees it.
pub(crate) trait Channel<M: Message>: Send + Sync {
    /// The free places. The caller takes one and forgets it; the envelope gives it back.
    fn permits(&self) -> &Semaphore;
    /// Sends for a reply. If the channel is closed the message comes back.
    fn send(self: Arc<Self>, message: M) -> Result<Sent<M>, M>;
    /// Sends for no reply. If the channel is closed the message comes back.
    fn post(self: Arc<Self>, message: M) -> Result<(), M>;
    /// Whether another channel has taken the place of this one.
    fn is_retired(&self) -> bool;
    /// Wakes those who wait for a reply that will not come from here.
    fn retirement(&self) -> &Notify;
}

impl<A, M> Channel<M> for Inlet<A>
where
    A: Actor<Context = Supervised<A>> + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn permits(&self) -> &Semaphore {
        &self.permits
    }

    fn send(self: Arc<Self>, message: M) -> Result<Sent<M>, M> {
        let delivery = Arc::new(Delivery::new());
        let ticket = Ticket { inlet: self.clone(), delivery: Some(delivery.clone()) };
        TICKET.set(Some(ticket));
        match self.sender.send(message) {
            Ok(reply) => {
                Counters::count(&self.cell.counters().sent);
                Ok(Sent { reply, delivery })
            }
            Err(refused) => {
                TICKET.take();
                self.release();
                Err(refused.into_inner())
            }
        }
    }

    fn post(self: Arc<Self>, message: M) -> Result<(), M> {
        TICKET.set(Some(Ticket { inlet: self.clone(), delivery: None }));
        match self.sender.do_send(message) {
            Ok(()) => {
                Counters::count(&self.cell.counters().sent);
                Ok(())
            }
            Err(refused) => {
                TICKET.take();
                self.release();
                Err(refused.into_inner())
            }
        }
    }

    fn is_retired(&self) -> bool {
        self.retired.load(SeqCst)
    }

    fn retirement(&self) -> &Notify {
        &self.retirement
    }
}

/// A mailbox as the sender of one type of message sees it: type-erased over the actor.
pub(crate) trait Port<M: Message>: Send + Sync {
    fn cell(&self) -> &Arc<Cell>;
    /// The channel of this moment.
    fn channel(&self) -> Arc<dyn Channel<M>>;
}

impl<A, M> Port<M> for Mailbox<A>
where
    A: Actor<Context = Supervised<A>> + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    fn channel(&self) -> Arc<dyn Channel<M>> {
        self.inlet.load_full()
    }
}

/// A mailbox as its supervisor sees it.
pub(crate) trait Vessel: Send + Sync {
    fn cell(&self) -> &Arc<Cell>;
    /// Opens a new channel if the old one is closed for good or held by a blocked thread.
    fn refit(&self);
    /// Ends the mailbox: what is queued is dropped, and senders are told that nobody is here.
    fn close(&self);
    /// Refuses new messages and keeps those that are queued.
    fn refuse(&self);
}

/// The mailbox of an actor.
pub(crate) struct Mailbox<A: Actor> {
    cell: Arc<Cell>,
    capacity: usize,
    inlet: ArcSwap<Inlet<A>>,
    parked: Mutex<Option<AddressReceiver<A>>>,
}

impl<A: Actor> Mailbox<A> {
    pub(crate) fn new(cell: Arc<Cell>, capacity: usize) -> Self {
        let (inlet, receiver) = Inlet::open(cell.clone(), capacity);
        let parked = Mutex::new(Some(receiver));
        Self { cell, capacity, inlet: ArcSwap::new(inlet), parked }
    }

    pub(crate) fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    /// The bare actix address of this moment. What is sent there takes no permit.
    pub(crate) fn addr(&self) -> Addr<A> {
        Addr::new(self.inlet.load().sender.clone())
    }

    /// Takes the receiving side for an incarnation.
    pub(crate) fn take(&self) -> Option<(AddressReceiver<A>, Arc<Inlet<A>>)> {
        let mut parked = self.lock();
        let receiver = parked.take()?;
        Some((receiver, self.inlet.load_full()))
    }

    /// Parks the receiving side after an incarnation. One that was replaced meanwhile is dropped,
    /// which sends its unstarted asks back to their askers.
    pub(crate) fn park(&self, receiver: AddressReceiver<A>, inlet: &Arc<Inlet<A>>) {
        let mut parked = self.lock();
        let is_current = Arc::ptr_eq(&self.inlet.load(), inlet);
        if is_current && parked.is_none() && !inlet.retired.load(SeqCst) {
            *parked = Some(receiver);
            return;
        }
        drop(parked);
        drop_guarded(receiver);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<AddressReceiver<A>>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Actor> Vessel for Mailbox<A> {
    fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    fn refit(&self) {
        let mut parked = self.lock();
        if parked.is_some() && !self.inlet.load().permits.is_closed() {
            return;
        }
        let (inlet, receiver) = Inlet::open(self.cell.clone(), self.capacity);
        let abandoned = parked.replace(receiver);
        let old = self.inlet.swap(inlet);
        drop(parked);
        old.retire();
        drop_guarded(abandoned);
    }

    fn close(&self) {
        self.cell.set_life(Life::Down);
        let mut parked = self.lock();
        self.inlet.load().retire();
        let receiver = parked.take();
        drop(parked);
        drop_guarded(receiver);
    }

    fn refuse(&self) {
        self.cell.set_life(Life::Stopping);
        self.inlet.load().permits.close();
    }
}
