//! placeholder

mod metrics;
pub mod supervision;
