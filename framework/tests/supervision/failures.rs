//! What is said about failures, and that they stay where they happened.

use std::sync::{Arc, Mutex};

use framework::supervision::{FailureReport, ObserverGuard, Strategy, observe_failures};

use crate::world::*;

/// Collects the reports about one actor.
fn reports_of(id: &str) -> (Arc<Mutex<Vec<FailureReport>>>, ObserverGuard) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let (sink, path) = (reports.clone(), format!("test/{id}"));
    let guard = observe_failures(move |report| {
        if *report.path == path {
            sink.lock().unwrap().push(report.clone());
        }
    });
    (reports, guard)
}

/// Case 77.
#[test]
fn a_panic_is_reported_with_text_message_path_generation_and_location() {
    on_paused_clock(async {
        let world = World::new();
        let (reports, _guard) = reports_of("reported");
        let (a, spec) = world.worker("reported");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        assert_eq!(a.crash().await, Err(a.crashed()));
        assert_eq!(a.ask(CrashOddly).await, Err(a.crashed()));
        assert_eq!(a.increment().await, Ok(1));
        let reports = reports.lock().unwrap().clone();
        let about = |report: &FailureReport| {
            let message = report.message.map(|name| name.rsplit("::").next().unwrap().to_owned());
            (report.text.to_string(), message, report.generation, report.reason)
        };
        let message = |name: &str| Some(name.to_owned());
        assert_eq!(
            reports.iter().map(about).collect::<Vec<_>>(),
            [
                ("reported broke".to_owned(), message("Crash"), 1, "panic"),
                ("a panic without a text".to_owned(), message("CrashOddly"), 2, "panic"),
            ]
        );
        let location = reports[0].location.as_deref().unwrap();
        assert!(location.contains("supervision/world.rs:"), "{location}");
        root.shutdown().await;
    });
}

/// Case 78.
#[test]
fn a_panic_in_stopped_or_in_drop_is_reported_and_harms_nobody() {
    on_paused_clock(async {
        for id in ["panics_in_stopped", "panics_in_drop"] {
            let world = World::new();
            let (reports, _guard) = reports_of(id);
            let (a, spec) = world.worker(id);
            let (b, b_spec) = world.worker("b");
            let root = start(supervisor(Strategy::OneForOne).children([spec, b_spec])).await;
            assert_eq!(a.crash().await, Err(a.crashed()));
            assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(1)));
            root.shutdown().await;
            let reasons: Vec<_> = reports.lock().unwrap().iter().map(|r| r.reason).collect();
            assert_eq!(reasons.len(), 3, "{reasons:?}");
            assert_eq!(reasons[..2], ["panic", "drop_panic"]);
        }
    });
}

/// Case 79; the rate limit of the log has its own test beside it.
#[test]
fn every_crash_of_a_loop_is_observed_once() {
    on_paused_clock(async {
        let world = World::new();
        let (reports, _guard) = reports_of("loops");
        let (a, spec) = world.worker("loops");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        for _ in 0..50 {
            assert_eq!(a.crash().await, Err(a.crashed()));
        }
        assert_eq!(a.increment().await, Ok(1));
        assert_eq!((reports.lock().unwrap().len(), generations(&root)), (50, vec![51]));
        root.shutdown().await;
    });
}

/// Case 80.
#[test]
fn a_child_that_waits_without_an_end_is_restarted_and_a_slow_one_is_not() {
    on_paused_clock(async {
        let world = World::new();
        let (reports, _guard) = reports_of("waits");
        let (a, spec) = world.worker("waits");
        let spec = spec.hang_after(seconds(1));
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        for _ in 0..10 {
            a.handle().try_tell(Hold(millis(700))).unwrap();
        }
        assert_eq!((a.increment().await, generations(&root)), (Ok(1), vec![1]));
        sleep(seconds(60)).await;
        assert_eq!((a.increment().await, generations(&root)), (Ok(2), vec![1]));
        a.handle().try_tell(Hold(seconds(3600))).unwrap();
        let before = tokio::time::Instant::now();
        assert_eq!((a.increment().await, generations(&root)), (Ok(1), vec![2]));
        assert!(before.elapsed() < millis(1600), "{:?}", before.elapsed());
        assert_eq!(reports.lock().unwrap()[0].reason, "hung");
        root.shutdown().await;
    });
}

/// Case 82.
#[test]
fn a_panic_in_a_task_that_nobody_waits_for_is_counted_and_reported() {
    on_paused_clock(async {
        let world = World::new();
        let (reports, _guard) = reports_of("detached");
        let (a, spec) = world.worker("detached");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(CrashTask).unwrap();
        settle().await;
        assert_eq!((a.stats().tasks_panicked, generations(&root)), (1, vec![1]));
        let reports = reports.lock().unwrap().clone();
        assert_eq!((reports[0].reason, &*reports[0].text), ("task_panic", "task broke"));
        root.shutdown().await;
    });
}
