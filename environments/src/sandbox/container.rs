//! The backend of containers: an execution has one of its own, made for it and thrown away with it.
//!
//! A container runs the same program as a native worker, and takes the same frames, through the standard
//! input and output of the engine's client. Those of a pool are made beforehand and wait, so that an
//! execution need not wait for one. Whatever ends an execution removes its container by name, since the
//! client's end alone would leave it running; what a killed process left behind is removed by the next.

mod engine;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use framework::metrics::InFlight;
use futures_util::future::BoxFuture;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use serde::Deserialize;
use serde_json::json;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::backend::{Backend, Duty, Ready, Start};
use super::execution::{receive_frame, send_frame};
use super::watcher::{ProcessEnded, Victim, Watched, begin};
use super::{Isolation, Profile, Programs, SandboxError, Settings, filter};
use engine::{Caller, Order};

pub use engine::{ContainerSettings, Engine};

/// How long making a container may take, with fetching its image.
const START_MAX: Duration = Duration::from_secs(600);
/// How long a container may outlive its being killed, before it is left to the engine.
const KILL_MAX: Duration = Duration::from_secs(30);
/// The longest message of a container that gets ready.
const MESSAGE_MAX: u64 = 64 << 10;
/// What Docker's and Podman's clients end with if it is the engine that failed.
const ENGINE_FAILED: i32 = 125;
/// What is added to the number of a signal that ended a container's first process.
const SIGNALLED: i32 = 128;

/// Containers for the executions of one profile.
#[derive(Debug)]
pub(super) struct Containers {
    caller: Arc<Caller>,
    settings: Settings,
    profile: Profile,
    /// What each is told first.
    config: Vec<u8>,
}

/// A container that waits for its execution.
struct Container {
    programs: Programs,
    client: Client,
    stream: UnixStream,
    told: Told,
}

/// What a container says once it is ready.
#[derive(Debug, Deserialize)]
struct Told {
    /// Modules of the profile that its interpreter does not have.
    missing: Vec<String>,
    /// Address space that it has already, in bytes.
    memory: u64,
}

/// The engine's client of one container. Dropped before it has told of the container's end, it takes it
/// along.
struct Client {
    child: Child,
    /// Readable once the client has ended.
    end: AsyncFd<Arc<OwnedFd>>,
    /// What the engine says.
    words: OwnedFd,
    removal: Removal,
    stage: Stage,
}

/// What there is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing yet, perhaps. Without its input it ends as soon as it begins.
    Starting,
    Running,
    Ended,
}

/// Removes a container, whatever it is doing.
#[derive(Clone, Debug)]
pub(super) struct Removal {
    caller: Arc<Caller>,
    name: String,
    /// The client, for engines whose containers are its children.
    client: Option<Arc<OwnedFd>>,
}

impl Containers {
    /// Plans containers, and removes those that processes of this machine left behind when they were
    /// killed.
    ///
    /// # Errors
    /// Fails if the engine is not there or does not work, or no image is named.
    pub(super) fn plan(
        engine: Engine,
        settings: &Settings,
        profile: &Profile,
    ) -> Result<Self, SandboxError> {
        let is_filtered =
            settings.isolation == Isolation::Full && profile.programs != Programs::Image;
        let filters =
            if is_filtered { filter::of_execution(profile.programs)? } else { Vec::new() };
        let filters: Vec<String> = filters.iter().map(filter::as_text).collect();
        let config =
            json!({"filters": filters, "preload": profile.preload, "driver": profile.driver});
        let needs_image = profile.programs != Programs::Image;
        if needs_image && settings.image.is_none() {
            return Err(SandboxError::Image { engine: engine.name() });
        }
        let caller = Arc::new(Caller::new(engine, &settings.container));
        caller.remove_left_over()?;
        let config = config.to_string().into_bytes();
        Ok(Self { caller, settings: settings.clone(), profile: profile.clone(), config })
    }

    /// The containers that wait: one, unless each execution has an image of its own.
    async fn wait_for_one(&self) -> Result<Option<Container>, SandboxError> {
        match (&self.settings.image, self.profile.programs) {
            (_, Programs::Image) | (None, _) => Ok(None),
            (Some(image), Programs::Denied | Programs::System) => self.make(image).await.map(Some),
        }
    }

