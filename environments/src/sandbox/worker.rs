//! A native worker, seen from the host: a zygote, its control socket, and a watcher per execution.

use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use framework::metrics::InFlight;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::backend::{Duty, Start};
use super::cgroup::{Group, Groups};
use super::native::{self, Launched};
use super::watcher::{ProcessEnded, Victim, Watched, begin};
use super::{Limits, SandboxError};

/// The longest message of a zygote.
const MESSAGE_MAX: usize = 64 << 10;
/// How long a worker may import what it needs.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long an execution may outlive its being killed, before its worker goes.
const KILL_MAX: Duration = Duration::from_secs(5);
/// The address space of a worker, where the host cannot see it.
const MEMORY_ASSUMED: u64 = 1 << 30;
/// What a zygote is told first.
#[derive(Debug, Serialize)]
pub(super) struct ZygoteConfig {
    pub(super) isolated: bool,
    pub(super) programs: bool,
    pub(super) folders: Vec<(String, u64)>,
    pub(super) filters: Vec<String>,
    pub(super) landlock: Option<LandlockConfig>,
    pub(super) preload: Vec<&'static str>,
    pub(super) driver: &'static str,
}

/// A Landlock ruleset, as the kernel's bits have it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LandlockConfig {
    pub(super) files: u64,
    pub(super) network: u64,
    pub(super) scope: u64,
    pub(super) size: usize,
    pub(super) rules: Vec<(String, u64)>,
}

/// What a zygote says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Ready(Ready),
    #[serde(untagged)]
    Started {
        started: u64,
    },
    #[serde(untagged)]
    Refused {
        refused: u64,
        error: String,
    },
    #[serde(untagged)]
    Ended {
        ended: u64,
        status: i32,
        cpu: f64,
        memory: u64,
    },
}

/// What a zygote says once it can be forked.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ready {
    /// Modules of the profile that the interpreter does not have.
    pub(super) missing: Vec<String>,
    /// Address space that every execution starts with, in bytes.
    #[serde(skip)]
    pub(super) memory: u64,
}

/// A zygote that is ready.
pub(super) struct Worker {
    /// A socket of messages, which are sent and taken whole.
    control: UnixStream,
    /// Killed with it.
    _launched: Launched,
    pub(super) ready: Ready,
    /// Executions that were asked for and have not started.
    asked: HashMap<u64, Asked>,
    /// Where the watchers of those that run hear of their ends.
    running: HashMap<u64, oneshot::Sender<ProcessEnded>>,
    next: u64,
    duty: Duty,
    _counted: InFlight,
}

struct Asked {
    stream: UnixStream,
    start: Start,
}

impl Worker {
    /// Starts a zygote and waits until it can be forked.
    ///
    /// # Errors
    /// Fails if it does not come that far.
    pub(super) async fn start(plan: Arc<native::Plan>, duty: Duty) -> Result<Self, SandboxError> {
        let text = serde_json::to_vec(&plan.config).expect("it is plain data");
        let failed = |reason: String| SandboxError::Worker { reason };
        let launching = tokio::task::spawn_blocking(move || plan.launch());
        let launched = launching.await.map_err(|error| failed(error.to_string()))?;
        let mut launched = launched.map_err(|error| failed(error.to_string()))?;
        let control = UnixStream::from_std(launched.take_control().into());
        let control = control.map_err(|error| failed(error.to_string()))?;
        send(&control, &text, None).await.map_err(|error| failed(error.to_string()))?;
        let first = tokio::time::timeout(READY_MAX, receive(&control)).await;
        let ready = match first {
            Err(_) => Err(format!("it was not ready after {} s", READY_MAX.as_secs())),
            Ok(Ok((Said::Ready(ready), itself))) => {
                let pid = itself.as_ref().and_then(pid_of);
                Ok(Ready { memory: pid.and_then(address_space).unwrap_or(MEMORY_ASSUMED), ..ready })
            }
            Ok(Ok((said, _))) => Err(format!("it said {said:?} first")),
            Ok(Err(error)) => Err(format!("{error}: {}", launched.last_words())),
        };
        let ready = ready.map_err(failed)?;
        let (asked, running) = (HashMap::new(), HashMap::new());
        let _counted = duty.metrics.ready();
        Ok(Self { control, _launched: launched, ready, asked, running, next: 0, duty, _counted })
    }

