//! Decides pairs of answers: JSON lines with `gold` and `answer` in, verdicts out.
//!
//! CI: --version
//! Run: cargo run --release -p rehearsal-environments --example verify_math < pairs.jsonl
//!
//! Each line of output has `reward`, `extracted` (the answer that was found, as printed), `golds` and
//! `predictions` (all that was read), and `undecided` with a reason where the two could not be compared.
//! `--strict` does the mathematically right thing where Math-Verify does not.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::io::BufRead;

use environments::math::{Answer, Options, verify_with};
use serde::Deserialize;
use serde_json::json;

/// A line of input.
#[derive(Deserialize)]
struct Pair {
    gold: String,
    answer: String,
}

fn printed(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(Answer::to_string).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--version") {
        println!("{}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    let options = Options { strict: arguments.iter().any(|argument| argument == "--strict") };
    for line in std::io::stdin().lock().lines() {
        let Pair { gold, answer } = serde_json::from_str(&line?)?;
        let verdict = verify_with(&gold, &answer, options);
        let found = json!({
            "reward": f64::from(u8::from(verdict.equal)),
            "extracted": verdict.extracted_answer(),
            "golds": printed(&verdict.golds),
            "predictions": printed(&verdict.predictions),
            "undecided": verdict.undecided.map(|reason| reason.to_string()),
        });
        println!("{found}");
    }
    Ok(())
}
