//! Starting: in order, each child up before the next, and all or none.

use framework::supervision::{
    AutoShutdown, Backoff, ChildCounts, ChildSpec, ChildState, Exit, Intensity, Restart, SpecError,
    StartFailure, Strategy, Supervisor, SupervisorSpec,
};

use crate::world::*;

/// Case 1.
#[test]
fn a_supervisor_without_children_is_up_and_shuts_down() {
    on_paused_clock(async {
        let root = start(SupervisorSpec::new("empty")).await;
        assert_eq!(root.count_children(), ChildCounts::default());
        assert_eq!(root.shutdown().await.exit, Exit::Shutdown);
    });
}

/// Case 2.
#[test]
fn a_child_is_up_before_the_next_one_starts() {
    on_paused_clock(async {
        let world = World::new();
        let (_, specs) = world.trio();
        world.let_start("a", Start::After(seconds(5)));
        world.let_start("b", Start::After(seconds(5)));
        let before = tokio::time::Instant::now();
        let root = Supervisor::spawn(supervisor(Strategy::OneForOne).children(specs)).unwrap();
        sleep(seconds(7)).await;
        assert_eq!(world.logged("factory"), ["a", "b"]);
        root.started().await.unwrap();
        assert!(before.elapsed() >= seconds(10));
        assert_eq!(world.logged("started"), ["a", "b", "c"]);
        root.shutdown().await;
    });
}

/// Case 3.
#[test]
fn a_child_that_fails_to_start_stops_those_before_it_and_is_not_restarted() {
    let refused = Exit::StartFailed { reason: "init refused".into() };
    assert_first_failure(Start::Fail, |exit| *exit == refused);
}

/// Case 4.
#[test]
fn a_factory_that_panics_is_a_failed_start() {
    assert_first_failure(Start::PanicInFactory, |exit| matches!(exit, Exit::StartFailed { .. }));
}

/// Case 5.
#[test]
fn a_panic_in_started_is_a_failed_start() {
    assert_first_failure(Start::PanicInStarted, |exit| matches!(exit, Exit::Panicked { .. }));
}

#[test]
fn a_failure_in_started_is_a_failed_start() {
    assert_first_failure(Start::FailInStarted, |exit| matches!(exit, Exit::StartFailed { .. }));
}

/// Case 6.
#[test]
fn a_child_that_is_not_up_in_time_is_killed_and_those_before_it_are_stopped() {
    assert_first_failure(Start::Never, |exit| *exit == Exit::StartTimeout);
}

/// Starts a, b and c, where b does not start.
fn assert_first_failure(how: Start, is_expected: impl Fn(&Exit) -> bool) {
    on_paused_clock(async {
        let world = World::new();
        let (_, specs) = world.trio();
        world.let_start("b", how);
        let spec = supervisor(Strategy::OneForOne).children(specs);
        let failure: StartFailure = Supervisor::start(spec).await.unwrap_err();
        assert_eq!((failure.supervisor.as_ref(), failure.child.as_str()), ("root", "b"));
        assert!(is_expected(&failure.exit), "{failure}");
        assert_eq!(world.logged("factory"), ["a", "b"]);
        assert_eq!(world.logged("stopped").last().map(String::as_str), Some("a"));
    });
}

/// Case 7.
#[test]
fn a_permanent_child_that_declines_is_kept_as_stopped() {
    on_paused_clock(async {
        let world = World::new();
        let ([a, b, c], specs) = world.trio();
        world.let_start("b", Start::Decline);
        let root = start(supervisor(Strategy::OneForOne).children(specs)).await;
        let states: Vec<_> = root.which_children().iter().map(|child| child.state).collect();
        assert_eq!(states, [ChildState::Up, ChildState::Stopped, ChildState::Up]);
        assert_eq!((a.increment().await, c.increment().await), (Ok(1), Ok(1)));
        assert_eq!(b.increment().await, Err(b.unavailable()));
        root.shutdown().await;
    });
}

/// Case 8.
#[test]
fn a_temporary_child_that_declines_is_forgotten() {
    on_paused_clock(async {
        let world = World::new();
        let (_, [a, b, c]) = world.trio();
        world.let_start("b", Start::Decline);
        let specs = [a, b.restart(Restart::Temporary), c];
        let root = start(supervisor(Strategy::OneForOne).children(specs)).await;
        let ids: Vec<_> = root.which_children().into_iter().map(|child| child.id).collect();
        assert_eq!(ids, ["a", "c"]);
        root.shutdown().await;
    });
}

/// Case 9.
#[test]
fn two_children_with_one_id_are_rejected_before_anything_starts() {
    on_paused_clock(async {
        let world = World::new();
        let specs = [world.worker("a").1, world.worker("a").1];
        let spec = supervisor(Strategy::OneForOne).children(specs);
        let expected = SpecError::DuplicateChild { supervisor: "root".into(), id: "a".into() };
        assert_eq!(spec.clone().build().unwrap_err(), expected);
        assert!(Supervisor::start(spec).await.is_err());
        assert!(world.log().is_empty());
    });
}

/// Case 10.
#[test]
fn flags_that_make_no_sense_are_rejected_with_a_precise_error() {
    on_paused_clock(async {
        let world = World::new();
        let child = || world.worker("a").1.significant();
        let spec = || SupervisorSpec::new("root");
        let error = |spec: SupervisorSpec| spec.build().unwrap_err().to_string();
        let intensity = Intensity { max_restarts: 1, period: seconds(0) };
        assert_eq!(
            error(spec().intensity(intensity)),
            "supervisor `root` has an intensity with a period of zero"
        );
        assert_eq!(
            error(spec().auto_shutdown(AutoShutdown::AnySignificant).child(child())),
            "child `a` of supervisor `root` is both permanent and significant"
        );
        assert_eq!(
            error(spec().child(child().restart(Restart::Transient))),
            "child `a` is significant, but supervisor `root` never shuts down for it"
        );
        assert_eq!(
            error(spec().backoff(Backoff { factor: 0.5, ..Backoff::default() })),
            "supervisor `root` has a backoff whose `factor` is 0.5"
        );
    });
}

/// Case 11.
#[test]
fn by_default_children_are_permanent_workers_have_5_seconds_and_supervisors_all_the_time() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let inner = ChildSpec::supervisor("inner", {
            let spec = spec.clone();
            move || SupervisorSpec::new("inner").child(spec.clone())
        });
        let root =
            start(SupervisorSpec::new("root").child(inner.clone()).child(world.worker("b").1))
                .await;
        a.handle().try_tell(Stop).unwrap();
        settle().await;
        sleep(seconds(1)).await;
        assert_eq!(a.stats().generation, 2, "permanent: restarted after a normal end");
        let described = format!("{inner:?}");
        assert!(described.contains("Permanent") && described.contains("Infinity"), "{described}");
        let described = format!("{spec:?}");
        assert!(described.contains("Permanent") && described.contains("Within(5s)"), "{described}");
        root.shutdown().await;
    });
}
