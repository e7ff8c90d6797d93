//! A restart-proof, bounded way to send one type of message, whichever actor takes it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix::Message;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::{SemaphorePermit, TryAcquireError};
use tokio::time::{Instant, timeout_at};

use crate::metrics;

use super::cell::{Counters, Life};
use super::mailbox::{Channel, Port};
use super::reply::{ReplyWait, Waited};
use super::waits::Wait;

/// Why an ask has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AskError {
    /// The actor had started on the message and ended before it replied.
    #[error("actor `{actor}` crashed while it handled the message")]
    Crashed {
        /// The path of the actor.
        actor: Arc<str>,
    },
    /// The message never started, and the deadline left no room to send it again.
    #[error("the message to actor `{actor}` was lost before it started")]
    Lost {
        /// The path of the actor.
        actor: Arc<str>,
    },
    /// The deadline passed.
    #[error("actor `{actor}` did not answer in time")]
    Timeout {
        /// The path of the actor.
        actor: Arc<str>,
    },
    /// The actor has ended for good, or drains.
    #[error("actor `{actor}` is not available")]
    Unavailable {
        /// The path of the actor.
        actor: Arc<str>,
    },
}

impl AskError {
    /// The path of the actor that was asked.
    #[must_use]
    pub fn actor(&self) -> &Arc<str> {
        match self {
            Self::Crashed { actor }
            | Self::Lost { actor }
            | Self::Timeout { actor }
            | Self::Unavailable { actor } => actor,
        }
    }

    /// The word for it in metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Crashed { .. } => "crashed",
            Self::Lost { .. } => "lost",
            Self::Timeout { .. } => "timeout",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Crashed { .. } => {
                "the crash is in the log; the message may have had effects, so ask again only if \
                 it is idempotent"
            }
            Self::Lost { .. } => "it had no effect, so it can be sent again with a later deadline",
            Self::Timeout { .. } => {
                "give it a later deadline, or look at the tree for what the actor is busy with"
            }
            Self::Unavailable { .. } => "its supervisor has stopped it; the log says why",
        }
    }
}

/// Why a message was not accepted. It comes back.
#[derive(Error)]
#[non_exhaustive]
pub enum TellError<M> {
    /// The mailbox is full, and was so until the deadline.
    #[error("the mailbox of actor `{actor}` is full")]
    Full {
        /// The path of the actor.
        actor: Arc<str>,
        /// The message.
        message: M,
    },
    /// The actor has ended for good, or drains.
    #[error("actor `{actor}` is not available")]
    Unavailable {
        /// The path of the actor.
        actor: Arc<str>,
        /// The message.
        message: M,
    },
}

impl<M> TellError<M> {
    /// Takes the message back.
    pub fn into_message(self) -> M {
        match self {
            Self::Full { message, .. } | Self::Unavailable { message, .. } => message,
        }
    }

    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full { .. } => "send slower, or give the actor a larger mailbox",
            Self::Unavailable { .. } => "its supervisor has stopped it; the log says why",
        }
    }
}

impl<M> fmt::Debug for TellError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { actor, .. } => write!(f, "Full({actor})"),
            Self::Unavailable { actor, .. } => write!(f, "Unavailable({actor})"),
        }
    }
}

/// Sends messages of one type to one actor, across its restarts.
///
/// Clones are cheap and may be kept anywhere. Everything sent is bounded by the capacity of the
/// mailbox, and by a deadline.
pub struct Handle<M: Message> {
    port: Arc<dyn Port<M>>,
}

impl<M: Message> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self { port: self.port.clone() }
    }
}

impl<M: Message> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.port.cell().path())
    }
}

/// Why there is no place in a channel.
enum NoPlace {
    /// All places are taken.
    Full,
    /// Nobody is behind it any more.
    Gone,
}

