//! What needs real threads: blocked arbiters and arbiters that are gone.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};

use actix::{Arbiter, System};
use framework::supervision::{
    AskError, ChildSpec, ChildState, Exit, Placement, Relocation, Shutdown, Strategy, Supervisor,
    SupervisorSpec,
};

use crate::world::*;

/// Runs a test in real time, with the supervisors on their own threads.
fn on_real_threads(test: impl Future<Output = ()>) {
    report_panics_nowhere();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    };
    System::with_tokio_rt(runtime).block_on(test);
}

/// A placement that goes to the next arbiter with each move.
fn moving_between(arbiters: &[Arbiter]) -> Placement {
    let (handles, moves) =
        (arbiters.iter().map(Arbiter::handle).collect::<Vec<_>>(), AtomicUsize::new(0));
    Placement::new(move |relocation| {
        if relocation == Relocation::Move {
            moves.fetch_add(1, SeqCst);
        }
        handles[moves.load(SeqCst) % handles.len()].clone()
    })
}

/// Waits until something is so; a test that waits in vain is ended by its runner.
async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::time::sleep(millis(1)).await;
    }
}

/// Case 46.
#[test]
fn a_child_that_ignores_its_stop_is_killed_at_its_deadline_and_its_siblings_stop_properly() {
    on_real_threads(async {
        let world = World::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let spec = |id: &str, arbiter: &Arbiter| {
            world.worker_at(id, 16, Placement::fixed(arbiter.handle()))
        };
        let ((_, a), (_, b), (c, c_spec)) =
            (spec("a", &arbiters[0]), spec("b", &arbiters[0]), spec("c", &arbiters[1]));
        let c_spec = c_spec.shutdown(Shutdown::Within(millis(50)));
        let root = start(supervisor(Strategy::OneForOne).children([a, b, c_spec])).await;
        // It is free again after its deadline, too late to stop by itself.
        let (release, released) = mpsc::channel();
        c.handle().try_tell(Block(released)).unwrap();
        until(|| c.stats().handled == 1).await;
        let freeing = async {
            until(|| root.which_children()[2].state == ChildState::Stopping).await;
            sleep(millis(100)).await;
            release.send(()).unwrap();
        };
        let (stopped, ()) = tokio::join!(root.shutdown(), freeing);
        assert_eq!((stopped.exit, stopped.forced), (Exit::Shutdown, 1));
        let stopped = world.logged("stopped").into_iter().filter(|id| id != "c");
        assert_eq!(stopped.collect::<Vec<_>>(), ["b", "a"]);
    });
}

/// Case 48.
#[test]
fn the_deadline_of_a_nested_supervisors_child_is_its_own() {
    on_real_threads(async {
        let world = World::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let (_, a) = world.worker_at("a", 16, Placement::fixed(arbiters[0].handle()));
        let (b, b_spec) = world.worker_at("b", 16, Placement::fixed(arbiters[1].handle()));
        let b_spec = b_spec.shutdown(Shutdown::Within(millis(50)));
        let inner = move || supervisor(Strategy::OneForOne).child(b_spec.clone());
        let root = supervisor(Strategy::OneForOne).child(a);
        let root = start(root.child(ChildSpec::supervisor("inner", inner))).await;
        let inner = root.nested("inner").unwrap();
        let (release, released) = mpsc::channel();
        b.handle().try_tell(Block(released)).unwrap();
        until(|| b.stats().handled == 1).await;
        assert_eq!(root.shutdown().await.exit, Exit::Shutdown);
        assert_eq!(world.logged("stopped"), ["a"]);
        assert_eq!(inner.shutdown().await.abandoned, 1);
        release.send(()).unwrap();
        until(|| world.logged("dropped").len() == 2).await;
    });
}

/// Case 52.
#[test]
fn a_child_that_blocks_its_thread_is_killed_at_its_deadline_and_reported_as_abandoned() {
    on_real_threads(async {
        let world = World::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let spec = |id: &str, arbiter: &Arbiter| {
            world.worker_at(id, 16, Placement::fixed(arbiter.handle()))
        };
        let ((_, a), (_, b), (c, c_spec)) =
            (spec("a", &arbiters[0]), spec("b", &arbiters[0]), spec("c", &arbiters[1]));
        let c_spec = c_spec.shutdown(Shutdown::Within(millis(50)));
        let root = start(supervisor(Strategy::OneForOne).children([a, b, c_spec])).await;
        let (release, released) = mpsc::channel();
        c.handle().try_tell(Block(released)).unwrap();
        until(|| c.stats().handled == 1).await;
        let stopped = root.shutdown().await;
        assert_eq!((stopped.exit, stopped.forced, stopped.abandoned), (Exit::Shutdown, 1, 1));
        assert_eq!(world.logged("stopped"), ["b", "a"]);
        release.send(()).unwrap();
        until(|| world.logged("dropped").len() == 3).await;
    });
}

