//! The queue before the limits: fairness, deadlines, and that nothing is lost.

use std::pin::Pin;
use std::task::Poll;

use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusRecorder;
use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at_once(in_flight: usize) -> LimitsConfig {
    LimitsConfig { in_flight: NonZeroUsize::new(in_flight), ..LimitsConfig::default() }
}

fn limiter(whole: LimitsConfig, part: LimitsConfig, parts: usize) -> Arc<Limiter> {
    Limiter::new(whole, part, parts, |caller| WaitMetrics::new("policy", caller))
}

fn later() -> Instant {
    Instant::now() + 100 * MINUTE
}

async fn look_at<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn enter(limiter: &Arc<Limiter>, part: usize, caller: &str) -> Result<Permit, Late> {
    limiter.acquire(part, &Arc::from(caller), 0, later()).await
}

#[tokio::test(start_paused = true)]
async fn callers_have_their_turn_one_after_the_other() {
    let limiter = limiter(at_once(1), LimitsConfig::default(), 1);
    let first = enter(&limiter, 0, "many").await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let callers = std::iter::repeat_n("many", 100).chain(["few", "few", "one"]);
    let asks = callers.map(|caller| {
        let (limiter, order) = (limiter.clone(), order.clone());
        async move {
            let permit = enter(&limiter, 0, caller).await.unwrap();
            order.lock().unwrap().push(caller);
            tokio::time::sleep(Duration::from_millis(1)).await;
            drop(permit);
        }
    });
    let asks = tokio::spawn(join_all(asks.collect::<Vec<_>>()));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(limiter.load(0), 104);
    drop(first);
    asks.await.unwrap();
    let order = order.lock().unwrap();
    let last = |caller: &str| order.iter().rposition(|served| *served == caller).unwrap();
    assert_eq!(order.len(), 103);
    assert!(last("few") <= 5 && last("one") <= 5, "{order:?}");
    assert_eq!(limiter.load(0), 0);
}

#[tokio::test(start_paused = true)]
async fn requests_are_spread_over_the_minute() {
    let limits =
        LimitsConfig { requests_per_minute: NonZeroU32::new(30), ..LimitsConfig::default() };
    let limiter = limiter(limits, LimitsConfig::default(), 1);
    let started = Instant::now();
    let asks = (0..61).map(|_| async {
        enter(&limiter, 0, "a").await.unwrap();
        started.elapsed()
    });
    let mut served = join_all(asks).await;
    served.sort();
    assert_eq!(served[0], Duration::ZERO);
    assert!(served[30] >= MINUTE && served[30] < MINUTE * 21 / 20, "{:?}", served[30]);
    assert!(served[60] >= 2 * MINUTE && served[60] < MINUTE * 21 / 10, "{:?}", served[60]);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_estimated_and_settled() {
    let limits =
        LimitsConfig { tokens_per_minute: NonZeroU64::new(6000), ..LimitsConfig::default() };
    let limiter = limiter(limits, LimitsConfig::default(), 1);
    let caller = Arc::from("a");
    // 400 bytes are 100 tokens, a second's worth; then it turns out to be ten times as much.
    let mut first = limiter.acquire(0, &caller, 400, later()).await.unwrap();
    first.settle(600, 400);
    drop(first);
    let started = Instant::now();
    // The next pays the debt of 900, then the bucket fills for its own 100 and the 40 of an answer.
    let second = limiter.acquire(0, &caller, 400, later()).await.unwrap();
    let waited = started.elapsed().as_secs_f64();
    assert!((10.0..11.5).contains(&waited), "{waited}");
    let started = Instant::now();
    second.cancel();
    limiter.acquire(0, &caller, 400, later()).await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(10), "what was not sent is not charged");
}

