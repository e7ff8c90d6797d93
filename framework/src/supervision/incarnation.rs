//! One life of an actor: the actor, its context and its end of the mailbox, polled as one future.
//!
//! The order is that of actix's `ContextFut`: `started`, then waited-for futures (latest first,
//! nothing else meanwhile), then messages, then spawned futures, then the state. An incarnation is
//! up once `started` and every wait that it queued are done, before the first message: so a poison
//! message behind a restart is a crash, not a failed start.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::dev::EnvelopeProxy;
use actix::dev::channel::AddressReceiver;
use actix::{Actor, ActorState, Running};
use futures_util::Stream;

use super::context::Supervised;
use super::control::{Control, Order};
use super::exit::Exit;
use super::guard::{Panic, drop_guarded, guarded};
use super::spawned::LocalActorFuture;
use super::waits::Waiter;

/// How many messages and futures are served before the neighbours on the shard get their turn.
const BUDGET: u32 = 64;

/// How far an incarnation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fresh,
    Initialising,
    Up,
    Stopped,
}

/// What came of serving one kind of work.
enum Served {
    /// There is none left.
    All,
    /// A wait was queued; it comes first.
    Interrupted,
    /// The budget is used up.
    Exhausted,
}

/// One life of an actor.
pub(crate) struct Incarnation<A: Actor<Context = Supervised<A>>> {
    actor: A,
    context: Supervised<A>,
    receiver: AddressReceiver<A>,
    waits: Vec<LocalActorFuture<A>>,
    stage: Stage,
    control: Arc<Control>,
    on_up: Option<Box<dyn FnOnce()>>,
}

impl<A: Actor<Context = Supervised<A>>> Incarnation<A> {
    /// `on_up` is called once the incarnation is ready to serve.
    pub(crate) fn new(
        actor: A,
        context: Supervised<A>,
        receiver: AddressReceiver<A>,
        control: Arc<Control>,
        on_up: Option<Box<dyn FnOnce()>>,
    ) -> Self {
        let stage = Stage::Fresh;
        Self { actor, context, receiver, waits: Vec::new(), stage, control, on_up }
    }

    /// Whether it has been up: what ends before that has failed to start.
    pub(crate) fn was_up(&self) -> bool {
        self.on_up.is_none()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waits.is_empty()
    }

    /// Begins an orderly stop on behalf of the supervisor.
    pub(crate) fn stop(&mut self) {
        self.context.end(Exit::Shutdown, ActorState::Stopping);
    }

