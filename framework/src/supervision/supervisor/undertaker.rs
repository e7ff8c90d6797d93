//! What is left to do for a supervisor that has died: to wait for the end of its children.
//!
//! Its parent may start a successor as soon as it hears of the death. If the children lived on then,
//! even until their next poll, an actor would have two incarnations.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::super::decision::{Afterlife, Generation, KILL_GRACE, Key};
use super::super::exit::{Exit, StartFailure};
use super::super::mailbox::Vessel;
use super::Stopped;
use super::signal::{News, Signal, Superior};

/// Tells the superior of a death: when the children have ended, when they have had time enough, or when
/// the runtime is gone.
pub(super) struct Undertaker {
    pub(super) superior: Superior,
    pub(super) signals: mpsc::UnboundedReceiver<Signal>,
    /// The children that were killed.
    pub(super) dying: BTreeMap<Key, Generation>,
    pub(super) remains: Vec<Arc<dyn Vessel>>,
    pub(super) failure: StartFailure,
}

impl Undertaker {
    /// Begins to wait, if there is a runtime to wait on.
    pub(super) fn begin(self) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.wait());
        }
    }

    async fn wait(mut self) {
        let grace = Instant::now() + KILL_GRACE;
        while !self.dying.is_empty() {
            let Ok(Some(signal)) = timeout_at(grace, self.signals.recv()).await else { return };
            self.notice(signal);
        }
    }

    fn notice(&mut self, Signal { key, generation, news }: Signal) {
        let remains = match news {
            News::Up => return,
            News::Declined => Vec::new(),
            News::Ended(_, remains) => remains,
        };
        self.remains.extend(remains);
        if self.dying.get(&key) == Some(&generation) {
            self.dying.remove(&key);
        }
    }
}

impl Drop for Undertaker {
    fn drop(&mut self) {
        let remains = std::mem::take(&mut self.remains);
        if self.superior.afterlife() == Afterlife::Close {
            remains.iter().for_each(|vessel| vessel.close());
        }
        let stopped = Stopped { exit: Exit::Killed, forced: 0, abandoned: self.dying.len() };
        self.superior.tell_ended(stopped, self.failure.clone(), remains);
    }
}
