//! The task worlds that ship with Rehearsal: one file each, with example tasks in `data/`.
//!
//! They are NeMo Gym's resources servers under their old names, and behave as those do, down to the
//! text that a model reads; each file lists where it differs and why.

pub mod comp_coding;
pub mod equivalence_llm_judge;
pub mod google_search;
pub mod instruction_following;
pub mod judge;
pub mod library_judge_math;
pub mod math;
pub mod mcqa;
pub mod mini_swe;
pub mod multineedle;
pub mod multiverse_math_hard;
mod nemo;
pub mod python_math_exec;
pub mod sandbox;
pub mod simple_weather;
pub mod stateful_counter;
pub mod structured_outputs;
mod transcript;
#[cfg(test)]
mod trials;
pub mod workbench;

use framework::kinds::Kinds;

/// Registers every kind of environment.
#[must_use]
pub fn register(kinds: Kinds) -> Kinds {
    kinds
        .counterparts(nemo::COUNTERPARTS)
        .environment::<comp_coding::CompCoding>()
        .environment::<equivalence_llm_judge::EquivalenceJudge>()
        .environment::<google_search::GoogleSearch>()
        .environment::<instruction_following::InstructionFollowing>()
        .environment::<library_judge_math::LibraryJudgeMath>()
        .environment::<mcqa::Mcqa>()
        .environment::<mini_swe::MiniSwe>()
        .environment::<multineedle::Multineedle>()
        .environment::<multiverse_math_hard::MultiverseMath>()
        .environment::<python_math_exec::PythonMathExec>()
        .environment::<simple_weather::SimpleWeather>()
        .environment::<stateful_counter::StatefulCounter>()
        .environment::<structured_outputs::StructuredOutputs>()
        .environment::<workbench::Workbench>()
}
