//! A world in which everything breaks at random, and in which every row earns a reward of its own, so
//! that a rollout that is lost, doubled or scored wrongly shows.
//!
//! Row `n` says `n`; the model books `n`, the session adds up, and the verifier pays `n / 1000` for the
//! sum `n`, else -1.

use std::fmt::Write;
use std::io::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rehearsal::actors::tool_loop::{self, ToolLoop};
use rehearsal::framework::config::Config;
use rehearsal::framework::model::ModelError;
use rehearsal::framework::recorder::{Kept, Record, RecordWriter, Recorder, RecorderError};
use rehearsal::framework::responses::FunctionCall;
use rehearsal::framework::rollout::Culprit;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use tempfile::TempPath;

type AnyError = Box<dyn std::error::Error>;

pub(crate) const PLACES: [&str; 6] = ["agent", "model", "open", "tool", "verify", "recorder"];
pub(crate) const FAULTS: [&str; 4] = ["panic", "hang", "stall", "garble"];
const RECORDER: usize = 5;
/// How long a stall blocks its whole shard.
const STALL: Duration = Duration::from_millis(5);

/// What goes wrong: one visit in `one_in` of each place, drawn from a seed.
pub(crate) struct Mischief {
    pub(crate) seed: u64,
    pub(crate) one_in: u64,
    /// Of writes, since a crash of the recorder starts the collector over as well.
    pub(crate) recorder_one_in: u64,
    pub(crate) visits: AtomicU64,
    pub(crate) tally: [[AtomicU64; 4]; 6],
    /// Pieces of work of this world that are alive.
    pub(crate) alive: AtomicI64,
}

static MISCHIEF: OnceLock<Mischief> = OnceLock::new();

impl Mischief {
    pub(crate) fn start(seed: u64, one_in: u64, recorder_one_in: u64) -> &'static Self {
        let tally = Default::default();
        let (visits, alive) = (AtomicU64::new(0), AtomicI64::new(0));
        MISCHIEF.get_or_init(|| Self { seed, one_in, recorder_one_in, visits, tally, alive })
    }

    /// A number for each draw (SplitMix64).
    pub(crate) fn draw(&self) -> u64 {
        let draw = self.visits.fetch_add(1, Relaxed).wrapping_add(self.seed);
        let mut z = draw.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Which fault befalls this visit, if any.
    fn fault(&self, place: usize) -> Option<usize> {
        let one_in = if place == RECORDER { self.recorder_one_in } else { self.one_in };
        let draw = self.draw();
        let fault = if place == RECORDER { 0 } else { (draw >> 32) as usize % FAULTS.len() };
        let befalls = one_in > 0 && draw.is_multiple_of(one_in);
        befalls.then(|| self.tally[place][fault].fetch_add(1, Relaxed)).map(|_| fault)
    }
}

/// Counts a piece of work for as long as it lives, however it ends.
struct Alive(&'static Mischief);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Relaxed);
    }
}

/// Suffers what is due. An error is what the place has to say itself.
async fn visit(place: &'static str) -> Result<(), &'static str> {
    let mischief = MISCHIEF.get().expect("started first");
    mischief.alive.fetch_add(1, Relaxed);
    let _alive = Alive(mischief);
    let place = PLACES.iter().position(|name| *name == place).expect("a place of the list");
    match mischief.fault(place).map(|fault| FAULTS[fault]) {
        None => Ok(()),
        Some("panic") => panic!("injected"),
        Some("hang") => std::future::pending().await,
        Some("stall") => {
            std::thread::park_timeout(STALL);
            Ok(())
        }
        Some(_) => Err("garbled"),
    }
}

/// The model.
pub(crate) struct Clerk;

impl Model for Clerk {
    const KIND: &'static str = "clerk";
    type Config = serde::de::IgnoredAny;

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let garbled =
            |reason: &str| ModelError::Malformed { endpoint: "here".into(), reason: reason.into() };
        visit("model").await.map_err(garbled)?;
        let prompt = message.request.params.input().last().map(Item::text).unwrap_or_default();
        let item = match message.request.history.is_empty() {
            true => Item::function_call(
                "f",
                FunctionCall {
                    call_id: "c".into(),
                    name: "book".into(),
                    arguments: format!("{{\"amount\":{prompt}}}").into(),
                },
            ),
            false => Item::output_message("m", "Booked."),
        };
        Ok(Response::new("r", Arc::from("clerk"), vec![item]))
    }
}

/// The environment.
pub(crate) struct Ledger;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Target {
    amount: u32,
}

/// Books an amount.
#[derive(Deserialize, JsonSchema)]
struct Book {
    amount: u32,
}

async fn book(_: &Ledger, sum: &mut u32, args: Book) -> Result<u32, ToolError> {
    // Before anything is booked: what is garbled, the model could say again, but ours does not.
    assert!(visit("tool").await.is_ok(), "garbled");
    *sum += args.amount;
    Ok(*sum)
}

