//! Everything that can break breaks, and every rollout still ends in exactly one way.

mod actors;
mod coding;
mod matrix;
mod recorder;
mod root;
mod sandbox;
mod supervisors;
