//! Behaviour through the public door: one binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_input;
mod catalog;
mod conformance;
mod cpu;
mod differential;
mod embedding;
mod export;
mod faults;
mod judge;
mod models;
mod office_data;
mod order;
mod outage;
mod prepare;
mod profile;
mod rescore;
mod resume;
mod support;
mod talk;
mod tree;
mod web;
