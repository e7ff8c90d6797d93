//! The actor that keeps one worker of a pool: it is up once the worker is ready, fails when the worker
//! dies, and takes it along when it ends itself. Its supervisor does the rest.

use std::sync::Arc;

use actix::fut::WrapFuture;
use actix::{Actor, ActorFutureExt, AsyncContext};
use framework::supervision::Supervised;

use super::pool::Shared;

/// Keeps one worker.
pub(super) struct Keeper {
    pool: Arc<Shared>,
}

impl Keeper {
    pub(super) fn new(pool: Arc<Shared>) -> Self {
        Self { pool }
    }
}

impl Actor for Keeper {
    type Context = Supervised<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let pool = self.pool.clone();
        let starting = async move { pool.start_worker().await };
        ctx.wait(starting.into_actor(self).map(|started, keeper, ctx| match started {
            Ok(worker) => {
                let serving = worker.serving.into_actor(keeper);
                ctx.spawn(serving.map(|reason, _, ctx| ctx.fail(reason)));
            }
            Err(error) => ctx.fail(format!("{error}; {}", error.hint())),
        }));
    }
}
