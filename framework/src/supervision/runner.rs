//! Runs one incarnation to its end, whatever that is, and reports it.
//!
//! Every way to end is reported exactly once: a return, a panic, an order, and also a runner that is
//! dropped because its arbiter has stopped, or one that never got to run.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix::Actor;

use super::cell::Life;
use super::context::{Supervised, take_current_message};
use super::control::{Control, Order};
use super::exit::Exit;
use super::guard::{Panic, guarded};
use super::incarnation::Incarnation;
use super::mailbox::{Inlet, Mailbox};
use super::report;

/// Who is told about the end of an incarnation.
pub(crate) trait Overseer: Unpin + 'static {
    /// It has ended. Called exactly once.
    fn ended(&mut self, exit: Exit);
}

/// The future of one incarnation.
pub(crate) struct Runner<A: Actor<Context = Supervised<A>>, O: Overseer> {
    incarnation: Option<Incarnation<A>>,
    mailbox: Arc<Mailbox<A>>,
    inlet: Arc<Inlet<A>>,
    control: Arc<Control>,
    generation: u64,
    overseer: O,
    waker: Option<Waker>,
}

impl<A: Actor<Context = Supervised<A>>, O: Overseer> Runner<A, O> {
    /// `None` if the mailbox is in use.
    pub(crate) fn new(
        actor: A,
        mailbox: Arc<Mailbox<A>>,
        control: Arc<Control>,
        generation: u64,
        overseer: O,
        on_up: Option<Box<dyn FnOnce()>>,
    ) -> Result<Self, O> {
        let Some((receiver, inlet)) = mailbox.take() else { return Err(overseer) };
        let context = Supervised::new(mailbox.clone(), generation);
        let incarnation = Incarnation::new(actor, context, receiver, control.clone(), on_up);
        let incarnation = Some(incarnation);
        Ok(Self { incarnation, mailbox, inlet, control, generation, overseer, waker: None })
    }

    /// Has the next order wake this task.
    fn register(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.control.register(waker);
            self.waker = Some(waker.clone());
        }
    }

    fn poll_incarnation(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        let Some(incarnation) = &mut self.incarnation else { return Poll::Ready(Exit::Killed) };
        match self.control.order() {
            Order::Serve | Order::Drain => {}
            Order::Stop => incarnation.stop(),
            Order::Kill => return Poll::Ready(Exit::Killed),
        }
        let cell = self.mailbox.cell();
        let was_waiting = incarnation.is_waiting();
        if !was_waiting {
            cell.occupy();
        }
        let outcome = guarded(|| incarnation.poll(cx));
        if !incarnation.is_waiting() {
            cell.vacate();
        }
        match outcome {
            Ok(poll) => poll,
            Err(panic) => Poll::Ready(self.crashed(panic)),
        }
    }

    fn crashed(&self, panic: Panic) -> Exit {
        let message = take_current_message();
        let text: Arc<str> = panic.text.as_str().into();
        report::panicked(self.mailbox.cell(), self.generation, message, "panic", panic);
        Exit::Panicked { text, message }
    }

    /// Takes the incarnation apart, parks its mailbox and reports its end; only the first time.
    fn finish(&mut self, exit: Exit) {
        let Some(incarnation) = self.incarnation.take() else { return };
        let cell = self.mailbox.cell().clone();
        let exit = if incarnation.was_up() { exit } else { as_start_failure(exit) };
        let (receiver, panics) = incarnation.dismantle();
        for panic in panics {
            let message = take_current_message();
            report::panicked(&cell, self.generation, message, "drop_panic", panic);
        }
        cell.vacate();
        let is_in_service = matches!(cell.life(), Life::Starting | Life::Up);
        if cell.generation() == self.generation && is_in_service {
            cell.set_life(Life::Restarting);
        }
        self.mailbox.park(receiver, &self.inlet);
        cell.announce_end(self.generation, &exit);
        self.overseer.ended(exit);
    }
}

/// An end before the incarnation was up is a failed start, unless it was asked for.
fn as_start_failure(exit: Exit) -> Exit {
    match exit {
        Exit::Failed { reason } => Exit::StartFailed { reason },
        Exit::Normal => Exit::StartFailed { reason: "stopped before it was up".into() },
        other => other,
    }
}

impl<A: Actor<Context = Supervised<A>>, O: Overseer> Future for Runner<A, O> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.register(cx.waker());
        match this.poll_incarnation(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(exit) => {
                this.finish(exit);
                Poll::Ready(())
            }
        }
    }
}

impl<A: Actor<Context = Supervised<A>>, O: Overseer> Drop for Runner<A, O> {
    fn drop(&mut self) {
        self.finish(Exit::Killed);
    }
}
