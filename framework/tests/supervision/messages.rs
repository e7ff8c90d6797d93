//! References and messages: what happens to them when actors come and go.

use framework::supervision::{AskError, DynamicSupervisor, Strategy, TellError};

use crate::world::*;

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