#[tokio::test(start_paused = true)]
async fn a_part_without_room_does_not_hold_up_the_others() {
    let limiter = limiter(LimitsConfig::default(), at_once(1), 2);
    let held = enter(&limiter, 0, "a").await.unwrap();
    let mut waits = Box::pin(enter(&limiter, 0, "a"));
    assert!(look_at(&mut waits).await.is_pending());
    let other = enter(&limiter, 1, "a").await.unwrap();
    assert_eq!((limiter.load(0), limiter.load(1)), (2, 1));
    drop((held, other));
    waits.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn deadlines_hold_while_a_request_waits() {
    for limits in [
        at_once(1),
        LimitsConfig { requests_per_minute: NonZeroU32::new(1), ..LimitsConfig::default() },
    ] {
        let limiter = limiter(limits, LimitsConfig::default(), 1);
        let _held = enter(&limiter, 0, "a").await.unwrap();
        let started = Instant::now();
        let deadline = started + Duration::from_secs(5);
        let late = limiter.acquire(0, &Arc::from("b"), 0, deadline).await;
        assert_eq!(late.unwrap_err(), Late);
        let waited = started.elapsed();
        assert!(waited >= Duration::from_secs(5) && waited < Duration::from_millis(5010));
        assert_eq!(limiter.load(0), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_seen_by_its_caller() {
    let recorder: PrometheusRecorder = crate::metrics::recorder();
    let metrics =
        |caller| metrics::with_local_recorder(&recorder, || WaitMetrics::new("policy", caller));
    let known = [metrics("agents/a"), metrics("agents/b")];
    let limiter = Limiter::new(at_once(1), LimitsConfig::default(), 1, move |caller| {
        known[usize::from(caller == "agents/b")].clone()
    });
    let held = enter(&limiter, 0, "agents/a").await.unwrap();
    let mut asks: Vec<_> = ["agents/a", "agents/b", "agents/b"]
        .into_iter()
        .map(|caller| Box::pin(enter(&limiter, 0, caller)))
        .collect();
    for ask in &mut asks {
        assert!(look_at(ask).await.is_pending());
    }
    let shows = |line: &str| {
        let text = recorder.handle().render();
        assert!(text.lines().any(|shown| shown == line), "no `{line}` in:\n{text}");
    };
    shows(r#"rehearsal_model_waiting{model="policy",caller="agents/a"} 1"#);
    shows(r#"rehearsal_model_waiting{model="policy",caller="agents/b"} 2"#);
    asks.pop();
    shows(r#"rehearsal_model_waiting{model="policy",caller="agents/b"} 1"#);
    drop(held);
    join_all(asks).await;
    shows(r#"rehearsal_model_waiting{model="policy",caller="agents/b"} 0"#);
    shows(r#"rehearsal_model_wait_seconds_count{model="policy",caller="agents/b"} 1"#);
}

#[derive(Clone, Debug)]
enum Step {
    Ask { caller: usize, part: usize },
    End(usize),
    Leave(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_usize..3, 0_usize..2).prop_map(|(caller, part)| Step::Ask { caller, part }),
        (0_usize..3, 0_usize..2).prop_map(|(caller, part)| Step::Ask { caller, part }),
        any::<usize>().prop_map(Step::End),
        any::<usize>().prop_map(Step::Leave),
        (0_u64..2_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_limits_hold_and_everybody_is_served(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
            let part = LimitsConfig { requests_per_minute: NonZeroU32::new(600), ..at_once(2) };
            let limiter = limiter(at_once(3), part, 2);
            let (mut waiting, mut permits) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Ask { caller, part } => {
                        let limiter = limiter.clone();
                        waiting.push(Box::pin(async move {
                            enter(&limiter, part, ["a", "b", "c"][caller]).await.unwrap()
                        }));
                    }
                    Step::End(which) if !permits.is_empty() => {
                        drop(permits.swap_remove(which % permits.len()));
                    }
                    Step::Leave(which) if !waiting.is_empty() => {
                        drop(waiting.swap_remove(which % waiting.len()));
                    }
                    Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                    Step::End(_) | Step::Leave(_) => {}
                }
                let mut still = Vec::new();
                for mut ask in std::mem::take(&mut waiting) {
                    match look_at(&mut ask).await {
                        Poll::Ready(permit) => permits.push(permit),
                        Poll::Pending => still.push(ask),
                    }
                }
                waiting = still;
                let of_part = |part| permits.iter().filter(|it: &&Permit| it.part == part).count();
                assert!(permits.len() <= 3 && of_part(0) <= 2 && of_part(1) <= 2);
            }
            while !waiting.is_empty() {
                permits.clear();
                let (permit, _, rest) = futures_util::future::select_all(waiting).await;
                drop(permit);
                waiting = rest;
            }
            drop(permits);
            assert_eq!((limiter.load(0), limiter.load(1)), (0, 0));
        });
    }
}
