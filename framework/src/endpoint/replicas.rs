//! The endpoints that serve one model, and which of them a session asks.
//!
//! An engine keeps what it has read of a conversation, so the next request of a session costs least
//! where its last one went. A session here is whatever asks under one key: a rollout, mostly.
//!
//! | A session that | asks |
//! |---|---|
//! | is new | a replica that is due to be probed; else the one with the least load, of equals the first of the session's order |
//! | has asked before | the same replica as before |
//! | has lost its replica | the first of its order that is up, and stays there |
//! | has been forgotten | the same |
//!
//! A session's order is that of rendezvous hashing (Thaler and Ravishankar, 1998): every replica is
//! weighed with the session, and the heaviest comes first. So the sessions of a replica that dies are
//! spread over all others, and no other session moves.
//!
//! A replica is up while its breaker is closed. An open one is asked nothing; when its time is over
//! one request probes it, of a session that loses nothing by it, and only after that has succeeded is
//! it up again. All of this is shared by the shards.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::limiter::{Late, Limiter, Permit};
use super::{Admission, Endpoint, Refused, Standing};
use crate::metrics::{InFlight, ReplicaMetrics};

/// So many sessions are remembered for certain; the most recent of as many more may be.
const SESSIONS_MAX: usize = 65_536;

/// Who asks again and again, and is best served by one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session(u64);

impl Session {
    /// The session of that key.
    pub fn of(key: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A request that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Whose it is.
    pub session: Session,
    /// Whether it is the session's first, as far as it knows.
    pub is_first: bool,
    /// The component that asks; components have their turn one after the other.
    pub caller: &'a Arc<str>,
    /// How long its text is.
    pub bytes: usize,
    /// When an answer is no longer of use.
    pub deadline: Instant,
}

/// Why a request may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// No replica is up; it is of no use to ask for so long.
    Refused {
        /// The replica that is tried soonest.
        replica: usize,
        /// When.
        retry_after: Duration,
    },
    /// The limits left no room before the deadline.
    Late,
}

/// The replicas of a model.
pub struct Replicas {
    endpoints: Box<[Arc<Endpoint>]>,
    /// What each one's name weighs in.
    salts: Box<[u64]>,
    metrics: Box<[ReplicaMetrics]>,
    sessions: Mutex<Sessions>,
    limiter: Arc<Limiter>,
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints.iter()).finish()
    }
}

/// Where sessions have asked. Two generations: when the younger is full it becomes the older one.
#[derive(Default)]
struct Sessions {
    young: HashMap<Session, usize>,
    old: HashMap<Session, usize>,
}

impl Sessions {
    fn home(&self, session: Session) -> Option<usize> {
        self.young.get(&session).or_else(|| self.old.get(&session)).copied()
    }

