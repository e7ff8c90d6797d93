//! Foreign code, run where it can do no harm: what a model wrote runs in processes that the kernel
//! keeps apart from everything else, and that can be killed at any moment.
//!
//! A [`Pool`] keeps a few *workers* of one [`Profile`]. A worker is an interpreter that has imported what
//! is needed once; an [`Execution`] is a fork of it, in namespaces of its own, which gets work and
//! answers in frames of bytes over its [channel](Execution::send). How it ended is an [`Exit`], never
//! a guess. Nothing survives an execution: its processes die with its first one, its folders with
//! its mount namespace.
//!
//! Where that is, [`Settings::backend`] says: in namespaces of this machine (`native`), or in containers
//! of an engine, which are slower to make and need it, but work where namespaces are denied or images
//! hold what is needed.
//!
//! The program that runs in an execution is a *driver*: Python of ours, run once per worker after the
//! modules of the profile were imported, that defines `serve(channel)`. Each execution calls it:
//!
//! ```python
//! def serve(channel):
//!     while (frame := channel.receive()) is not None:   # bytes; None once the host has no more
//!         channel.send(run(frame))                      # bytes
//! ```
//!
//! A driver shares its process with the foreign code, so whatever it says may be a lie, and whatever it
//! knows may be read: expected outputs never go there, and the host judges what comes back. What keeps
//! foreign code inside, layer by layer, and what does not, is in `SECURITY.md`.

mod backend;
mod cgroup;
mod container;
mod execution;
mod filter;
mod interpreter;
mod keeper;
mod machine;
mod native;
mod pool;
mod turns;
mod walls;
mod watcher;
mod worker;
mod workspace;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use framework::config::ByteSize;
use framework::environment::EnvironmentError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use container::{ContainerSettings, Engine};
pub use execution::Execution;
pub use machine::{Layer, Machine, Need};
pub use pool::Pool;
pub use walls::walls;
pub use workspace::{Command, CommandEnded, File, Workspace, WorkspaceError};

/// The kinds of environments that run foreign code.
pub const KINDS: [&str; 3] = ["comp_coding", "mini_swe", "python_math_exec"];

/// The `sandbox:` of an environment's settings.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where foreign code runs.
    pub backend: BackendName,
    /// Whether foreign code is kept inside, by `backend: native`.
    pub isolation: Isolation,
    /// The image of containers, for the other backends.
    pub image: Option<String>,
    /// How containers are run, by the other backends.
    pub container: ContainerSettings,
    /// The interpreter: a path, or a name that is looked up in `PATH`; of the image in containers.
    pub python: PathBuf,
    /// Interpreters that wait, ready to be forked.
    pub workers: NonZeroUsize,
    /// Executions alive at once; more wait.
    pub executions_max: NonZeroUsize,
    /// Executions that may wait; more are refused.
    pub queue_max: NonZeroUsize,
    /// Memory of one execution, beyond what its worker had already.
    pub memory: Option<ByteSize>,
    /// What one execution may write to its folders.
    pub disk: Option<ByteSize>,
    /// What one execution may say.
    pub output: Option<ByteSize>,
    /// Processes and threads of one execution.
    pub processes: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        let number = |number| NonZeroUsize::new(number).expect("it is not 0");
        Self {
            backend: BackendName::default(),
            isolation: Isolation::default(),
            image: None,
            container: ContainerSettings::default(),
            python: "python3".into(),
            workers: number(1),
            executions_max: number(1024),
            queue_max: number(65_536),
            memory: None,
            disk: None,
            output: None,
            processes: None,
        }
    }
}

/// Where foreign code runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum BackendName {
    /// In processes that this machine's kernel keeps apart, without a daemon and without root.
    #[default]
    Native,
    /// In containers of Docker.
    Docker,
    /// In containers of Podman.
    Podman,
    /// In containers of Apptainer.
    Apptainer,
}

impl BackendName {
    /// What runs its containers; nothing if it has none.
    pub fn engine(self) -> Option<Engine> {
        match self {
            Self::Native => None,
            Self::Docker => Some(Engine::Docker),
            Self::Podman => Some(Engine::Podman),
            Self::Apptainer => Some(Engine::Apptainer),
        }
    }
}

/// Whether foreign code is kept inside.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// By everything that this machine's kernel has; at least by what `SECURITY.md` calls the minimum.
    #[default]
    Full,
    /// By nothing but its process's limits: for code that is trusted, on machines that permit no more.
    None,
}

/// What the workers of a pool are.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What tells it from other profiles of the same environment.
    pub name: &'static str,
    /// Python that defines `serve(channel)`. It finds the names of the modules that could not be
    /// imported in `missing`.
    pub driver: &'static str,
    /// Modules to import once, in this order, where the interpreter has them.
    pub preload: &'static [&'static str],
    /// Whether executions may start programs.
    pub programs: Programs,
    /// What an execution may use, unless its start says otherwise.
    pub limits: Limits,
}

/// Whether executions may start programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// No other process, no other program; threads only. Files: `/tmp`, where the code also runs.
    Denied,
    /// Programs of the system's folders, `/usr` above all. Files: `/tmp`, and `/workspace`, where the
    /// code runs.
    System,
    /// Programs of an image that each execution names, as its root; all of its files. In containers only.
    Image,
}

impl Programs {
    /// Where an execution may write, the last of them where it runs.
    fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Denied => &["/tmp"],
            Self::System => &["/tmp", "/workspace"],
            Self::Image => &[],
        }
    }
}

