//! What there is in a process: sessions, work, actors, files, threads and memory.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rehearsal::framework::supervision::{NodeKind, TreeNode};
use rehearsal::prelude::*;
use tokio::time::Instant;

use super::mischief::Mischief;

/// How long what is left over may take to go: an idle thread lives for 10 seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// What memory may grow by: the allocator keeps some of what it once had.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

/// What there is.
pub(crate) struct Census {
    sessions: u64,
    work: u64,
    actors: u64,
    files: u64,
    threads: u64,
    resident_bytes: u64,
}

impl Census {
    pub(crate) fn take(runtime: &Runtime, mischief: &Mischief) -> std::io::Result<Self> {
        let (actors, sessions) = residents(&runtime.tree());
        let statm = std::fs::read_to_string("/proc/self/statm")?;
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        Ok(Self {
            sessions,
            work: mischief.alive.load(Relaxed).unsigned_abs(),
            actors,
            files: std::fs::read_dir("/proc/self/fd")?.count() as u64,
            threads: std::fs::read_dir("/proc/self/task")?.count() as u64,
            resident_bytes: pages.unwrap_or(0) * 4096,
        })
    }

    /// Whether this, later, is no more than `before`.
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        let counts = |it: &Self| [it.sessions, it.work, it.actors, it.files, it.threads];
        let is_less = counts(self).iter().zip(counts(before)).all(|(now, then)| *now <= then);
        is_less && self.resident_bytes <= before.resident_bytes + GROWTH_BYTES_MAX
    }

    /// What there is once it is no more than this, or when that has taken too long.
    pub(crate) async fn awaited(
        &self,
        runtime: &Runtime,
        mischief: &Mischief,
    ) -> std::io::Result<Self> {
        let started = Instant::now();
        loop {
            let now = Self::take(runtime, mischief)?;
            if now.is_as(self) || started.elapsed() > PATIENCE {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, work, actors, files, threads, resident_bytes } = self;
        let mib = *resident_bytes as f64 / 1_048_576.0;
        write!(f, "sessions {sessions:>4}  work {work:>4}  actors {actors:>3}  ")?;
        write!(f, "files {files:>3}  threads {threads:>3}  resident {mib:>6.1} MiB")
    }
}

/// The actors and the sessions of a tree.
fn residents(node: &TreeNode) -> (u64, u64) {
    let own = match node.kind {
        NodeKind::Actor { .. } => (1, 0),
        NodeKind::Sessions { live, .. } => (0, live as u64),
        _ => (0, 0),
    };
    let below = node.children.iter().map(residents);
    below.fold(own, |sum, child| (sum.0 + child.0, sum.1 + child.1))
}
