//! `workbench`: a simulated office, in which the agent answers mail, moves meetings, and keeps boards
//! and customers up to date.
//!
//! E-mail, calendar, web analytics, project board, customer relations and company directory: 27 tools
//! over six tables (NeMo Gym: `workbench`, later `workplace_assistant`). It is always the last minute of
//! 30 November 2023. The reward says whether the office is as it should be: the calls of the transcript
//! are made again in a fresh world, those of the row's `ground_truth` in another, and the two must be
//! equal. What the assistant says, and what it only looked at, does not matter.
//!
//! Equal are the rows of e-mails, calendar, tasks, customers and plots, in their order and with their
//! labels (`table.rs` says what these are). Case does not count, but in `status`, `list_name` and
//! `board`; what is no text counts as nothing.
//!
//! The office that ships is ours, made with its tasks by `examples/office_data`. Another one, whose tables
//! have the same columns, is named by `settings: { data_dir: … }`: the folder that holds the tables, NeMo
//! Gym's `csv_data`, or the folder of its server.
//!
//! The verdict has no extras.
//!
//! # Differs from NeMo Gym
//!
//! - A row whose `ground_truth` is text, names a tool that does not exist, or has arguments which that
//!   tool does not take, is malformed. NeMo Gym makes no such call, so that doing nothing earns 1.
//! - A session is opened before its first call, always and once: there is no answer 400 for want of a
//!   seed, and a model that calls `seed_session` finds no such tool.
//! - A search for a regular expression ends after two seconds, with an error for the model; there it
//!   may hang. It runs beside the shard's other work.
//! - `now`, and a time without a date, are of the clock's day in UTC. Time zones known by another name
//!   than UTC's are ignored there too, but for the zone of the machine.
//! - `NaN` and infinities, which are no JSON, are refused as arguments while the session runs. The reward
//!   takes them as Python does.
//! - Events whose starts are written in different ways are sorted as points in time.
//! - A table that is missing or malformed is an error at the start, with file, line and column.

mod analytics;
mod calendar;
mod call;
mod customers;
mod directory;
mod email;
mod filter;
mod moment;
mod numpy;
mod page;
mod project;
mod replay;
mod sheet;
mod table;
mod toolbox;
mod world;

use std::path::PathBuf;
use std::sync::Arc;

use framework::cpu::CpuPool;
use framework::environment::python::Integer;
use framework::environment::{Environment, EnvironmentError, Evidence, Reward, Tools, Verdict};
use framework::responses::{Item, Response};
use framework::wiring::{BuildError, Wiring};
use schemars::JsonSchema;
use serde::Deserialize;

use replay::{Call, world_after};
use world::Office;
pub use world::World;

/// The environment's `settings:`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the tables. Default: those that ship.
    pub data_dir: Option<PathBuf>,
}

/// A dataset row, beside its prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "rows must have what they have in NeMo Gym's datasets")]
struct Row {
    /// The row's number in its dataset.
    id: Integer,
    /// The calls that lead to the state that earns 1.
    ground_truth: Vec<Reference>,
    /// What it is about.
    category: String,
    /// Where it comes from.
    environment_name: String,
}

/// A reference call.
#[derive(Debug, Deserialize, JsonSchema)]
struct Reference {
    /// The tool.
    name: String,
    /// Its arguments, as JSON text.
    arguments: String,
}

/// What a row says beyond the prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Row")]
#[schemars(with = "Row")]
pub struct Target {
    /// The reference calls, without those that change nothing.
    calls: Arc<[Call]>,
}

impl TryFrom<Row> for Target {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        let mut calls = Vec::with_capacity(row.ground_truth.len());
        for (index, Reference { name, arguments }) in row.ground_truth.iter().enumerate() {
            let read = Call::reference(name, arguments);
            calls.extend(read.map_err(|error| format!("`ground_truth[{index}]`: {error}"))?);
        }
        Ok(Self { calls: calls.into() })
    }
}

/// The environment.
#[derive(Debug)]
pub struct Workbench {
    office: Arc<Office>,
    cpu: CpuPool,
}

/// So many calls are replayed on the shard, which takes some 100 µs.
const INLINE_MAX: usize = 32;

impl Environment for Workbench {
    const KIND: &'static str = "workbench";
    const EVIDENCE: Evidence = Evidence::Transcript;
    type Config = Config;
    type Target = Target;
    type Session = World;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let office = match &config.data_dir {
            None => Office::shipped(),
            Some(folder) => Office::of_folder(folder).map_err(BuildError::new)?,
        };
        Ok(Self { office, cpu: wiring.cpu() })
    }

    fn tools(tools: &mut Tools<Self>) {
        toolbox::fill(tools);
    }

    async fn open(&self, _: &Target) -> Result<World, EnvironmentError> {
        Ok(World::new(&self.office))
    }

    async fn verify(
        &self,
        _: World,
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let made = response.output.iter().filter_map(Item::as_function_call);
        let made: Vec<_> =
            made.filter_map(|call| Call::read(&call.name, &call.arguments)).collect();
        let (office, wanted) = (self.office.clone(), target.calls.clone());
        let is_short = made.len() + wanted.len() <= INLINE_MAX;
        let compare = move || world_after(&office, &made).equals(&world_after(&office, &*wanted));
        let is_right = if is_short { compare() } else { self.cpu.run(compare).await };
        Ok(Verdict::new(Reward::earned(is_right)))
    }
}

#[cfg(test)]
mod tests;
