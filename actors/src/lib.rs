//! The models, agents and recorders that ship with Rehearsal.

pub mod scripted;
mod turn;
