//! What it costs to grade a solution with ten tests in the sandbox, beside a plain `python3 -c` for each.
//!
//! Run: cargo bench --bench comp_coding
//! Prints the median and the 99th percentile of one solution at a time, and solutions per second on all
//! cores.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rehearsal::environments::comp_coding::CompCoding;
use rehearsal::framework::environment::Environment;
use rehearsal::framework::responses::{Item, Response};
use rehearsal::framework::task::Row;
use rehearsal::framework::wiring::Wiring;
use serde_json::json;

const TESTS: u32 = 10;
/// Solutions that are graded one by one.
const ONE_BY_ONE: usize = 200;
/// How long the throughput is measured.
const TIME: Duration = Duration::from_secs(5);

/// Sorts the numbers of its input.
const PROGRAM: &str = "\
import sys

def main():
    numbers = list(map(int, sys.stdin.read().split()))
    print(*sorted(numbers))

main()";

type Failure = Box<dyn Error>;

fn input(test: u32) -> String {
    (0..20).map(|number| format!("{} ", (number * 7919 + test) % 101)).collect()
}

fn expected(test: u32) -> String {
    let mut numbers: Vec<u32> = (0..20).map(|number| (number * 7919 + test) % 101).collect();
    numbers.sort_unstable();
    numbers.iter().map(|number| format!("{number} ")).collect()
}

fn row() -> String {
    let inputs: Vec<String> = (0..TESTS).map(input).collect();
    let outputs: Vec<String> = (0..TESTS).map(expected).collect();
    let metadata = json!({ "unit_tests": { "inputs": inputs, "outputs": outputs } });
    let params = json!({ "input": "sort" });
    json!({ "responses_create_params": params, "verifier_metadata": metadata }).to_string()
}

/// The interpreter itself, since what is found in `PATH` may be a script that looks for one.
fn interpreter() -> Result<String, Failure> {
    let output =
        Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn plain(python: &str) -> Result<(), Failure> {
    for test in 0..TESTS {
        let mut python = Command::new(python);
        python.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = python.spawn()?;
        python.stdin.take().ok_or("it has an input")?.write_all(input(test).as_bytes())?;
        let output = python.wait_with_output()?;
        if String::from_utf8(output.stdout)?.trim() != expected(test).trim() {
            return Err("it prints something else".into());
        }
    }
    Ok(())
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!("{name:<44}{:>9.2} ms{:>9.2} ms", at(50), at(99));
}

async fn graded(environment: &CompCoding, response: &Response) -> Result<(), Failure> {
    let target = CompCoding::target(&Row::parse(&row())?)?;
    let target = target.get().ok_or("the target is another environment's")?;
    let verdict = environment.verify((), target, response).await?;
    if verdict.reward.get() == 1.0 { Ok(()) } else { Err("it does not pass".into()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let wiring = Wiring::detached("comp_coding");
    let environment = CompCoding::new(serde_json::from_str("{}")?, &wiring)?;
    let said = Item::output_message("m", &format!("```python\n{PROGRAM}\n```"));
    let response = Response::new("r", "m".into(), vec![said]);
    graded(&environment, &response).await?;
    println!("{:<44}{:>12}{:>12}", "a solution with ten tests", "p50", "p99");
    let mut times = Vec::new();
    for _ in 0..ONE_BY_ONE {
        let start = Instant::now();
        graded(&environment, &response).await?;
        times.push(start.elapsed());
    }
    report("in the sandbox", times);
    let (python, mut times) = (interpreter()?, Vec::new());
    for _ in 0..ONE_BY_ONE / 10 {
        let start = Instant::now();
        plain(&python)?;
        times.push(start.elapsed());
    }
    report("python3 -c for each test, unconfined", times);
    let start = Instant::now();
    let lane = || async {
        let mut count = 0_u32;
        while start.elapsed() < TIME {
            graded(&environment, &response).await?;
            count += 1;
        }
        Ok::<_, Failure>(count)
    };
    let (first, second, third, fourth) = tokio::try_join!(lane(), lane(), lane(), lane())?;
    let rate = f64::from(first + second + third + fourth) / start.elapsed().as_secs_f64();
    println!("{:<44}{rate:>9.0} /s", "in the sandbox, on all cores");
    Ok(())
}
