//! The supervision trees, through the public door. Time stands still unless a test says otherwise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "supervision/world.rs"]
mod world;

#[path = "supervision/messages.rs"]
mod messages;
#[path = "supervision/starts.rs"]
mod starts;
#[path = "supervision/strategies.rs"]
mod strategies;
