//! Intensity: how many restarts are too many, and who learns of it.

use framework::supervision::{
    ActorRef, AskError, Backoff, ChildSpec, ChildState, DynamicSupervisor, Exit, Intensity,
    Restart, Strategy, Supervised, SupervisorSpec,
};

use crate::world::*;

fn at_most(max_restarts: u32, period_seconds: u64) -> SupervisorSpec {
    let period = seconds(period_seconds);
    supervisor(Strategy::OneForOne).intensity(Intensity { max_restarts, period })
}

/// Case 32.
#[test]
fn one_failure_too_many_stops_the_children_in_reverse_and_ends_the_supervisor() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], specs) = world.trio();
        let root = start(at_most(2, 60).children(specs)).await;
        for _ in 0..2 {
            assert_eq!(b.crash().await, Err(b.crashed()));
            assert_eq!(b.increment().await, Ok(1));
        }
        world.clear_log();
        assert_eq!(b.crash().await, Err(b.crashed()));
        assert_eq!(root.exited().await, Exit::RestartsExceeded);
        assert_eq!(world.logged("stopped"), ["b", "c", "a"]);
        for actor in [a, b, c] {
            assert_eq!(actor.increment().await, Err(actor.unavailable()));
        }
    });
}

/// Case 33.
#[test]
fn failures_further_apart_than_the_period_never_escalate() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(at_most(1, 60).child(spec)).await;
        for _ in 0..20 {
            assert_eq!(a.crash().await, Err(a.crashed()));
            sleep(millis(60_001)).await;
        }
        assert_eq!(generations(&root), [21]);
        root.shutdown().await;
    });
}

/// Case 34.
#[test]
fn an_intensity_of_zero_escalates_at_once() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(at_most(0, 60).child(spec)).await;
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!(root.exited().await, Exit::RestartsExceeded);
    });
}

/// Case 35.
#[test]
fn restarts_that_fail_count_and_escalate() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(at_most(3, 60).child(spec)).await;
        world.let_start("a", Start::Fail);
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!(root.exited().await, Exit::RestartsExceeded);
        assert_eq!(world.logged("factory").len(), 1 + 3);
    });
}

/// Case 36.
#[test]
fn the_window_is_the_supervisors_and_not_the_childs() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, _], specs) = world.trio();
        let root = start(at_most(1, 60).children(specs)).await;
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!(b.crash().await, Err(b.crashed()));
        assert_eq!(root.exited().await, Exit::RestartsExceeded);
    });
}

/// Case 37.
#[test]
fn an_escalation_restarts_the_subtree_and_no_other() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let inner = move || {
            let children = [a_spec.clone(), b_spec.clone()];
            at_most(1, 60).children(children)
        };
        let spec = at_most(1, 60).child(ChildSpec::supervisor("inner", inner)).child(c_spec);
        let root = start(spec).await;
        assert_eq!(b.increment().await, Ok(1));
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(2)));
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(1)));
        assert_eq!((c.increment().await, generations(&root)), (Ok(1), vec![2, 1]));
        root.shutdown().await;
    });
}

/// Case 37.
#[test]
fn the_dynamic_children_of_a_subtree_are_gone_after_its_restart() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let inner = move || at_most(0, 60).child(a_spec.clone());
        let root = start(at_most(5, 60).child(ChildSpec::supervisor("inner", inner))).await;
        let first = root.nested("inner").unwrap();
        first.start_child(b_spec).await.unwrap();
        first.start_child(c_spec.restart(Restart::Temporary)).await.unwrap();
        assert_eq!((b.increment().await, c.increment().await), (Ok(1), Ok(1)));
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!((a.increment().await, generations(&root)), (Ok(1), vec![2]));
        for gone in [b, c] {
            assert_eq!(gone.increment().await, Err(gone.unavailable()));
        }
        let second = root.nested("inner").unwrap();
        let ids: Vec<_> = second.which_children().into_iter().map(|child| child.id).collect();
        assert_eq!(ids, ["a"]);
        assert_eq!(first.exited().await, Exit::RestartsExceeded);
        root.shutdown().await;
    });
}

