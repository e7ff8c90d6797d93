//! The command lines of Docker, Podman and Apptainer.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::sandbox::native::{ENVIRONMENT, ZYGOTE};
use crate::sandbox::{Limits, Programs, SandboxError};

/// How long the engine may take to answer a question.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// The label of every container that is made here.
const LABEL: &str = "rehearsal.sandbox";
/// Memory of a container beyond what its execution may use: the interpreter, and what it has imported.
const MEMORY_BASE: u64 = 512 << 20;
/// A user of the image that owns nothing.
const NOBODY: &str = "65534:65534";
/// What root of an image needs for work on its files.
const FILE_CAPABILITIES: [&str; 5] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];

/// What runs containers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// Apptainer, formerly Singularity.
    Apptainer,
}

/// How containers are run.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerSettings {
    /// The engine's program. Default: its name, looked up in `PATH`.
    pub program: Option<PathBuf>,
    /// Whether what runs in them reaches the network.
    pub network: bool,
    /// Processors of each.
    pub cpus: f64,
    /// Whether the engine limits memory, processors and processes, for which Apptainer and Podman need
    /// control groups v2 where they do not run as root.
    pub control_groups: bool,
}

impl Default for ContainerSettings {
    fn default() -> Self {
        Self { program: None, network: false, cpus: 1.0, control_groups: true }
    }
}

impl Engine {
    pub(in crate::sandbox) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Apptainer => "apptainer",
        }
    }

    /// Whether containers are children of the program that runs them, and not of a daemon or a monitor.
    pub(super) fn is_parent(self) -> bool {
        match self {
            Self::Docker | Self::Podman => false,
            Self::Apptainer => true,
        }
    }
}

/// A container that is wanted.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) name: &'a str,
    pub(super) image: &'a str,
    pub(super) python: &'a Path,
    pub(super) programs: Programs,
    pub(super) limits: &'a Limits,
    pub(super) settings: &'a ContainerSettings,
}

/// Calls one engine.
#[derive(Debug)]
pub(super) struct Caller {
    engine: Engine,
    program: PathBuf,
    has_control_groups: bool,
    owner: Owner,
}

impl Caller {
    pub(super) fn new(engine: Engine, settings: &ContainerSettings) -> Self {
        let program = settings.program.clone().unwrap_or_else(|| engine.name().into());
        Self {
            engine,
            program,
            has_control_groups: settings.control_groups,
            owner: Owner::current(),
        }
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    /// The engine's program, for messages.
    pub(super) fn shown(&self) -> String {
        self.program.display().to_string()
    }

    /// The name of this process's container of that number.
    pub(super) fn name_of(&self, number: u64) -> String {
        format!("{}-{number}", self.owner.prefix())
    }

    /// Removes containers whose processes are gone; also shows whether the engine works.
    ///
    /// # Errors
    /// Fails if it does not.
    pub(super) fn remove_left_over(&self) -> Result<(), SandboxError> {
        let ours = format!("label={LABEL}");
        let arguments: &[&str] = match self.engine {
            Engine::Docker | Engine::Podman => {
                &["ps", "-a", "--filter", &ours, "--format", "{{.Names}}"]
            }
            Engine::Apptainer => &["--version"],
        };
        let failed = |reason: String| SandboxError::Engine { program: self.shown(), reason };
        let said = self.ask(arguments).map_err(failed)?;
        if self.engine.is_parent() {
            return Ok(());
        }
        for name in said.lines().filter(|name| Owner::of(name).is_some_and(|it| it.is_gone())) {
            tracing::info!(container = name, "removing a container that a killed process left");
            self.remove(name);
        }
        Ok(())
    }

    /// The command that makes a container and connects its standard input and output.
    pub(super) fn run(&self, order: &Order<'_>) -> Command {
        let arguments = match self.engine {
            Engine::Docker | Engine::Podman => docker_arguments(order),
            Engine::Apptainer => apptainer_arguments(order),
        };
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["-I", "-B", "-c", ZYGOTE, "contained"]);
        command
    }

    /// Begins to remove a container, running or not, and does not wait for it.
    pub(super) fn remove(&self, name: &str) {
        let arguments: &[&str] = match self.engine {
            Engine::Docker => &["rm", "-f"],
            // Without waiting for it to end by itself.
            Engine::Podman => &["rm", "-f", "-t", "0"],
            Engine::Apptainer => return,
        };
        let mut command = Command::new(&self.program);
        command.args(arguments).arg(name);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Begun here, so that it is under way even if this process ends next.
        if let Ok(mut child) = command.spawn() {
            std::thread::spawn(move || child.wait());
        }
    }

    /// Limits that an execution sets itself, which has so much address space already; the engine has set
    /// the others.
    pub(super) fn resources(
        &self,
        programs: Programs,
        limits: &Limits,
        memory: u64,
    ) -> BTreeMap<&'static str, u64> {
        let mut resources = limits.resources(memory.saturating_add(limits.memory));
        if self.has_control_groups {
            // By user, which containers may share with others of the host.
            resources.remove("RLIMIT_NPROC");
            if programs == Programs::Image {
                // Programs of an image may map more than they use.
                resources.remove("RLIMIT_AS");
            }
        }
        resources
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| error.to_string())?;
        finish(child, ANSWER_MAX)
    }
}

