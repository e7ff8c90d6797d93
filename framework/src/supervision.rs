//! Supervision trees with the semantics of Erlang/OTP, for actix actors.
//!
//! `actix::Supervisor` loses its child on a panic, so supervision is ours. An actor changes one
//! line, `type Context = Supervised<Self>`, and then lives in a tree: its crash is caught, a
//! [`Supervisor`] decides, and a new incarnation is built from the factory, never from the state
//! that crashed. Whoever holds a [`Handle`] notices nothing, since the mailbox outlives the actor:
//!
//! | a message that is … | restart | relocation of a blocked actor | terminal stop |
//! |---|---|---|---|
//! | being handled, or worked on by a [`Task`] | `Crashed` | `Crashed` | `Crashed` |
//! | queued by `ask` | kept, served in order | sent again by `ask` itself | `Unavailable` |
//! | queued by `tell` | kept, served in order | dead letter | dead letter |
//! | waiting for room | keeps waiting | keeps waiting | `Unavailable`, message returned |
//!
//! | the child's end | permanent | transient | temporary |
//! |---|---|---|---|
//! | normal, shutdown | restarted | kept as stopped | forgotten |
//! | panic, failure, kill, hang | restarted | restarted | forgotten |
//!
//! The parts, from the message inwards: `handle` and `mailbox` send, `envelope` carries,
//! `incarnation` polls one life of an actor, `runner` catches its end, `decision` is the pure
//! function that says what follows, and `supervisor` does it. Time is tokio's, so that tests run on
//! a paused clock.

#[cfg(panic = "abort")]
compile_error!(
    "supervision needs `panic = \"unwind\"`: with `abort` the first crash ends the process"
);

mod cell;
mod census;
mod context;
mod control;
mod decision;
mod dynamic;
mod envelope;
mod exit;
mod guard;
mod handle;
mod incarnation;
mod mailbox;
mod placement;
mod policy;
mod reference;
mod reply;
mod report;
mod runner;
mod spawned;
mod spec;
mod supervisor;
mod task;
mod tree;
mod waits;

pub use cell::ActorStats;
pub use census::publish_metrics;
pub use context::Supervised;
pub use dynamic::{DynamicSupervisor, LimitReached};
pub use exit::{Exit, StartError, StartFailure};
pub use handle::{AskError, Handle, TellError};
pub use placement::{Placement, Relocation};
pub use policy::{AutoShutdown, Backoff, Intensity, Restart, Shutdown, Strategy};
pub use reference::ActorRef;
pub use report::{FailureReport, ObserverGuard, observe_failures};
pub use spec::{ChildSpec, SpecError, SupervisorSpec};
pub use supervisor::{ChildCounts, ChildError, ChildInfo, Stopped, Supervisor, SupervisorHandle};
pub use task::Task;
pub use tree::{Busy, ChildState, NodeKind, TreeNode};
