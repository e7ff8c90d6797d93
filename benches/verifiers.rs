//! Measures verifiers: how many verdicts one core reaches in a second, and how long the slowest take.
//!
//! Run: cargo bench --bench verifiers [KIND …]
//!
//! Each environment scores the gold answers to its example tasks, again and again; reading the row and
//! opening the session are not counted. `long` is the first task with 64 KiB of text before its answer.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rehearsal::environments::google_search::GoogleSearch;
use rehearsal::environments::instruction_following::InstructionFollowing;
use rehearsal::environments::library_judge_math::LibraryJudgeMath;
use rehearsal::environments::mcqa::Mcqa;
use rehearsal::environments::structured_outputs::StructuredOutputs;
use rehearsal::framework::environment::Environment;
use rehearsal::framework::responses::{Item, Response, Role};
use rehearsal::framework::task::{Row, Target};
use rehearsal::framework::wiring::Wiring;
use serde_json::Value;

/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(2);
/// The text before the answer in long ones.
const FILLER: &str = "The quick brown fox, {so it is said}, jumps over \\boxed lazy dogs: again.\n";
const LONG: usize = 64 << 10;

type Failure = Box<dyn Error>;

/// What is scored: a row's target, and an answer to it.
type Sample = (Target, Response);

fn lines(kind: &str, file: &str) -> Result<Vec<String>, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/data").join(kind);
    Ok(fs::read_to_string(folder.join(file))?.lines().map(str::to_owned).collect())
}

/// The items of a gold answer, with some text at the start of its last message.
fn answer(gold: &str, before: &str) -> Result<Response, Failure> {
    let gold: Value = serde_json::from_str(gold)?;
    let turns = gold["turns"].as_array().into_iter().flatten();
    let items = turns.flat_map(|turn| turn.as_array().into_iter().flatten());
    let items = items.map(|item| Item::parse(&item.to_string()));
    let mut items = items.collect::<Result<Vec<_>, _>>()?;
    let is_prefixed = |last: &mut Item| !before.is_empty() && last.is_message_of(Role::Assistant);
    if let Some(last) = items.pop_if(is_prefixed) {
        items.push(Item::output_message("msg_1", &(before.to_owned() + &last.text())));
    }
    Ok(Response::new("resp", "gold".into(), items))
}

fn samples<E: Environment>() -> Result<Vec<Sample>, Failure> {
    let pairs = lines(E::KIND, "example.jsonl")?.into_iter().zip(lines(E::KIND, "gold.jsonl")?);
    pairs.map(|(row, gold)| Ok((E::target(&Row::parse(&row)?)?, answer(&gold, "")?))).collect()
}

fn long_sample<E: Environment>() -> Result<Vec<Sample>, Failure> {
    let (rows, golds) = (lines(E::KIND, "example.jsonl")?, lines(E::KIND, "gold.jsonl")?);
    let (row, gold) = rows.first().zip(golds.first()).ok_or("there is no example")?;
    let filler = FILLER.repeat(LONG / FILLER.len());
    Ok(vec![(E::target(&Row::parse(row)?)?, answer(gold, &filler)?)])
}

/// Scores samples for a while. Returns how long each verdict took, the shortest first.
async fn times<E: Environment>(
    environment: &E,
    samples: &[Sample],
) -> Result<Vec<Duration>, Failure> {
    let (started, mut times) = (Instant::now(), Vec::new());
    for (target, response) in samples.iter().cycle() {
        if started.elapsed() > TIME {
            break;
        }
        let target = target.get::<E::Target>().ok_or("the target is another environment's")?;
        let session = environment.open(target).await?;
        let before = Instant::now();
        environment.verify(session, target, response).await?;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

fn print(name: &str, times: &[Duration]) {
    let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
    let micros = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e6;
    let (rate, median, slow) = (1.0 / mean, micros(50), micros(99));
    println!("{name:<34} {rate:>10.0} /s {median:>10.1} µs {slow:>10.1} µs");
}

async fn measure<E: Environment>(chosen: &[String], settings: &str) -> Result<(), Failure> {
    if !chosen.is_empty() && !chosen.iter().any(|kind| kind == E::KIND) {
        return Ok(());
    }
    let environment = E::new(serde_json::from_str(settings)?, &Wiring::detached(E::KIND))?;
    print(E::KIND, &times(&environment, &samples::<E>()?).await?);
    print(&format!("{} long", E::KIND), &times(&environment, &long_sample::<E>()?).await?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // Cargo passes `--bench` along.
    let chosen: Vec<_> = std::env::args().skip(1).filter(|kind| !kind.starts_with('-')).collect();
    println!("{:<34} {:>13} {:>13} {:>13}", "verifier", "on one core", "p50", "p99");
    measure::<GoogleSearch>(&chosen, "{}").await?;
    measure::<InstructionFollowing>(&chosen, "{}").await?;
    measure::<LibraryJudgeMath>(&chosen, r#"{"should_use_judge":false}"#).await?;
    measure::<Mcqa>(&chosen, "{}").await?;
    measure::<StructuredOutputs>(&chosen, "{}").await?;
    Ok(())
}
