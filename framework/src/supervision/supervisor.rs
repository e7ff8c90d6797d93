//! Starts supervisors, and is the handle to a running one.
//!
//! A supervisor is a task on the tokio runtime that started it, never on a shard: a blocked shard
//! must not block its own rescue.

mod crew;
mod driver;
mod member;
mod probe;
mod signal;
mod timers;
mod undertaker;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::census;
use super::decision::{Afterlife, StopOrder};
use super::exit::{Exit, StartFailure};
use super::guard::install_hook;
use super::spec::{ChildSpec, SpecError, SupervisorSpec};
use super::tree::{Board, ChildState, TreeNode};
pub(crate) use crew::{Crew, Launch};
use driver::Driver;
use signal::{Command, Halt, Parent, Superior};

/// How a supervisor has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Why.
    pub exit: Exit,
    /// How many children were killed because their time to stop was over.
    pub forced: usize,
    /// How many of them still block a thread.
    pub abandoned: usize,
}

/// Why an administrative request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChildError {
    /// There is no child with this id.
    #[error("supervisor `{supervisor}` has no child `{id}`")]
    NotFound {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The id.
        id: String,
    },
    /// There is a child with this id, and it runs.
    #[error("child `{id}` runs already")]
    AlreadyStarted {
        /// The id.
        id: String,
    },
    /// There is a child with this id, and it does not run.
    #[error("child `{id}` is present, but does not run")]
    AlreadyPresent {
        /// The id.
        id: String,
    },
    /// The child runs.
    #[error("child `{id}` is running")]
    Running {
        /// The id.
        id: String,
    },
    /// The child is about to be started by its supervisor.
    #[error("child `{id}` is being restarted")]
    Restarting {
        /// The id.
        id: String,
    },
    /// The child was stopped before it was up.
    #[error("child `{id}` was stopped before it was up")]
    Stopped {
        /// The id.
        id: String,
    },
    /// The child did not start.
    #[error("child `{id}` {exit}")]
    StartFailed {
        /// The id.
        id: String,
        /// How it ended.
        exit: Exit,
    },
    /// The spec is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The supervisor ends or has ended.
    #[error("supervisor `{supervisor}` is shutting down")]
    ShuttingDown {
        /// The supervisor.
        supervisor: Arc<str>,
    },
}

impl ChildError {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "`which_children` lists the ids",
            Self::AlreadyStarted { .. } => "use the running child, or another id",
            Self::AlreadyPresent { .. } => "use `restart_child`, or `delete_child` first",
            Self::Running { .. } => "use `terminate_child` first",
            Self::Restarting { .. } => "wait for it, or use `terminate_child`",
            Self::Stopped { .. } => "somebody else terminated it meanwhile",
            Self::StartFailed { .. } => "the child's own error says what it needs",
            Self::Spec(error) => error.hint(),
            Self::ShuttingDown { .. } => "start a new supervisor",
        }
    }
}

/// One line of `which_children`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its id.
    pub id: String,
    /// What it is doing.
    pub state: ChildState,
    /// How often it was started.
    pub generation: u64,
    /// Whether it is a supervisor.
    pub is_supervisor: bool,
}

/// How many children a supervisor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildCounts {
    /// All, running or not.
    pub specs: usize,
    /// Those that run.
    pub active: usize,
    /// Those that are supervisors.
    pub supervisors: usize,
    /// Those that are actors.
    pub workers: usize,
}

/// Starts supervision trees.
#[derive(Debug)]
pub struct Supervisor;

