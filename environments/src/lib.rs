//! The task worlds that ship with Rehearsal: one file each, with example tasks in `data/`.
//!
//! They are NeMo Gym's resources servers under their old names, and behave as those do, down to the
//! text that a model reads; each file lists where it differs and why.

pub mod equivalence_llm_judge;
pub mod instruction_following;
pub mod judge;
pub mod library_judge_math;
pub mod math;
pub mod mcqa;
pub mod multineedle;
pub mod multiverse_math_hard;
pub mod simple_weather;
pub mod stateful_counter;
pub mod structured_outputs;
mod transcript;
#[cfg(test)]
mod trials;

use framework::kinds::Kinds;

/// Registers every kind of environment.
#[must_use]
pub fn register(kinds: Kinds) -> Kinds {
    kinds
        .environment::<equivalence_llm_judge::EquivalenceJudge>()
        .environment::<instruction_following::InstructionFollowing>()
        .environment::<library_judge_math::LibraryJudgeMath>()
        .environment::<mcqa::Mcqa>()
        .environment::<multineedle::Multineedle>()
        .environment::<multiverse_math_hard::MultiverseMath>()
        .environment::<simple_weather::SimpleWeather>()
        .environment::<stateful_counter::StatefulCounter>()
        .environment::<structured_outputs::StructuredOutputs>()
}
