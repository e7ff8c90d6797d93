//! Back-off: how long a supervisor waits, and that it answers meanwhile.

use framework::supervision::{
    ActorRef, Backoff, ChildError, ChildState, Strategy, SupervisorHandle,
};
use tokio::time::Instant;

use crate::world::*;

const BACKOFF: Backoff = Backoff {
    min: std::time::Duration::from_millis(100),
    max: std::time::Duration::from_secs(1),
    factor: 2.0,
    jitter: 0.0,
    reset_after: std::time::Duration::from_secs(60),
};

async fn one_worker(world: &World) -> (ActorRef<Worker>, SupervisorHandle) {
    let (a, spec) = world.worker("a");
    let root = start(supervisor(Strategy::OneForOne).backoff(BACKOFF).child(spec)).await;
    (a, root)
}

/// Crashes the worker and says how long it was away.
async fn outage(a: &ActorRef<Worker>) -> u128 {
    assert_eq!(a.crash().await, Err(a.crashed()));
    let crashed_at = Instant::now();
    assert_eq!(a.increment().await, Ok(1));
    crashed_at.elapsed().as_millis()
}

/// Crashes the worker and leaves it in back-off.
async fn in_backoff(world: &World) -> (ActorRef<Worker>, SupervisorHandle) {
    let (a, root) = one_worker(world).await;
    assert_eq!(a.crash().await, Err(a.crashed()));
    settle().await;
    assert_eq!(root.which_children()[0].state, ChildState::Restarting);
    (a, root)
}

/// Case 40. Timers of tokio have a resolution of a millisecond.
#[test]
fn delays_grow_by_their_factor_up_to_their_maximum() {
    on_paused_clock(async {
        let world = World::new();
        let (a, root) = one_worker(&world).await;
        for expected in [100, 200, 400, 800, 1000, 1000] {
            let delay = outage(&a).await;
            assert!((expected..=expected + 2).contains(&delay), "{delay} is not {expected} ms");
        }
        root.shutdown().await;
    });
}

/// Case 40.
#[test]
fn jitter_changes_a_delay_by_its_part_at_most() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let backoff = Backoff { max: millis(100), jitter: 0.5, ..BACKOFF };
        let root = start(supervisor(Strategy::OneForOne).backoff(backoff).child(spec)).await;
        let mut delays = Vec::new();
        for _ in 0..50 {
            delays.push(outage(&a).await);
        }
        assert!(delays.iter().all(|delay| (50..=152).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay != delays[0]), "{delays:?}");
        root.shutdown().await;
    });
}

/// Case 41.
#[test]
fn a_child_that_was_healthy_long_enough_starts_again_at_the_minimum() {
    on_paused_clock(async {
        let world = World::new();
        let (a, root) = one_worker(&world).await;
        assert!(outage(&a).await < 150);
        assert!(outage(&a).await >= 200);
        sleep(seconds(61)).await;
        assert!(outage(&a).await < 150);
        root.shutdown().await;
    });
}

/// Case 42.
#[test]
fn a_supervisor_answers_during_backoff() {
    on_paused_clock(async {
        let world = World::new();
        let (_, root) = in_backoff(&world).await;
        let before = Instant::now();
        assert_eq!(root.which_children()[0].state, ChildState::Restarting);
        assert_eq!(root.count_children().active, 0);
        assert_eq!(root.terminate_child("a").await, Ok(()));
        assert_eq!(root.shutdown().await.forced, 0);
        assert_eq!(before.elapsed(), millis(0));
    });
}

/// Case 43.
#[test]
fn terminating_a_child_in_backoff_cancels_its_restart() {
    on_paused_clock(async {
        let world = World::new();
        let (a, root) = in_backoff(&world).await;
        root.terminate_child("a").await.unwrap();
        sleep(seconds(3600)).await;
        assert_eq!((world.logged("factory").len(), generations(&root)), (1, vec![1]));
        assert_eq!(a.increment().await, Err(a.unavailable()));
        root.restart_child("a").await.unwrap();
        assert_eq!((a.increment().await, generations(&root)), (Ok(1), vec![2]));
        root.shutdown().await;
    });
}

/// Case 44.
#[test]
fn a_child_in_backoff_is_present_and_restarting() {
    on_paused_clock(async {
        let world = World::new();
        let (_, root) = in_backoff(&world).await;
        let id = || "a".to_owned();
        let again = root.start_child(world.worker("a").1).await;
        assert_eq!(again, Err(ChildError::AlreadyPresent { id: id() }));
        assert_eq!(root.restart_child("a").await, Err(ChildError::Restarting { id: id() }));
        assert_eq!(root.delete_child("a").await, Err(ChildError::Restarting { id: id() }));
        root.shutdown().await;
    });
}

#[test]
fn a_message_sent_during_backoff_is_served_after_it() {
    on_paused_clock(async {
        let world = World::new();
        let (a, root) = one_worker(&world).await;
        world.let_start("a", Start::Fail);
        assert_eq!(a.crash().await, Err(a.crashed()));
        let crashed_at = Instant::now();
        let heal = async {
            sleep(millis(500)).await;
            world.let_start("a", Start::Well);
        };
        let (answer, ()) = tokio::join!(a.increment(), heal);
        assert_eq!(answer, Ok(1));
        let waited = crashed_at.elapsed();
        assert!(waited >= millis(700) && waited <= millis(710), "100 + 200 + 400, not {waited:?}");
        root.shutdown().await;
    });
}
