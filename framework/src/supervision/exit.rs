//! How an actor, a supervisor or a start can end.

use std::sync::Arc;

use thiserror::Error;

/// Why an incarnation of an actor, or a supervisor, has ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Exit {
    /// It stopped by itself, with `ctx.stop()`.
    #[error("ended normally")]
    Normal,
    /// It was asked to stop, or was told to by its supervisor's `AutoShutdown`.
    #[error("was shut down")]
    Shutdown,
    /// It gave up with [`Supervised::fail`](super::Supervised::fail).
    #[error("failed: {reason}")]
    Failed {
        /// What the actor said.
        reason: Arc<str>,
    },
    /// Its code panicked.
    #[error("panicked: {text}")]
    Panicked {
        /// The text of the panic.
        text: Arc<str>,
        /// The type of the message being handled, if there was one.
        message: Option<&'static str>,
    },
    /// Its factory or its initialisation failed.
    #[error("did not start: {reason}")]
    StartFailed {
        /// The child at fault and what it said.
        reason: Arc<str>,
    },
    /// It was not up within its `start_timeout`.
    #[error("did not start in time")]
    StartTimeout,
    /// It was killed, or its arbiter is gone.
    #[error("was killed")]
    Killed,
    /// It made no progress for its `hang_after`.
    #[error("hung")]
    Hung,
    /// A supervisor gave up: its children failed more often than its intensity allows.
    #[error("exceeded its restart intensity")]
    RestartsExceeded,
}

impl Exit {
    /// Whether a transient child is restarted after it.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown)
    }

    /// The word for it in metrics and reports.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Shutdown => "shutdown",
            Self::Failed { .. } => "failed",
            Self::Panicked { .. } => "panic",
            Self::StartFailed { .. } => "start_failed",
            Self::StartTimeout => "start_timeout",
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::RestartsExceeded => "restarts_exceeded",
        }
    }

    /// Whether the next incarnation should be placed elsewhere, even if the arbiter is there.
    pub(crate) fn suspects_arbiter(&self) -> bool {
        matches!(self, Self::Hung | Self::StartTimeout)
    }
}

/// Why a child's factory gave no actor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is nothing to do for this child; its supervisor goes on without it (OTP's `ignore`).
    #[error("declined to start")]
    Decline,
    /// The child cannot start.
    #[error("{reason}")]
    Failed {
        /// What was missing.
        reason: String,
    },
}

impl StartError {
    /// A failure, with what can be displayed as its reason.
    pub fn failed(reason: impl ToString) -> Self {
        Self::Failed { reason: reason.to_string() }
    }
}

/// Why a supervisor did not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("supervisor `{supervisor}` did not start: child `{child}` {exit}")]
#[non_exhaustive]
pub struct StartFailure {
    /// The supervisor.
    pub supervisor: Arc<str>,
    /// The first child that did not start; the supervisor itself if it was stopped before.
    pub child: String,
    /// How that child ended.
    pub exit: Exit,
}

impl StartFailure {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.exit {
            Exit::StartTimeout => "raise the child's `start_timeout`, or make its start shorter",
            Exit::Panicked { .. } => "its panic is in the log, with its location",
            _ => "the child's own error says what it needs; no restart is attempted at start",
        }
    }
}
