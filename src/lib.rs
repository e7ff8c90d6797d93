//! Rehearsal runs reinforcement-learning rollouts of LLM agents as supervised actors in one process.
//!
//! This is the facade that an embedder adds: [`kinds`] registers everything that ships, [`prelude`]
//! has what most programs need, and the three packages are re-exported whole.
//!
//! ```no_run
//! use rehearsal::prelude::*;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Loader::new().file("configs/simple_weather.yaml").load()?;
//! let runtime = Runtime::start(config, &rehearsal::kinds()).await?;
//! let records = MemoryRecorder::new();
//! let collection = runtime.collection()?;
//! let summary =
//!     runtime.collect(collection, Arc::new(records.clone()), Arc::new(Progress::default())).await?;
//! println!("{} rollouts", summary.scored);
//! runtime.stop().await;
//! # Ok(())
//! # }
//! ```

pub use actors;
pub use environments;
pub use framework;

/// What most programs need.
pub mod prelude {
    pub use std::sync::Arc;

    pub use actors::jsonl::{Existing, JsonlRecorder};
    pub use actors::memory::MemoryRecorder;
    pub use framework::agent::{Agent, Attempt, Ports};
    pub use framework::collection::{Collection, Progress, Summary};
    pub use framework::config::Loader;
    pub use framework::environment::{
        Environment, EnvironmentError, Reward, ToolError, Tools, Verdict,
    };
    pub use framework::kinds::Kinds;
    pub use framework::model::{Generate, Model, ModelError};
    pub use framework::responses::{Item, Request, Response};
    pub use framework::rollout::{Failure, Outcome, Rollout};
    pub use framework::runtime::Runtime;
    pub use framework::supervision::{ActorRef, ChildSpec, Handle, Supervised};
    pub use framework::task::{RolloutKey, Task, TaskId};
    pub use framework::wiring::{BuildError, Wiring};
}

/// Every kind that ships.
pub fn kinds() -> framework::kinds::Kinds {
    environments::register(actors::register(framework::kinds::Kinds::new()))
}

/// The README's programs, so that they go on compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
