//! Turns on the processors, shared fairly between pools: what runs foreign code takes one first.
//!
//! Without them, deadlines would measure how busy the machine is. The next turn goes to the pool that
//! has the fewest, in the order of waiting within it. One set of turns for the process, since its
//! processors are one set too.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

static TURNS: LazyLock<Arc<Turns>> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Arc::new(Turns { at_once: processors, state: Mutex::default() })
});

#[derive(Debug)]
struct Turns {
    at_once: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lanes: Vec<LaneState>,
    /// Turns that are taken.
    taken: usize,
    /// The lane that was served last.
    last: usize,
}

#[derive(Debug)]
struct LaneState {
    name: Arc<str>,
    waiting: VecDeque<oneshot::Sender<Turn>>,
    taken: usize,
}

/// One pool's place among the others.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    turns: Arc<Turns>,
    index: usize,
}

/// The right to keep one processor busy, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Lane);

impl Lane {
    /// The lane of that name.
    pub(super) fn of(name: &str) -> Self {
        Turns::lane(&TURNS, name)
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Turn {
        let (give, given) = oneshot::channel();
        self.turns.lock().lanes[self.index].waiting.push_back(give);
        self.turns.hand_out();
        given.await.expect("the lane lives as long as the process")
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Lane { turns, index } = &self.0;
        let mut state = turns.lock();
        state.lanes[*index].taken -= 1;
        state.taken -= 1;
        drop(state);
        turns.hand_out();
    }
}

impl Turns {
    fn lane(self: &Arc<Self>, name: &str) -> Lane {
        let mut state = self.lock();
        let known = state.lanes.iter().position(|lane| &*lane.name == name);
        let index = known.unwrap_or_else(|| {
            let (waiting, taken) = Default::default();
            state.lanes.push(LaneState { name: name.into(), waiting, taken });
            state.lanes.len() - 1
        });
        Lane { turns: self.clone(), index }
    }

    /// Gives free turns to those who wait.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let Some((index, give)) = self.lock().next(self.at_once) else { return };
            // Whoever has left meanwhile gives it back by dropping it.
            let _ = give.send(Turn(Lane { turns: self.clone(), index }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a turn for whoever is next.
    fn next(&mut self, at_once: usize) -> Option<(usize, oneshot::Sender<Turn>)> {
        if self.taken >= at_once {
            return None;
        }
        for lane in &mut self.lanes {
            while lane.waiting.front().is_some_and(oneshot::Sender::is_closed) {
                lane.waiting.pop_front();
            }
        }
        let count = self.lanes.len();
        let in_turn = (1..=count).map(|step| (self.last + step) % count);
        let waiting = in_turn.filter(|index| !self.lanes[*index].waiting.is_empty());
        let index = waiting.min_by_key(|index| self.lanes[*index].taken)?;
        let give = self.lanes[index].waiting.pop_front()?;
        self.lanes[index].taken += 1;
        self.taken += 1;
        self.last = index;
        Some((index, give))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn turns(at_once: usize) -> Arc<Turns> {
        Arc::new(Turns { at_once, state: Mutex::default() })
    }

    #[tokio::test]
    async fn who_comes_when_all_turns_are_taken_waits_for_one_to_be_given_back() {
        let turns = turns(2);
        let lane = turns.lane("a");
        let (first, _second) = (lane.turn().await, lane.turn().await);
        let mut third = Box::pin(lane.turn());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn pools_take_turns_however_many_wait_in_one_of_them() {
        let turns = turns(1);
        let (greedy, modest) = (turns.lane("greedy"), turns.lane("modest"));
        let held = greedy.turn().await;
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(greedy.turn())).collect();
        for future in &mut waiting {
            assert!(future.now_or_never().is_none());
        }
        let mut modest_turn = Box::pin(modest.turn());
        assert!((&mut modest_turn).now_or_never().is_none());
        drop(held);
        assert!(modest_turn.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_turn_is_not_lost_with_who_waited_for_it() {
        let turns = turns(1);
        let lane = turns.lane("a");
        let held = lane.turn().await;
        let mut left = Box::pin(lane.turn());
        assert!((&mut left).now_or_never().is_none());
        let mut given = Box::pin(lane.turn());
        assert!((&mut given).now_or_never().is_none());
        drop(left);
        drop(held);
        assert!((&mut given).now_or_never().is_some());
        let mut last = Box::pin(lane.turn());
        assert!(lane.turns.lock().taken <= 1);
        assert!((&mut last).now_or_never().is_some(), "the finished future dropped its turn");
    }
}