/// Waits for a program that is asked something, and tells what it said, or why it did not.
fn finish(mut child: Child, patience: Duration) -> Result<String, String> {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.map(|pipe| pipe.take(1 << 20).read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let said = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let complained = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let deadline = Instant::now() + patience;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not answer within {} s", patience.as_secs()));
            }
            None => std::thread::park_timeout(Duration::from_millis(5)),
        }
    };
    let complained = complained.join().unwrap_or_default();
    if status.success() {
        return Ok(said.join().unwrap_or_default());
    }
    Err(reason(&complained).unwrap_or_else(|| format!("it ended with {status}")))
}

/// The reason in what an engine says: its last line that is no advice.
pub(super) fn reason(said: &str) -> Option<String> {
    let lines = said.lines().map(str::trim);
    let is_advice = |line: &&str| line.is_empty() || line.contains("--help'");
    lines.rev().find(|line| !is_advice(line)).map(str::to_owned)
}

/// What Docker and Podman, which take the same, are told.
fn docker_arguments(order: &Order<'_>) -> Vec<String> {
    let Order { name, image, python, programs, limits, settings } = order;
    let mut arguments: Vec<String> = [
        "run",
        "-i",
        "--rm",
        "--name",
        name,
        "--label",
        LABEL,
        // What comes out is an execution's frames, and nothing to be kept.
        "--log-driver",
        "none",
        "--security-opt",
        "no-new-privileges",
        "--cap-drop",
        "ALL",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut add = |more: &[&str]| arguments.extend(more.iter().map(|it| (*it).to_owned()));
    if !settings.network {
        add(&["--network", "none"]);
    }
    if settings.control_groups {
        let memory = format!("{}b", memory_of(limits));
        let (cpus, processes) = (settings.cpus.to_string(), limits.processes.to_string());
        add(&["--memory", &memory, "--memory-swap", &memory, "--cpus", &cpus]);
        add(&["--pids-limit", &processes]);
    }
    match programs {
        Programs::Denied | Programs::System => {
            add(&["--read-only", "--ipc", "none", "--user", NOBODY]);
            let may_run = if *programs == Programs::Denied { "noexec" } else { "exec" };
            for folder in programs.folders() {
                let size = limits.disk;
                let options = format!("{folder}:rw,nosuid,nodev,{may_run},size={size},mode=1777");
                add(&["--tmpfs", &options, "-w", folder]);
            }
            for (name, value) in ENVIRONMENT {
                add(&["-e", &format!("{name}={value}")]);
            }
        }
        Programs::Image => {
            for capability in FILE_CAPABILITIES {
                add(&["--cap-add", capability]);
            }
        }
    }
    add(&["--entrypoint", &python.to_string_lossy(), image]);
    arguments
}

fn apptainer_arguments(order: &Order<'_>) -> Vec<String> {
    let Order { image, python, programs, limits, settings, .. } = order;
    // Without an init of Apptainer's, the interpreter is process 1, whose end ends all others.
    let mut arguments: Vec<String> =
        ["exec", "--containall", "--cleanenv", "--no-init"].map(str::to_owned).to_vec();
    let mut add = |more: &[&str]| arguments.extend(more.iter().map(|it| (*it).to_owned()));
    if !settings.network {
        add(&["--net", "--network", "none"]);
    }
    if settings.control_groups {
        let (memory, cpus) = (memory_of(limits).to_string(), settings.cpus.to_string());
        add(&["--memory", &memory, "--cpus", &cpus]);
        add(&["--pids-limit", &limits.processes.to_string()]);
    }
    match programs {
        Programs::Denied | Programs::System => {
            add(&["--no-privs"]);
            for folder in programs.folders().iter().filter(|folder| **folder != "/tmp") {
                add(&["--scratch", folder]);
            }
            add(&["--pwd", programs.folders().last().expect("it has folders")]);
            for (name, value) in ENVIRONMENT {
                add(&["--env", &format!("{name}={value}")]);
            }
        }
        Programs::Image => add(&["--writable-tmpfs"]),
    }
    let is_file = image.ends_with(".sif") || image.contains("://") || Path::new(image).exists();
    let image = if is_file { (*image).to_owned() } else { format!("docker://{image}") };
    add(&[&image, &python.to_string_lossy()]);
    arguments
}

/// Memory of a container, whose folders in memory count too.
fn memory_of(limits: &Limits) -> u64 {
    limits.memory.saturating_add(2 * limits.disk).saturating_add(MEMORY_BASE)
}

/// The process that a container is for: where it lives, its number there, and when it was started.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    place: String,
    pid: u32,
    started: u64,
}

/// What the names of containers begin with.
const NAME: &str = "rehearsal-";

impl Owner {
    fn current() -> Self {
        let pid = std::process::id();
        Self { place: place(), pid, started: started(pid).unwrap_or(0) }
    }

    fn prefix(&self) -> String {
        format!("{NAME}{}-{}-{}", self.place, self.pid, self.started)
    }

    /// The owner in a container's name.
    fn of(name: &str) -> Option<Self> {
        let mut parts = name.trim().strip_prefix(NAME)?.split('-');
        let place = parts.next()?.to_owned();
        let (pid, started) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { place, pid, started })
    }

    /// Whether it has lived here, and does so no more.
    fn is_gone(&self) -> bool {
        self.place == place() && started(self.pid) != Some(self.started)
    }
}

/// This start of this machine, and what of it sees the same processes as we do.
fn place() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let namespace = namespace.to_string_lossy().into_owned();
    let namespace: String = namespace.chars().filter(char::is_ascii_digit).collect();
    format!("{boot}.{namespace}")
}

/// When a process was started, in ticks since the machine was; none if there is no such process.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}
