//! Behaviour through the public door: one binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]
#![expect(clippy::print_stdout, reason = "a test that skips says so in one line")]

mod bad_input;
mod catalog;
mod conformance;
mod embedding;
mod faults;
mod order;
mod rescore;
mod resume;
mod support;
