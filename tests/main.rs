//! Behaviour through the public door: one binary, one module a subject.

mod faults;
mod resume;
mod support;
