//! Starts the incarnations of one actor on its arbiter.

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, ArbiterHandle};

use super::super::cell::Life;
use super::super::context::Supervised;
use super::super::control::{Control, Order};
use super::super::exit::{Exit, StartError};
use super::super::guard::guarded;
use super::super::mailbox::{Mailbox, Vessel};
use super::super::placement::{Placement, Relocation};
use super::super::report;
use super::super::runner::{Overseer, Runner};
use super::signal::Line;

/// A child that is an actor, of whatever type.
pub(crate) trait Launch: Send + Sync {
    /// Its mailbox.
    fn vessel(&self) -> Arc<dyn Vessel>;
    /// Starts an incarnation. How that went is told over the line. Returns where it lives, if that
    /// could be decided.
    fn launch(
        &self,
        relocation: Relocation,
        control: Arc<Control>,
        line: Line,
    ) -> Option<ArbiterHandle>;
}

type Factory<A> = Arc<dyn Fn() -> Result<A, StartError> + Send + Sync>;

/// What is needed to start an actor again and again.
pub(crate) struct Crew<A: Actor> {
    mailbox: Arc<Mailbox<A>>,
    placement: Placement,
    factory: Factory<A>,
    /// Where the last incarnation lived.
    arbiter: Mutex<Option<ArbiterHandle>>,
}

impl<A: Actor<Context = Supervised<A>>> Crew<A> {
    pub(crate) fn new(mailbox: Arc<Mailbox<A>>, placement: Placement, factory: Factory<A>) -> Self {
        Self { mailbox, placement, factory, arbiter: Mutex::default() }
    }

    /// Chooses where the next incarnation lives: elsewhere, if the last one's arbiter is gone.
    fn choose(&self, relocation: Relocation) -> ArbiterHandle {
        let mut last = self.arbiter.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gone = last.take().is_some_and(|arbiter| !arbiter.alive());
        let relocation = if is_gone { Relocation::Move } else { relocation };
        last.insert(self.placement.choose(relocation)).clone()
    }
}

impl<A: Actor<Context = Supervised<A>>> Launch for Crew<A> {
    fn vessel(&self) -> Arc<dyn Vessel> {
        self.mailbox.clone()
    }

    fn launch(
        &self,
        relocation: Relocation,
        control: Arc<Control>,
        mut line: Line,
    ) -> Option<ArbiterHandle> {
        self.mailbox.refit();
        let generation = self.mailbox.cell().begin_generation();
        let arbiter = match guarded(|| self.choose(relocation)) {
            Ok(arbiter) => arbiter,
            Err(panic) => {
                let reason = format!("its placement panicked: {}", panic.text).into();
                report::panicked(self.mailbox.cell(), generation, None, "start_panic", panic);
                line.ended(Exit::StartFailed { reason });
                return None;
            }
        };
        let (mailbox, factory) = (self.mailbox.clone(), self.factory.clone());
        // If the arbiter is gone the closure is dropped, and the line with it: killed.
        arbiter.spawn_fn(move || embark(mailbox, &factory, control, generation, line));
        Some(arbiter)
    }
}

/// Builds an actor on its own thread and lets it run.
fn embark<A: Actor<Context = Supervised<A>>>(
    mailbox: Arc<Mailbox<A>>,
    factory: &Factory<A>,
    control: Arc<Control>,
    generation: u64,
    mut line: Line,
) {
    if control.order() == Order::Kill {
        return;
    }
    let cell = mailbox.cell().clone();
    let actor = match guarded(|| factory()) {
        Ok(Ok(actor)) => actor,
        Ok(Err(StartError::Decline)) => return line.declined(),
        Ok(Err(StartError::Failed { reason })) => {
            return line.ended(Exit::StartFailed { reason: reason.into() });
        }
        Err(panic) => {
            let reason = format!("its factory panicked: {}", panic.text).into();
            report::panicked(&cell, generation, None, "start_panic", panic);
            return line.ended(Exit::StartFailed { reason });
        }
    };
    let tell_up = line.up_call();
    let on_up = move || {
        if cell.generation() == generation && cell.life() == Life::Starting {
            cell.set_life(Life::Up);
        }
        tell_up();
    };
    // Without a mailbox the incarnation cannot live; the line that comes back reports it as killed.
    if let Ok(runner) =
        Runner::new(actor, mailbox, control, generation, line, Some(Box::new(on_up)))
    {
        tokio::task::spawn_local(runner);
    }
}