impl Environment for Ledger {
    const KIND: &'static str = "ledger";
    type Config = serde::de::IgnoredAny;
    type Target = Target;
    type Session = u32;

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("book", book);
    }

    async fn open(&self, _: &Target) -> Result<u32, EnvironmentError> {
        visit("open").await.map(|()| 0).map_err(EnvironmentError::temporary)
    }

    async fn verify(
        &self,
        sum: u32,
        target: &Target,
        _: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        visit("verify").await.map_err(EnvironmentError::temporary)?;
        let earned = if sum == target.amount { reward(sum) } else { -1.0 };
        Ok(Verdict::new(Reward::new(earned)?))
    }
}

fn reward(row: u32) -> f64 {
    f64::from(row) / 1000.0
}

/// The agent: `tool_loop`, clumsily.
pub(crate) struct Clumsy(ToolLoop);

impl Agent for Clumsy {
    const KIND: &'static str = "clumsy";
    type Config = serde::de::IgnoredAny;

    fn new(_: Self::Config, ports: Ports, wiring: &Wiring) -> Result<Self, BuildError> {
        ToolLoop::new(tool_loop::Config::default(), ports, wiring).map(Self)
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Rollout, Failure> {
        let garbled = |reason| Failure::retryable(Culprit::Agent, reason);
        visit("agent").await.map_err(garbled)?;
        self.0.attempt(attempt).await
    }
}

/// What ships, and this world.
pub(crate) fn kinds() -> Kinds {
    rehearsal::kinds().model::<Clerk>().environment::<Ledger>().agent::<Clumsy>()
}

/// `worlds` environments with a model and an agent each; each agent has all rows `repeats` times, from
/// a file that lives as long as the path.
pub(crate) fn config(
    worlds: usize,
    rows: u32,
    repeats: u32,
) -> Result<(Config, TempPath), AnyError> {
    let mut file = tempfile::NamedTempFile::with_suffix(".jsonl")?;
    for row in 1..=rows {
        let input = format!(r#"{{"input":"{row}"}}"#);
        writeln!(file, r#"{{"responses_create_params":{input},"amount":{row}}}"#)?;
    }
    let path = file.into_temp_path();
    let (mut models, mut environments, mut agents) = (String::new(), String::new(), String::new());
    for n in 0..worlds {
        writeln!(models, "  w{n}: {{ kind: clerk, timeout: 300ms }}")?;
        let limits = "tool_timeout: 300ms, verify_timeout: 300ms, session_idle_timeout: 2s";
        writeln!(environments, "  w{n}: {{ kind: ledger, {limits} }}")?;
        let data = format!("[{{ name: t, type: example, path: '{}' }}]", path.display());
        let wiring = format!("environment: w{n}, model: w{n}, datasets: {data}");
        writeln!(agents, "  w{n}: {{ kind: clumsy, {wiring} }}")?;
    }
    let names: Vec<_> = (0..worlds).map(|n| format!("w{n}")).collect();
    let yaml = format!(
        "models:\n{models}environments:\n{environments}agents:\n{agents}\
         collect:\n  {{ output: unused, agents: [{}], repeats: {repeats}, max_in_flight: 256,\n    \
         max_attempts: 50, rollout_timeout: 1s }}\n",
        names.join(", ")
    );
    Ok((Loader::new().text("mishaps", &yaml).load()?, path))
}

/// A recorder that checks instead of keeping: each rollout once, with the reward of its row.
#[derive(Clone, Default)]
pub(crate) struct Auditor(Arc<Mutex<Audit>>);

#[derive(Clone, Default)]
pub(crate) struct Audit {
    seen: std::collections::HashSet<(usize, u32, u32)>,
    pub(crate) scored: u64,
    pub(crate) doubled: u64,
    pub(crate) mis_scored: u64,
    pub(crate) given_up: u64,
}

impl Auditor {
    pub(crate) fn audit(&self) -> Audit {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Deserialize)]
struct Scored {
    reward: f64,
}

impl RecordWriter for Auditor {
    fn write(&mut self, record: Record) -> Result<(), RecorderError> {
        let mischief = MISCHIEF.get().expect("started first");
        assert!(mischief.fault(RECORDER).is_none(), "injected");
        let mut audit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if record.outcome == Outcome::Failed {
            audit.given_up += 1;
            return Ok(());
        }
        let parts: Vec<_> = record.key.task.as_str().split('/').collect();
        let world = parts[0].trim_start_matches('w').parse().expect("w0, w1, …");
        let row = parts[2].parse().expect("a line's number");
        let Scored { reward: earned } = serde_json::from_str(&record.line).expect("a record");
        audit.scored += 1;
        audit.doubled += u64::from(!audit.seen.insert((world, row, record.key.repeat)));
        audit.mis_scored += u64::from(earned != reward(row));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), RecorderError> {
        Ok(())
    }
}

impl Recorder for Auditor {
    fn open(&self) -> Result<Box<dyn RecordWriter>, RecorderError> {
        Ok(Box::new(self.clone()))
    }

    fn kept(&self, visit: &mut dyn FnMut(Kept)) -> Result<(), RecorderError> {
        for (world, row, repeat) in self.audit().seen {
            let task = TaskId::of_row(&format!("w{world}"), "t", row.into());
            let key = RolloutKey { task, repeat };
            visit(Kept { key, environment: format!("w{world}"), reward: reward(row) });
        }
        Ok(())
    }
}
