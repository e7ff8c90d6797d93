//! Waiting for a reply: until it is there, the deadline passes, or nobody is left to give it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::Message;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep, sleep_until};

use super::cell::Counters;
use super::mailbox::{Channel, Sent};

/// How a wait for a reply ended.
pub(super) enum Waited<R> {
    /// The reply came.
    Reply(R),
    /// It will not come from there.
    Gone,
    /// It did not come in time.
    Elapsed,
}

/// A wait for a reply.
///
/// What a long wait needs, a timer and an ear for the channel's retirement, is set up only if the
/// reply is not there after one more turn of this task: on one thread the actor, which was woken
/// before, has had its turn by then. That spares most asks a third of their cost; and as these stand
/// in boxes of their own, an ask that has not begun takes little room in the future that holds it.
pub(super) struct ReplyWait<M: Message> {
    sent: Sent<M>,
    channel: Arc<dyn Channel<M>>,
    /// Whether the channel may be retired under a blocked thread, which would keep both the reply
    /// and the message for ever.
    is_watched: bool,
    /// Whether the actor has had its turn.
    had_turn: bool,
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    retired: Option<BoxFuture<'static, ()>>,
}

impl<M: Message + 'static> ReplyWait<M> {
    pub(super) fn new(
        sent: Sent<M>,
        channel: Arc<dyn Channel<M>>,
        is_watched: bool,
        deadline: Instant,
    ) -> Self {
        let (had_turn, timer, retired) = (false, None, None);
        Self { sent, channel, is_watched, had_turn, deadline, timer, retired }
    }

    /// Takes the message back; `None` if its handling has started.
    pub(super) fn reclaim(&self, counters: &Counters) -> Option<M> {
        self.sent.delivery.reclaim(counters)
    }

    fn poll_retired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let begin = || retirement(self.channel.clone()).boxed();
        self.retired.get_or_insert_with(begin).as_mut().poll(cx)
    }
}

impl<M: Message + 'static> Future for ReplyWait<M> {
    type Output = Waited<M::Result>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(reply) = Pin::new(&mut self.sent.reply).poll(cx) {
            return Poll::Ready(reply.map_or(Waited::Gone, Waited::Reply));
        }
        if !std::mem::replace(&mut self.had_turn, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.is_watched && self.poll_retired(cx).is_ready() {
            return Poll::Ready(Waited::Gone);
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(cx).map(|()| Waited::Elapsed)
    }
}

async fn retirement<M: Message>(channel: Arc<dyn Channel<M>>) {
    let mut retired = pin!(channel.retirement().notified());
    retired.as_mut().enable();
    if !channel.is_retired() {
        retired.await;
    }
}