impl<M> Handle<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    pub(crate) fn new(port: Arc<dyn Port<M>>) -> Self {
        Self { port }
    }

    /// The path of the actor.
    #[must_use]
    pub fn path(&self) -> &str {
        self.port.cell().path()
    }

    /// Sends a message and waits for its reply.
    ///
    /// Waits for room in the mailbox first. A message that provably never started is sent again,
    /// as long as the deadline allows; it is executed at most once. Dropping the future cancels
    /// the message, or the [`Task`](super::Task) that works on it.
    ///
    /// Where there is room, the message is sent by this call and not by the first poll: so the
    /// future of a waiting ask is small, and tens of thousands of them can wait.
    ///
    /// # Errors
    /// Every failure of [`AskError`], the deadline's at the latest.
    pub fn ask(
        &self,
        message: M,
        deadline: Instant,
    ) -> impl Future<Output = Result<M::Result, AskError>> + use<'_, M> {
        let stage = match self.try_send(message, deadline) {
            Ok(wait) => Stage::First(wait),
            Err(message) => {
                Stage::Repeated(self.ask_repeatedly(message, deadline, Sendings::None).boxed())
            }
        };
        Ask { handle: self, deadline, stage, noted: None }
    }

    /// Sends a message for a reply, if there is room right now.
    fn try_send(&self, mut message: M, deadline: Instant) -> Result<ReplyWait<M>, M> {
        while let Ok(channel) = self.try_place() {
            match self.send(channel, message, deadline) {
                Ok(wait) => return Ok(wait),
                Err(returned) => message = returned,
            }
        }
        Err(message)
    }

    fn send(
        &self,
        channel: Arc<dyn Channel<M>>,
        message: M,
        deadline: Instant,
    ) -> Result<ReplyWait<M>, M> {
        let sent = channel.clone().send(message)?;
        Ok(ReplyWait::new(sent, channel, self.port.cell().is_watched(), deadline))
    }

    /// Sends a message, waiting for room in the mailbox until the deadline. Senders that wait are
    /// served in the order in which they came.
    ///
    /// # Errors
    /// Gives the message back if there was no room, or if the actor has ended.
    pub async fn tell(&self, mut message: M, deadline: Instant) -> Result<(), TellError<M>> {
        loop {
            let place = match self.try_place() {
                Err(NoPlace::Full) => {
                    let _wait = Wait::begin(self.port.cell());
                    self.await_place(deadline).await
                }
                place => place,
            };
            match place {
                Ok(channel) => match channel.post(message) {
                    Ok(()) => return Ok(()),
                    Err(returned) => message = returned,
                },
                Err(no_place) => return Err(self.rejected(no_place, message)),
            }
        }
    }

    /// Sends a message if there is room right now.
    ///
    /// # Errors
    /// Gives the message back if there is no room, or if the actor has ended.
    pub fn try_tell(&self, mut message: M) -> Result<(), TellError<M>> {
        loop {
            match self.try_place() {
                Ok(channel) => match channel.post(message) {
                    Ok(()) => return Ok(()),
                    Err(returned) => message = returned,
                },
                Err(no_place) => return Err(self.rejected(no_place, message)),
            }
        }
    }

    async fn ask_repeatedly(
        &self,
        mut message: M,
        deadline: Instant,
        mut sendings: Sendings,
    ) -> Result<M::Result, AskError> {
        let _wait = Wait::begin(self.port.cell());
        loop {
            let place = match self.try_place() {
                Err(NoPlace::Full) => self.await_place(deadline).await,
                place => place,
            };
            let channel = match place {
                Ok(channel) => channel,
                Err(NoPlace::Full) if sendings == Sendings::Some => return Err(self.lost()),
                Err(NoPlace::Full) => return Err(self.timeout()),
                Err(NoPlace::Gone) => return Err(self.unavailable()),
            };
            let mut wait = match self.send(channel, message, deadline) {
                Ok(wait) => wait,
                Err(returned) => {
                    message = returned;
                    continue;
                }
            };
            message = match self.answer((&mut wait).await, &wait)? {
                Answer::Reply(reply) => return Ok(reply),
                Answer::Returned(message) => message,
            };
            sendings = Sendings::Some;
        }
    }

    /// What the end of a wait means.
    fn answer(
        &self,
        waited: Waited<M::Result>,
        wait: &ReplyWait<M>,
    ) -> Result<Answer<M>, AskError> {
        match waited {
            Waited::Reply(reply) => Ok(Answer::Reply(reply)),
            Waited::Elapsed => Err(self.timeout()),
            Waited::Gone => match wait.reclaim(self.port.cell().counters()) {
                Some(message) => Ok(Answer::Returned(message)),
                None => Err(AskError::Crashed { actor: self.actor() }),
            },
        }
    }

    /// Takes a place in the channel of this moment, without waiting.
    fn try_place(&self) -> Result<Arc<dyn Channel<M>>, NoPlace> {
        let channel = self.port.channel();
        let permit = channel.permits().try_acquire().map(SemaphorePermit::forget);
        match permit {
            Ok(()) => Ok(channel),
            Err(TryAcquireError::Closed) if self.is_closed() => Err(NoPlace::Gone),
            // Full, or being replaced by another channel right now.
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(NoPlace::Full),
        }
    }

    /// Takes a place, waiting for one until the deadline.
    async fn await_place(&self, deadline: Instant) -> Result<Arc<dyn Channel<M>>, NoPlace> {
        loop {
            let channel = self.port.channel();
            let permit = timeout_at(deadline, channel.permits().acquire()).await;
            match permit.map(|permit| permit.map(SemaphorePermit::forget)) {
                Err(_elapsed) => return Err(NoPlace::Full),
                Ok(Ok(())) => return Ok(channel),
                Ok(Err(_closed)) if self.is_closed() => return Err(NoPlace::Gone),
                Ok(Err(_closed)) if Instant::now() >= deadline => return Err(NoPlace::Full),
                // Another channel is about to take its place.
                Ok(Err(_closed)) => tokio::task::yield_now().await,
            }
        }
    }

    /// Whether a closed channel is closed for good.
    fn is_closed(&self) -> bool {
        match self.port.cell().life() {
            Life::Down | Life::Stopping => true,
            Life::Waiting | Life::Starting | Life::Up | Life::Restarting => false,
        }
    }

    fn rejected(&self, no_place: NoPlace, message: M) -> TellError<M> {
        Counters::count(&self.port.cell().counters().rejected);
        let actor = self.actor();
        match no_place {
            NoPlace::Full => TellError::Full { actor, message },
            NoPlace::Gone => TellError::Unavailable { actor, message },
        }
    }

    fn actor(&self) -> Arc<str> {
        self.port.cell().path().clone()
    }

    fn lost(&self) -> AskError {
        AskError::Lost { actor: self.actor() }
    }

    fn timeout(&self) -> AskError {
        AskError::Timeout { actor: self.actor() }
    }

    fn unavailable(&self) -> AskError {
        Counters::count(&self.port.cell().counters().rejected);
        AskError::Unavailable { actor: self.actor() }
    }
}

