//! Behaviour through the public door: one binary, one module a subject.

mod cpu;
mod faults;
mod resume;
mod support;
mod tree;
