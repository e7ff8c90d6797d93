//! Significant children, whose end ends their supervisor.

use framework::supervision::{AutoShutdown, Exit, Restart, Strategy};

use crate::world::*;

/// Case 63.
#[test]
fn any_significant_child_that_ends_normally_shuts_its_supervisor_down() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, ..], [a_spec, b_spec, c_spec]) = world.trio();
        let spec = supervisor(Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .children([a_spec.restart(Restart::Transient).significant(), b_spec, c_spec]);
        let root = start(spec).await;
        a.handle().try_tell(Fail).unwrap();
        assert_eq!(a.increment().await, Ok(1), "a failure is a restart, not an end");
        a.handle().try_tell(Stop).unwrap();
        assert_eq!(root.exited().await, Exit::Shutdown);
        assert_eq!(world.logged("stopped"), ["a", "a", "c", "b"]);
    });
}

/// Case 64.
#[test]
fn all_significant_waits_for_the_last_one() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], [a_spec, b_spec, c_spec]) = world.trio();
        let spec = supervisor(Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AllSignificant)
            .child(a_spec.restart(Restart::Transient).significant())
            .child(b_spec.restart(Restart::Temporary).significant())
            .child(c_spec);
        let root = start(spec).await;
        a.handle().try_tell(Stop).unwrap();
        settle().await;
        assert_eq!(c.increment().await, Ok(1));
        b.handle().try_tell(Stop).unwrap();
        assert_eq!(root.exited().await, Exit::Shutdown);
    });
}

/// Case 65.
#[test]
fn a_significant_child_that_was_stopped_by_others_shuts_nothing_down() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, _, c], [a_spec, b_spec, c_spec]) = world.trio();
        let spec = supervisor(Strategy::OneForAll)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(a_spec.restart(Restart::Transient).significant())
            .child(b_spec.restart(Restart::Temporary).significant())
            .child(c_spec);
        let root = start(spec).await;
        root.terminate_child("a").await.unwrap();
        assert_eq!(c.crash().await, Err(c.crashed()));
        assert_eq!(c.increment().await, Ok(1), "b was a bystander");
        assert_eq!(a.increment().await, Ok(1), "one_for_all starts all that are not temporary");
        root.shutdown().await;
    });
}