/// Case 37: the sessions of an actor are dynamic children as well.
#[test]
fn the_sessions_of_an_actor_are_gone_after_its_restart() {
    on_paused_clock(async {
        let world = World::new();
        let sessions = DynamicSupervisor::new("test/keepers/sessions", 8);
        let session = world.session("s", &sessions);
        let keepers = DynamicSupervisor::new("test/keepers", 1);
        let keeper: ActorRef<Keeper> = keepers.start(Keeper(sessions), 8).unwrap();
        assert_eq!(session.increment().await, Ok(1));
        keepers.stop(&keeper);
        settle().await;
        assert_eq!(session.increment().await, Err(session.unavailable()));
        assert_eq!(world.logged("dropped"), ["s"]);
    });
}

/// An actor that has sessions.
struct Keeper(
    #[expect(dead_code, reason = "it lives as long as its owner")] DynamicSupervisor<Worker>,
);

impl actix::Actor for Keeper {
    type Context = Supervised<Self>;
}

/// Case 38; what that means for a process is tested in `tests/faults` of the workspace.
#[test]
fn a_root_that_gives_up_leaves_every_reference_unavailable() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let inner = move || at_most(0, 60).children([a_spec.clone(), b_spec.clone()]);
        let spec = at_most(1, 60).child(ChildSpec::supervisor("inner", inner)).child(c_spec);
        let root = start(spec).await;
        for _ in 0..2 {
            assert_eq!(a.crash().await, Err(a.crashed()));
        }
        assert_eq!(root.exited().await, Exit::RestartsExceeded);
        for actor in [a, b, c] {
            assert_eq!(actor.increment().await, Err(actor.unavailable()));
        }
        assert_eq!(root.shutdown().await.exit, Exit::RestartsExceeded);
    });
}

#[test]
fn a_supervisor_that_is_killed_is_restarted_by_its_parent_with_its_children() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let inner = move || {
            let inner = SupervisorSpec::new("inner").backoff(Backoff::NONE);
            inner.children([a_spec.clone(), b_spec.clone()])
        };
        let inner = ChildSpec::supervisor("inner", inner);
        let root = start(at_most(5, 60).child(inner).child(c_spec)).await;
        assert_eq!((a.increment().await, c.increment().await), (Ok(1), Ok(1)));
        root.kill("inner").unwrap();
        settle().await;
        let answers = (a.increment().await, b.increment().await, c.increment().await);
        assert_eq!((answers, generations(&root)), ((Ok(1), Ok(1), Ok(2)), vec![2, 1]));
        assert_eq!(world.logged("dropped"), ["a", "b"]);
        root.shutdown().await;
    });
}

/// Case 37.
#[test]
fn a_queue_survives_the_restart_of_its_whole_subtree() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, _], [a_spec, b_spec, _]) = world.trio();
        let inner = move || at_most(0, 60).children([a_spec.clone(), b_spec.clone()]);
        let root = start(at_most(5, 60).child(ChildSpec::supervisor("inner", inner))).await;
        b.handle().try_tell(Hold(seconds(1))).unwrap();
        settle().await;
        b.handle().try_tell(Increment).unwrap();
        let (crash, answer) = tokio::join!(a.crash(), b.increment());
        assert_eq!((crash, answer), (Err(a.crashed()), Ok(2)));
        assert_eq!((a.stats().generation, b.stats().generation), (2, 2));
        root.shutdown().await;
    });
}

/// Case 39.
#[test]
fn a_nested_supervisor_that_shut_itself_down_is_restarted_by_its_type() {
    on_paused_clock(async {
        for (restart, expected) in
            [(Restart::Permanent, ChildState::Up), (Restart::Transient, ChildState::Stopped)]
        {
            let world = World::new();
            let (a, spec) = world.worker("a");
            let spec = spec.restart(Restart::Transient).significant();
            let inner = move || {
                at_most(5, 60)
                    .auto_shutdown(framework::supervision::AutoShutdown::AnySignificant)
                    .child(spec.clone())
            };
            let inner = ChildSpec::supervisor("inner", inner).restart(restart);
            let root = start(at_most(5, 60).child(inner)).await;
            a.handle().try_tell(Stop).unwrap();
            settle().await;
            assert_eq!(root.which_children()[0].state, expected);
            let is_back = !matches!(a.increment().await, Err(AskError::Unavailable { .. }));
            assert_eq!(is_back, restart == Restart::Permanent);
            root.shutdown().await;
        }
    });
}
