//! The contracts and the runtime of Rehearsal; it knows no concrete kind.

pub mod agent;
pub mod collection;
pub mod config;
pub mod environment;
pub mod kinds;
pub mod metrics;
pub mod model;
pub mod recorder;
pub mod responses;
pub mod rollout;
pub mod runtime;
pub mod supervision;
pub mod task;
pub mod wiring;
