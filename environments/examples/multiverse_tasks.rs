//! Writes the example tasks of `multiverse_math_hard`, with their gold answers.
//!
//! `cargo run -p rehearsal-environments --example multiverse_tasks` overwrites
//! `environments/data/multiverse_math_hard/{example,gold}.jsonl` and prints how many tasks there are.
//! The seed is fixed, so it writes the same each time. Expressions nest to the left only; the tools
//! themselves compute the truth.
#![expect(clippy::print_stdout, reason = "it says what it wrote")]

use std::error::Error;

use environments::multiverse_math_hard::MultiverseMath;
use framework::environment::{Environment, Trial};
use framework::kinds::Kinds;
use serde_json::{Value, json};

/// Random numbers by SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// From 1.0 to 9.9.
    fn number(&mut self) -> f64 {
        (10 + self.below(90)) as f64 / 10.0
    }
}

/// One more operation around an expression: its tool, its arguments, its text.
fn step(random: &mut Random, (value, text): (f64, &str)) -> (&'static str, Value, String) {
    let n = random.number();
    match random.below(7) {
        0 => ("add", json!({"a": value, "b": n}), format!("({text} + {n:?})")),
        1 => ("subtract", json!({"a": value, "b": n}), format!("({text} - {n:?})")),
        2 => ("multiply", json!({"a": value, "b": n}), format!("({text} * {n:?})")),
        3 => ("divide", json!({"a": value, "b": n}), format!("({text} / {n:?})")),
        4 => ("log", json!({"a": value, "base": n}), format!("log({text}, {n:?})")),
        5 => ("sin", json!({"radians": value}), format!("sin({text})")),
        _ => ("cos", json!({"radians": value}), format!("cos({text})")),
    }
}

const BLANK: &str =
    r#"{"responses_create_params":{"input":""},"id":0,"depth":0,"breadth":0,"ground_truth":"[]"}"#;

/// An expression of some depth: its calls, its text and its value; `None` where it has no value.
async fn expression(random: &mut Random, depth: u64) -> Option<(Vec<Value>, String, f64)> {
    let mut trial = Trial::<MultiverseMath>::open("{}", BLANK).await.ok()?;
    let (mut calls, mut value) = (Vec::new(), random.number());
    let mut text = format!("{value:?}");
    for level in 0..depth {
        let (tool, arguments, longer) = step(random, (value, &text));
        let output: Value =
            serde_json::from_str(&trial.call(tool, &arguments.to_string()).await).ok()?;
        (value, text) = (output["solution"].as_f64()?, longer);
        let id = format!("{level}_{}", random.below(1 << 32));
        calls.push(json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": format!("call_{id}"),
            "name": tool, "arguments": arguments.to_string(), "status": "completed"}));
    }
    Some((calls, text, value))
}

async fn task(
    random: &mut Random,
    id: u64,
    depth: u64,
    breadth: u64,
    tools: &Value,
) -> (Value, Value) {
    let (mut turns, mut texts, mut truths) =
        (vec![Vec::new(); depth as usize], Vec::new(), Vec::new());
    while texts.len() < breadth as usize {
        let Some((calls, text, value)) = expression(random, depth).await else { continue };
        turns.iter_mut().zip(calls).for_each(|(turn, call)| turn.push(call));
        texts.push(text);
        truths.push(value);
    }
    let prompt = format!("Compute with the tools, from the inside out: {}", texts.join("; "));
    let params = json!({"input": [{"role": "user", "content": prompt}], "tools": tools});
    let truth = serde_json::to_string(&truths).expect("numbers serialise to JSON");
    turns.push(vec![json!({"type": "message", "id": format!("msg_{id}"), "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": truth, "annotations": []}]})]);
    let row = json!({"id": id, "responses_create_params": params, "ground_truth": truth, "depth": depth, "breadth": breadth});
    (row, json!({ "turns": turns }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let tools =
        environments::register(Kinds::new()).tools(MultiverseMath::KIND).ok_or("no tools")?;
    let (tools, mut random) = (serde_json::from_str(tools.get())?, Random(20));
    let (mut rows, mut golds) = (String::new(), String::new());
    let sizes = [(1, 1), (1, 3), (2, 1), (3, 1), (2, 2), (4, 1), (3, 3)];
    for (id, (depth, breadth)) in (0..).zip(sizes) {
        let (row, gold) = task(&mut random, id, depth, breadth, &tools).await;
        rows += &format!("{row}\n");
        golds += &format!("{gold}\n");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/multiverse_math_hard");
    std::fs::create_dir_all(folder)?;
    std::fs::write(format!("{folder}/example.jsonl"), rows)?;
    std::fs::write(format!("{folder}/gold.jsonl"), golds)?;
    println!("{} tasks", sizes.len());
    Ok(())
}
