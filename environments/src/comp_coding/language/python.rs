//! Solutions in Python: a fork of a warm interpreter for each, which stays for all of its tests.

use framework::environment::EnvironmentError;
use framework::wiring::Wiring;

use super::{Driven, Language, Opening, Program, Started};
use crate::sandbox::{Limits, Pool, Profile, Programs, Settings};

/// What runs in the sandbox.
const DRIVER: &str = include_str!("python.py");

/// Memory that a solution may use, as in NeMo Gym.
const MEMORY: u64 = 4 << 30;
/// What a solution may write, its input and its output among it.
const DISK: u64 = 512 << 20;
/// What a solution may print in all of its tests.
const OUTPUT: u64 = 256 << 20;

/// The language.
#[derive(Debug)]
pub(in super::super) struct Python {
    pool: Pool,
}

impl Python {
    /// The language on the environment's pool of interpreters.
    pub(in super::super) fn new(settings: &Settings, wiring: &Wiring) -> Self {
        let limits = Limits { memory: MEMORY, disk: DISK, output: OUTPUT, ..Limits::default() };
        let (preload, programs) = (&[], Programs::Denied);
        let profile = Profile { name: "python", driver: DRIVER, preload, programs, limits };
        Self { pool: Pool::of(settings, &profile, wiring) }
    }

    /// Where its processes are.
    pub(in super::super) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Language for Python {
    type Running = Driven;

    async fn start(&self, program: Program<'_>) -> Result<Started<Driven>, EnvironmentError> {
        let limits =
            Limits { wall: program.total, cpu: program.total, ..self.pool.limits().clone() };
        let output_max = limits.output;
        let execution = self.pool.execute(limits).await?;
        let mode = if program.function.is_some() { "call" } else { "stdin" };
        let Program { code, function, clocks, .. } = program;
        let opening =
            Opening { code, mode, name: function, output_max, compiler: &[], cpu_secs: 0 };
        Driven::start(execution, &opening, clocks).await
    }
}
