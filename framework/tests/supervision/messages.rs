//! References and messages: what happens to them when actors come and go.

use framework::supervision::{AskError, DynamicSupervisor, Strategy, TellError};

use crate::world::*;

/// Case 66.
#[test]
fn a_reference_made_before_the_start_waits_until_the_actor_is_up() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let answer = actix::spawn({
            let a = a.clone();
            async move { a.increment().await }
        });
        settle().await;
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        assert_eq!(answer.await.unwrap(), Ok(1));
        root.shutdown().await;
    });
}

/// Case 66.
#[test]
fn a_reference_to_an_actor_that_never_starts_waits_until_its_deadline() {
    on_paused_clock(async {
        let (a, _) = World::new().worker("a");
        let deadline = tokio::time::Instant::now() + seconds(5);
        let answer = a.handle().ask(Increment, deadline).await;
        assert_eq!(answer, Err(AskError::Timeout { actor: "test/a".into() }));
        assert_eq!(tokio::time::Instant::now().duration_since(deadline).as_secs(), 0);
    });
}

/// Case 67.
#[test]
fn a_crash_loses_the_message_in_hand_and_no_other() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let answers = tokio::join!(a.increment(), a.crash(), a.increment(), a.increment());
        assert_eq!(answers, (Ok(1), Err(a.crashed()), Ok(1), Ok(2)));
        assert_eq!(generations(&root), [2]);
        root.shutdown().await;
        assert_eq!(a.increment().await, Err(a.unavailable()));
    });
}

/// Case 72.
#[test]
fn a_full_mailbox_refuses_try_tell_and_serves_waiting_tells_in_order() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker_at("a", 2, framework::supervision::Placement::current());
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().tell(Hold(seconds(10)), soon()).await.unwrap();
        settle().await;
        a.handle().try_tell(Increment).unwrap();
        a.handle().try_tell(Increment).unwrap();
        assert!(matches!(a.handle().try_tell(Increment), Err(TellError::Full { .. })));
        let before = tokio::time::Instant::now();
        a.handle().tell(Increment, soon()).await.unwrap();
        assert_eq!(before.elapsed(), seconds(10));
        assert_eq!(a.increment().await, Ok(4));
        root.shutdown().await;
    });
}

/// Case 72.
#[test]
fn those_who_wait_for_room_are_served_in_the_order_in_which_they_came() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker_at("a", 1, framework::supervision::Placement::current());
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(10))).unwrap();
        settle().await;
        let asks = (0..20).map(|_| a.increment());
        let answers = futures_util::future::join_all(asks).await;
        assert_eq!(answers, (1..=20).map(Ok).collect::<Vec<_>>());
        root.shutdown().await;
    });
}

#[test]
fn a_panic_in_a_task_costs_only_its_caller() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let (work, crash) = tokio::join!(a.ask(Work(seconds(1))), a.ask(CrashTask));
        assert_eq!((work, crash), (Ok(7), Err(a.crashed())));
        assert_eq!((generations(&root), a.stats().tasks_panicked), (vec![1], 1));
        root.shutdown().await;
    });
}

/// Cases 73 and 74.
#[test]
fn a_deadline_ends_an_ask_and_the_task_that_works_on_it() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let deadline = tokio::time::Instant::now() + seconds(1);
        let answer = a.handle().ask(Work(seconds(60)), deadline).await;
        assert_eq!(answer, Err(AskError::Timeout { actor: "test/a".into() }));
        settle().await;
        assert_eq!((world.logged("task ended").len(), a.stats().tasks_cancelled), (1, 1));
        root.shutdown().await;
    });
}

#[test]
fn a_crashed_session_is_gone_and_its_neighbour_is_not() {
    on_paused_clock(async {
        let world = World::new();
        let sessions = DynamicSupervisor::new("test/sessions", 2);
        let (a, b) = (world.session("a", &sessions), world.session("b", &sessions));
        assert!(sessions.start(world.bare_worker("c"), 1).is_err());
        assert_eq!((a.increment().await, b.increment().await), (Ok(1), Ok(1)));
        let (crash, later) = tokio::join!(a.crash(), a.increment());
        assert_eq!((crash, later), (Err(a.crashed()), Err(a.unavailable())));
        assert_eq!((sessions.len(), b.increment().await), (1, Ok(2)));
        sessions.stop(&b);
        settle().await;
        assert_eq!((sessions.len(), b.increment().await), (0, Err(b.unavailable())));
    });
}

/// Case 68.
#[test]
fn a_crash_answers_each_running_task_with_crashed() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let tasks = futures_util::future::join_all((0..5).map(|_| a.ask(Work(seconds(60)))));
        let crash = async {
            settle().await;
            a.crash().await
        };
        let (answers, crash) = tokio::join!(tasks, crash);
        assert_eq!(crash, Err(a.crashed()));
        assert!(answers.iter().all(|answer| *answer == Err(a.crashed())), "{answers:?}");
        assert_eq!((a.stats().tasks_cancelled, world.logged("task ended").len()), (5, 5));
        root.shutdown().await;
    });
}

/// Case 71.
#[test]
fn tells_left_after_the_end_are_dead_letters_with_their_type_and_reason() {
    on_paused_clock(async {
        let world = World::new();
        recorded_metrics();
        let (a, spec) = world.worker("ends");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(3600))).unwrap();
        for _ in 0..4 {
            a.handle().try_tell(Increment).unwrap();
        }
        let (answer, _) = tokio::join!(a.increment(), root.shutdown());
        assert_eq!(answer, Err(a.unavailable()));
        let stats = a.stats();
        assert_eq!((stats.sent, stats.handled), (6, 1));
        assert_eq!((stats.dead_letters, stats.returned, stats.queued), (4, 1, 0));
        assert_eq!(dead_letters("ends"), [r#"message="Increment",reason="stopped"} 4"#]);
    });
}