/// An ask under way. Written out, as tens of thousands may wait at a time: an `async` block would
/// keep several copies of what it moves.
struct Ask<'a, M: Message> {
    handle: &'a Handle<M>,
    deadline: Instant,
    stage: Stage<'a, M>,
    /// Who waits for whom here, once it has been polled.
    noted: Option<Wait>,
}

enum Stage<'a, M: Message> {
    /// The message was sent at once.
    First(ReplyWait<M>),
    /// It waits for room, or has come back once.
    Repeated(BoxFuture<'a, Result<M::Result, AskError>>),
}

impl<M> Future for Ask<'_, M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    type Output = Result<M::Result, AskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = loop {
            let Self { handle, deadline, stage, noted } = &mut *self;
            let handle: &Handle<M> = handle;
            noted.get_or_insert_with(|| Wait::begin(handle.port.cell()));
            let answer = match stage {
                Stage::Repeated(asking) => break ready!(asking.as_mut().poll(cx)),
                Stage::First(wait) => {
                    let waited = ready!(Pin::new(&mut *wait).poll(cx));
                    handle.answer(waited, wait)
                }
            };
            match answer {
                Ok(Answer::Reply(reply)) => break Ok(reply),
                Ok(Answer::Returned(message)) => {
                    let again = handle.ask_repeatedly(message, *deadline, Sendings::Some);
                    *stage = Stage::Repeated(again.boxed());
                }
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = &outcome {
            metrics::ask_failed(error.actor(), error.label());
        }
        Poll::Ready(outcome)
    }
}

/// Whether a message has been under way before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sendings {
    None,
    Some,
}

/// How one sending of an ask ended.
enum Answer<M: Message> {
    Reply(M::Result),
    Returned(M),
}
