//! What people do to a running supervisor.

use framework::supervision::{
    ActorRef, ChildCounts, ChildError, ChildSpec, ChildState, DynamicSupervisor, Placement,
    Restart, Strategy,
};
use tokio::time::Instant;

use crate::world::*;

fn id() -> String {
    "a".to_owned()
}

/// Case 55.
#[test]
fn a_started_child_comes_last_and_one_that_fails_leaves_no_trace() {
    on_paused_clock(async {
        let world = World::new();
        let ([_, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let root = start(supervisor(Strategy::RestForOne).child(a_spec)).await;
        root.start_child(b_spec).await.unwrap();
        assert_eq!(b.increment().await, Ok(1));
        world.let_start("c", Start::Fail);
        let refused = root.start_child(c_spec).await;
        assert!(matches!(refused, Err(ChildError::StartFailed { .. })), "{refused:?}");
        assert_eq!(c.increment().await, Err(c.unavailable()));
        let ids: Vec<_> = root.which_children().into_iter().map(|child| child.id).collect();
        assert_eq!(ids, ["a", "b"]);
        root.shutdown().await;
        assert_eq!(world.logged("stopped"), ["b", "a"]);
    });
}

/// Case 56.
#[test]
fn an_id_that_runs_cannot_be_started_again() {
    on_paused_clock(async {
        let world = World::new();
        let root = start(supervisor(Strategy::OneForOne).child(world.worker("a").1)).await;
        let again = root.start_child(world.worker("a").1).await;
        assert_eq!(again, Err(ChildError::AlreadyStarted { id: id() }));
        root.shutdown().await;
    });
}

/// Case 57.
#[test]
fn terminating_twice_is_fine_and_an_unknown_id_is_not_found() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        assert_eq!(root.terminate_child("a").await, Ok(()));
        assert_eq!(root.terminate_child("a").await, Ok(()));
        assert_eq!(a.increment().await, Err(a.unavailable()));
        let unknown = root.terminate_child("z").await;
        let expected = ChildError::NotFound { supervisor: "root".into(), id: "z".to_owned() };
        assert_eq!(unknown, Err(expected));
        root.shutdown().await;
    });
}

/// Case 58.
#[test]
fn restarting_a_stopped_child_is_no_failure() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let intensity = framework::supervision::Intensity { max_restarts: 0, period: seconds(60) };
        let root = supervisor(Strategy::OneForOne).intensity(intensity).child(spec);
        let root = start(root).await;
        assert_eq!(root.restart_child("a").await, Err(ChildError::Running { id: id() }));
        for generation in 2..5 {
            root.terminate_child("a").await.unwrap();
            root.restart_child("a").await.unwrap();
            assert_eq!((a.increment().await, generations(&root)), (Ok(1), vec![generation]));
        }
        root.terminate_child("a").await.unwrap();
        world.let_start("a", Start::Fail);
        assert!(root.restart_child("a").await.is_err());
        assert_eq!(root.which_children()[0].state, ChildState::Stopped);
        root.shutdown().await;
    });
}

/// Case 59.
#[test]
fn only_a_stopped_child_can_be_deleted() {
    on_paused_clock(async {
        let world = World::new();
        let root = start(supervisor(Strategy::OneForOne).child(world.worker("a").1)).await;
        assert_eq!(root.delete_child("a").await, Err(ChildError::Running { id: id() }));
        root.terminate_child("a").await.unwrap();
        assert_eq!(root.delete_child("a").await, Ok(()));
        assert!(root.which_children().is_empty());
        root.shutdown().await;
    });
}

/// Case 60.
#[test]
fn the_counts_are_consistent_in_every_state() {
    on_paused_clock(async {
        let world = World::new();
        let ([_, b, _], [a, b_spec, c]) = world.trio();
        let inner = move || supervisor(Strategy::OneForOne).child(c.clone());
        let backoff = framework::supervision::Backoff {
            min: seconds(1),
            max: seconds(1),
            ..framework::supervision::Backoff::NONE
        };
        let spec = supervisor(Strategy::OneForOne).backoff(backoff).children([
            a,
            b_spec,
            ChildSpec::supervisor("inner", inner),
        ]);
        let root = start(spec).await;
        let counts = |active| {
            let ChildCounts { specs, active: running, supervisors, workers, .. } =
                root.count_children();
            assert_eq!((specs, running, supervisors, workers), (3, active, 1, 2));
        };
        counts(3);
        assert_eq!(b.crash().await, Err(b.crashed()));
        settle().await;
        counts(2);
        root.terminate_child("inner").await.unwrap();
        counts(1);
        sleep(seconds(2)).await;
        counts(2);
        root.shutdown().await;
        counts(0);
    });
}