impl Supervisor {
    /// Starts a supervisor and its children in order, each up before the next begins. It runs on
    /// the current tokio runtime until it is shut down or gives up, also if all handles are gone.
    ///
    /// # Errors
    /// If the spec is wrong or a child does not start. Those that had started are stopped.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(spec: SupervisorSpec) -> Result<SupervisorHandle, StartFailure> {
        let handle = Self::spawn(spec)?;
        let mut unfinished = HaltOnDrop(Some(handle.clone()));
        let started = handle.started().await;
        unfinished.0 = None;
        started.map(|()| handle)
    }

    /// Starts a supervisor without waiting for its children; see [`SupervisorHandle::started`].
    ///
    /// # Errors
    /// If the spec is wrong.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(spec: SupervisorSpec) -> Result<SupervisorHandle, StartFailure> {
        install_hook();
        let name = spec.name.clone();
        let spec = spec.build().map_err(|error| StartFailure {
            child: name.to_string(),
            supervisor: name.clone(),
            exit: Exit::StartFailed { reason: error.to_string().into() },
        })?;
        let (handle, _task) = launch(spec, None);
        census::enrol_root(&handle.board);
        Ok(handle)
    }
}

/// Starts the task of a supervisor whose spec was checked.
fn launch(spec: SupervisorSpec, parent: Option<Parent>) -> (SupervisorHandle, AbortHandle) {
    let board = Arc::new(Board::new(&spec));
    let (commands, inbox) = mpsc::unbounded_channel();
    let (up, started) = watch::channel(None);
    let (over, ended) = watch::channel(None);
    let superior = Superior { started: up, ended: over, parent };
    let driver = Driver::new(spec, board.clone(), inbox, superior);
    let task = tokio::spawn(driver.run()).abort_handle();
    (SupervisorHandle { commands, board, started, ended }, task)
}

/// Shuts a supervisor down whose start nobody waits for any more.
struct HaltOnDrop(Option<SupervisorHandle>);

impl Drop for HaltOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.halt(StopOrder::Stop);
        }
    }
}

/// Administers a running supervisor.
#[derive(Clone)]
pub struct SupervisorHandle {
    commands: mpsc::UnboundedSender<Command>,
    pub(super) board: Arc<Board>,
    started: watch::Receiver<Option<Result<(), StartFailure>>>,
    ended: watch::Receiver<Option<Stopped>>,
}

impl std::fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SupervisorHandle({})", self.board.name())
    }
}

impl SupervisorHandle {
    /// Waits until all children are up.
    ///
    /// # Errors
    /// If a child did not start, or the supervisor was shut down before.
    pub async fn started(&self) -> Result<(), StartFailure> {
        let mut started = self.started.clone();
        let outcome = started.wait_for(Option::is_some).await.ok().and_then(|known| known.clone());
        outcome.unwrap_or_else(|| {
            let supervisor = self.board.name().clone();
            let child = supervisor.to_string();
            Err(StartFailure { supervisor, child, exit: Exit::Killed })
        })
    }

    /// Adds a child at the end of the start order and waits until it is up.
    ///
    /// # Errors
    /// If the id is taken, or the child does not start; then it leaves no trace.
    pub async fn start_child(&self, child: ChildSpec) -> Result<(), ChildError> {
        self.request(|reply| Command::Start(Box::new(child), reply)).await
    }

    /// Stops a child and waits until it has ended. Its spec is kept unless it is temporary.
    ///
    /// # Errors
    /// If there is no such child.
    pub async fn terminate_child(&self, id: &str) -> Result<(), ChildError> {
        self.request(|reply| Command::Terminate(id.to_owned(), reply)).await
    }

    /// Starts a child again that is stopped, and waits until it is up.
    ///
    /// # Errors
    /// If there is no such child, or it is not stopped, or it does not start.
    pub async fn restart_child(&self, id: &str) -> Result<(), ChildError> {
        self.request(|reply| Command::Restart(id.to_owned(), reply)).await
    }

    /// Drops the spec of a child that is stopped.
    ///
    /// # Errors
    /// If there is no such child, or it is not stopped.
    pub async fn delete_child(&self, id: &str) -> Result<(), ChildError> {
        self.request(|reply| Command::Delete(id.to_owned(), reply)).await
    }