/// What one execution may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// From its start to its end.
    pub wall: Duration,
    /// Processor time of each of its processes, in whole seconds.
    pub cpu: Duration,
    /// Address space in bytes of each of its processes, beyond what the worker had already.
    pub memory: u64,
    /// Bytes that it may send.
    pub output: u64,
    /// Bytes in each of its folders.
    pub disk: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Open files of each of its processes.
    pub files: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(60),
            cpu: Duration::from_secs(60),
            memory: 1 << 30,
            output: 16 << 20,
            disk: 64 << 20,
            processes: 32,
            files: 256,
        }
    }
}

impl Limits {
    /// These limits, where the settings do not say otherwise.
    #[must_use]
    pub fn overridden(self, settings: &Settings) -> Self {
        Self {
            memory: settings.memory.map_or(self.memory, ByteSize::bytes),
            disk: settings.disk.map_or(self.disk, ByteSize::bytes),
            output: settings.output.map_or(self.output, ByteSize::bytes),
            processes: settings.processes.unwrap_or(self.processes),
            ..self
        }
    }

    /// These limits by the names that Python's `resource` has for them, with so much address space.
    fn resources(&self, memory: u64) -> BTreeMap<&'static str, u64> {
        let cpu = self.cpu.as_secs() + u64::from(self.cpu.subsec_nanos() > 0);
        BTreeMap::from([
            ("RLIMIT_AS", memory),
            ("RLIMIT_CORE", 0),
            ("RLIMIT_CPU", cpu.max(1)),
            ("RLIMIT_FSIZE", self.disk),
            ("RLIMIT_MEMLOCK", 0),
            ("RLIMIT_MSGQUEUE", 0),
            ("RLIMIT_NOFILE", self.files.into()),
            ("RLIMIT_NPROC", self.processes.into()),
        ])
    }
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exit {
    /// By itself.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// By a signal that it caused, such as an invalid access to memory.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// Killed at a deadline.
    TimedOut(Clock),
    /// It asked for more memory than it may have, or the kernel took it all back.
    OutOfMemory,
    /// It said more than it may.
    OutputLimit,
    /// Whoever started it had no more use for it.
    Killed,
    /// It could not be confined, so it never ran.
    Unconfined {
        /// Which step failed, and how.
        reason: String,
    },
    /// Its worker died, and it with it.
    WorkerLost,
}

impl Exit {
    /// Its name in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exited { .. } => "exited",
            Self::Signalled { .. } => "signalled",
            Self::TimedOut(Clock::Wall) => "timed_out_wall",
            Self::TimedOut(Clock::Cpu) => "timed_out_cpu",
            Self::OutOfMemory => "out_of_memory",
            Self::OutputLimit => "output_limit",
            Self::Killed => "killed",
            Self::Unconfined { .. } => "unconfined",
            Self::WorkerLost => "worker_lost",
        }
    }
}

/// What a deadline is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Time as it passes.
    Wall,
    /// Processor time used.
    Cpu,
}

/// How an execution ended and what it had used.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// Processor time used, with that of its reaped children.
    pub cpu: Duration,
    /// The most memory that it had resident, in bytes.
    pub memory_peak: u64,
}

/// Why there is no execution.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SandboxError {
    /// The interpreter does not run.
    #[error("the interpreter `{python}` does not run: {reason}")]
    Interpreter {
        /// As the settings have it.
        python: String,
        /// What went wrong.
        reason: String,
    },
    /// The machine does not give what isolation needs.
    #[error("this machine cannot keep foreign code inside: {lacks}")]
    Isolation {
        /// What it lacks.
        lacks: String,
    },
    /// Nothing runs the containers.
    #[error("`{program}` runs no containers: {reason}")]
    Engine {
        /// The engine's program.
        program: String,
        /// What went wrong.
        reason: String,
    },
    /// There is no image to run containers of.
    #[error("`sandbox.backend: {engine}` needs `sandbox.image`")]
    Image {
        /// The engine's name.
        engine: &'static str,
    },
    /// A worker does not start.
    #[error("no sandbox worker starts: {reason}")]
    Worker {
        /// What went wrong.
        reason: String,
    },
    /// Too many executions wait already.
    #[error("`sandbox.queue_max` ({queue_max}) executions wait already")]
    QueueFull {
        /// How many may wait.
        queue_max: usize,
    },
}

impl SandboxError {
    /// What the reader can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Interpreter { .. } => "name a Python of 3.9 or later in `sandbox.python`",
            Self::Isolation { .. } => {
                "see `rehearsal check` for what is missing and `SECURITY.md` for why it is needed; \
                 `sandbox.isolation: none` runs the code unprotected"
            }
            Self::Engine { .. } => {
                "install and start it, name its program in `sandbox.container.program`, or take \
                 `sandbox.backend: native`"
            }
            Self::Image { .. } => "name an image that has Python, such as `python:3.13-slim`",
            Self::Worker { .. } => "see the log for what the worker said",
            Self::QueueFull { .. } => "lower `collect.max_in_flight` or raise `sandbox.queue_max`",
        }
    }

    /// Whether another attempt may fare better.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Interpreter { .. }
            | Self::Isolation { .. }
            | Self::Engine { .. }
            | Self::Image { .. } => false,
            Self::Worker { .. } | Self::QueueFull { .. } => true,
        }
    }
}

impl From<SandboxError> for EnvironmentError {
    fn from(error: SandboxError) -> Self {
        let text = format!("{error}; {}", error.hint());
        if error.is_retryable() { Self::temporary(text) } else { Self::permanent(text) }
    }
}

/// Deadlines of one request to an execution that serves many.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Time as it passes.
    pub wall: Duration,
    /// Processor time.
    pub cpu: Duration,
}

#[cfg(test)]
pub(crate) use container::fake;

#[cfg(test)]
mod tests;
