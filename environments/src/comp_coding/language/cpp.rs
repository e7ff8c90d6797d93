//! Solutions in C++: compiled in the sandbox, and run there, a process for each test.

use std::time::Duration;

use framework::environment::EnvironmentError;
use framework::wiring::{BuildError, Wiring};
use serde::Deserialize;

use super::{Clocks, Driven, Language, Opening, Program, Started};
use crate::sandbox::{Limits, Pool, Profile, Programs, Settings};

/// What runs in the sandbox.
const DRIVER: &str = include_str!("cpp.py");

const MEMORY: u64 = 4 << 30;
const DISK: u64 = 512 << 20;
const OUTPUT: u64 = 256 << 20;
/// A compiler, its assembler and linker, and the program.
const PROCESSES: u32 = 64;

/// The compiler.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CppSettings {
    /// Its program and arguments; the names of the files follow. It has to lie in the system's folders.
    pub compiler: Vec<String>,
    /// Seconds that it may take.
    pub compile_timeout_secs: u64,
}

impl Default for CppSettings {
    fn default() -> Self {
        let compiler = ["g++", "-O2", "-std=c++17", "-pipe", "-w"];
        Self { compiler: compiler.map(str::to_owned).into(), compile_timeout_secs: 60 }
    }
}

/// The language.
#[derive(Debug)]
pub(in super::super) struct Cpp {
    settings: CppSettings,
    pool: Pool,
}

impl Cpp {
    /// The language on the environment's pool of processes for it.
    ///
    /// # Errors
    /// Fails if there is no compiler.
    pub(in super::super) fn new(
        cpp: &CppSettings,
        settings: &Settings,
        wiring: &Wiring,
    ) -> Result<Self, BuildError> {
        let Some(compiler) = cpp.compiler.first() else {
            return Err(BuildError::new("`cpp.compiler` is empty"));
        };
        // That of an image is tried by the first solution.
        let is_here = settings.backend.engine().is_none();
        let tried = is_here.then(|| std::process::Command::new(compiler).arg("--version").output());
        if let Some(Err(error)) = tried {
            return Err(BuildError::new(format_args!(
                "`language: cpp` needs a compiler, and `{compiler}` does not run: {error}; hint: \
                 install one, such as Debian's package g++, or name another in `cpp.compiler`"
            )));
        }
        Ok(Self { settings: cpp.clone(), pool: Self::pool(settings, wiring) })
    }

    /// Where its processes are.
    pub(in super::super) fn pool(settings: &Settings, wiring: &Wiring) -> Pool {
        let limits = Limits {
            memory: MEMORY,
            disk: DISK,
            output: OUTPUT,
            processes: PROCESSES,
            ..Limits::default()
        };
        let (preload, programs) = (&["subprocess"], Programs::System);
        let profile = Profile { name: "cpp", driver: DRIVER, preload, programs, limits };
        Pool::of(settings, &profile, wiring)
    }
}

impl Language for Cpp {
    type Running = Driven;

    async fn start(&self, program: Program<'_>) -> Result<Started<Driven>, EnvironmentError> {
        let compile = Duration::from_secs(self.settings.compile_timeout_secs);
        let total = program.total + compile;
        let limits = Limits { wall: total, cpu: total, ..self.pool.limits().clone() };
        let output_max = limits.output;
        let execution = self.pool.execute(limits).await?;
        let compiler = &self.settings.compiler;
        let cpu_secs = program.test.cpu.as_secs().max(1);
        let code = program.code;
        let opening = Opening { code, mode: "stdin", name: None, output_max, compiler, cpu_secs };
        let clocks = Clocks { cpu: compile, wall: compile };
        Driven::start(execution, &opening, clocks).await
    }
}
