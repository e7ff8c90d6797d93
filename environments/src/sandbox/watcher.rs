//! The watch over one execution: ends it in time, and tells why it ended.

use std::os::fd::OwnedFd;
use std::time::Duration;

use framework::metrics::WorkerMetrics;
use rustix::process::{Signal, pidfd_send_signal};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::backend::{Duty, Start};
use super::cgroup::Group;
use super::container::Removal;
use super::execution::Execution;
use super::{Clock, Ended, Exit, Limits};

/// Exit codes of an execution that could not be confined, and of one that ran out of memory.
const EXIT_UNCONFINED: i32 = 119;
const EXIT_OUT_OF_MEMORY: i32 = 118;

/// What is killed when an execution is.
pub(super) enum Victim {
    /// Its first process, and its group where it has one.
    Process { handle: Option<OwnedFd>, group: Option<Group> },
    /// Its container.
    Container(Removal),
}

/// How an execution's first process ended.
#[derive(Debug)]
pub(super) struct ProcessEnded {
    /// As `wait` has it.
    pub(super) status: i32,
    pub(super) cpu: Duration,
    pub(super) memory_peak: u64,
}

/// What a watcher hears, and whom it tells.
pub(super) struct Watched {
    /// The first process, as the host counts them, where it can tell.
    pub(super) pid: Option<u32>,
    pub(super) victim: Victim,
    /// Hears of its end; nothing comes if whatever it ran in is lost.
    pub(super) told: oneshot::Receiver<ProcessEnded>,
    /// Told if it outlives being killed by so much.
    pub(super) overdue: mpsc::Sender<()>,
    pub(super) kill_max: Duration,
}

/// Gives an execution that has just been started to who asked for it, and watches it.
pub(super) fn begin(start: Start, stream: UnixStream, watched: Watched, duty: &Duty) {
    let Start { limits, reply, lane, held, .. } = start;
    let (running, metrics) = (duty.metrics.started(), duty.metrics.clone());
    let (kill, killed) = mpsc::unbounded_channel();
    let (publish, ended) = watch::channel(None);
    let execution = Execution::new(stream, limits.output, watched.pid, kill, ended, lane);
    let watcher = Watcher { watched, killed, limits, metrics };
    tokio::spawn(async move {
        let ended = watcher.watch().await;
        running.ended(ended.exit.name());
        drop(held);
        let _ = publish.send(Some(ended));
    });
    // Nobody waits for it any more: it is dropped, and so killed.
    let _ = reply.send(Ok(execution));
}

struct Watcher {
    watched: Watched,
    killed: mpsc::UnboundedReceiver<Exit>,
    limits: Limits,
    metrics: WorkerMetrics,
}

impl Watcher {
    async fn watch(mut self) -> Ended {
        let ended = self.wait().await;
        let Victim::Process { group: Some(group), .. } = self.watched.victim else { return ended };
        let is_starved = group.ran_out_of_memory() && !matches!(ended.exit, Exit::TimedOut(_));
        group.remove().await;
        if is_starved { Ended { exit: Exit::OutOfMemory, ..ended } } else { ended }
    }

    async fn wait(&mut self) -> Ended {
        let deadline = Instant::now() + self.limits.wall;
        let told = &mut self.watched.told;
        let reason = tokio::select! {
            biased;
            ended = &mut *told => return self.explain(ended.ok(), None),
            reason = self.killed.recv() => reason.unwrap_or(Exit::Killed),
            () = tokio::time::sleep_until(deadline) => Exit::TimedOut(Clock::Wall),
        };
        self.metrics.killed(reason.name());
        self.watched.victim.kill();
        let ended = tokio::time::timeout(self.watched.kill_max, told).await;
        let Ok(ended) = ended else {
            let _ = self.watched.overdue.try_send(());
            return self.explain(None, Some(reason));
        };
        self.explain(ended.ok(), Some(reason))
    }

    fn explain(&self, ended: Option<ProcessEnded>, reason: Option<Exit>) -> Ended {
        let Some(ProcessEnded { status, cpu, memory_peak }) = ended else {
            let exit = reason.unwrap_or(Exit::WorkerLost);
            return Ended { exit, cpu: Duration::ZERO, memory_peak: 0 };
        };
        let (code, signal) = (libc::WEXITSTATUS(status), libc::WTERMSIG(status));
        let exit = match reason {
            // It was as good as over when it was killed.
            Some(Exit::Killed) | None if libc::WIFEXITED(status) => match code {
                EXIT_OUT_OF_MEMORY => Exit::OutOfMemory,
                EXIT_UNCONFINED => Exit::Unconfined { reason: "see the log".into() },
                code => Exit::Exited { code },
            },
            Some(reason) => reason,
            None if signal == libc::SIGXCPU => Exit::TimedOut(Clock::Cpu),
            // The kernel enforces the limit by ticks, which on a shared machine count more than was used.
            None if signal == libc::SIGKILL && cpu >= self.limits.cpu / 2 => {
                Exit::TimedOut(Clock::Cpu)
            }
            // Nobody else may send it: neither the code itself nor its children.
            None if signal == libc::SIGKILL => Exit::OutOfMemory,
            None => Exit::Signalled { signal },
        };
        Ended { exit, cpu, memory_peak }
    }
}

impl Victim {
    fn kill(&self) {
        match self {
            Self::Process { handle, group } => {
                if let Some(handle) = handle {
                    // One that has just ended by itself cannot be killed; its end is told all the same.
                    let _ = pidfd_send_signal(handle, Signal::KILL);
                }
                if let Some(group) = group {
                    group.kill();
                }
            }
            Self::Container(removal) => removal.begin(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::cgroup::tests::starved;

    /// The end of an execution whose first process ended with that status after so many seconds of
    /// processor time, of 10 that it may have.
    async fn end(status: i32, cpu_secs: u64, group: Option<Group>) -> Exit {
        let (tell, told) = oneshot::channel();
        let (overdue, _) = mpsc::channel(1);
        let cpu = Duration::from_secs(cpu_secs);
        tell.send(ProcessEnded { status, cpu, memory_peak: 0 }).unwrap();
        let victim = Victim::Process { handle: None, group };
        let watched = Watched { pid: None, victim, told, overdue, kill_max: Duration::ZERO };
        let (_kill, killed) = mpsc::unbounded_channel();
        let limits = Limits { cpu: Duration::from_secs(10), ..Limits::default() };
        let metrics = WorkerMetrics::new("test");
        Watcher { watched, killed, limits, metrics }.watch().await.exit
    }

    #[tokio::test]
    async fn how_a_process_ended_tells_why() {
        for (status, cpu_secs, expected) in [
            (0, 0, Exit::Exited { code: 0 }),
            (3 << 8, 0, Exit::Exited { code: 3 }),
            (EXIT_OUT_OF_MEMORY << 8, 0, Exit::OutOfMemory),
            (libc::SIGSEGV, 0, Exit::Signalled { signal: libc::SIGSEGV }),
            (libc::SIGXCPU, 0, Exit::TimedOut(Clock::Cpu)),
            (libc::SIGKILL, 9, Exit::TimedOut(Clock::Cpu)),
            (libc::SIGKILL, 1, Exit::OutOfMemory),
        ] {
            assert_eq!(end(status, cpu_secs, None).await, expected, "{status}");
        }
        // The kernel took one of its other processes.
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(end(1 << 8, 0, Some(starved(folder.path()))).await, Exit::OutOfMemory);
    }
}