    /// The handle to a child that is a supervisor, in its present life: once restarted, it has
    /// another one.
    ///
    /// # Errors
    /// If there is no such supervisor.
    pub fn nested(&self, id: &str) -> Result<Self, ChildError> {
        let unknown =
            || ChildError::NotFound { supervisor: self.board.name().clone(), id: id.to_owned() };
        self.board.nested(id).ok_or_else(unknown)
    }

    /// Kills the actor or the supervisor with this path, in this supervisor or below, at its next
    /// poll. A supervisor takes its children along. What follows is the business of the supervisor
    /// above, as after a crash.
    ///
    /// # Errors
    /// If there is none. Sessions are not known by their paths.
    pub fn kill(&self, path: &str) -> Result<(), ChildError> {
        if self.board.kill(path) {
            return Ok(());
        }
        Err(ChildError::NotFound { supervisor: self.board.name().clone(), id: path.to_owned() })
    }

    /// Lists the children in start order. Answered from a board, also while the supervisor is busy.
    #[must_use]
    pub fn which_children(&self) -> Vec<ChildInfo> {
        self.board.which_children()
    }

    /// Counts the children.
    #[must_use]
    pub fn count_children(&self) -> ChildCounts {
        self.board.count_children()
    }

    /// A snapshot of the whole tree below this supervisor.
    #[must_use]
    pub fn tree(&self) -> TreeNode {
        self.board.snapshot()
    }

    /// Stops the children in reverse order, each within its own limit, and waits for the end.
    pub async fn shutdown(&self) -> Stopped {
        self.halt(StopOrder::Stop);
        self.ended().await
    }

    /// Stops the children in reverse order, each after it has handled what was queued; new
    /// messages to it are refused meanwhile. After `limit` they are killed, and what is left in
    /// their mailboxes is lost as dead letters.
    pub async fn drain(&self, limit: Duration) -> Stopped {
        self.halt(StopOrder::Drain { until: Instant::now() + limit });
        self.ended().await
    }

    /// Waits for the end and says why it came.
    pub async fn exited(&self) -> Exit {
        self.ended().await.exit
    }

    async fn ended(&self) -> Stopped {
        let mut ended = self.ended.clone();
        let outcome = ended.wait_for(Option::is_some).await.ok().and_then(|known| known.clone());
        outcome.unwrap_or(Stopped { exit: Exit::Killed, forced: 0, abandoned: 0 })
    }

    fn halt(&self, order: StopOrder) {
        let halt = Halt { exit: Exit::Shutdown, order, afterlife: Afterlife::Close };
        // If nobody takes the command the supervisor has ended, as wished.
        let _ = self.commands.send(Command::Halt(halt));
    }

    async fn request(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), ChildError>>) -> Command,
    ) -> Result<(), ChildError> {
        let (reply, mut outcome) = oneshot::channel();
        let shutting_down = || ChildError::ShuttingDown { supervisor: self.board.name().clone() };
        self.commands.send(command(reply)).map_err(|_| shutting_down())?;
        let answer = tokio::select! {
            biased;
            answer = &mut outcome => answer.ok(),
            // A command that is sent in the instant in which its receiver is dropped may stay in the
            // channel, reply and all, for as long as there are senders: nobody will answer it.
            _ = self.ended() => outcome.try_recv().ok(),
        };
        answer.unwrap_or_else(|| Err(shutting_down()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_nobody_took_before_the_end_is_refused() {
        let board = Arc::new(Board::new(&SupervisorSpec::new("root")));
        let (commands, _unread) = mpsc::unbounded_channel();
        let (_up, started) = watch::channel(None);
        let (over, ended) = watch::channel(None);
        let root = SupervisorHandle { commands, board, started, ended };
        let mut asking = pin!(root.terminate_child("collection"));
        assert_eq!(asking.as_mut().now_or_never(), None);
        over.send_replace(Some(Stopped { exit: Exit::RestartsExceeded, forced: 0, abandoned: 0 }));
        let refusal = ChildError::ShuttingDown { supervisor: "root".into() };
        assert_eq!(timeout(Duration::from_secs(60), asking).await, Ok(Err(refusal)));
    }
}
