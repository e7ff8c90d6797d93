//! Restart types: which end brings which child back.

use actix::{Handler, Message};
use framework::supervision::{ChildState, Exit, Restart, Strategy};

use crate::world::*;

/// What becomes of a child after its end.
#[derive(Debug, PartialEq)]
enum Fate {
    Restarted,
    Kept,
    Forgotten,
}

/// Lets a child of a restart type end with a message, and says what became of it.
async fn fate_after<M>(restart: Restart, end: M) -> Fate
where
    Worker: Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    let world = World::new();
    let (a, spec) = world.worker("a");
    let root = start(supervisor(Strategy::OneForOne).child(spec.restart(restart))).await;
    a.handle().try_tell(end).unwrap();
    settle().await;
    let children = root.which_children();
    let fate = match children.first() {
        None => Fate::Forgotten,
        Some(child) if child.state == ChildState::Stopped => Fate::Kept,
        Some(child) => {
            assert_eq!((child.state, child.generation), (ChildState::Up, 2));
            Fate::Restarted
        }
    };
    let is_back = a.increment().await == Ok(1);
    assert_eq!(is_back, fate == Fate::Restarted);
    root.shutdown().await;
    fate
}

/// Cases 12 to 14.
#[test]
fn a_permanent_child_is_restarted_after_any_end() {
    on_paused_clock(async {
        assert_eq!(fate_after(Restart::Permanent, Stop).await, Fate::Restarted);
        assert_eq!(fate_after(Restart::Permanent, ShutDown).await, Fate::Restarted);
        assert_eq!(fate_after(Restart::Permanent, Fail).await, Fate::Restarted);
        assert_eq!(fate_after(Restart::Permanent, Crash).await, Fate::Restarted);
    });
}

/// Cases 15 and 16.
#[test]
fn a_transient_child_that_ends_normally_or_shuts_down_is_kept_as_stopped() {
    on_paused_clock(async {
        assert_eq!(fate_after(Restart::Transient, ShutDown).await, Fate::Kept);
        assert_eq!(fate_after(Restart::Transient, Stop).await, Fate::Kept);
    });
}

/// Case 17.
#[test]
fn a_transient_child_that_fails_is_restarted() {
    on_paused_clock(async {
        assert_eq!(fate_after(Restart::Transient, Fail).await, Fate::Restarted);
        assert_eq!(fate_after(Restart::Transient, Crash).await, Fate::Restarted);
    });
}

/// Cases 18 to 20.
#[test]
fn a_temporary_child_is_forgotten_after_any_end() {
    on_paused_clock(async {
        assert_eq!(fate_after(Restart::Temporary, Stop).await, Fate::Forgotten);
        assert_eq!(fate_after(Restart::Temporary, ShutDown).await, Fate::Forgotten);
        assert_eq!(fate_after(Restart::Temporary, Fail).await, Fate::Forgotten);
        assert_eq!(fate_after(Restart::Temporary, Crash).await, Fate::Forgotten);
    });
}

/// Case 20.
#[test]
fn the_id_of_a_forgotten_child_may_be_used_again() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let spec = spec.restart(Restart::Temporary);
        let root = start(supervisor(Strategy::OneForOne).child(spec.clone())).await;
        assert_eq!(a.crash().await, Err(a.crashed()));
        settle().await;
        root.start_child(spec).await.unwrap();
        assert_eq!(a.increment().await, Ok(1));
        root.shutdown().await;
    });
}

/// Case 21.
#[test]
fn a_child_killed_by_hand_has_ended_abnormally() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = supervisor(Strategy::OneForOne).child(spec.restart(Restart::Transient));
        let root = start(root).await;
        let end = a.monitor();
        root.kill("test/a").unwrap();
        assert_eq!(end.await, Some((1, Exit::Killed)));
        assert_eq!((a.increment().await, generations(&root)), (Ok(1), vec![2]));
        assert!(root.kill("test/b").is_err());
        root.shutdown().await;
    });
}

/// Case 21.
#[test]
fn a_child_killed_because_it_hangs_has_ended_abnormally() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let hang_after = spec.restart(Restart::Transient).hang_after(seconds(1));
        let root = start(supervisor(Strategy::OneForOne).child(hang_after)).await;
        let end = a.monitor();
        a.handle().try_tell(Hold(seconds(3600))).unwrap();
        assert_eq!(end.await, Some((1, Exit::Killed)));
        assert_eq!((a.increment().await, generations(&root)), (Ok(1), vec![2]));
        root.shutdown().await;
    });
}