    /// Makes a container and waits until its interpreter is ready.
    async fn make(&self, image: &str) -> Result<Container, SandboxError> {
        self.try_to_make(image).await.map_err(|reason| {
            let reason = format!("a container of `{image}`: {reason}");
            SandboxError::Worker { reason }
        })
    }

    async fn try_to_make(&self, image: &str) -> Result<Container, String> {
        let text = |error: io::Error| error.to_string();
        let (ours, theirs) = StdUnixStream::pair().map_err(text)?;
        ours.set_nonblocking(true).map_err(text)?;
        let mut stream = UnixStream::from_std(ours).map_err(text)?;
        let limits = self.profile.limits.clone().overridden(&self.settings);
        let name = self.caller.name_of(next_number());
        let order = Order {
            name: &name,
            image,
            python: &self.settings.python,
            programs: self.profile.programs,
            limits: &limits,
            settings: &self.settings.container,
        };
        let command = self.caller.run(&order);
        let mut client = Client::start(command, theirs, self.caller.clone(), name).map_err(text)?;
        let handshake = async {
            send_frame(&mut stream, &self.config).await?;
            receive_frame(&mut stream, MESSAGE_MAX).await
        };
        match tokio::time::timeout(START_MAX, handshake).await {
            Ok(Ok(said)) => {
                client.stage = Stage::Running;
                let told = serde_json::from_slice(&said).map_err(|error| error.to_string())?;
                Ok(Container { programs: self.profile.programs, client, stream, told })
            }
            Ok(Err(error)) => {
                drop(stream);
                Err(client.why(&error).await)
            }
            Err(_) => {
                client.stage = Stage::Running;
                Err(format!("it was not ready after {} s", START_MAX.as_secs()))
            }
        }
    }

    /// Serves until nobody needs it, or containers cannot be made any more, and tells which.
    async fn serve(
        self: Arc<Self>,
        duty: Duty,
        mut waiting: Option<Container>,
        _counted: InFlight,
    ) -> String {
        loop {
            let start = tokio::select! {
                start = duty.next() => start,
                said = last_words_of(&mut waiting) => return format!("a container ended: {said}"),
            };
            let Some(start) = start else { return "nobody needs it".into() };
            match waiting.take() {
                Some(container) => container.serve(start, &duty).await,
                None => _ = tokio::spawn(self.clone().make_and_serve(start, duty.clone())),
            }
            waiting = match self.wait_for_one().await {
                Ok(next) => next,
                Err(error) => return error.to_string(),
            };
        }
    }

    async fn make_and_serve(self: Arc<Self>, start: Start, duty: Duty) {
        let made = match &start.image {
            Some(image) => self.make(image).await,
            None => Err(SandboxError::Image { engine: self.caller.engine().name() }),
        };
        match made {
            Ok(container) => container.serve(start, &duty).await,
            Err(error) => _ = start.reply.send(Err(error)),
        }
    }
}

impl Backend for Containers {
    fn start(self: Arc<Self>, duty: Duty) -> BoxFuture<'static, Result<Ready, SandboxError>> {
        Box::pin(async move {
            let waiting = self.wait_for_one().await?;
            let missing = waiting.as_ref().map(|it| it.told.missing.clone()).unwrap_or_default();
            let counted = duty.metrics.ready();
            Ok(Ready { missing, serving: Box::pin(self.serve(duty, waiting, counted)) })
        })
    }
}

/// Waits for a container to end that has nothing to do, and tells what was said then.
async fn last_words_of(waiting: &mut Option<Container>) -> String {
    let Some(container) = waiting else { return std::future::pending().await };
    container.client.ended().await;
    container.client.last_words()
}

impl Container {
    /// Becomes an execution.
    async fn serve(self, start: Start, duty: &Duty) {
        let Self { programs, client, mut stream, told } = self;
        let resources = client.removal.caller.resources(programs, &start.limits, told.memory);
        let limits = json!({"resources": resources}).to_string();
        if send_frame(&mut stream, limits.as_bytes()).await.is_err() {
            // It has ended while it waited: whoever asked asks again.
            return;
        }
        let (tell, told) = oneshot::channel();
        let (overdue, is_overdue) = mpsc::channel(1);
        let victim = Victim::Container(client.removal.clone());
        tokio::spawn(client.watch(start.limits.cpu, tell, is_overdue));
        let watched = Watched { pid: None, victim, told, overdue, kill_max: KILL_MAX };
        begin(start, stream, watched, duty);
    }
}