    /// Serves until nobody needs it or the zygote has gone, and tells which; then everything in it is
    /// dead.
    pub(super) async fn serve(mut self) -> String {
        let (overdue, mut is_overdue) = mpsc::channel::<()>(1);
        loop {
            tokio::select! {
                said = receive(&self.control) => match said {
                    Ok((said, handle)) => self.hear(said, handle, &overdue),
                    Err(error) => return error.to_string(),
                },
                start = self.duty.next() => {
                    let Some(start) = start else { return "nobody needs it".into() };
                    if let Err(error) = self.ask(start).await {
                        return error.to_string();
                    }
                }
                _ = is_overdue.recv() => return "an execution could not be killed".into(),
            }
        }
    }

    async fn ask(&mut self, start: Start) -> io::Result<()> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let number = self.next;
        self.next += 1;
        let memory = self.ready.memory.saturating_add(start.limits.memory);
        let resources = start.limits.resources(memory);
        let message = serde_json::json!({"start": number, "limits": {"resources": resources}});
        self.asked.insert(number, Asked { stream: UnixStream::from_std(ours)?, start });
        send(&self.control, message.to_string().as_bytes(), Some(theirs.as_fd())).await
    }

    fn hear(&mut self, said: Said, handle: Option<OwnedFd>, overdue: &mpsc::Sender<()>) {
        match said {
            Said::Ready(_) => {}
            Said::Started { started } => {
                let Some(asked) = self.asked.remove(&started) else { return };
                let (told, ended) = oneshot::channel();
                self.running.insert(started, told);
                let Asked { stream, start } = asked;
                let pid = handle.as_ref().and_then(pid_of);
                let group = pid.and_then(|pid| grouped(pid, &start.limits));
                let victim = Victim::Process { handle, group };
                let (overdue, kill_max) = (overdue.clone(), KILL_MAX);
                let watched = Watched { pid, victim, told: ended, overdue, kill_max };
                begin(start, stream, watched, &self.duty);
            }
            Said::Refused { refused, error } => {
                let Some(asked) = self.asked.remove(&refused) else { return };
                let _ = asked.start.reply.send(Err(SandboxError::Worker { reason: error }));
            }
            Said::Ended { ended, status, cpu, memory } => {
                let Some(watcher) = self.running.remove(&ended) else { return };
                let cpu = Duration::try_from_secs_f64(cpu).unwrap_or_default();
                let _ = watcher.send(ProcessEnded { status, cpu, memory_peak: memory });
            }
        }
    }
}

/// Puts an execution into a group of its own, where there are any. Foreign code is not there yet.
fn grouped(pid: u32, limits: &Limits) -> Option<Group> {
    let group = Groups::here().ok()?.create(limits).ok()?;
    if let Err(error) = group.add(pid) {
        // It may have ended already.
        tracing::debug!(pid, %error, "an execution is in no control group");
    }
    Some(group)
}

async fn send(
    control: &UnixStream,
    data: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let send = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if descriptor.is_some() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptor.as_slice()));
        }
        let data = [IoSlice::new(data)];
        Ok(rustix::net::sendmsg(control, &data, &mut ancillary, SendFlags::NOSIGNAL)?)
    };
    control.async_io(Interest::WRITABLE, send).await?;
    Ok(())
}

async fn receive(control: &UnixStream) -> io::Result<(Said, Option<OwnedFd>)> {
    let mut buffer = vec![0; MESSAGE_MAX];
    let receive = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let message = rustix::net::recvmsg(control, &mut parts, &mut ancillary, flags)?;
        let mut handle = None;
        for ancillary in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = ancillary {
                handle = descriptors.last();
            }
        }
        Ok((message.bytes, handle))
    };
    let (count, handle) = control.async_io(Interest::READABLE, receive).await?;
    if count == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended"));
    }
    Ok((serde_json::from_slice(&buffer[..count])?, handle))
}

/// The host's number of a process.
fn pid_of(handle: &OwnedFd) -> Option<u32> {
    use std::os::fd::AsRawFd;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd())).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok().filter(|pid| *pid > 0)
}

/// The address space of a process, in bytes.
fn address_space(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').next()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The processor time that a process and its reaped children have used.
pub(super) fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_ascii_whitespace().skip(11).take(4);
    let ticks = ticks.map(str::parse::<u64>).sum::<Result<u64, _>>().ok()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}
