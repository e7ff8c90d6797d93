//! The contracts and the runtime of Rehearsal; it knows no concrete kind.

pub mod agent;
pub mod collection;
pub mod config;
pub mod cpu;
mod dispatch;
pub mod endpoint;
pub mod environment;
pub mod http;
pub mod kinds;
pub mod lines;
pub mod metrics;
pub mod model;
pub mod prepare;
pub mod profile;
pub mod prompt;
pub mod recorder;
pub mod rescore;
pub mod responses;
pub mod rollout;
pub mod rows;
pub mod runtime;
mod shards;
pub mod supervision;
pub mod task;
pub mod wiring;