/// Case 72.
#[test]
fn waiting_senders_get_their_message_back_when_the_actor_ends() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker_at("a", 1, framework::supervision::Placement::current());
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(3600))).unwrap();
        settle().await;
        a.handle().try_tell(Increment).unwrap();
        let handle = a.handle();
        let stop = async {
            settle().await;
            root.shutdown().await
        };
        let (waiting, _) = tokio::join!(handle.tell(Increment, soon()), stop);
        assert!(matches!(waiting, Err(TellError::Unavailable { message: Increment, .. })));
    });
}

/// Case 73.
#[test]
fn an_ask_whose_caller_leaves_before_its_turn_is_skipped() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(10))).unwrap();
        settle().await;
        let hasty = tokio::time::timeout(seconds(1), a.increment()).await;
        assert!(hasty.is_err());
        assert_eq!(a.increment().await, Ok(1));
        assert_eq!(a.stats().skipped, 1);
        root.shutdown().await;
    });
}

/// Case 74.
#[test]
fn an_ask_that_timed_out_gives_its_place_back() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker_at("a", 1, framework::supervision::Placement::current());
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        a.handle().try_tell(Hold(seconds(10))).unwrap();
        settle().await;
        for _ in 0..3 {
            let deadline = tokio::time::Instant::now() + seconds(1);
            let answer = a.handle().ask(Increment, deadline).await;
            assert_eq!(answer, Err(AskError::Timeout { actor: "test/a".into() }));
        }
        sleep(seconds(10)).await;
        a.handle().try_tell(Increment).unwrap();
        assert_eq!(a.increment().await, Ok(2));
        root.shutdown().await;
    });
}

/// Case 76.
#[test]
fn actors_that_ask_in_a_circle_are_reported_by_name_and_freed_by_their_deadline() {
    on_paused_clock(async {
        let world = World::new();
        let (reports, _guard) = reports_of("closes_circle");
        let ((a, a_spec), (b, b_spec), (c, c_spec)) =
            (world.worker("a"), world.worker("b"), world.worker("closes_circle"));
        let root = start(supervisor(Strategy::OneForOne).children([a_spec, b_spec, c_spec])).await;
        let before = tokio::time::Instant::now();
        let asking = a.ask(Pass((vec![b.handle(), c.handle(), a.handle()], seconds(2))));
        let looking = async {
            sleep(seconds(1)).await;
            root.tree().to_string()
        };
        let (answer, tree) = tokio::join!(asking, looking);
        assert!(matches!(answer, Ok(Err(AskError::Timeout { .. }))), "{answer:?}");
        assert_eq!(before.elapsed().as_secs(), 2);
        for line in ["busy with Pass for 1.0s, waits for test/b", "1.0s, waits for test/a"] {
            assert!(tree.contains(line), "`{line}` is not in:\n{tree}");
        }
        let seen = reports.lock().unwrap().clone();
        let about: Vec<_> = seen.iter().map(|report| (report.reason, &*report.text)).collect();
        let circle = "test/closes_circle -> test/a -> test/b -> test/closes_circle";
        let text = format!("asks in a circle, until a deadline ends it: {circle}");
        assert_eq!(about, [("circle", text.as_str())]);
        for actor in [a, b, c] {
            assert_eq!(actor.increment().await, Ok(1));
        }
        assert!(!root.tree().to_string().contains("waits for"));
        root.shutdown().await;
    });
}

/// Case 76.
#[test]
fn an_actor_that_asks_itself_is_reported_and_freed_by_its_deadline() {
    on_paused_clock(async {
        let world = World::new();
        let (reports, _guard) = reports_of("asks_itself");
        let (a, spec) = world.worker("asks_itself");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let answer = a.ask(Relay((a.handle(), seconds(2)))).await;
        assert_eq!(answer, Ok(Err(AskError::Timeout { actor: "test/asks_itself".into() })));
        let texts: Vec<_> = reports.lock().unwrap().iter().map(|it| it.text.to_string()).collect();
        let path = "test/asks_itself";
        assert_eq!(
            texts,
            [format!("asks in a circle, until a deadline ends it: {path} -> {path}")]
        );
        assert_eq!(a.increment().await, Ok(1));
        root.shutdown().await;
    });
}

#[test]
fn actors_that_wait_for_each_other_without_a_circle_are_not_reported() {
    on_paused_clock(async {
        let world = World::new();
        let (reports, _guard) = reports_of("in_line");
        let ((a, a_spec), (b, b_spec), (c, c_spec)) =
            (world.worker("in_line"), world.worker("b"), world.worker("c"));
        let root = start(supervisor(Strategy::OneForOne).children([a_spec, b_spec, c_spec])).await;
        for _ in 0..3 {
            assert_eq!(a.ask(Pass((vec![b.handle(), c.handle()], seconds(2)))).await, Ok(Ok(0)));
        }
        assert!(reports.lock().unwrap().is_empty());
        root.shutdown().await;
    });
}

#[test]
fn a_monitor_learns_of_the_end_of_an_incarnation() {
    on_paused_clock(async {
        let world = World::new();
        let (a, spec) = world.worker("a");
        let root = start(supervisor(Strategy::OneForOne).child(spec)).await;
        let first = a.monitor();
        assert_eq!(a.crash().await, Err(a.crashed()));
        let (generation, exit) = first.await.unwrap();
        assert_eq!((generation, exit.label()), (1, "panic"));
        let second = a.monitor();
        root.shutdown().await;
        assert_eq!(second.await, Some((2, framework::supervision::Exit::Shutdown)));
    });
}
