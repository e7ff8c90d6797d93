//! Measures the verifier of mathematics beside Math-Verify, on the same pairs: how long a pair takes, and
//! how many one core decides in a second.
//!
//! Run: cargo bench --bench math
//!
//! The pairs are those of `tests/differential/library_judge_math.jsonl`: all kinds of answers. The library
//! runs if a Python has it: that of `MATH_VERIFY_PYTHON`, or the one that `cargo test differential` makes
//! below `target/`. Last come texts of a mebibyte that are meant to be slow.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rehearsal::environments::math;
use serde::Deserialize;

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAIRS: &str = "tests/differential/library_judge_math.jsonl";
/// Each pair is decided so often; its shortest time counts, as the machine does other things as well.
const ROUNDS: usize = 9;
/// The same for texts of a mebibyte.
const SLOW_ROUNDS: usize = 3;
/// The most that any text of a mebibyte may take.
const SLOWEST_MAX: Duration = Duration::from_millis(50);
/// Texts that are repeated to a mebibyte.
const FRAGMENTS: [&str; 26] = [
    "a ",
    "1 ",
    "1 + ",
    "answer: ",
    "answer 1=",
    "final answer is ",
    "$",
    "$a$ and ",
    "$\\frac$ ",
    "\\( ",
    "\\[ ",
    "\\boxed{",
    "\\boxed{1} ",
    "{",
    "(",
    "\\sqrt",
    "1+",
    "x^",
    "\\frac{1}",
    "2^{9^{9^",
    " [answer: 1=",
    "\\(answer: 1=",
    "$$=",
    "^(answer: 1=",
    "is final answer is 1. ",
    "é",
];

#[derive(Deserialize)]
struct Pair {
    gold: String,
    answer: String,
}

/// Times of all pairs, in seconds.
struct Times(Vec<f64>);

impl Times {
    fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn micros(&self, share: f64) -> f64 {
        1e6 * self.0[((self.0.len() - 1) as f64 * share) as usize]
    }

    fn rate(&self) -> f64 {
        self.0.len() as f64 / self.0.iter().sum::<f64>()
    }

    fn print(&self, name: &str) {
        let (median, slow, slowest) = (self.micros(0.5), self.micros(0.99), self.micros(1.0));
        let rate = self.rate();
        println!("{name:<14} {rate:>12.0} /s {median:>12.1} µs {slow:>12.1} µs {slowest:>12.1} µs");
    }
}

fn time(pair: &Pair) -> f64 {
    let one = |_| {
        let started = Instant::now();
        black_box(math::verify(black_box(&pair.gold), black_box(&pair.answer)));
        started.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(one).fold(f64::INFINITY, f64::min)
}

/// A Python that has the library.
fn python(root: &Path) -> Option<PathBuf> {
    let made = root.join("target/tmp/differential-library_judge_math/bin/python3");
    let named = std::env::var_os("MATH_VERIFY_PYTHON").map(PathBuf::from);
    [named, Some(made)].into_iter().flatten().find(|python| {
        let found = Command::new(python).args(["-c", "import math_verify"]).output();
        found.is_ok_and(|output| output.status.success())
    })
}

fn library_times(root: &Path) -> Result<Option<Times>, Box<dyn Error>> {
    let Some(python) = python(root) else {
        println!("skipped: no Python with Math-Verify to compare with");
        return Ok(None);
    };
    let script = root.join("tests/differential/library_judge_math.py");
    let output = Command::new(python)
        .arg(script)
        .args(["0", "0"])
        .arg(root.join(PAIRS))
        .arg("times")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(Some(Times::new(serde_json::from_slice(&output.stdout)?)))
}

/// The slowest of the texts of a mebibyte.
fn slowest() -> (Duration, String) {
    let texts = FRAGMENTS.iter().flat_map(|fragment| {
        let text = fragment.repeat((1 << 20) / fragment.len());
        [text.clone(), format!("\\boxed{{{text}}}"), format!("${text}$")]
    });
    let time = |text: &str| {
        let started = Instant::now();
        black_box(math::verify("\\frac{1}{2}", black_box(text)));
        started.elapsed()
    };
    let timed = texts.map(|text| {
        let shortest = (0..SLOW_ROUNDS).map(|_| time(&text)).min().unwrap_or_default();
        (shortest, text.chars().take(24).collect())
    });
    timed.max().unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(root.join(PAIRS))?;
    let pairs = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Pair>, _>>()?;
    println!(
        "{:<14} {:>15} {:>15} {:>15} {:>15}",
        format!("{} pairs", pairs.len()),
        "on one core",
        "p50",
        "p99",
        "slowest"
    );
    let ours = Times::new(pairs.iter().map(time).collect());
    ours.print("math");
    if let Some(theirs) = library_times(root)? {
        theirs.print("Math-Verify");
        println!("{:<14} {:>12.0} times", "ratio", ours.rate() / theirs.rate());
    }
    let (time, text) = slowest();
    println!("slowest mebibyte: {:.1} ms, of {text:?} and so on", time.as_secs_f64() * 1e3);
    if time > SLOWEST_MAX {
        return Err(format!("it may take {} ms", SLOWEST_MAX.as_millis()).into());
    }
    Ok(())
}