    fn settle(&mut self, session: Session, home: usize) {
        self.young.insert(session, home);
        if self.young.len() >= SESSIONS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

impl Replicas {
    /// Replicas by their endpoints, each with its metrics and its part of the limiter.
    pub(crate) fn new(
        endpoints: Vec<Arc<Endpoint>>,
        metrics: Vec<ReplicaMetrics>,
        limiter: Arc<Limiter>,
    ) -> Self {
        let salts = endpoints.iter().map(|endpoint| Session::of(&*endpoint.name).0).collect();
        let (endpoints, metrics) = (endpoints.into(), metrics.into());
        Self { endpoints, salts, metrics, sessions: Mutex::default(), limiter }
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// What is known of a replica's health.
    pub fn endpoint(&self, replica: usize) -> &Arc<Endpoint> {
        &self.endpoints[replica]
    }

    /// Takes a retry out of the budget of a replica where the request has not failed, if there is one
    /// that has any left; out of any replica's, if it has failed everywhere.
    pub fn may_retry(&self, tried: &[usize]) -> bool {
        let all = || self.endpoints.iter().enumerate();
        let is_exhausted = tried.len() >= self.len();
        let may_be_asked = |replica: &usize| is_exhausted || !tried.contains(replica);
        all().filter(|(replica, _)| may_be_asked(replica)).any(|(_, endpoint)| endpoint.may_retry())
    }

    /// Waits until a request may be sent, and says where to. Replicas in `tried` come last: this very
    /// request has failed there.
    ///
    /// # Errors
    /// Fails if no replica is up, or the limits leave no room before the deadline.
    pub async fn turn(&self, ask: &Ask<'_>, tried: &[usize]) -> Result<Turn, NoTurn> {
        loop {
            let replica = self.choose(ask, tried)?;
            let permit = self.limiter.acquire(replica, ask.caller, ask.bytes, ask.deadline).await;
            let permit = permit.map_err(|Late| NoTurn::Late)?;
            match self.endpoints[replica].admit(ask.deadline) {
                Ok(admission) => {
                    let metrics = self.metrics[replica].clone();
                    let _in_flight = metrics.started();
                    return Ok(Turn { replica, admission, permit, metrics, _in_flight });
                }
                Err(Refused { retry_after }) => {
                    permit.cancel();
                    if self.len() == 1 {
                        return Err(NoTurn::Refused { replica, retry_after });
                    }
                    // It went down, or another request probes it, while this one waited.
                }
            }
        }
    }

    /// Where a request of the session goes.
    fn choose(&self, ask: &Ask<'_>, tried: &[usize]) -> Result<usize, NoTurn> {
        if self.len() == 1 {
            return Ok(0);
        }
        let now = Instant::now();
        let standing = |replica: usize| self.endpoints[replica].standing(now);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let home = sessions.home(ask.session);
        if let Some(home) = home.filter(|home| !tried.contains(home))
            && standing(home) == Standing::Up
        {
            return Ok(home);
        }
        let standings: Vec<Standing> = (0..self.len()).map(standing).collect();
        let all = |wanted: Standing| {
            let standings = &standings;
            (0..standings.len()).filter(move |replica| standings[*replica] == wanted)
        };
        let untried = |replica: &usize| !tried.contains(replica);
        let heaviest = |replica: &usize| self.weight(ask.session, *replica);
        let probe = || all(Standing::Due).filter(untried).max_by_key(heaviest);
        let up = all(Standing::Up).filter(untried);
        let is_new = home.is_none() && ask.is_first;
        let chosen = match is_new {
            true => probe().or_else(|| up.min_by_key(|replica| self.burden(ask, *replica))),
            false => up.max_by_key(heaviest).or_else(probe),
        };
        // What has failed everywhere goes where it would go at first.
        let again = || all(Standing::Up).chain(all(Standing::Due)).max_by_key(heaviest);
        let Some(chosen) = chosen.or_else(again) else {
            return Err(self.refusal(&standings));
        };
        if let Some(home) = home
            && home != chosen
        {
            self.metrics[home].session_moved();
        }
        sessions.settle(ask.session, chosen);
        Ok(chosen)
    }

    /// A new session goes where this is least.
    fn burden(&self, ask: &Ask<'_>, replica: usize) -> (usize, u64) {
        (self.limiter.load(replica), u64::MAX - self.weight(ask.session, replica))
    }

    /// How a replica weighs for a session. The mixing is that of SplitMix64 (Steele et al., 2014).
    fn weight(&self, session: Session, replica: usize) -> u64 {
        let mut weight = session.0 ^ self.salts[replica];
        weight = (weight ^ (weight >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        weight = (weight ^ (weight >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        weight ^ (weight >> 31)
    }

    fn refusal(&self, standings: &[Standing]) -> NoTurn {
        let waits = standings.iter().enumerate().map(|(replica, standing)| match standing {
            Standing::Down { retry_after } => (*retry_after, replica),
            Standing::Up | Standing::Due => (Duration::ZERO, replica),
        });
        let (retry_after, replica) = waits.min().expect("there is always one");
        NoTurn::Refused { replica, retry_after }
    }
}

/// A request that may be sent. What becomes of it is to be told; dropped, it was given up.
#[derive(Debug)]
#[must_use = "dropped, it says that the request was given up"]
pub struct Turn {
    replica: usize,
    admission: Admission,
    permit: Permit,
    metrics: ReplicaMetrics,
    _in_flight: InFlight,
}

impl Turn {
    /// The replica to ask.
    pub fn replica(&self) -> usize {
        self.replica
    }

    /// The replica answered, and the answer cost so many tokens, if it says.
    pub fn answered(mut self, tokens: Option<(u64, u64)>) {
        if let Some((input, output)) = tokens {
            self.permit.settle(input, output);
        }
        self.metrics.request("ok");
        self.admission.succeeded();
    }

    /// The replica works, but will not do this; `status` is the word for why.
    pub fn refused(self, status: &'static str) {
        self.metrics.request(status);
        self.admission.succeeded();
    }

    /// The replica does not work.
    pub fn failed(self, status: &'static str, reason: &dyn fmt::Display) {
        self.metrics.request(status);
        self.admission.failed(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{BreakerConfig, BudgetConfig, LimitsConfig};
    use crate::metrics::{EndpointMetrics, WaitMetrics};

    const SECOND: Duration = Duration::from_secs(1);

    /// Replicas whose breakers open after four failures, for five seconds.
    fn replicas(count: usize) -> Replicas {
        let names: Vec<_> = (0..count).map(|index| format!("10.0.0.{index}:8000")).collect();
        let breaker = BreakerConfig { requests_min: 4, ..BreakerConfig::default() };
        let endpoint = |name: &String| {
            let metrics = EndpointMetrics::of_model("policy", name);
            let budget = BudgetConfig::default();
            Arc::new(Endpoint::new("models/policy", name, metrics, breaker, budget))
        };
        let none = LimitsConfig::default();
        let limiter = Limiter::new(none, none, count, |caller| WaitMetrics::new("policy", caller));
        let metrics = names.iter().map(|name| ReplicaMetrics::new("policy", name)).collect();
        Replicas::new(names.iter().map(endpoint).collect(), metrics, limiter)
    }

    fn session(number: u64) -> Session {
        Session::of(&format!("solver/train/{number}#0"))
    }

    async fn ask(replicas: &Replicas, session: Session, is_first: bool) -> Turn {
        ask_again(replicas, session, is_first, &[]).await.unwrap()
    }

    async fn ask_again(
        replicas: &Replicas,
        session: Session,
        is_first: bool,
        tried: &[usize],
    ) -> Result<Turn, NoTurn> {
        let deadline = Instant::now() + 60 * SECOND;
        let ask = Ask { session, is_first, caller: &Arc::from("agents/a"), bytes: 0, deadline };
        replicas.turn(&ask, tried).await
    }

    fn break_down(replicas: &Replicas, replica: usize) {
        let deadline = Instant::now() + SECOND;
        while let Ok(admission) = replicas.endpoint(replica).admit(deadline) {
            admission.failed(&"503");
        }
    }

    /// Sessions by the replica that serves them.
    fn census(turns: &[(Session, Turn)], count: usize) -> Vec<usize> {
        let on = |replica| turns.iter().filter(|(_, turn)| turn.replica() == replica).count();
        (0..count).map(on).collect()
    }

    /// So many new sessions with a request each.
    async fn sessions(replicas: &Replicas, numbers: std::ops::Range<u64>) -> Vec<(Session, Turn)> {
        let mut turns = Vec::new();
        for number in numbers {
            turns.push((session(number), ask(replicas, session(number), true).await));
        }
        turns
    }

    #[tokio::test]
    async fn new_sessions_even_out_the_load_and_stay_where_they_are() {
        const LIVE: u64 = 400;
        let replicas = replicas(4);
        let mut turns = sessions(&replicas, 0..LIVE).await;
        let mut widest = 0;
        // Sessions of very different lengths: each step ends one in ten, and asks again for the others.
        for number in LIVE..20 * LIVE {
            let index = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % turns.len();
            let (old, turn) = turns.swap_remove(index);
            let home = turn.replica();
            turn.answered(None);
            let next = if number % 10 == 0 {
                (session(number), ask(&replicas, session(number), true).await)
            } else {
                let turn = ask(&replicas, old, false).await;
                assert_eq!(turn.replica(), home, "a session stays with its replica");
                (old, turn)
            };
            turns.push(next);
            let census = census(&turns, 4);
            widest = widest.max(census.iter().max().unwrap() - census.iter().min().unwrap());
        }
        // 100 sessions on each of four replicas, give or take: never more than 8 between the most
        // and the least loaded.
        assert!(widest <= 8, "{widest}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_sessions_of_a_dead_replica_move_and_no_others() {
        let replicas = replicas(4);
        let turns = sessions(&replicas, 0..4000).await;
        assert_eq!(census(&turns, 4), [1000; 4]);
        let homes: Vec<_> =
            turns.iter().map(|(session, turn)| (*session, turn.replica())).collect();
        drop(turns);
        break_down(&replicas, 2);
        let mut moved = vec![0; 4];
        for (session, home) in homes {
            let turn = ask(&replicas, session, false).await;
            if home == 2 {
                moved[turn.replica()] += 1;
            } else {
                assert_eq!(turn.replica(), home);
            }
        }
        // A third of the thousand each, within the noise of a hash.
        assert_eq!(moved[2], 0);
        assert!([0, 1, 3].iter().all(|replica| (280..390).contains(&moved[*replica])), "{moved:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_returns_is_probed_once_before_it_is_used() {
        let replicas = replicas(3);
        let old: Vec<_> = (0..30).map(session).collect();
        for session in &old {
            ask(&replicas, *session, true).await.answered(None);
        }
        break_down(&replicas, 1);
        let during = sessions(&replicas, 100..130).await;
        assert_eq!(census(&during, 3), [15, 0, 15]);
        tokio::time::advance(5 * SECOND).await;
        // A new session probes; meanwhile the others keep away, and nobody moves for it.
        let probe = ask(&replicas, session(200), true).await;
        assert_eq!(probe.replica(), 1);
        let meanwhile = sessions(&replicas, 300..310).await;
        assert_eq!(census(&meanwhile, 3)[1], 0);
        probe.failed("unavailable", &"503");
        let next = ask(&replicas, session(201), true).await;
        assert_ne!(next.replica(), 1, "it is left alone for another while");
        tokio::time::advance(10 * SECOND).await;
        let probe = ask(&replicas, session(202), true).await;
        assert_eq!(probe.replica(), 1);
        probe.answered(None);
        let after = sessions(&replicas, 400..420).await;
        assert_eq!(census(&after, 3), [0, 20, 0], "it catches up with the others");
        for (session, turn) in during {
            let home = turn.replica();
            assert_eq!(ask(&replicas, session, false).await.replica(), home);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_failed_goes_elsewhere_and_its_session_with_it() {
        let replicas = replicas(3);
        let first = ask(&replicas, session(1), true).await;
        let home = first.replica();
        first.failed("connection", &"refused");
        let second = ask_again(&replicas, session(1), true, &[home]).await.unwrap();
        let other = second.replica();
        assert_ne!(other, home);
        second.answered(None);
        assert_eq!(ask(&replicas, session(1), false).await.replica(), other);
        let third = ask_again(&replicas, session(1), false, &[0, 1, 2]).await.unwrap();
        drop(third);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_down_it_says_when_the_first_is_tried_again() {
        let replicas = replicas(2);
        break_down(&replicas, 0);
        tokio::time::advance(2 * SECOND).await;
        break_down(&replicas, 1);
        let refused = ask_again(&replicas, session(1), true, &[]).await.unwrap_err();
        assert_eq!(refused, NoTurn::Refused { replica: 0, retry_after: 3 * SECOND });
        tokio::time::advance(3 * SECOND).await;
        assert_eq!(ask(&replicas, session(1), false).await.replica(), 0);
    }

    #[tokio::test]
    async fn a_session_that_nobody_remembers_is_sent_to_the_same_replica_by_all() {
        let (one, other) = (replicas(5), replicas(5));
        let mut census = vec![0; 5];
        for number in 0..5000 {
            let turn = ask(&one, session(number), false).await;
            assert_eq!(turn.replica(), ask(&other, session(number), false).await.replica());
            census[turn.replica()] += 1;
        }
        assert!(census.iter().all(|count| (880..1120).contains(count)), "{census:?}");
    }

    #[test]
    fn old_sessions_are_forgotten_and_recent_ones_are_not() {
        let mut sessions = Sessions::default();
        for number in 0..3 * SESSIONS_MAX as u64 {
            sessions.settle(Session(number), 1);
        }
        assert!(sessions.young.len() + sessions.old.len() <= 2 * SESSIONS_MAX);
        assert_eq!(sessions.home(Session(3 * SESSIONS_MAX as u64 - 1)), Some(1));
        assert_eq!(sessions.home(Session(0)), None);
    }
}
