//! Shutdown: in reverse order, bounded, and complete.

use framework::supervision::{
    AskError, ChildError, ChildSpec, Exit, Shutdown, Strategy, Supervisor,
};
use tokio::time::Instant;

use crate::world::*;

/// Case 45.
#[test]
fn children_stop_in_reverse_order_and_each_hook_is_called_once() {
    on_paused_clock(async {
        let world = World::new();
        let (_, specs) = world.trio();
        let root = start(supervisor(Strategy::OneForOne).children(specs)).await;
        let stopped = root.shutdown().await;
        assert_eq!((stopped.exit, stopped.forced, stopped.abandoned), (Exit::Shutdown, 0, 0));
        assert_eq!(world.logged("stopped"), ["c", "b", "a"]);
        assert_eq!(world.logged("dropped"), ["c", "b", "a"]);
    });
}

/// Case 47.
#[test]
fn a_brutal_kill_waits_for_nothing() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let spec = spec.shutdown(Shutdown::Brutal);
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let before = Instant::now();
        let (answer, stopped) = tokio::join!(a.ask(Hold(seconds(3600))), root.shutdown());
        assert_eq!(answer, Err(a.crashed()));
        assert_eq!((stopped.forced, before.elapsed()), (0, millis(0)));
    });
}

/// Case 48.
#[test]
fn a_nested_supervisor_is_emptied_before_the_next_sibling_is_touched() {
    on_paused_clock(async {
        let world = World::new();
        let (_, [a, b, c]) = world.trio();
        let inner = move || supervisor(Strategy::OneForOne).children([b.clone(), c.clone()]);
        let inner = ChildSpec::supervisor("inner", inner);
        let root = supervisor(Strategy::OneForOne).child(a).child(inner).child(world.worker("d").1);
        let root = start(root).await;
        assert_eq!(root.shutdown().await.exit, Exit::Shutdown);
        assert_eq!(world.logged("dropped"), ["d", "c", "b", "a"]);
    });
}

/// Case 49.
#[test]
fn a_shutdown_during_the_start_starts_nobody_else() {
    on_paused_clock(async {
        let world = World::new();
        let (_, specs) = world.trio();
        world.let_start("b", Start::Never);
        let root = Supervisor::spawn(supervisor(Strategy::OneForOne).children(specs)).unwrap();
        settle().await;
        assert_eq!(root.shutdown().await.exit, Exit::Shutdown);
        assert_eq!(world.logged("factory"), ["a", "b"]);
        assert_eq!(world.logged("stopped"), ["b", "a"]);
        assert_eq!(root.started().await.unwrap_err().exit, Exit::Shutdown);
    });
}

/// Case 49: whoever stops waiting for a start does not want the tree.
#[test]
fn a_start_that_nobody_waits_for_is_undone() {
    on_paused_clock(async {
        let world = World::new();
        let (_, specs) = world.trio();
        world.let_start("b", Start::Never);
        let starting = Supervisor::start(supervisor(Strategy::OneForOne).children(specs));
        assert!(tokio::time::timeout(seconds(1), starting).await.is_err());
        settle().await;
        assert_eq!(world.logged("dropped"), ["b", "a"]);
    });
}

/// Case 50.
#[test]
fn a_shutdown_gets_through_a_restart_loop() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let intensity =
            framework::supervision::Intensity { max_restarts: u32::MAX, period: seconds(1) };
        let root = supervisor(Strategy::OneForOne).intensity(intensity).child(spec);
        let root = start(root).await;
        world.let_start("a", Start::PanicInStarted);
        assert_eq!(a.crash().await, Err(a.crashed()));
        settle().await;
        assert_eq!(root.shutdown().await.exit, Exit::Shutdown);
    });
}

/// Case 51.
#[test]
fn a_stop_gets_through_to_a_child_that_waits() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(3600))).unwrap();
        settle().await;
        let before = Instant::now();
        assert_eq!((root.shutdown().await.forced, before.elapsed()), (0, millis(0)));
    });
}

/// Case 53.
#[test]
fn a_drain_refuses_new_messages_and_handles_queued_ones() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(5))).unwrap();
        a.handle().try_tell(Increment).unwrap();
        let late = async {
            sleep(seconds(1)).await;
            a.increment().await
        };
        let (queued, late, stopped) = tokio::join!(a.increment(), late, root.drain(seconds(60)));
        assert_eq!((queued, late), (Ok(2), Err(a.unavailable())));
        assert_eq!((stopped.forced, a.stats().dead_letters), (0, 0));
    });
}

/// Case 53.
#[test]
fn what_a_drain_leaves_at_its_deadline_is_dead_letters() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(3600))).unwrap();
        for _ in 0..3 {
            a.handle().try_tell(Increment).unwrap();
        }
        let before = Instant::now();
        let stopped = root.drain(seconds(2)).await;
        assert!(before.elapsed() >= seconds(2) && before.elapsed() < seconds(3));
        assert_eq!((stopped.forced, a.stats().dead_letters), (1, 3));
    });
}

/// Case 54.
#[test]
fn a_supervisor_that_is_killed_takes_its_children_with_it() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, _], [a_spec, b_spec, _]) = world.trio();
        let inner =
            move || supervisor(Strategy::OneForOne).children([a_spec.clone(), b_spec.clone()]);
        let inner = ChildSpec::supervisor("inner", inner).shutdown(Shutdown::Brutal);
        let root = start(supervisor(Strategy::OneForOne).child(inner)).await;
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(1)));
        root.terminate_child("inner").await.unwrap();
        settle().await;
        assert_eq!(world.logged("dropped").len(), 2);
        assert_eq!(a.increment().await, Err(a.unavailable()));
        root.restart_child("inner").await.unwrap();
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(1)));
        root.shutdown().await;
    });
}

/// Case 75.
#[test]
fn a_child_that_asks_its_supervisor_while_that_stops_is_told_so_at_once() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(1))).unwrap();
        let ask = AskSupervisor((root.clone(), world.worker("b").1));
        let before = Instant::now();
        let (answer, stopped) = tokio::join!(a.ask(ask), root.drain(seconds(60)));
        assert_eq!(answer, Ok(Err(ChildError::ShuttingDown { supervisor: "root".into() })));
        assert_eq!((stopped.forced, before.elapsed().as_secs()), (0, 1));
        assert_eq!(world.logged("factory"), ["a"]);
    });
}

/// Case 75.
#[test]
fn a_child_that_asks_a_stopped_sibling_gets_unavailable_at_once() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, _, c], specs) = world.trio();
        let root = start(supervisor(Strategy::OneForOne).children(specs)).await;
        a.handle().try_tell(Hold(seconds(1))).unwrap();
        let relay = Relay((c.handle(), seconds(3600)));
        let before = Instant::now();
        let (answer, stopped) = tokio::join!(a.ask(relay), root.drain(seconds(60)));
        assert_eq!(answer, Ok(Err(AskError::Unavailable { actor: "test/c".into() })));
        assert_eq!((stopped.forced, before.elapsed().as_secs()), (0, 1));
    });
}
