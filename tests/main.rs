//! Behaviour through the public door: one binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_input;
mod catalog;
mod commands;
mod conformance;
mod cpu;
mod differential;
mod embedding;
mod export;
mod faults;
mod isolation;
mod judge;
mod keys;
mod models;
mod nemo;
mod new;
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
mod view;
mod web;