    /// Runs until there is nothing to do, the budget is used up, or the life has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        if self.stage == Stage::Fresh && self.context.is_ending() {
            return Poll::Ready(self.context.take_exit());
        }
        self.begin();
        self.context.spawned().register(cx.waker());
        let mut budget = BUDGET;
        loop {
            if self.poll_waits(cx).is_pending() {
                return Poll::Pending;
            }
            self.announce_up();
            let served = match self.serve_messages(cx, &mut budget) {
                Served::All => self.serve_spawned(&mut budget),
                other => other,
            };
            match served {
                Served::Interrupted => continue,
                Served::Exhausted if !self.context.is_ending() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Served::All | Served::Exhausted => {}
            }
            if let Some(exit) = self.conclude() {
                return Poll::Ready(exit);
            }
            if !self.has_more_to_do() {
                // A future spawned for the first time in this very poll had no one to wake until now.
                self.context.spawned().register(cx.waker());
                if self.context.spawned().has_woken() {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        }
    }

    fn begin(&mut self) {
        if self.stage == Stage::Fresh {
            self.stage = Stage::Initialising;
            self.context.set_state(ActorState::Running);
            self.actor.started(&mut self.context);
            self.merge_waits();
        }
    }

    fn announce_up(&mut self) {
        if self.stage == Stage::Initialising && !self.context.is_ending() {
            self.stage = Stage::Up;
            if let Some(on_up) = self.on_up.take() {
                on_up();
            }
        }
    }

    fn merge_waits(&mut self) {
        self.waits.extend(self.context.take_waits());
        self.context.set_has_waits(!self.waits.is_empty());
    }

    /// Polls the latest wait until there is none, or one is pending.
    fn poll_waits(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.merge_waits();
        while !self.context.is_ending() {
            let Some(latest) = self.waits.len().checked_sub(1) else { break };
            let waiter = Waiter::enter(self.context.cell());
            let poll = self.waits[latest].as_mut().poll(&mut self.actor, &mut self.context, cx);
            drop(waiter);
            if poll.is_pending() && !self.context.is_ending() {
                return Poll::Pending;
            }
            self.waits.remove(latest);
            self.context.cell().advance();
            self.merge_waits();
        }
        Poll::Ready(())
    }

    fn serve_messages(&mut self, cx: &mut Context<'_>, budget: &mut u32) -> Served {
        while !self.context.is_ending() {
            if *budget == 0 {
                return Served::Exhausted;
            }
            if self.control.order() >= Order::Stop {
                return Served::All;
            }
            let Poll::Ready(Some(mut envelope)) = Pin::new(&mut self.receiver).poll_next(cx) else {
                self.finish_drain();
                return Served::All;
            };
            *budget -= 1;
            envelope.handle(&mut self.actor, &mut self.context);
            self.merge_waits();
            if !self.waits.is_empty() {
                return Served::Interrupted;
            }
        }
        Served::All
    }

    /// The queue is empty: if that was awaited, stop.
    fn finish_drain(&mut self) {
        if self.control.order() == Order::Drain {
            self.stop();
        }
    }

    fn serve_spawned(&mut self, budget: &mut u32) -> Served {
        while !self.context.is_ending() && self.control.order() < Order::Kill {
            let Some(mut woken) = self.context.spawned().next_woken() else { break };
            let poll = woken.poll(&mut self.actor, &mut self.context);
            self.merge_waits();
            let is_interrupted = !self.waits.is_empty();
            match poll {
                Poll::Pending => self.context.spawned().put_back(woken, is_interrupted),
                Poll::Ready(()) => self.context.spawned().finish_poll(),
            }
            if is_interrupted {
                return Served::Interrupted;
            }
            *budget = budget.saturating_sub(1);
            if *budget == 0 {
                return Served::Exhausted;
            }
        }
        Served::All
    }

    /// Whether hooks that ran after the work was served have queued more.
    fn has_more_to_do(&mut self) -> bool {
        self.merge_waits();
        !self.waits.is_empty()
    }

    /// Ends the life if its state says so.
    fn conclude(&mut self) -> Option<Exit> {
        if self.context.state() == ActorState::Stopping && !self.may_stop() {
            return None;
        }
        if !self.context.is_ending() {
            return None;
        }
        self.finish();
        Some(self.context.take_exit())
    }

    /// Asks the actor whether it agrees to stop. A supervisor does not ask.
    fn may_stop(&mut self) -> bool {
        let agrees = self.actor.stopping(&mut self.context) == Running::Stop;
        if agrees || self.context.exit() == Some(&Exit::Shutdown) {
            return true;
        }
        let _withdrawn = self.context.take_exit();
        self.context.set_state(ActorState::Running);
        false
    }

    fn finish(&mut self) {
        if self.stage != Stage::Stopped {
            self.stage = Stage::Stopped;
            self.context.set_state(ActorState::Stopped);
            self.actor.stopped(&mut self.context);
        }
    }

    /// Takes the life apart, each piece under its own guard, and returns the mailbox and what
    /// panicked on the way.
    pub(crate) fn dismantle(mut self) -> (AddressReceiver<A>, Vec<Panic>) {
        let mut panics = Vec::new();
        if self.stage != Stage::Fresh {
            panics.extend(guarded(|| self.finish()).err());
        }
        self.context.end_scope();
        for future in self.context.spawned().take_all() {
            panics.extend(drop_guarded(future));
        }
        let Self { actor, mut context, receiver, waits, .. } = self;
        for future in waits.into_iter().chain(context.take_waits()) {
            panics.extend(drop_guarded(future));
        }
        panics.extend(drop_guarded(context));
        panics.extend(drop_guarded(actor));
        (receiver, panics)
    }
}

impl<A: Actor<Context = Supervised<A>>> Supervised<A> {
    fn state(&self) -> ActorState {
        actix::ActorContext::state(self)
    }
}