/// The processor time of this thread, in nanoseconds.
fn processor_time() -> u64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedule.split(' ').next().unwrap().parse().unwrap()
}

/// Case 61: ten times the children take about ten times the work, not a hundred.
#[test]
fn thousands_of_dynamic_children_cost_linear_time() {
    let cost = |children: usize| {
        let started = processor_time();
        on_paused_clock(async move {
            let world = World::new();
            let root = start(supervisor(Strategy::OneForOne)).await;
            for number in 0..children {
                let spec = world.worker(&format!("{number}")).1.restart(Restart::Temporary);
                root.start_child(spec).await.unwrap();
            }
            assert_eq!(root.count_children().active, children);
            for number in 0..children {
                root.terminate_child(&format!("{number}")).await.unwrap();
            }
            assert_eq!(root.count_children().specs, 0);
            root.shutdown().await;
        });
        processor_time() - started
    };
    let (small, large) = (cost(1_000), cost(10_000));
    assert!(large < small * 50, "{small} ns for 1000, {large} ns for 10000");
}

/// Case 61: memory is linear as well, since nothing of a child stays.
#[test]
fn what_a_temporary_child_was_made_from_goes_with_it() {
    on_paused_clock(async {
        let world = World::new();
        let root = start(supervisor(Strategy::OneForOne)).await;
        let material = std::sync::Arc::new(());
        for number in 0..100 {
            let id = number.to_string();
            let actor = ActorRef::new(format!("test/{id}"), 1);
            let (factory_world, held) = (world.clone(), material.clone());
            let spec = ChildSpec::actor(&actor, id.clone(), Placement::current(), move || {
                let _held = &held;
                Ok(factory_world.bare_worker("temporary"))
            });
            root.start_child(spec.restart(Restart::Temporary)).await.unwrap();
            assert_eq!(std::sync::Arc::strong_count(&material), 2);
            match number % 2 {
                0 => root.terminate_child(&id).await.unwrap(),
                _ => actor.handle().try_tell(Stop).unwrap(),
            }
            settle().await;
            assert_eq!(std::sync::Arc::strong_count(&material), 1);
        }
        assert_eq!((root.count_children().specs, root.which_children().len()), (0, 0));
        root.shutdown().await;
    });
}

/// Case 62.
#[test]
fn sessions_stop_in_parallel_within_one_deadline() {
    on_paused_clock(async {
        let world = World::new();
        let sessions = DynamicSupervisor::new("test/sessions", 10_000);
        for number in 0..1000 {
            let session = world.session(&format!("{number}"), &sessions);
            session.handle().try_tell(Hold(seconds(3600))).unwrap();
        }
        settle().await;
        let before = Instant::now();
        assert_eq!(sessions.stop_all(before + seconds(5)).await, 0);
        assert_eq!((sessions.len(), before.elapsed()), (0, millis(0)));
        assert_eq!(world.logged("stopped").len(), 1000);
    });
}

#[test]
fn sessions_die_with_their_supervisor() {
    on_paused_clock(async {
        let world = World::new();
        let sessions = DynamicSupervisor::new("test/sessions", 10);
        let session = world.session("a", &sessions);
        assert_eq!(session.increment().await, Ok(1));
        drop(sessions);
        settle().await;
        assert_eq!(session.increment().await, Err(session.unavailable()));
        assert_eq!(world.logged("dropped"), ["a"]);
    });
}

#[test]
fn the_tree_shows_who_is_busy_with_what_and_how_many_sessions_there_are() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("in_tree");
        let inner = move || supervisor(Strategy::RestForOne).child(spec.clone());
        let root = supervisor(Strategy::OneForOne).child(ChildSpec::supervisor("inner", inner));
        let root = start(root).await;
        let sessions = DynamicSupervisor::new("test/in_tree/sessions", 8);
        let _session = world.session("s", &sessions);
        a.handle().try_tell(Hold(seconds(60))).unwrap();
        settle().await;
        a.handle().try_tell(Increment).unwrap();
        sleep(seconds(2)).await;
        assert_eq!(
            root.tree().to_string(),
            "root [one_for_one] up, 0 restarts\n\
             \x20 inner [rest_for_one] up, 0 restarts\n\
             \x20   in_tree up, generation 1, 1 queued, busy with Hold for 2.0s\n\
             \x20     sessions 1 of 8 sessions, 0 queued\n"
        );
        root.shutdown().await;
        assert!(root.tree().to_string().starts_with("root [one_for_one] stopped"));
    });
}
