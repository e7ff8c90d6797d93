//! Request work that runs in its own task, beside its actor.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Message};

use crate::metrics;

use super::cell::{self, Counters};
use super::context::Supervised;
use super::guard::{Panic, drop_guarded, guarded};
use super::report;

/// The result of a handler whose work goes on after it: the actor serves the next message meanwhile.
///
/// | what happens | the actor | the caller |
/// |---|---|---|
/// | it completes | unaffected | gets the result |
/// | it panics | unaffected; counted and reported | gets `Crashed` |
/// | the caller leaves or its deadline passes | unaffected | – the task is cancelled |
/// | the incarnation ends | – | gets `Crashed`, the task is cancelled |
pub struct Task<R>(Pin<Box<dyn Future<Output = R>>>);

impl<R> Task<R> {
    /// Wraps the work. It runs on the actor's thread, so it must not block.
    pub fn new(work: impl Future<Output = R> + 'static) -> Self {
        Self(Box::pin(work))
    }
}

impl<R> std::fmt::Debug for Task<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

impl<A, M> MessageResponse<A, M> for Task<M::Result>
where
    A: Actor<Context = Supervised<A>>,
    M: Message,
{
    fn handle(self, context: &mut Supervised<A>, reply: Option<OneshotSender<M::Result>>) {
        let scope = context.scope();
        let mut job = Job {
            work: Some(self.0),
            reply,
            seat: scope.enter(),
            cell: context.cell().clone(),
            generation: context.generation(),
            message: std::any::type_name::<M>(),
        };
        // Much work is done without ever waiting; only what waits needs a task of its own.
        match job.poll_work(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => job.end(ended),
            Poll::Pending => {
                tokio::task::spawn_local(job);
            }
        }
    }
}

/// The lifetime of an incarnation's tasks: when it ends, each is woken and finds out.
pub(crate) struct Scope {
    has_ended: Cell<bool>,
    seats: RefCell<Seats>,
}

/// The wakers of the living tasks, and the free places between them.
#[derive(Default)]
struct Seats {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Scope {
    pub(crate) fn new() -> Self {
        Self { has_ended: Cell::new(false), seats: RefCell::default() }
    }

    fn enter(self: Rc<Self>) -> Seat {
        let mut seats = self.seats.borrow_mut();
        let index = seats.free.pop().unwrap_or_else(|| {
            seats.wakers.push(None);
            seats.wakers.len() - 1
        });
        drop(seats);
        Seat { scope: self, index }
    }

    pub(crate) fn end(&self) {
        self.has_ended.set(true);
        let wakers = std::mem::take(&mut self.seats.borrow_mut().wakers);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// One task's place in its scope.
struct Seat {
    scope: Rc<Scope>,
    index: usize,
}

impl Seat {
    fn poll_end(&self, cx: &Context<'_>) -> Poll<()> {
        if self.scope.has_ended.get() {
            return Poll::Ready(());
        }
        let mut seats = self.scope.seats.borrow_mut();
        let waker = &mut seats.wakers[self.index];
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.scope.seats.borrow_mut();
        if let Some(waker) = seats.wakers.get_mut(self.index) {
            *waker = None;
            seats.free.push(self.index);
        }
    }
}

/// A task that runs.
struct Job<R> {
    work: Option<Pin<Box<dyn Future<Output = R>>>>,
    reply: Option<OneshotSender<R>>,
    seat: Seat,
    cell: Arc<cell::Cell>,
    generation: u64,
    message: &'static str,
}

impl<R> Job<R> {
    fn end(&mut self, ended: Ended<R>) {
        match ended {
            Ended::Done(result) => {
                if let Some(reply) = self.reply.take() {
                    // The caller may have left in this instant: then nobody wants the result.
                    let _ = reply.send(result);
                }
            }
            Ended::Panicked(panic) => self.report(panic),
            Ended::Cancelled => Counters::count(&self.cell.counters().tasks_cancelled),
        }
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended<R>> {
        if self.seat.poll_end(cx).is_ready() {
            return Poll::Ready(Ended::Cancelled);
        }
        if let Poll::Ready(ended) = self.poll_work(cx) {
            return Poll::Ready(ended);
        }
        let has_left = self.reply.as_mut().is_some_and(|reply| reply.poll_closed(cx).is_ready());
        if has_left { Poll::Ready(Ended::Cancelled) } else { Poll::Pending }
    }

    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Ended<R>> {
        let Some(work) = &mut self.work else { return Poll::Ready(Ended::Cancelled) };
        match guarded(|| work.as_mut().poll(cx)) {
            Ok(Poll::Ready(result)) => Poll::Ready(Ended::Done(result)),
            Err(panic) => Poll::Ready(Ended::Panicked(panic)),
            Ok(Poll::Pending) => Poll::Pending,
        }
    }

    fn report(&self, panic: Panic) {
        Counters::count(&self.cell.counters().tasks_panicked);
        metrics::task_panicked(self.cell.path());
        report::panicked(&self.cell, self.generation, Some(self.message), "task_panic", panic);
    }
}

impl<R> Future for Job<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ended = ready!(self.poll_ended(cx));
        self.end(ended);
        Poll::Ready(())
    }
}

impl<R> Drop for Job<R> {
    fn drop(&mut self) {
        // The work is foreign code also when it is dropped; the reply goes after it.
        if let Some(panic) = drop_guarded(self.work.take()) {
            self.report(panic);
        }
    }
}

/// How a task ended.
enum Ended<R> {
    Done(R),
    Panicked(Panic),
    Cancelled,
}
