//! The models, agents and recorders that ship with Rehearsal.

pub mod openai;
pub mod scripted;
mod turn;
pub mod upstream;
