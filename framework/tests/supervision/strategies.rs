//! Strategies: who is restarted with whom.

use framework::supervision::{
    Backoff, ChildSpec, ChildState, Exit, Intensity, Restart, Shutdown, Strategy,
};

use crate::world::*;

#[test]
fn one_for_one_restarts_only_the_child_that_died() {
    on_paused_clock(async {
        assert_eq!(generations_after_crash(Strategy::OneForOne, 1).await, [1, 2, 1]);
    });
}

#[test]
fn one_for_all_restarts_all_children() {
    on_paused_clock(async {
        assert_eq!(generations_after_crash(Strategy::OneForAll, 0).await, [2, 2, 2]);
    });
}

#[test]
fn rest_for_one_restarts_the_later_children() {
    on_paused_clock(async {
        assert_eq!(generations_after_crash(Strategy::RestForOne, 1).await, [1, 2, 2]);
    });
}

/// Crashes one of a, b and c, and says how often each has been started then.
async fn generations_after_crash(strategy: Strategy, crashed: usize) -> Vec<u64> {
    let world = World::new();
    let (actors, specs) = world.trio();
    let root = start(supervisor(strategy).children(specs)).await;
    for actor in &actors {
        assert_eq!(actor.increment().await, Ok(1));
    }
    assert_eq!(actors[crashed].crash().await, Err(actors[crashed].crashed()));
    let mut counts = Vec::new();
    for actor in &actors {
        counts.push(actor.increment().await.unwrap());
    }
    let generations = generations(&root);
    let expected: Vec<usize> = generations.iter().map(|g| if *g == 1 { 2 } else { 1 }).collect();
    assert_eq!(counts, expected, "a restarted child has fresh state, and no other");
    root.shutdown().await;
    generations
}

#[test]
fn too_many_failures_in_the_window_escalate_to_the_parent() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let inner = move || {
            supervisor(Strategy::OneForOne)
                .intensity(Intensity { max_restarts: 1, period: seconds(60) })
                .children([a_spec.clone(), b_spec.clone()])
        };
        let root = supervisor(Strategy::OneForOne)
            .intensity(Intensity { max_restarts: 1, period: seconds(60) })
            .child(ChildSpec::supervisor("inner", inner))
            .child(c_spec);
        let root = start(root).await;
        assert_eq!(b.increment().await, Ok(1));
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(2)));
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(1)));
        assert_eq!((c.increment().await, generations(&root)), (Ok(1), vec![2, 1]));
        for _ in 0..2 {
            assert_eq!(a.crash().await, Err(a.crashed()));
        }
        assert_eq!(root.exited().await, Exit::RestartsExceeded);
        assert_eq!(c.increment().await, Err(c.unavailable()));
        assert_eq!(a.increment().await, Err(a.unavailable()));
    });
}

#[test]
fn children_start_in_order_and_stop_in_reverse() {
    on_paused_clock(async {
        let world = World::new();
        let ([_, b, _], specs) = world.trio();
        let root = start(supervisor(Strategy::OneForOne).children(specs)).await;
        b.handle().tell(Hold(seconds(3600)), soon()).await.unwrap();
        settle().await;
        let stopped = root.shutdown().await;
        assert_eq!((stopped.exit, stopped.forced), (Exit::Shutdown, 0));
        assert_eq!(world.logged("started"), ["a", "b", "c"]);
        assert_eq!(world.logged("stopped"), ["c", "b", "a"]);
    });
}

#[test]
fn a_failed_start_stops_those_that_had_started() {
    on_paused_clock(async {
        let world = World::new();
        let (_, specs) = world.trio();
        world.let_start("b", Start::Fail);
        let spec = supervisor(Strategy::OneForOne).children(specs);
        let failure = framework::supervision::Supervisor::start(spec).await.unwrap_err();
        assert_eq!(failure.child, "b");
        assert_eq!(failure.exit, Exit::StartFailed { reason: "init refused".into() });
        assert_eq!(world.logged("stopped"), ["a"]);
        assert_eq!(world.logged("factory"), ["a", "b"]);
    });
}

#[test]
fn a_message_sent_during_backoff_is_served_after_it() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let backoff = Backoff {
            min: millis(100),
            max: seconds(1),
            factor: 2.0,
            jitter: 0.0,
            reset_after: seconds(60),
        };
        let root = start(supervisor(Strategy::OneForOne).backoff(backoff).child(spec)).await;
        world.let_start("a", Start::Fail);
        assert_eq!(a.crash().await, Err(a.crashed()));
        settle().await;
        assert_eq!(root.which_children()[0].state, ChildState::Restarting);
        let crashed_at = tokio::time::Instant::now();
        let answer = actix::spawn({
            let a = a.clone();
            async move { a.increment().await }
        });
        sleep(millis(500)).await;
        world.let_start("a", Start::Well);
        assert_eq!(answer.await.unwrap(), Ok(1));
        let waited = crashed_at.elapsed();
        assert!(waited >= millis(700) && waited <= millis(710), "100 + 200 + 400, not {waited:?}");
        root.shutdown().await;
    });
}

#[test]
fn restart_types_decide_who_comes_back() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [permanent, transient, temporary]) = world.trio();
        let specs = [
            permanent,
            transient.restart(Restart::Transient),
            temporary.restart(Restart::Temporary),
        ];
        let root = start(supervisor(Strategy::OneForOne).children(specs)).await;
        a.handle().try_tell(Stop).unwrap();
        b.handle().try_tell(Fail).unwrap();
        c.handle().try_tell(Fail).unwrap();
        settle().await;
        assert_eq!(generations(&root), [2, 2]);
        assert_eq!(c.increment().await, Err(c.unavailable()));
        b.handle().try_tell(Stop).unwrap();
        settle().await;
        assert_eq!(root.which_children()[1].state, ChildState::Stopped);
        assert_eq!(b.increment().await, Err(b.unavailable()));
        root.shutdown().await;
    });
}

#[test]
fn a_child_that_ignores_its_stop_is_killed_at_its_deadline() {
    on_paused_clock(async {
        let world = World::new();
        let ([_, _, c], [a_spec, b_spec, c_spec]) = world.trio();
        let specs = [a_spec, b_spec, c_spec.shutdown(Shutdown::Within(seconds(2)))];
        let root = start(supervisor(Strategy::OneForOne).children(specs)).await;
        assert_eq!(c.increment().await, Ok(1));
        root.shutdown().await;
        assert_eq!(world.logged("stopped"), ["c", "b", "a"]);
    });
}
