//! A supervised actor of one's own beside Rehearsal's: it crashes, is rebuilt, and its handle stays
//! good.
//!
//! Run: cargo run --release --example own_actor
//! Prints the answers around a crash, and the tree with the restart in it.
#![expect(clippy::print_stdout, reason = "an example prints what it shows")]

use actix::{Actor, Handler, Message};
use rehearsal::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

/// Keeps the best reward seen.
#[derive(Default)]
struct Leaderboard {
    best: f64,
}

impl Actor for Leaderboard {
    type Context = Supervised<Self>;
}

/// A reward that somebody earned; answered with the best so far.
#[derive(Message)]
#[rtype(result = "f64")]
struct Earned(f64);

impl Handler<Earned> for Leaderboard {
    type Result = f64;

    fn handle(&mut self, Earned(reward): Earned, _: &mut Self::Context) -> f64 {
        assert!(reward.is_finite(), "a reward is finite");
        self.best = self.best.max(reward);
        self.best
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Loader::new().file("configs/simple_weather.yaml").load()?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;

    let leaderboard = ActorRef::<Leaderboard>::new("services/leaderboard", 64);
    let earned = leaderboard.handle::<Earned>();
    let child = ChildSpec::actor(&leaderboard, "leaderboard", runtime.placement(0), || {
        Ok(Leaderboard::default())
    });
    runtime.start_service(child).await?;

    let soon = || Instant::now() + Duration::from_secs(5);
    println!("best: {:?}", earned.ask(Earned(0.5), soon()).await);
    println!("best: {:?}", earned.ask(Earned(f64::NAN), soon()).await);
    println!("best: {:?}", earned.ask(Earned(0.25), soon()).await);
    println!("{}", runtime.tree());
    runtime.stop().await;
    Ok(())
}