/// A process's handle as tokio waits for it.
#[expect(unsafe_code, reason = "tokio cannot see that a descriptor stays the same")]
fn readable_at_end(handle: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: the handle owns its descriptor, which is open and the same as long as there is a clone of it.
    Ok(unsafe { AsyncFd::register(handle) }?)
}

impl Client {
    fn start(
        mut command: Command,
        stream: StdUnixStream,
        caller: Arc<Caller>,
        name: String,
    ) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        let (words, said) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&words, true)?;
        let output = stream.try_clone()?;
        command.stdin(OwnedFd::from(stream)).stdout(OwnedFd::from(output)).stderr(said);
        // An interrupt from the keyboard is the host's to handle.
        command.process_group(0);
        let child = command.spawn()?;
        let handle = Arc::new(pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?);
        let end = readable_at_end(handle.clone())?;
        let client = caller.engine().is_parent().then_some(handle);
        let removal = Removal { caller, name, client };
        Ok(Self { child, end, words, removal, stage: Stage::Starting })
    }

    /// Waits for its end and tells the exit code; none if it was killed itself.
    async fn ended(&mut self) -> Option<i32> {
        // It fails only where the reactor is gone, and the process with it.
        let _ready = self.end.readable().await.ok()?;
        let code = self.child.wait().ok()?.code();
        // One that was killed itself leaves its container running.
        if code.is_some() {
            self.stage = Stage::Ended;
        }
        code
    }

    /// Why it broke off: what the engine says at its end, which should come now.
    async fn why(&mut self, error: &io::Error) -> String {
        if tokio::time::timeout(KILL_MAX, self.ended()).await.is_ok() {
            return self.last_words();
        }
        self.stage = Stage::Running;
        error.to_string()
    }

    /// Waits for its end, tells how the container's process ended, and leaves it to the engine if that
    /// takes too long.
    async fn watch(
        mut self,
        cpu_max: Duration,
        tell: oneshot::Sender<ProcessEnded>,
        mut is_overdue: mpsc::Receiver<()>,
    ) {
        let begun = Instant::now();
        let overdue = async {
            if is_overdue.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        let code = tokio::select! {
            code = self.ended() => code,
            () = overdue => {
                tracing::warn!(container = self.removal.name, "a container could not be killed");
                return;
            }
        };
        // No more than that, since it has one processor; the engine alone knows better.
        let cpu = begun.elapsed();
        let ended = |status| ProcessEnded { status, cpu, memory_peak: 0 };
        let told = match code {
            None => None,
            // The engine failed; what the container's process says goes nowhere.
            Some(ENGINE_FAILED) if self.words().is_some() => None,
            // By the kernel at its limit of processor time; else by somebody else, and so lost.
            Some(code) if code == SIGNALLED + libc::SIGKILL => {
                (cpu >= cpu_max / 2).then(|| ended(libc::SIGKILL))
            }
            Some(code) if code > SIGNALLED => Some(ended(code - SIGNALLED)),
            Some(code) => Some(ended(code << 8)),
        };
        if let Some(ended) = told {
            let _ = tell.send(ended);
        }
    }

    /// What the engine said last.
    fn last_words(&self) -> String {
        self.words().unwrap_or_else(|| "it said nothing".into())
    }

    fn words(&self) -> Option<String> {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = rustix::io::read(&self.words, &mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        engine::reason(&String::from_utf8_lossy(&text))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        match self.stage {
            Stage::Ended => {}
            Stage::Starting => {
                let handle = self.end.get_ref().clone();
                std::thread::spawn(move || {
                    waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED)
                });
            }
            Stage::Running => {
                self.removal.begin();
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

impl Removal {
    /// Begins to remove it. That takes up to seconds, which nobody waits for.
    pub(super) fn begin(&self) {
        if let Some(client) = &self.client {
            // The container's first process is its child, and dies with it.
            let _ = pidfd_send_signal(client, Signal::KILL);
        }
        self.caller.remove(&self.name);
    }
}

/// Tells the containers of this process apart.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
