//! Measures `workbench`: how long tool calls and verdicts take, and what 10,000 open sessions weigh.
//!
//! Run: cargo bench --bench workbench
//!
//! The calls are those of the gold answers to the example tasks. The sessions belong to rollouts that have
//! made changes in four tables and then wait for their model; what is weighed is the growth of resident
//! memory, with their actors and conversations. More than 256 MiB is an error.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rehearsal::environments::workbench::Workbench;
use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::framework::environment::Trial;
use rehearsal::framework::responses::FunctionCall;
use rehearsal::prelude::*;
use serde_json::Value;

/// Sessions that are open at once.
const SESSIONS: usize = 10_000;
/// Bytes that they may take.
const BYTES_MAX: u64 = 256 << 20;
/// How often the example tasks are solved.
const ROUNDS: usize = 20;

type Failure = Box<dyn Error + Send + Sync>;

fn lines(file: &str) -> Result<Vec<String>, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/data/workbench");
    Ok(std::fs::read_to_string(folder.join(file))?.lines().map(str::to_owned).collect())
}

/// The calls of a gold answer: tools and arguments.
fn calls(gold: &str) -> Result<Vec<(String, String)>, Failure> {
    let gold: Value = serde_json::from_str(gold)?;
    let items = gold["turns"].as_array().into_iter().flatten();
    let items = items.flat_map(|turn| turn.as_array().into_iter().flatten());
    let text = |item: &Value, key: &str| item[key].as_str().map(str::to_owned);
    Ok(items.filter_map(|item| Some((text(item, "name")?, text(item, "arguments")?))).collect())
}

/// Solves the example tasks, and prints how long each tool takes.
async fn measure_calls() -> Result<(), Failure> {
    let (rows, golds) = (lines("example.jsonl")?, lines("gold.jsonl")?);
    let mut times: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (row, gold) in rows.iter().zip(&golds) {
            let mut trial = Trial::<Workbench>::open("{}", row).await?;
            for (tool, arguments) in calls(gold)? {
                let started = Instant::now();
                std::hint::black_box(trial.call(&tool, &arguments).await);
                times.entry(tool).or_default().push(started.elapsed());
            }
            let started = Instant::now();
            trial.verify().await?;
            times.entry("verify".to_owned()).or_default().push(started.elapsed());
        }
    }
    let verdicts = times.remove("verify").unwrap_or_default();
    let all: Vec<_> = times.values().flatten().copied().collect();
    for (name, times) in
        times.into_iter().chain([("all tools".into(), all), ("verdict".into(), verdicts)])
    {
        print(&name, times);
    }
    Ok(())
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let micros = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e6;
    println!("{name:<52} {:>7} {:>9.1} µs {:>9.1} µs", times.len(), micros(50), micros(99));
}

/// How many rollouts wait for their model.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// A model that changes something in four tables, and then says nothing more.
struct Holding;

const CHANGES: [(&str, &str); 4] = [
    (
        "email_send_email",
        r#"{"recipient":"ines.falk@brightwharf.example","subject":"Hi","body":"How are you?"}"#,
    ),
    (
        "calendar_update_event",
        r#"{"event_id":"00000007","field":"event_name","new_value":"Breakfast"}"#,
    ),
    ("project_management_delete_task", r#"{"task_id":"00000007"}"#),
    (
        "customer_relationship_manager_update_customer",
        r#"{"customer_id":"00000007","field":"notes","new_value":"Called twice."}"#,
    ),
];

impl Model for Holding {
    const KIND: &'static str = "holding";
    type Config = serde::de::IgnoredAny;

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        // Each step leaves a call and its output.
        let step = message.request.history.len() / 2;
        let Some((tool, arguments)) = CHANGES.get(step) else {
            WAITING.fetch_add(1, Ordering::Relaxed);
            return std::future::pending().await;
        };
        let call = FunctionCall {
            call_id: "call".into(),
            name: (*tool).into(),
            arguments: (*arguments).into(),
        };
        Ok(Response::new("r", "holding".into(), vec![Item::function_call("fc", call)]))
    }
}

fn resident_bytes() -> Result<u64, Failure> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = pages.split_whitespace().nth(1).ok_or("statm has no second field")?.parse()?;
    Ok(pages * 4096)
}

/// Opens sessions, and prints what they weigh.
async fn weigh_sessions() -> Result<(), Failure> {
    let config = "
models: { policy: { kind: holding } }
environments: { office: { kind: workbench } }
agents: { solver: { kind: tool_loop, environment: office, model: policy } }
";
    let kinds = rehearsal::kinds().model::<Holding>();
    let config = Loader::new().text("bench", config).load()?;
    let runtime = Arc::new(Runtime::start(config, &kinds).await?);
    let row = lines("example.jsonl")?.swap_remove(0);
    let task = runtime.task("solver", "bench/1".into(), &row)?;
    let before = resident_bytes()?;
    let mut rollouts = tokio::task::JoinSet::new();
    for repeat in 0..u32::try_from(SESSIONS)? {
        let (runtime, task) = (runtime.clone(), task.clone());
        rollouts.spawn(async move {
            runtime.submit("solver", &task, repeat, RolloutPolicy::default()).await.map(|_| ())
        });
    }
    while WAITING.load(Ordering::Relaxed) < SESSIONS {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(ended) = rollouts.try_join_next() {
            return Err(format!("a rollout that should wait has ended: {:?}", ended?.err()).into());
        }
    }
    let bytes = resident_bytes()?.saturating_sub(before);
    let each = bytes / SESSIONS as u64;
    println!("{SESSIONS} open sessions: {} MiB, {each} bytes each", bytes >> 20);
    rollouts.shutdown().await;
    if bytes > BYTES_MAX { Err("that is too much".into()) } else { Ok(()) }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    weigh_sessions().await?;
    println!("{:<52} {:>7} {:>12} {:>12}", "tool", "calls", "p50", "p99");
    measure_calls().await
}
