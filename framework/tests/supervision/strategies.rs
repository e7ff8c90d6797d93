//! Strategies: who is restarted with whom.

use framework::supervision::{Backoff, Exit, Intensity, Restart, Strategy};

use crate::world::*;

/// Case 22.
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

/// Case 24.
#[test]
fn rest_for_one_restarts_the_later_children() {
    on_paused_clock(async {
        assert_eq!(generations_after_crash(Strategy::RestForOne, 1).await, [1, 2, 2]);
    });
}

/// Case 25.
#[test]
fn rest_for_one_is_one_for_all_for_the_first_child() {
    on_paused_clock(async {
        assert_eq!(generations_after_crash(Strategy::RestForOne, 0).await, [2, 2, 2]);
    });
}

/// Case 26.
#[test]
fn rest_for_one_is_one_for_one_for_the_last_child() {
    on_paused_clock(async {
        assert_eq!(generations_after_crash(Strategy::RestForOne, 2).await, [1, 1, 2]);
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

/// Case 23.
#[test]
fn one_for_all_stops_in_reverse_and_starts_in_order() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, _, _], specs) = world.trio();
        let root = start(supervisor(Strategy::OneForAll).children(specs)).await;
        world.clear_log();
        assert_eq!(a.crash().await, Err(a.crashed()));
        settle().await;
        let expected = [
            "stopped a",
            "dropped a",
            "stopped c",
            "dropped c",
            "stopped b",
            "dropped b",
            "factory a",
            "started a",
            "factory b",
            "started b",
            "factory c",
            "started c",
        ];
        assert_eq!(world.log(), expected);
        root.shutdown().await;
    });
}

/// Case 27.
#[test]
fn a_temporary_bystander_is_stopped_and_not_started_again() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let spec = supervisor(Strategy::OneForAll)
            .intensity(Intensity { max_restarts: 1, period: seconds(60) })
            .children([a_spec, b_spec.restart(Restart::Temporary), c_spec]);
        let root = start(spec).await;
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!((a.increment().await, c.increment().await), (Ok(1), Ok(1)));
        assert_eq!(b.increment().await, Err(b.unavailable()));
        assert_eq!(generations(&root), [2, 2]);
        root.shutdown().await;
    });
}

/// Crashes one child while `b` does not start, and says how often each has been started in the end.
async fn generations_when_b_fails_to_restart(strategy: Strategy, crashed: usize) -> Vec<u64> {
    let world = World::new();
    let (actors, specs) = world.trio();
    let backoff = Backoff { min: seconds(1), max: seconds(1), ..Backoff::NONE };
    let root = start(supervisor(strategy).backoff(backoff).children(specs)).await;
    world.let_start("b", Start::Fail);
    let crash = &actors[crashed];
    assert_eq!(crash.crash().await, Err(crash.crashed()));
    sleep(millis(1500)).await;
    world.let_start("b", Start::Well);
    for actor in &actors {
        assert_eq!(actor.increment().await, Ok(1));
    }
    let generations = generations(&root);
    root.shutdown().await;
    generations
}

/// Case 28.
#[test]
fn one_for_all_takes_restarted_siblings_down_when_another_fails_to_restart() {
    on_paused_clock(async {
        let generations = generations_when_b_fails_to_restart(Strategy::OneForAll, 0).await;
        assert_eq!(generations, [3, 3, 2]);
    });
}

/// Case 29.
#[test]
fn rest_for_one_keeps_restarted_earlier_siblings_when_a_later_one_fails_to_restart() {
    on_paused_clock(async {
        let generations = generations_when_b_fails_to_restart(Strategy::RestForOne, 0).await;
        assert_eq!(generations, [2, 3, 2]);
    });
}

/// Case 30.
#[test]
fn two_children_that_die_in_one_instant_are_two_restarts() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], specs) = world.trio();
        let spec = supervisor(Strategy::OneForOne)
            .intensity(Intensity { max_restarts: 2, period: seconds(60) })
            .children(specs);
        let root = start(spec).await;
        a.handle().try_tell(Crash).unwrap();
        b.handle().try_tell(Crash).unwrap();
        settle().await;
        assert_eq!((generations(&root), c.increment().await), (vec![2, 2, 1], Ok(1)));
        c.handle().try_tell(Crash).unwrap();
        assert_eq!(root.exited().await, Exit::RestartsExceeded);
    });
}

/// Case 31.
#[test]
fn a_sibling_that_dies_while_it_is_being_stopped_is_no_second_failure() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], specs) = world.trio();
        let spec = supervisor(Strategy::OneForAll)
            .intensity(Intensity { max_restarts: 1, period: seconds(60) })
            .children(specs);
        let root = start(spec).await;
        c.handle().try_tell(Crash).unwrap();
        a.handle().try_tell(Crash).unwrap();
        b.handle().try_tell(Crash).unwrap();
        settle().await;
        for actor in [&a, &b, &c] {
            assert_eq!(actor.increment().await, Ok(1));
        }
        assert_eq!(generations(&root), [2, 2, 2]);
        root.shutdown().await;
    });
}