/// Cases 69, 70 and 80.
#[test]
fn a_blocked_child_is_replaced_elsewhere_and_its_queue_is_executed_exactly_once() {
    on_real_threads(async {
        let world = World::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let (a, spec) = world.worker_at("a", 16, moving_between(&arbiters));
        let spec = spec.hang_after(millis(100));
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let (release, released) = mpsc::channel();
        let block = tokio::spawn({
            let handle = a.handle();
            async move { handle.ask(Block(released), soon()).await }
        });
        until(|| a.stats().handled == 1).await;
        let queued = futures_util::future::join_all((0..5).map(|_| a.increment())).await;
        assert_eq!(queued, [Ok(1), Ok(2), Ok(3), Ok(4), Ok(5)]);
        assert_eq!(block.await.unwrap(), Err(a.crashed()));
        assert_eq!((a.stats().returned, generations(&root)), (5, vec![2]));
        release.send(()).unwrap();
        until(|| world.logged("dropped").len() == 1).await;
        assert_eq!((a.increment().await, generations(&root)), (Ok(6), vec![2]));
        root.shutdown().await;
    });
}

#[test]
fn a_message_that_cannot_be_sent_again_in_time_is_lost() {
    on_real_threads(async {
        let world = World::new();
        let arbiter = [Arbiter::new()];
        let (a, spec) = world.worker_at("a", 1, moving_between(&arbiter));
        let spec = spec.hang_after(millis(100));
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let (release, released) = mpsc::channel();
        a.handle().try_tell(Block(released)).unwrap();
        until(|| a.stats().handled == 1).await;
        let handle = a.handle();
        let asking = handle.ask(Increment, tokio::time::Instant::now() + millis(600));
        // The ask has the only place. Once there is a new channel, another message takes that one,
        // before the ask learns that its own never started.
        until(|| a.handle().try_tell(Increment).is_ok()).await;
        assert_eq!(asking.await, Err(AskError::Lost { actor: "test/a".into() }));
        release.send(()).unwrap();
        assert_eq!(a.increment().await, Ok(2), "the lost one was not executed");
        root.shutdown().await;
    });
}

/// Case 80.
#[test]
fn an_idle_child_whose_thread_is_blocked_by_another_is_rebuilt_elsewhere() {
    on_real_threads(async {
        let world = World::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let (a, spec) = world.worker_at("a", 16, moving_between(&arbiters));
        let spec = spec.hang_after(millis(100));
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        assert_eq!(a.increment().await, Ok(1));
        let (release, released) = mpsc::channel::<()>();
        arbiters[0].spawn_fn(move || released.recv().unwrap());
        until(|| generations(&root) == [2]).await;
        assert_eq!(a.increment().await, Ok(1));
        release.send(()).unwrap();
        until(|| world.logged("dropped").len() == 1).await;
        assert_eq!((a.increment().await, generations(&root)), (Ok(2), vec![2]));
        root.shutdown().await;
    });
}

