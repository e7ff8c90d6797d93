//! What ships with Rehearsal and is not a task world: models, agents and recorders, one file each; and
//! exports for trainers.

pub mod anthropic;
pub mod azure_openai;
pub mod chat_completions;
pub mod export;
pub mod jsonl;
pub mod memory;
pub mod mini_swe;
mod nemo;
mod object;
pub mod openai;
pub mod replay;
pub mod scripted;
pub mod tool_loop;
mod turn;
pub mod upstream;

use framework::kinds::Kinds;

/// Registers every kind of this crate.
pub fn register(kinds: Kinds) -> Kinds {
    kinds
        .counterparts(nemo::COUNTERPARTS)
        .agent::<mini_swe::MiniSwe>()
        .agent::<tool_loop::ToolLoop>()
        .model::<anthropic::Anthropic>()
        .model::<azure_openai::AzureOpenai>()
        .model::<chat_completions::ChatCompletions>()
        .model::<openai::Openai>()
        .model::<replay::Replay>()
        .model::<scripted::Scripted>()
}
