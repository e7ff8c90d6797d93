//! The supervision trees, through the public door. Time stands still, except in `threads` and
//! `chaos`.
//!
//! What supervisors owe their children, mostly by Erlang/OTP's example, is 82 numbered cases:
//! `starts` 1-11, `restarts` 12-21, `strategies` 22-31, `intensity` 32-39, `backoff` 40-44,
//! `shutdown` 45-54, `admin` 55-62, `significance` 63-65, `messages` 66-76, `failures` 77-82;
//! those that need a second thread (52, 69, 70, 80, 81) are in `threads`. Each test that is a case
//! says its number.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "supervision/world.rs"]
mod world;

#[path = "supervision/admin.rs"]
mod admin;
#[path = "supervision/backoff.rs"]
mod backoff;
#[path = "supervision/chaos.rs"]
mod chaos;
#[path = "supervision/contexts.rs"]
mod contexts;
#[path = "supervision/failures.rs"]
mod failures;
#[path = "supervision/intensity.rs"]
mod intensity;
#[path = "supervision/messages.rs"]
mod messages;
#[path = "supervision/restarts.rs"]
mod restarts;
#[path = "supervision/shutdown.rs"]
mod shutdown;
#[path = "supervision/significance.rs"]
mod significance;
#[path = "supervision/starts.rs"]
mod starts;
#[path = "supervision/strategies.rs"]
mod strategies;
#[path = "supervision/threads.rs"]
mod threads;
