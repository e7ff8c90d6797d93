//! What one rollout does, in which order: calls and their outputs, usage, limits, and what goes back
//! to the model instead of failing.

use std::cell::RefCell;
use std::collections::HashMap;

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::framework::model::ModelError;
use rehearsal::framework::responses::ItemKind;
use rehearsal::framework::rollout::Limit;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A model that says what its settings dictate, one response after the other.
struct Dictated {
    responses: Vec<Value>,
    said: RefCell<HashMap<RolloutKey, usize>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dictation {
    responses: Vec<Value>,
}

impl Model for Dictated {
    const KIND: &'static str = "dictated";
    type Config = Dictation;

    fn new(config: Dictation, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self { responses: config.responses, said: RefCell::default() })
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let mut said = self.said.borrow_mut();
        let turn = said.entry(message.key).or_default();
        let response = self.responses[(*turn).min(self.responses.len() - 1)].to_string();
        *turn += 1;
        Ok(Response::parse(&response).unwrap())
    }
}

/// A world that writes down when each call began and ended. Its verdict has the log.
struct Logbook;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

#[derive(Deserialize, JsonSchema)]
struct Anything {}

/// Notes a word.
#[derive(Deserialize, JsonSchema)]
struct Note {
    word: String,
}

#[derive(Serialize)]
struct Noted {
    noted: String,
}

type Log = RefCell<Vec<String>>;

async fn note(_: &Logbook, log: &mut Log, args: Note) -> Result<Noted, ToolError> {
    begin_and_end(log, args).await
}

/// Looks a word up.
#[derive(Deserialize, JsonSchema)]
struct Look {
    word: String,
}

async fn look(_: &Logbook, log: &Log, Look { word }: Look) -> Result<Noted, ToolError> {
    begin_and_end(log, Note { word }).await
}

async fn begin_and_end(log: &Log, args: Note) -> Result<Noted, ToolError> {
    log.borrow_mut().push(format!("begin {}", args.word));
    // Whoever else could run now would.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    log.borrow_mut().push(format!("end {}", args.word));
    Ok(Noted { noted: args.word })
}

impl Environment for Logbook {
    const KIND: &'static str = "logbook";
    type Config = NoSettings;
    type Target = Anything;
    type Session = Log;

    fn new(_: NoSettings, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("note", note);
        tools.add_shared("look", look);
    }

    async fn open(&self, _: &Anything) -> Result<Log, EnvironmentError> {
        Ok(Log::default())
    }

    async fn verify(
        &self,
        log: Log,
        _: &Anything,
        _: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        Ok(Verdict::new(Reward::ONE).with("log", &log))
    }
}

/// Makes one rollout of a model that says that.
async fn roll_out(params: Value, settings: &str, responses: Value) -> Rollout {
    let config = json!({
        "models": { "policy": { "kind": "dictated", "settings": { "responses": responses } } },
        "environments": { "logbook": { "kind": "logbook" } },
    });
    let agent = format!("agents.writer.settings={settings}");
    let rest = "agents: { writer: { kind: tool_loop, environment: logbook, model: policy } }
runtime: { shards: 1 }";
    let loader = Loader::new().text("dictated", &config.to_string()).text("rest", rest);
    let kinds = rehearsal::kinds().model::<Dictated>().environment::<Logbook>();
    let runtime = Runtime::start(loader.set(agent).load().unwrap(), &kinds).await.unwrap();
    let row = json!({ "responses_create_params": params }).to_string();
    let task = runtime.task("writer", "a/b/1".into(), &row).unwrap();
    let rollout = runtime.submit("writer", &task, 0, RolloutPolicy::default()).await.unwrap();
    runtime.stop().await;
    rollout
}

fn call(id: &str, arguments: &str) -> Value {
    call_of("note", id, arguments)
}

fn call_of(tool: &str, id: &str, arguments: &str) -> Value {
    json!({ "type": "function_call", "call_id": id, "name": tool, "arguments": arguments })
}

fn looking(word: &str) -> Value {
    call_of("look", word, &json!({ "word": word }).to_string())
}

fn noting(word: &str) -> Value {
    call(word, &json!({ "word": word }).to_string())
}

fn said(text: &str) -> Value {
    let part = json!({ "type": "output_text", "text": text, "annotations": [] });
    json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part] })
}

fn response(output: &[Value]) -> Value {
    json!({ "id": "r", "output": output })
}

fn log(rollout: &Rollout) -> Vec<String> {
    serde_json::from_str(rollout.verdict.extras.get("log").unwrap().get()).unwrap()
}

/// The outputs in the trajectory: call id and text.
fn outputs(rollout: &Rollout) -> Vec<(String, String)> {
    let items = rollout.response.output.iter();
    let outputs = items.filter(|item| *item.kind() == ItemKind::FunctionCallOutput);
    let field = |item: &Item, name| item.field::<String>(name).unwrap();
    outputs.map(|item| (field(item, "call_id"), field(item, "output"))).collect()
}

/// One rollout of a step with these calls: the log, and the outputs' call ids.
async fn one_step(parallel: bool, calls: &[Value]) -> (Vec<String>, Vec<String>) {
    let params = json!({ "input": "Go.", "parallel_tool_calls": parallel });
    let rollout = roll_out(params, "{}", json!([response(calls), response(&[said("!")])])).await;
    (log(&rollout), outputs(&rollout).into_iter().map(|(id, _)| id).collect())
}

