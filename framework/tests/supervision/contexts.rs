//! The context is an actix context: what actix actors use works in a tree.

use std::time::Duration;

use actix::prelude::*;
use framework::supervision::{ActorRef, DynamicSupervisor, Supervised};

use crate::world::{on_paused_clock, seconds, settle, sleep, soon};

/// Writes down what reaches it.
#[derive(Default)]
struct Recorder(Vec<String>);

impl Actor for Recorder {
    type Context = Supervised<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Note(&'static str);

#[derive(Message)]
#[rtype(result = "Vec<String>")]
struct Read;

/// Runs something with the actor and its context.
#[derive(Message)]
#[rtype(result = "()")]
struct Run(fn(&mut Recorder, &mut Supervised<Recorder>));

#[derive(Message)]
#[rtype(result = "usize")]
struct Later(Duration);

#[derive(Message)]
#[rtype(result = "usize")]
struct LaterInside(Duration);

impl Handler<Note> for Recorder {
    type Result = ();

    fn handle(&mut self, Note(text): Note, _: &mut Self::Context) {
        self.0.push(text.to_owned());
    }
}

impl Handler<Read> for Recorder {
    type Result = Vec<String>;

    fn handle(&mut self, _: Read, _: &mut Self::Context) -> Vec<String> {
        self.0.clone()
    }
}

impl Handler<Run> for Recorder {
    type Result = ();

    fn handle(&mut self, Run(run): Run, ctx: &mut Self::Context) {
        run(self, ctx);
    }
}

impl Handler<Later> for Recorder {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, Later(time): Later, _: &mut Self::Context) -> Self::Result {
        Box::pin(async move {
            tokio::time::sleep(time).await;
            1
        })
    }
}

impl Handler<LaterInside> for Recorder {
    type Result = ResponseActFuture<Self, usize>;

    fn handle(&mut self, LaterInside(time): LaterInside, _: &mut Self::Context) -> Self::Result {
        let nap = tokio::time::sleep(time).into_actor(self);
        Box::pin(nap.map(|(), actor, _| {
            actor.0.push("woke".to_owned());
            actor.0.len()
        }))
    }
}

impl StreamHandler<u32> for Recorder {
    fn handle(&mut self, item: u32, ctx: &mut Self::Context) {
        self.0.push(item.to_string());
        if item == 1 {
            ctx.wait(tokio::time::sleep(seconds(1)).into_actor(self));
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {
        self.0.push("finished".to_owned());
    }
}

/// Runs something in a recorder and returns what it has written down an hour later.
async fn recorded(run: fn(&mut Recorder, &mut Supervised<Recorder>)) -> Vec<String> {
    let actors = DynamicSupervisor::new("test/recorders", 1);
    let recorder: ActorRef<Recorder> = actors.start(Recorder::default(), 16).unwrap();
    recorder.handle().ask(Run(run), soon()).await.unwrap();
    sleep(seconds(3600)).await;
    recorder.handle().ask(Read, soon()).await.unwrap()
}

#[test]
fn timers_and_notifications_arrive_and_cancelled_ones_do_not() {
    on_paused_clock(async {
        let record = recorded(|_, ctx| {
            ctx.run_later(seconds(2), |actor, _| actor.0.push("later".to_owned()));
            ctx.notify_later(Note("notified later"), seconds(1));
            ctx.notify(Note("notified"));
            let cancelled = ctx.run_later(seconds(1), |actor, _| actor.0.push("no".to_owned()));
            assert!(ctx.cancel_future(cancelled));
            ctx.run_interval(seconds(1500), |actor, _| actor.0.push("again".to_owned()));
        });
        let record = record.await;
        assert_eq!(record, ["notified", "notified later", "later", "again", "again"]);
    });
}

#[test]
fn an_interval_can_cancel_itself() {
    on_paused_clock(async {
        let record = recorded(|_, ctx| {
            let handle = std::rc::Rc::new(std::cell::Cell::new(SpawnHandle::default()));
            let own = handle.clone();
            handle.set(ctx.run_interval(seconds(1), move |actor, ctx| {
                actor.0.push("once".to_owned());
                ctx.cancel_future(own.get());
            }));
        });
        assert_eq!(record.await, ["once"]);
    });
}

#[test]
fn a_stream_goes_on_after_a_wait_that_one_of_its_items_caused() {
    on_paused_clock(async {
        let record = recorded(|_, ctx| {
            ctx.add_stream(futures_util::stream::iter(0..4));
        });
        assert_eq!(record.await, ["0", "1", "2", "3", "finished"]);
    });
}

#[test]
fn waits_run_latest_first_and_nothing_else_runs_meanwhile() {
    on_paused_clock(async {
        let record = recorded(|actor, ctx| {
            let note = |text: &'static str| {
                move |(), actor: &mut Recorder, _: &mut Supervised<Recorder>| {
                    actor.0.push(text.to_owned());
                }
            };
            ctx.notify(Note("message"));
            let first = tokio::time::sleep(seconds(1)).into_actor(actor).map(note("first"));
            ctx.wait(first);
            let second = tokio::time::sleep(seconds(5)).into_actor(actor).map(note("second"));
            ctx.wait(second);
        });
        assert_eq!(record.await, ["second", "first", "message"]);
    });
}

#[test]
fn actix_response_futures_answer() {
    on_paused_clock(async {
        let actors = DynamicSupervisor::new("test/recorders", 1);
        let recorder: ActorRef<Recorder> = actors.start(Recorder::default(), 16).unwrap();
        assert_eq!(recorder.handle().ask(Later(seconds(1)), soon()).await, Ok(1));
        let (one, two) = (recorder.handle(), recorder.handle());
        let both = tokio::join!(
            one.ask(LaterInside(seconds(2)), soon()),
            two.ask(LaterInside(seconds(1)), soon())
        );
        assert_eq!(both, (Ok(2), Ok(1)));
    });
}

#[test]
fn a_neighbour_of_a_flooded_actor_gets_its_turn() {
    on_paused_clock(async {
        let actors = DynamicSupervisor::new("test/recorders", 2);
        let flooded: ActorRef<Recorder> = actors.start(Recorder::default(), 100_000).unwrap();
        let neighbour: ActorRef<Recorder> = actors.start(Recorder::default(), 16).unwrap();
        settle().await;
        for _ in 0..10_000 {
            flooded.handle().try_tell(Note("flood")).unwrap();
        }
        neighbour.handle().ask(Note("turn"), soon()).await.unwrap();
        let handled = flooded.handle().ask(Read, soon()).await.unwrap().len();
        assert_eq!(handled, 10_000);
        assert!(neighbour.stats().handled >= 1);
    });
}
