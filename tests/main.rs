//! Behaviour through the public door: one binary, one module a subject.

mod bad_input;
mod catalog;
mod conformance;
mod embedding;
mod faults;
mod order;
mod rescore;
mod resume;
mod support;
