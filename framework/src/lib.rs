//! The contracts and the runtime of Rehearsal; it knows no concrete kind.
pub mod config;
pub mod responses;
