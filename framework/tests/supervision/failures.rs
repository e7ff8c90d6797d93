//! What is said about failures, and that they stay where they happened.

use framework::supervision::{FailureReport, Strategy};

use crate::world::*;

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
        assert_eq!(a.ask(CrashWithStaticText).await, Err(a.crashed()));
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
                ("broke".to_owned(), message("CrashWithStaticText"), 3, "panic"),
            ]
        );
        for FailureReport { location, path, .. } in &reports {
            let location = location.as_deref().unwrap();
            assert!(location.contains("supervision/world.rs:"), "{location}");
            assert_eq!(&**path, "test/reported");
        }
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

/// Case 79.
#[test]
fn a_crash_loop_is_logged_at_a_bounded_rate() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("logs");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let log = Log::default();
        let listening = tracing::subscriber::set_default(log.clone());
        for _ in 0..200 {
            assert_eq!(a.crash().await, Err(a.crashed()));
        }
        drop(listening);
        assert_eq!(generations(&root), [201]);
        let lines = log.0.lock().unwrap().clone();
        let about = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
        // Windows are of real time: on a slow machine there may be several, but never a line each.
        assert!((1..=100).contains(&about("logs broke")), "{lines:?}");
        assert!((1..=100).contains(&about("restarting")), "{lines:?}");
        root.shutdown().await;
    });
}

/// Keeps the messages of what is logged.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                line = format!("{value:?}");
            }
        });
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Case 79.
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
