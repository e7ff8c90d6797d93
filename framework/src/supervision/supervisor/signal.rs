//! What goes between a supervisor, its children, its parent and its handles.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::super::decision::{Afterlife, Generation, Key, StopOrder};
use super::super::exit::{Exit, StartFailure};
use super::super::mailbox::Vessel;
use super::super::runner::Overseer;
use super::super::spec::ChildSpec;
use super::{ChildError, Stopped};

/// What a handle asks of a supervisor.
pub(super) enum Command {
    Start(Box<ChildSpec>, Reply),
    Terminate(String, Reply),
    Restart(String, Reply),
    Delete(String, Reply),
    Halt(Halt),
}

pub(super) type Reply = oneshot::Sender<Result<(), ChildError>>;

/// The order to end.
pub(super) struct Halt {
    pub(super) exit: Exit,
    pub(super) order: StopOrder,
    pub(super) afterlife: Afterlife,
}

/// What a child tells its supervisor.
pub(crate) struct Signal {
    pub(super) key: Key,
    pub(super) generation: Generation,
    pub(super) news: News,
}

pub(super) enum News {
    Up,
    Declined,
    /// It has ended; a supervisor hands over the mailboxes that it kept.
    Ended(Exit, Vec<Arc<dyn Vessel>>),
}

/// The line from one incarnation of a child to its supervisor. If it is dropped without having told
/// the end, the incarnation was killed: with its arbiter, or with its runtime.
pub(crate) struct Line {
    signals: mpsc::UnboundedSender<Signal>,
    key: Key,
    generation: Generation,
    is_settled: bool,
}

impl Line {
    pub(super) fn new(
        signals: mpsc::UnboundedSender<Signal>,
        key: Key,
        generation: Generation,
    ) -> Self {
        Self { signals, key, generation, is_settled: false }
    }

    /// A way to say "up" that leaves the line itself free for the end.
    pub(super) fn up_call(&self) -> impl FnOnce() + Send + 'static {
        let (signals, key, generation) = (self.signals.clone(), self.key, self.generation);
        move || send(&signals, Signal { key, generation, news: News::Up })
    }

    pub(super) fn declined(mut self) {
        self.settle(News::Declined);
    }

    pub(super) fn ended_with(&mut self, exit: Exit, remains: Vec<Arc<dyn Vessel>>) {
        self.settle(News::Ended(exit, remains));
    }

    fn settle(&mut self, news: News) {
        if !std::mem::replace(&mut self.is_settled, true) {
            let (key, generation) = (self.key, self.generation);
            send(&self.signals, Signal { key, generation, news });
        }
    }
}

fn send(signals: &mpsc::UnboundedSender<Signal>, signal: Signal) {
    // A supervisor that is gone has killed its children and needs no news of them.
    let _ = signals.send(signal);
}

impl Overseer for Line {
    fn ended(&mut self, exit: Exit) {
        self.ended_with(exit, Vec::new());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.ended_with(Exit::Killed, Vec::new());
    }
}

/// To whom a supervisor reports: to its handles, and to its parent.
pub(super) struct Superior {
    pub(super) started: watch::Sender<Option<Result<(), StartFailure>>>,
    pub(super) ended: watch::Sender<Option<Stopped>>,
    /// None at the root of a tree.
    pub(super) parent: Option<Parent>,
}

/// The line of a supervisor to the one above it.
pub(super) struct Parent {
    pub(super) up: Option<Box<dyn FnOnce() + Send>>,
    pub(super) line: Line,
}

impl Superior {
    /// What becomes of the children's mailboxes if the supervisor ends on its own account.
    pub(super) fn afterlife(&self) -> Afterlife {
        match self.parent {
            None => Afterlife::Close,
            Some(_) => Afterlife::Park,
        }
    }

    pub(super) fn tell_started(&mut self) {
        self.started.send_replace(Some(Ok(())));
        if let Some(up) = self.parent.as_mut().and_then(|parent| parent.up.take()) {
            up();
        }
    }

    pub(super) fn tell_ended(
        &mut self,
        stopped: Stopped,
        failure: StartFailure,
        remains: Vec<Arc<dyn Vessel>>,
    ) {
        self.started.send_if_modified(|known| {
            let is_new = known.is_none();
            if is_new {
                *known = Some(Err(failure));
            }
            is_new
        });
        let exit = stopped.exit.clone();
        self.ended.send_replace(Some(stopped));
        if let Some(Parent { line, .. }) = &mut self.parent {
            line.ended_with(exit, remains);
        }
    }
}