fn sorted(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.sort();
    lines
}

#[tokio::test]
async fn calls_that_only_look_run_side_by_side_if_the_request_allows_it() {
    let calls = ["c", "a", "b"].map(looking);
    let (log, ids) = one_step(true, &calls).await;
    assert_eq!(log[..3], ["begin c", "begin a", "begin b"]);
    assert_eq!(sorted(&log[3..]), ["end a", "end b", "end c"]);
    assert_eq!(ids, ["c", "a", "b"]);
    let (log, ids) = one_step(false, &calls).await;
    assert_eq!(log, ["begin c", "end c", "begin a", "end a", "begin b", "end b"]);
    assert_eq!(ids, ["c", "a", "b"]);
}

#[tokio::test]
async fn a_call_that_may_change_the_session_has_it_to_itself_between_those_that_look() {
    let (first, last) = (["a", "b"].map(looking), ["d", "e"].map(looking));
    let (log, ids) = one_step(true, &[&first[..], &[noting("c")], &last[..]].concat()).await;
    assert_eq!(log[..2], ["begin a", "begin b"]);
    assert_eq!(sorted(&log[2..4]), ["end a", "end b"]);
    assert_eq!(log[4..8], ["begin c", "end c", "begin d", "begin e"]);
    assert_eq!(sorted(&log[8..]), ["end d", "end e"]);
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn calls_that_may_change_the_session_never_overlap_and_their_outputs_stand_in_call_order() {
    for parallel in [true, false] {
        let (log, ids) = one_step(parallel, &["c", "a", "d", "b"].map(noting)).await;
        let words = ["c", "a", "d", "b"].iter();
        let expected: Vec<_> =
            words.flat_map(|w| [format!("begin {w}"), format!("end {w}")]).collect();
        assert_eq!(log, expected, "parallel: {parallel}");
        assert_eq!(ids, ["c", "a", "d", "b"], "parallel: {parallel}");
    }
}

#[tokio::test]
async fn usage_adds_up_and_a_silent_answer_does_not_erase_it() {
    let with = |mut response: Value, input: u64, output: u64| {
        response["usage"] = json!({
            "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": { "cached_tokens": 1 },
            "output_tokens_details": { "reasoning_tokens": 2 },
        });
        response
    };
    let responses = json!([
        with(response(&[noting("a")]), 10, 3),
        response(&[noting("b")]),
        with(response(&[said("!")]), 20, 4),
    ]);
    let rollout = roll_out(json!({ "input": "Go." }), "{}", responses).await;
    let usage = rollout.response.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.total_tokens), (30, 7, 37));
}

#[tokio::test]
async fn an_incomplete_response_ends_the_rollout_before_its_calls_run() {
    let mut cut = response(&[noting("half")]);
    cut["status"] = "incomplete".into();
    cut["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    let rollout = roll_out(json!({ "input": "Go." }), "{}", json!([cut])).await;
    assert_eq!(rollout.truncated, Some(Limit::ModelOutput));
    assert_eq!(rollout.outcome(), Outcome::Truncated);
    assert_eq!((log(&rollout), outputs(&rollout)), (Vec::new(), Vec::new()));
    assert_eq!(rollout.verdict.reward.get(), 1.0, "it is scored all the same");
}

#[tokio::test]
async fn what_the_model_got_wrong_goes_back_to_it_as_text() {
    let unknown =
        json!({ "type": "function_call", "call_id": "x", "name": "notes", "arguments": "{}" });
    let calls = [
        call("torn", "{\"word\": \"a"),
        call("none", "{}"),
        call("typed", "{\"word\": [1]}"),
        unknown,
    ];
    let rollout = roll_out(
        json!({ "input": "Go." }),
        "{}",
        json!([response(&calls), response(&[said("!")])]),
    )
    .await;
    let outputs = outputs(&rollout);
    let ids: Vec<_> = outputs.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["torn", "none", "typed", "x"]);
    assert!(outputs[1].1.contains("word") && outputs[2].1.contains("word"), "{outputs:?}");
    assert_eq!(outputs[3].1, r#"{"detail":"Not Found"}"#);
    assert!(log(&rollout).is_empty());
    assert_eq!(rollout.outcome(), Outcome::Scored);
}

#[tokio::test]
async fn reasoning_alone_is_no_last_word() {
    let thought = json!({ "type": "reasoning", "id": "t", "summary": [] });
    let responses = json!([response(&[thought]), response(&[noting("a")]), response(&[said("!")])]);
    let rollout = roll_out(json!({ "input": "Go." }), "{}", responses).await;
    assert_eq!((rollout.steps, rollout.truncated), (3, None));
    assert_eq!(rollout.response.last_assistant_text().as_deref(), Some("!"));
}

#[tokio::test]
async fn a_model_that_never_ends_is_cut_short_and_scored() {
    let endless = json!([response(&[noting("again")])]);
    let rollout = roll_out(json!({ "input": "Go." }), "{ max_steps: 3 }", endless).await;
    assert_eq!((rollout.steps, rollout.truncated), (3, Some(Limit::Steps)));
    assert_eq!((log(&rollout).len(), outputs(&rollout).len()), (6, 3));
    assert_eq!(rollout.verdict.reward.get(), 1.0);
}
