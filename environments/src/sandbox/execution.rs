//! One execution, seen from the host: frames in, frames out, and how it ended.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::turns::Lane;
use super::{Clock, Ended, Exit, RequestLimits};

/// How often the processor time of a request is looked at.
const CPU_SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// How long one that has broken off may take to end, so that its own exit is known.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// A process, or a tree of them, that runs foreign code. Dropped, it is killed.
#[derive(Debug)]
pub struct Execution {
    stream: UnixStream,
    /// Bytes that it may still send.
    output_left: u64,
    /// It said that it is confined.
    is_confined: bool,
    /// A request was sent and its answer not taken.
    is_busy: bool,
    /// Its first process, as the host counts them.
    pid: Option<u32>,
    kill: mpsc::UnboundedSender<Exit>,
    ended: watch::Receiver<Option<Ended>>,
    /// Where requests take their turns.
    lane: Lane,
}

impl Execution {
    pub(super) fn new(
        stream: UnixStream,
        output_max: u64,
        pid: Option<u32>,
        kill: mpsc::UnboundedSender<Exit>,
        ended: watch::Receiver<Option<Ended>>,
        lane: Lane,
    ) -> Self {
        let (is_confined, is_busy) = (false, false);
        Self { stream, output_left: output_max, is_confined, is_busy, pid, kill, ended, lane }
    }

    /// The process id of its first process, as the host counts them; where the host can tell.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Sends a frame. One that has ended takes it no more, which [`finish`](Self::finish) explains.
    pub async fn send(&mut self, frame: &[u8]) {
        let sent = send_frame(&mut self.stream, frame);
        // Foreign code may close its end or not read; its deadline ends the wait.
        let mut ended = self.ended.clone();
        tokio::select! {
            _ = sent => {}
            _ = ended.wait_for(Option::is_some) => {}
        }
    }

    /// Tells that no more frames come.
    pub async fn close(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next frame; none once it has ended or broken off, which [`finish`](Self::finish) explains.
    ///
    /// Dropping this future may lose a part of a frame: go on with `finish` then.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        if !self.is_confined {
            let greeting = self.frame().await?;
            if !greeting.is_empty() {
                let reason = String::from_utf8_lossy(&greeting).into_owned();
                self.end(Exit::Unconfined { reason });
                return None;
            }
            self.is_confined = true;
        }
        self.frame().await
    }

    /// Sends a frame, once it is its turn on the processors, and waits for the one that answers it. Past
    /// a deadline it is killed.
    ///
    /// # Errors
    /// Fails with how it ended, now or before.
    pub async fn request(&mut self, frame: &[u8], limits: &RequestLimits) -> Result<Vec<u8>, Exit> {
        if self.is_busy {
            // Whoever asked before did not wait for the answer, which must not be taken for this one's.
            self.end(Exit::Killed);
            return Err(self.exit().await);
        }
        let _turn = self.lane.turn().await;
        self.is_busy = true;
        let deadline = Instant::now() + limits.wall;
        let (pid, cpu_max) = (self.pid, limits.cpu);
        let answer = async {
            self.send(frame).await;
            self.receive().await
        };
        let overrun = tokio::select! {
            biased;
            answer = answer => match answer {
                Some(answer) => {
                    self.is_busy = false;
                    return Ok(answer);
                }
                // It broke off, and most likely ends by itself now.
                None => {
                    let _ = tokio::time::timeout(LAST_BREATH, self.exit()).await;
                    Exit::Killed
                }
            },
            () = tokio::time::sleep_until(deadline) => Exit::TimedOut(Clock::Wall),
            () = cpu_used(pid, cpu_max) => Exit::TimedOut(Clock::Cpu),
        };
        self.end(overrun);
        Err(self.exit().await)
    }

    /// Kills it, and everything that it started.
    pub async fn kill(self) -> Ended {
        self.end(Exit::Killed);
        self.ended().await
    }

    /// Waits for its end, within its deadline, and tells how it came. What it still sends is dropped.
    pub async fn finish(mut self) -> Ended {
        let _ = self.stream.shutdown().await;
        let mut ended = self.ended.clone();
        let mut sink = vec![0; 16 << 10];
        loop {
            tokio::select! {
                biased;
                _ = ended.wait_for(Option::is_some) => break,
                taken = self.stream.read(&mut sink) => match taken {
                    Ok(0) | Err(_) => break,
                    Ok(count) => self.spend(count),
                },
            }
        }
        self.ended().await
    }

    /// How it ended, once it has.
    async fn exit(&self) -> Exit {
        self.ended().await.exit
    }

    async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let lost = || Ended { exit: Exit::WorkerLost, cpu: Duration::ZERO, memory_peak: 0 };
        let ended = ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or_else(lost)
    }

    /// Has it killed, for that reason unless there is one already.
    fn end(&self, exit: Exit) {
        // Its watcher has left once it has ended.
        let _ = self.kill.send(exit);
    }

    fn spend(&mut self, bytes: usize) {
        match self.output_left.checked_sub(bytes as u64) {
            Some(left) => self.output_left = left,
            None => self.end(Exit::OutputLimit),
        }
    }

    async fn frame(&mut self) -> Option<Vec<u8>> {
        let length = receive_length(&mut self.stream).await.ok()?;
        let Some(left) = self.output_left.checked_sub(length) else {
            self.end(Exit::OutputLimit);
            return None;
        };
        self.output_left = left;
        receive_rest(&mut self.stream, length).await.ok()
    }
}

/// Sends a frame: its length in four bytes, the most significant first, and then the frame.
pub(super) async fn send_frame(stream: &mut UnixStream, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).expect("a frame is shorter than 4 GiB");
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(frame).await
}

/// Takes a frame of at most so many bytes.
pub(super) async fn receive_frame(stream: &mut UnixStream, length_max: u64) -> io::Result<Vec<u8>> {
    let length = receive_length(stream).await?;
    if length > length_max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    receive_rest(stream, length).await
}

async fn receive_length(stream: &mut UnixStream) -> io::Result<u64> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    Ok(u32::from_be_bytes(length).into())
}

async fn receive_rest(stream: &mut UnixStream, length: u64) -> io::Result<Vec<u8>> {
    // Grown as it comes, since the length is a mere claim.
    let mut frame = Vec::with_capacity(length.min(64 << 10) as usize);
    stream.take(length).read_to_end(&mut frame).await?;
    if frame.len() as u64 == length { Ok(frame) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Returns once the process has used so much processor time from now on.
async fn cpu_used(pid: Option<u32>, cpu_max: Duration) {
    let start = pid.and_then(super::worker::cpu_time);
    let (Some(pid), Some(start)) = (pid, start) else { return std::future::pending().await };
    loop {
        let left = cpu_max.saturating_sub(super::worker::cpu_time(pid).unwrap_or(start) - start);
        if left.is_zero() {
            return;
        }
        // Several threads use it up sooner than time passes.
        tokio::time::sleep((left / 2).max(CPU_SAMPLE_INTERVAL)).await;
    }
}