/// Case 71.
#[test]
fn tells_left_on_a_blocked_thread_are_dead_letters() {
    on_real_threads(async {
        let world = World::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        recorded_metrics();
        let (a, spec) = world.worker_at("moves", 16, moving_between(&arbiters));
        let root = start(supervisor(Strategy::OneForOne).child(spec.hang_after(millis(100)))).await;
        let (release, released) = mpsc::channel();
        a.handle().try_tell(Block(released)).unwrap();
        until(|| a.stats().handled == 1).await;
        for _ in 0..3 {
            a.handle().try_tell(Increment).unwrap();
        }
        until(|| generations(&root) == [2]).await;
        release.send(()).unwrap();
        until(|| a.stats().dead_letters == 3).await;
        until(|| world.logged("dropped").len() == 1).await;
        assert_eq!(dead_letters("moves"), [r#"message="Increment",reason="moved"} 3"#]);
        assert_eq!(a.increment().await, Ok(1));
        root.shutdown().await;
    });
}

/// The first future that an actor spawns can be woken at any time, also while its spawning ends.
#[test]
fn a_first_future_that_another_thread_wakes_is_polled_again() {
    on_real_threads(async {
        let world = World::new();
        for round in 0..500 {
            let (a, spec) = world.worker(&format!("{round}"));
            let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
            let deadline = tokio::time::Instant::now() + seconds(60);
            assert_eq!(a.handle().ask(Spawn, deadline).await, Ok(()));
            root.shutdown().await;
        }
    });
}

/// Case 54.
#[test]
fn the_successor_of_a_killed_supervisor_starts_nobody_while_the_old_children_live() {
    on_real_threads(async {
        let mut rounds_in_time = 0;
        while rounds_in_time < 10 {
            let world = World::new();
            let arbiters = [Arbiter::new(), Arbiter::new()];
            // Each incarnation on the other thread, so that nothing but the supervisors keeps order.
            let (handles, starts) = (arbiters.each_ref().map(Arbiter::handle), AtomicUsize::new(0));
            let place = Placement::new(move |_| handles[starts.fetch_add(1, SeqCst) % 2].clone());
            let (a, spec) = world.worker_at("a", 16, place);
            let inner = move || SupervisorSpec::new("inner").child(spec.clone());
            let root = supervisor(Strategy::OneForOne);
            let root = start(root.child(ChildSpec::supervisor("inner", inner))).await;
            let (release, released) = mpsc::channel();
            a.handle().try_tell(Block(released)).unwrap();
            until(|| a.stats().handled == 1).await;
            let old = root.nested("inner").unwrap();
            root.kill("inner").unwrap();
            until(|| old.which_children()[0].state == ChildState::Stopped).await;
            release.send(()).unwrap();
            assert_eq!(a.increment().await, Ok(1));
            if old.shutdown().await.abandoned > 0 {
                // This machine was too busy to let go of the thread within the time of grace.
                continue;
            }
            rounds_in_time += 1;
            let expected =
                ["factory a", "started a", "stopped a", "dropped a", "factory a", "started a"];
            assert_eq!(world.log(), expected);
            root.shutdown().await;
        }
    });
}

#[test]
fn a_child_that_was_killed_by_hand_stays_on_its_thread() {
    on_real_threads(async {
        let world = World::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let moves = Arc::new(AtomicUsize::new(0));
        let (handle, counted) = (arbiters[0].handle(), moves.clone());
        let placement = Placement::new(move |relocation| {
            counted.fetch_add(usize::from(relocation == Relocation::Move), SeqCst);
            handle.clone()
        });
        let (a, spec) = world.worker_at("stays", 16, placement);
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        root.kill("test/stays").unwrap();
        until(|| generations(&root) == [2]).await;
        assert_eq!((a.increment().await, moves.load(SeqCst)), (Ok(1), 0));
        root.shutdown().await;
    });
}

/// Case 81.
#[test]
fn the_children_of_a_stopped_arbiter_move_with_their_queues_and_others_stay() {
    on_real_threads(async {
        let world = World::new();
        let mut arbiters = vec![Arbiter::new(), Arbiter::new()];
        let (a, a_spec) = world.worker_at("a", 16, moving_between(&arbiters));
        let (b, b_spec) = world.worker_at("b", 16, Placement::fixed(arbiters[1].handle()));
        let root = start(supervisor(Strategy::OneForOne).children([a_spec, b_spec])).await;
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(1)));
        a.handle().try_tell(Hold(seconds(3600))).unwrap();
        let queued = tokio::spawn({
            let handle = a.handle();
            async move { handle.ask(Increment, soon()).await }
        });
        until(|| a.stats().handled == 2 && a.stats().queued == 1).await;
        let gone = arbiters.remove(0);
        gone.stop();
        gone.join().unwrap();
        assert_eq!(queued.await.unwrap(), Ok(1));
        assert_eq!((b.increment().await, generations(&root)), (Ok(2), vec![2, 1]));
        root.shutdown().await;
    });
}

/// Case 54: also when the supervisor's whole runtime goes away.
#[test]
fn no_child_outlives_its_supervisors_runtime() {
    on_real_threads(async {
        let world = World::new();
        let arbiter = Arbiter::new();
        let (a, spec) = world.worker_at("a", 16, Placement::fixed(arbiter.handle()));
        let other = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let spec = supervisor(Strategy::OneForOne).child(spec);
        let root = other.spawn(Supervisor::start(spec)).await.unwrap().unwrap();
        assert_eq!(a.increment().await, Ok(1));
        other.shutdown_background();
        assert_eq!(root.exited().await, Exit::Killed);
        until(|| world.logged("dropped").len() == 1).await;
        assert_eq!(a.increment().await, Err(a.unavailable()));
    });
}
