//! Measures the conversion between items and chats, and what long arrays of token ids cost.
//!
//! Run: cargo bench --bench chat_completions

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on panics")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rehearsal::actors::chat_completions::{Config, Conversion};
use rehearsal::framework::responses::{CreateParams, FunctionCall, Item, Request, Response};
use serde_json::json;

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Each is run so often; the median counts. On a machine that others use, the least says what the work
/// takes.
const RUNS: usize = 200;
/// How often what takes a hundred milliseconds is run.
const LONG_RUNS: usize = 20;
/// Steps of the conversation: a call, its output and some reasoning each.
const STEPS: usize = 20;
/// Tokens that one answer was generated from.
const TOKENS: usize = 65_536;

fn conversion(token_ids: bool) -> Conversion {
    let config = json!({ "base_url": "http://localhost/v1", "model": "m",
        "return_token_id_information": token_ids });
    let config: Config = serde_json::from_value(config).expect("the settings are right");
    Conversion::new(&config).expect("the settings are right")
}

/// Runs it, prints how long it takes, and returns the median in µs.
fn measure<T>(what: &str, runs: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            black_box(work());
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let micros = |share: f64| times[(share * (runs - 1) as f64) as usize].as_secs_f64() * 1e6;
    let [least, median, p99] = [0.0, 0.5, 0.99].map(micros);
    println!("{what:<62} {least:>10.1} µs, p50 {median:>10.1} µs, p99 {p99:>10.1} µs");
    median
}

/// A conversation of some steps, as a task and its history.
fn conversation() -> Request {
    let tool = json!({ "type": "function", "name": "get_weather", "strict": true,
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } } } });
    let input = "How is the weather there? ".repeat(20);
    let params = json!({ "input": input, "tools": [tool], "temperature": 1.0 }).to_string();
    let mut history = Vec::new();
    for step in 0..STEPS {
        let thought = format!("It may be cold in city {step}. ").repeat(10);
        let summary = [json!({ "type": "summary_text", "text": thought })];
        let reasoning = json!({ "type": "reasoning", "id": "rs_1", "summary": summary });
        history.push(Item::parse(&reasoning.to_string()).expect("it is an item"));
        let (call_id, arguments) = (format!("call_{step}"), format!("{{\"city\":\"{step}\"}}"));
        let name = "get_weather".into();
        let call =
            FunctionCall { call_id: call_id.as_str().into(), name, arguments: arguments.into() };
        history.push(Item::function_call(&call_id, call));
        history.push(Item::function_call_output(&call_id, &"cold ".repeat(40)));
    }
    Request {
        params: Arc::new(CreateParams::parse(&params).expect("they are parameters")),
        history,
    }
}

fn completion(message: serde_json::Value) -> serde_json::Value {
    let usage = json!({ "prompt_tokens": 80, "completion_tokens": 16, "total_tokens": 96 });
    let choice = json!({ "index": 0, "finish_reason": "tool_calls", "message": message });
    json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage })
}

fn ids() -> Vec<usize> {
    (0..TOKENS).map(|index| index * 7919 % 151_936).collect()
}

fn log_prob(index: usize) -> f32 {
    -((index % 977) as f32) / 977.0 * 1.7
}

/// An answer with its ids on the message, as training frameworks send it.
fn with_ids_on_the_message() -> String {
    let log_probs: Vec<f32> = (0..TOKENS).map(log_prob).collect();
    let message = json!({ "role": "assistant", "content": "It is cold.", "prompt_token_ids": [1, 2, 3],
        "generation_token_ids": ids(), "generation_log_probs": log_probs });
    completion(message).to_string()
}

/// An answer with its ids in the choice and in `logprobs`, as vLLM sends it.
fn with_ids_in_the_choice() -> String {
    with_entries(
        |(index, id)| json!({ "token": format!("token_id:{id}"), "logprob": log_prob(index), "bytes": [104, 105], "top_logprobs": [] }),
    )
}

/// The same from a server that writes the keys in another order.
fn in_another_order() -> String {
    with_entries(
        |(index, id)| json!({ "logprob": log_prob(index), "token": format!("token_id:{id}"), "bytes": [104, 105], "top_logprobs": [] }),
    )
}

fn with_entries(entry: impl Fn((usize, usize)) -> serde_json::Value) -> String {
    let entries: Vec<_> = ids().into_iter().enumerate().map(entry).collect();
    let mut completion = completion(json!({ "role": "assistant", "content": "It is cold." }));
    completion["prompt_token_ids"] = json!([1, 2, 3]);
    completion["choices"][0]["token_ids"] = json!(ids());
    completion["choices"][0]["logprobs"] = json!({ "content": entries });
    completion.to_string()
}

fn main() {
    let (plain, training) = (conversion(false), conversion(true));
    let request = conversation();
    measure("a conversation of 60 items as a chat", RUNS, || plain.request(&request));
    let call = json!({ "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let message = json!({ "role": "assistant", "content": "Let me see.", "reasoning_content": "It may be cold.", "tool_calls": [call] });
    let answer = completion(message).to_string();
    measure("a completion as a response", RUNS, || plain.response(&request, &answer));

    for (where_from, answer) in [
        ("the message", with_ids_on_the_message()),
        ("the choice", with_ids_in_the_choice()),
        ("the choice, keys in another order", in_another_order()),
    ] {
        let kib = answer.len() / 1024;
        println!("{TOKENS} tokens in {where_from}, {kib} KiB:");
        let read = measure("  read and checked", RUNS, || training.response(&request, &answer));
        measure("  each byte looked at once", RUNS, || {
            answer.bytes().fold(0, |sum, byte| sum ^ byte)
        });
        let parse = || serde_json::from_str::<serde_json::Value>(&answer);
        let parsed = measure("  parsed into a `serde_json::Value`", LONG_RUNS, parse);
        println!("  the parse takes {:.0} times as long as the reading", parsed / read);
    }
    let answer = training.response(&request, &with_ids_on_the_message());
    let answer: Response = answer.expect("it is a completion");
    let mut request = request;
    request.history.extend(answer.output.iter().cloned());
    measure("passing them on in the next request", RUNS, || training.request(&request));
    measure("passing them on into the record", RUNS, || {
        let mut record = String::with_capacity(2 << 20);
        answer.write_json(&mut record);
        record
    });
}
