//! Kills one actor after the other at random, and measures how long each is away.

use std::time::Duration;

use rehearsal::framework::supervision::{ChildState, NodeKind, TreeNode};
use rehearsal::prelude::*;
use tokio::time::Instant;

use super::mischief::Mischief;

/// The mean time between two kills.
const KILL_EVERY: Duration = Duration::from_millis(600);

/// Goes on killing, and adds how long each actor was away.
pub(crate) async fn kill(runtime: &Runtime, mischief: &Mischief, recoveries: &mut Vec<Duration>) {
    loop {
        let pause = KILL_EVERY.mul_f64(mischief.draw() as f64 / u64::MAX as f64 * 2.0);
        tokio::time::sleep(pause).await;
        let actors = actors(&runtime.tree());
        let (path, generation) = &actors[mischief.draw() as usize % actors.len()];
        let killed = Instant::now();
        if runtime.kill(path).is_ok() {
            is_back(runtime, path, *generation).await;
            recoveries.push(killed.elapsed());
        }
    }
}

/// Waits until an actor is up in a later generation, or gone: a collection that has ended takes its
/// recorder along.
async fn is_back(runtime: &Runtime, path: &str, generation: u64) {
    let is_away = |node: &TreeNode| node.generation <= generation || node.state != ChildState::Up;
    while runtime.tree().find(path).is_some_and(is_away) {
        tokio::task::yield_now().await;
    }
}

/// The paths and generations of all actors.
fn actors(node: &TreeNode) -> Vec<(String, u64)> {
    let own = matches!(node.kind, NodeKind::Actor { .. });
    let own = own.then(|| (node.path.clone(), node.generation));
    own.into_iter().chain(node.children.iter().flat_map(actors)).collect()
}

/// The restarts that the supervisors of a tree have ordered.
pub(crate) fn restarts(node: &TreeNode) -> u64 {
    let own = match node.kind {
        NodeKind::Supervisor { restarts, .. } => restarts,
        _ => 0,
    };
    own + node.children.iter().map(restarts).sum::<u64>()
}
