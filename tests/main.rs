//! Behaviour through the public door: one binary, one module a subject.

mod bad_input;
mod embedding;
mod faults;
mod resume;
mod support;
