//! Where a child lives.

use std::fmt;
use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle};

/// Whether a child may stay on the arbiter it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocation {
    /// The arbiter is fine, or the child had none.
    Stay,
    /// The child hung there, or the arbiter is gone: take another if there is one.
    Move,
}

/// Chooses the arbiter of each incarnation.
#[derive(Clone)]
pub struct Placement(Arc<dyn Fn(Relocation) -> ArbiterHandle + Send + Sync>);

impl Placement {
    /// Always the same arbiter.
    #[must_use]
    pub fn fixed(arbiter: ArbiterHandle) -> Self {
        Self::new(move |_| arbiter.clone())
    }

    /// Whatever `choose` says, asked before each start.
    pub fn new(choose: impl Fn(Relocation) -> ArbiterHandle + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    /// The arbiter of the calling thread.
    ///
    /// # Panics
    /// If this thread is not an arbiter's.
    #[must_use]
    pub fn current() -> Self {
        Self::fixed(Arbiter::current())
    }

    pub(crate) fn choose(&self, relocation: Relocation) -> ArbiterHandle {
        (self.0)(relocation)
    }
}

impl fmt::Debug for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Placement")
    }
}
