//! The native backend: starts a worker in namespaces of its own, without a daemon and without root.
//!
//! Everything is planned beforehand; between `fork` and `exec` only system calls are made, since the
//! child of a process with threads may do no more than that.

pub(super) mod jail;
mod root;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::backend::{Backend, Duty, Ready};
use super::interpreter::Interpreter;
use super::machine::Machine;
use super::worker::{LandlockConfig, Worker, ZygoteConfig};
use super::{Isolation, Profile, Programs, SandboxError, Settings, filter};
use jail::Jail;
use root::Root;

/// The program that a worker runs.
pub(super) const ZYGOTE: &str = include_str!("zygote.py");

/// Folders of the system that programs need, and files without secrets.
const SYSTEM_VIEW: [&str; 15] = [
    "/bin",
    "/etc/alternatives",
    "/etc/group",
    "/etc/hosts",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/ssl/certs",
    "/lib",
    "/lib64",
    "/sbin",
    "/usr",
];

/// How to launch the workers of a pool.
#[derive(Debug)]
pub(super) struct Plan {
    interpreter: Interpreter,
    jail: Option<Arc<Jail>>,
    /// What they are told first.
    pub(super) config: ZygoteConfig,
}

impl Backend for Plan {
    fn start(self: Arc<Self>, duty: Duty) -> BoxFuture<'static, Result<Ready, SandboxError>> {
        Box::pin(async move {
            let worker = Worker::start(self, duty).await?;
            let missing = worker.ready.missing.clone();
            Ok(Ready { missing, serving: Box::pin(worker.serve()) })
        })
    }
}

/// A worker's process, just launched.
#[derive(Debug)]
pub(super) struct Launched {
    child: Child,
    control: Option<OwnedFd>,
    words: OwnedFd,
}

/// Plans the workers of a profile.
///
/// # Errors
/// Fails if the interpreter does not run, or the machine cannot keep foreign code inside.
pub(super) fn plan(settings: &Settings, profile: &Profile) -> Result<Plan, SandboxError> {
    let isolated = settings.isolation == Isolation::Full;
    if profile.programs == Programs::Image {
        let reason = "programs of an image run in containers only".to_owned();
        return Err(SandboxError::Worker { reason });
    }
    if let Some(lacks) = Machine::this().lacks().filter(|_| isolated) {
        return Err(SandboxError::Isolation { lacks });
    }
    let interpreter = Interpreter::probe(&settings.python, profile.preload)?;
    let hidden = interpreter.hidden_by(folders(profile.programs, isolated));
    if let Some((path, folder)) = hidden.filter(|_| isolated) {
        let python = settings.python.display().to_string();
        let reason = format!(
            "it needs `{path}`, and in a sandbox `{folder}` is a folder of its own; move it elsewhere"
        );
        return Err(SandboxError::Interpreter { python, reason });
    }
    let limits = profile.limits.clone().overridden(settings);
    let jail = if isolated { Some(Arc::new(jail(&interpreter, profile)?)) } else { None };
    let filters = if isolated { filter::of_execution(profile.programs)? } else { Vec::new() };
    let folders = folders(profile.programs, isolated);
    let config = ZygoteConfig {
        isolated,
        programs: profile.programs == Programs::System,
        landlock: if isolated { landlock(folders) } else { None },
        folders: folders.iter().map(|path| ((*path).to_owned(), limits.disk)).collect(),
        filters: filters.iter().map(filter::as_text).collect(),
        preload: profile.preload.to_vec(),
        driver: profile.driver,
    };
    Ok(Plan { interpreter, jail, config })
}

fn folders(programs: Programs, isolated: bool) -> &'static [&'static str] {
    if isolated { programs.folders() } else { &["/tmp"] }
}

fn jail(interpreter: &Interpreter, profile: &Profile) -> Result<Jail, SandboxError> {
    let mut view = interpreter.view.clone();
    let has_programs = profile.programs == Programs::System;
    if has_programs {
        view.extend(SYSTEM_VIEW.map(Into::into));
        view.insert("/proc".into());
    }
    let root = Root::plan(&view, folders(profile.programs, true));
    Ok(Jail::plan(root, filter::of_worker()?))
}

/// The ruleset of an execution, as far as the kernel knows Landlock.
fn landlock(folders: &[&str]) -> Option<LandlockConfig> {
    use landlock::{ABI, Access, AccessFs, AccessNet, BitFlags, Scope};
    let abi = jail::landlock_abi()?;
    let known = match abi {
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        _ => ABI::V6,
    };
    let bits = |set: BitFlags<AccessFs>| set.bits();
    let all = bits(AccessFs::from_all(known));
    let devices = AccessFs::MakeBlock | AccessFs::MakeChar;
    let inside = all & !bits(devices);
    let mut rules = vec![("/".to_owned(), bits(AccessFs::from_read(known)))];
    rules.extend(folders.iter().map(|path| ((*path).to_owned(), inside)));
    // Devices to write to, of which the sandbox has but a few.
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    rules.push(("/dev".to_owned(), bits(device) & all));
    let network = if abi >= 4 { AccessNet::from_all(known).bits() } else { 0 };
    let scope = if abi >= 6 { Scope::from_all(known).bits() } else { 0 };
    let size = match abi {
        ..4 => 8,
        4..6 => 16,
        _ => 24,
    };
    Some(LandlockConfig { files: all, network, scope, size, rules })
}

impl Plan {
    /// Starts a worker's process. It waits for its configuration.
    ///
    /// # Errors
    /// Fails if it cannot be started, naming the step of its confinement that failed.
    pub(super) fn launch(&self) -> io::Result<Launched> {
        let (control, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&control, true)?;
        let (words, said) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&words, true)?;
        let mut command = Command::new(&self.interpreter.executable);
        // Isolated from the caller's variables and folders; no byte code is written.
        command.args(["-I", "-B", "-c", ZYGOTE]).env_clear().current_dir("/");
        command.envs(ENVIRONMENT).env("PATH", self.interpreter.path());
        command.stdin(Stdio::from(theirs)).stdout(Stdio::null()).stderr(Stdio::from(said));
        self.confine(&mut command);
        let child = command.spawn();
        // Its ends of the socket and the pipe are still open in the command.
        drop(command);
        let child = child.map_err(|error| {
            let program = self.interpreter.executable.display();
            let step = last_words(&words).unwrap_or_else(|| format!("run `{program}`"));
            io::Error::new(error.kind(), format!("cannot {step}: {error}"))
        })?;
        Ok(Launched { child, control: Some(control), words })
    }

    #[expect(unsafe_code, reason = "`pre_exec` is the only way into the child before its program")]
    fn confine(&self, command: &mut Command) {
        let jail = self.jail.clone();
        // SAFETY: the closure makes system calls only: it allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(move || match &jail {
                Some(jail) => jail.enter(),
                None => jail::leave_the_terminal(),
            });
        }
    }
}

/// The environment of a worker, and so of what it runs.
pub(super) const ENVIRONMENT: [(&str, &str); 7] = [
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    // Threads that libraries start at their import would not survive a fork, and take address space.
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
    ("TZ", "UTC"),
];

impl Launched {
    pub(super) fn take_control(&mut self) -> OwnedFd {
        self.control.take().expect("it is taken once")
    }

    /// What it said before it died.
    pub(super) fn last_words(&self) -> String {
        last_words(&self.words).unwrap_or_else(|| "it said nothing".into())
    }

    /// Kills it, and with it everything in it.
    pub(super) fn kill(&mut self) {
        // It has gone already, or goes now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last line that was written to a pipe.
fn last_words(pipe: &OwnedFd) -> Option<String> {
    let mut buffer = [0; 4096];
    let count = rustix::io::read(pipe.as_fd(), &mut buffer).unwrap_or(0);
    let text = String::from_utf8_lossy(&buffer[..count]);
    text.trim().lines().last().map(|line| line.trim().to_owned())
}

/// A path as system calls take it.
fn c_path(path: &std::path::Path) -> CString {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).expect("a path holds no NUL")
}
