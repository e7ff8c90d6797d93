//! `equivalence_llm_judge` through the public door: what the judge is asked, what its answers are
//! worth, and that a judge in trouble never makes a reward.

mod failures;
mod mathematics;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};

use rehearsal::framework::model::ModelError;
use rehearsal::framework::rollout::Culprit;
use rehearsal::framework::runtime::SubmitError;
use rehearsal::prelude::*;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::support::command::Folder;

const EQUAL: &str = "same. [[A=B]] they are equivalent";
const OTHER: &str = "not the same. [[A!=B]] they are not equivalent";
const BOX: &str = r"\\boxed\{(.*?)\}";

/// What the judge of a test does with a question.
#[derive(Clone)]
enum Reply {
    /// A message of one part.
    Says(&'static str),
    /// These output items.
    Output(Value),
    /// Fails.
    Fails(ModelError),
    /// Waits until so many are waiting, and then says that all is equal.
    Meets(usize),
    /// Never answers.
    Sleeps,
}

/// A judge, found by its name.
#[derive(Default)]
struct Bench {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Value>>,
    waiting: Mutex<Waiting>,
    met: Notify,
}

#[derive(Clone, Copy, Default)]
struct Waiting {
    now: usize,
    most: usize,
}

static BENCHES: LazyLock<Mutex<HashMap<String, Arc<Bench>>>> = LazyLock::new(Mutex::default);

/// The model that asks the bench of its name.
struct JudgeOf(Arc<Bench>);

#[derive(Clone, serde::Deserialize)]
struct BenchName {
    bench: String,
}

impl Model for JudgeOf {
    const KIND: &'static str = "bench";
    type Config = BenchName;

    fn new(config: BenchName, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self(BENCHES.lock().unwrap()[&config.bench].clone()))
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let input: Vec<&Item> = message.request.input().collect();
        let mut request = json!({ "input": input });
        for (name, value) in message.request.params.fields().iter() {
            request[name] = serde_json::from_str(value.get()).unwrap();
        }
        self.0.requests.lock().unwrap().push(request);
        // The last reply is given for ever.
        let reply = {
            let mut replies = self.0.replies.lock().unwrap();
            let next = replies.pop_front().unwrap();
            if replies.is_empty() {
                replies.push_back(next.clone());
            }
            next
        };
        let items = match reply {
            Reply::Says(text) => vec![Item::output_message("m", text)],
            Reply::Output(items) => {
                let items = items.as_array().unwrap().iter();
                items.map(|item| Item::parse(&item.to_string()).unwrap()).collect()
            }
            Reply::Fails(error) => return Err(error),
            Reply::Sleeps => std::future::pending().await,
            Reply::Meets(count) => {
                self.0.meet(count).await;
                vec![Item::output_message("m", EQUAL)]
            }
        };
        Ok(Response::new("resp_judge", Arc::from("judge"), items))
    }
}

impl Bench {
    /// Waits for others, and leaves them room again.
    async fn meet(&self, count: usize) {
        let notified = self.met.notified();
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap();
            waiting.now += 1;
            waiting.most = waiting.most.max(waiting.now);
            *waiting
        };
        if waiting.now < count && waiting.most < count {
            notified.await;
        }
        self.met.notify_waiters();
        // Others may start now, if they are allowed to, before this one ends.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.waiting.lock().unwrap().now -= 1;
    }

    fn prompts(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let last = |request: &Value| {
            let input = request["input"].as_array().unwrap();
            input.last().unwrap()["content"].as_str().unwrap().to_owned()
        };
        requests.iter().map(last).collect()
    }
}

/// A runtime with a judge whose replies are known.
struct Court {
    runtime: Runtime,
    bench: Arc<Bench>,
}

impl Court {
    async fn new(name: &str, settings: &Value, replies: Vec<Reply>) -> Self {
        Self::with_time(name, settings, replies, "60s").await
    }

    async fn with_time(name: &str, settings: &Value, replies: Vec<Reply>, time: &str) -> Self {
        Self::of("equivalence_llm_judge", name, settings, replies, time).await
    }

    /// A court with an environment of a kind.
    async fn of(kind: &str, name: &str, settings: &Value, replies: Vec<Reply>, time: &str) -> Self {
        let bench = Bench { replies: Mutex::new(replies.into()), ..Bench::default() };
        let bench = Arc::new(bench);
        BENCHES.lock().unwrap().insert(name.to_owned(), bench.clone());
        let template = "{question}|{expected_answer}|{generated_answer}";
        let mut all = json!({ "judge_model": "judge", "judge_prompt_template": template });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let config = json!({
            "models": { "judge": { "kind": "bench", "settings": { "bench": name } } },
            "environments": { "world": {
                "kind": kind, "verify_timeout": time, "settings": all,
            } },
            "runtime": { "shards": 1 },
        });
        let config = Loader::new().text("judge", &config.to_string()).load().unwrap();
        let kinds = rehearsal::kinds().model::<JudgeOf>();
        Self { runtime: Runtime::start(config, &kinds).await.unwrap(), bench }
    }

    /// Scores an output; the verdict's extras, with the reward under `reward`, or why there is none.
    async fn score(&self, row: &Value, output: Value) -> Result<Value, Failure> {
        let task = self.runtime.environment_task("world", "a/b/1".into(), &row.to_string());
        let response = json!({ "id": "r", "output": output }).to_string();
        let response = Arc::new(Response::parse(&response).unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        let verdict = self.runtime.verify("world", &task.unwrap(), &response, deadline).await;
        let verdict = verdict.map_err(|error| match error {
            SubmitError::Failed(failure) => failure,
            other => panic!("{other}"),
        })?;
        let mut extras = serde_json::to_value(&verdict.extras).unwrap();
        extras["reward"] = verdict.reward.get().into();
        Ok(extras)
    }
}

fn said(text: &str) -> Value {
    json!([{ "id": "m", "type": "message", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }] }])
}

fn row(expected: &str, regex: Option<&str>) -> Value {
    let mut row = json!({
        "responses_create_params": { "input": [{ "role": "user", "content": "Q?" }] },
        "expected_answer": expected,
    });
    if let Some(regex) = regex {
        row["template_metadata"] = json!({ "output_regex": regex });
    }
    row
}

/// Settings, row, what the model said, the judge's replies; then the reward, what the judge was
/// asked, and its labels.
type Case = (Value, Value, &'static str, Vec<Reply>, f64, Vec<&'static str>, Vec<Option<bool>>);

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    use Reply::Says;
    let long = "0123456789".repeat(6);
    let swap = || json!({ "check_twice_swap": true, "reward_if_swap_fails": -1.0 });
    vec![
        // The eight cases that NeMo Gym's own tests pin.
        (json!({}), row("2", None), "two", vec![Says("some text [[A=B]] trailing")],
            1.0, vec!["Q?|2|two"], vec![Some(true)]),
        (swap(), row("2", None), "two", vec![Says(EQUAL)],
            1.0, vec!["Q?|2|two", "Q?|two|2"], vec![Some(true), Some(true)]),
        (json!({}), row("2", None), "3", vec![Says(OTHER)],
            0.0, vec!["Q?|2|3"], vec![Some(false)]),
        (json!({ "judge_no_label": "not_equal" }), row("2", None), "3", vec![Says("no label present")],
            0.0, vec!["Q?|2|3"], vec![None]),
        (swap(), row("2", None), "two", vec![Says(EQUAL), Says(OTHER)],
            -1.0, vec!["Q?|2|two", "Q?|two|2"], vec![Some(true), Some(false)]),
        (json!({}), row("4", Some(BOX)), r"so \boxed{3} or \boxed{ 4 }", vec![Says(EQUAL)],
            1.0, vec!["Q?|4|4"], vec![Some(true)]),
        (json!({}), row("4", Some(r"ANSWER:\s*(.+)")), "it is 4", vec![Says(OTHER), Says(EQUAL)],
            0.5, vec!["Q?|4|it is 4", "Q?|4|it is 4"], vec![Some(false), Some(true)]),
        (json!({ "extraction_length_threshold": 50, "check_twice_swap": true }),
            row(&long, Some(BOX)), r"all of \boxed{it}", vec![Says(EQUAL)],
            1.0, vec![r"Q?|012345678901234567890123456789012345678901234567890123456789|all of \boxed{it}"], vec![Some(true)]),
        // A long answer is not rescued, and its global regex does not come back.
        (json!({ "extraction_length_threshold": 50, "response_extract_regex": "(all)" }),
            row(&long, Some(BOX)), r"all of \boxed{it}", vec![Says(OTHER)],
            0.0, vec![r"Q?|012345678901234567890123456789012345678901234567890123456789|all of \boxed{it}"], vec![Some(false)]),
        // Without a regex of its own, a row's length says nothing.
        (json!({ "extraction_length_threshold": 1, "response_extract_regex": "<(.*)>" }),
            row("4x", None), "<4x>", vec![Says(EQUAL)], 1.0, vec!["Q?|4x|4x"], vec![Some(true)]),
        // A row's regex that does not count.
        (json!({ "use_per_record_regex": false, "response_extract_regex": "<(.*)>" }),
            row("4", Some(BOX)), r"<4> \boxed{5}", vec![Says(OTHER)],
            0.0, vec!["Q?|4|4"], vec![Some(false)]),
        // The rescue: all that was said, its own reward, and none.
        (json!({ "reward_if_full_generation_succeeds": 0.25, "check_twice_swap": true }),
            row("4", Some(BOX)), r" 4, \boxed{four} ", vec![Says(OTHER), Says(EQUAL)],
            0.25, vec!["Q?|4|four", r"Q?|4|4, \boxed{four}"], vec![Some(false), Some(true)]),
        (json!({}), row("4", Some(BOX)), r"\boxed{5}", vec![Says(OTHER)],
            0.0, vec!["Q?|4|5", r"Q?|4|\boxed{5}"], vec![Some(false), Some(false)]),
        (json!({ "check_full_generation_on_fail": false }), row("4", Some(BOX)), r"\boxed{5}",
            vec![Says(OTHER)], 0.0, vec!["Q?|4|5"], vec![Some(false)]),
        // Nothing said.
        (json!({}), row("4", None), " \n", vec![Says(OTHER)],
            0.0, vec!["Q?|4|[NO VALID ANSWER EXTRACTED]"], vec![Some(false)]),
        (json!({ "msg_extraction_failure": "" }), row("4", None), "", vec![Says(OTHER)],
            0.0, vec!["Q?|4|"], vec![Some(false)]),
        // Labels of another kind, the first of which counts.
        (json!({ "judge_equal_label": "CORRECT", "judge_not_equal_label": "INCORRECT" }),
            row("4", None), "4", vec![Says("INCORRECT")], 0.0, vec!["Q?|4|4"], vec![Some(false)]),
        // What is put into the question is no template.
        (json!({}), row("{question}", None), "{{}", vec![Says(EQUAL)],
            1.0, vec!["Q?|{question}|{{}"], vec![Some(true)]),
    ]
}

#[tokio::test]
async fn every_option_has_its_reward_and_its_questions() {
    for (index, (settings, row, text, replies, reward, prompts, labels)) in
        cases().into_iter().enumerate()
    {
        let case = format!("case {index}: {settings} {text}");
        let court = Court::new(&format!("options/{index}"), &settings, replies).await;
        let verdict = court.score(&row, said(text)).await.unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(verdict["reward"], reward, "{case}");
        assert_eq!(verdict["expected_answer"], row["expected_answer"], "{case}");
        assert_eq!(court.bench.prompts(), prompts, "{case}");
        let equal = settings["judge_equal_label"].as_str().unwrap_or("[[A=B]]");
        let verdicts = verdict["judge_evaluations"].as_array().unwrap().iter();
        let ours: Vec<_> = verdicts.map(|verdict| verdict["verdict_label"].as_str()).collect();
        let ours: Vec<_> = ours.iter().map(|label| label.map(|label| label == equal)).collect();
        assert_eq!(ours, labels, "{case}");
        court.runtime.stop().await;
    }
}

#[tokio::test]
async fn the_last_message_counts_and_only_what_the_model_wrote_in_it() {
    let court = Court::new("outputs", &json!({}), vec![Reply::Says(EQUAL)]).await;
    let call = json!({ "type": "function_call", "id": "c", "call_id": "c", "name": "f", "arguments": "{}" });
    let part = |kind: &str, text: &str| json!({ "type": kind, "text": text, "annotations": [] });
    let message = |content: Value| json!({ "id": "m", "type": "message", "role": "assistant", "status": "completed", "content": content });
    for (output, generated) in [
        (json!([message(json!([part("output_text", " a"), part("output_text", "b ")]))]), "a\nb"),
        (json!([message(json!([part("output_text", "a")])), call]), "a"),
        (
            json!([
                message(json!([part("output_text", "a")])),
                message(json!([{ "type": "refusal", "refusal": "no" }]))
            ]),
            "[NO VALID ANSWER EXTRACTED]",
        ),
        (json!([{ "role": "assistant", "content": "plain\u{1c}" }]), "plain"),
        (
            json!([{ "role": "assistant", "content": [part("input_text", "a")] }]),
            "[NO VALID ANSWER EXTRACTED]",
        ),
        (json!([call]), "[NO VALID ANSWER EXTRACTED]"),
        (json!([]), "[NO VALID ANSWER EXTRACTED]"),
    ] {
        court.score(&row("4", None), output.clone()).await.unwrap();
        let prompt = court.bench.prompts().pop().unwrap();
        assert_eq!(prompt, format!("Q?|4|{generated}"), "{output}");
    }
    court.runtime.stop().await;
}

#[tokio::test]
async fn the_question_is_the_last_text_of_the_user() {
    let settings = json!({ "question_extract_regex": "^QUESTION: ([^\n]*)$" });
    let court = Court::new("questions", &settings, vec![Reply::Says(EQUAL)]).await;
    let user = |content: Value| json!({ "role": "user", "content": content });
    let text = |text: &str| json!({ "type": "input_text", "text": text });
    let image = json!({ "type": "input_image", "detail": "auto", "image_url": "data:secret" });
    for (input, question) in [
        (json!("just text"), "just text"),
        (json!([user(json!(" a ")), { "role": "system", "content": "s" }]), "a"),
        (json!([user(json!("a")), user(json!([text("b"), image, text("c")]))]), "b\nc"),
        (json!([user(json!("a")), user(json!([image]))]), "a"),
        (json!([user(json!([image]))]), ""),
        (json!([user(json!("Hint.\nQUESTION: why? \nGo."))]), "why?"),
        (json!([{ "role": "system", "content": "s" }]), ""),
    ] {
        let mut row = row("4", None);
        row["responses_create_params"]["input"] = input.clone();
        court.score(&row, said("4")).await.unwrap();
        let prompt = court.bench.prompts().pop().unwrap();
        assert_eq!(prompt, format!("{question}|4|4"), "{input}");
    }
    court.runtime.stop().await;
}

#[tokio::test]
async fn the_judge_is_asked_with_what_is_set_and_the_record_shows_it() {
    let settings = json!({
        "judge_system_message": "Be fair.",
        "judge_responses_create_params": { "temperature": 0.0, "max_output_tokens": 512, "input": [] },
    });
    let court = Court::new("requests", &settings, vec![Reply::Says(EQUAL)]).await;
    let verdict = court.score(&row("4", None), said("4")).await.unwrap();
    let system = json!({ "content": "Be fair.", "role": "system", "type": "message" });
    let user = json!({ "content": "Q?|4|4", "role": "user", "type": "message" });
    let input = json!([system, user]);
    let asked = court.bench.requests.lock().unwrap().clone();
    assert_eq!(asked, [json!({ "input": input, "temperature": 0.0, "max_output_tokens": 512 })]);
    let evaluation = &verdict["judge_evaluations"][0];
    let recorded = &evaluation["responses_create_params"];
    assert_eq!(recorded["input"], input);
    assert_eq!((&recorded["temperature"], &recorded["tools"]), (&json!(0.0), &json!([])));
    assert!(recorded.as_object().unwrap().contains_key("top_p"));
    assert_eq!(evaluation["response"]["output"][0]["content"][0]["text"], EQUAL);
    assert_eq!(evaluation["verdict_label"], "[[A=B]]");
    court.runtime.stop().await;
}

fn breaker(retry_after: Duration) -> ModelError {
    ModelError::BreakerOpen { endpoint: "http://judge".to_owned(), retry_after }
}

fn unavailable() -> ModelError {
    let (endpoint, message) = ("http://judge".to_owned(), "down".to_owned());
    ModelError::Unavailable { endpoint, status: 503, message, retry_after: None }
}

#[tokio::test]
async fn so_many_questions_are_open_at_once_and_no_more() {
    let settings = json!({ "judge_endpoint_max_concurrency": 3 });
    let court = Court::new("limit", &settings, vec![Reply::Meets(3)]).await;
    let row = row("4", None);
    let court = Arc::new(court);
    let mut scores = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let (court, row) = (court.clone(), row.clone());
        scores.spawn(async move { court.score(&row, said("4")).await });
    }
    for score in scores.join_all().await {
        assert_eq!(score.unwrap()["reward"], 1.0);
    }
    assert_eq!(court.bench.waiting.lock().unwrap().most, 3);
    Arc::into_inner(court).unwrap().runtime.stop().await;
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let folder = Folder::new();
    folder.write("prompt.txt", "{gold} {generated_answer}");
    for (settings, expected) in [
        ("judge_model: jugde", "there is no model `jugde`; there are `judge`"),
        ("{ judge_model: judge, judge_prompt_template: '{gold}' }", "`{gold}` is not known"),
        (
            "{ judge_model: judge, judge_prompt_template_fpath: prompt.txt }",
            "`prompt.txt`: `{gold}` is not known",
        ),
        ("{ judge_model: judge, judge_prompt_template_fpath: none.txt }", "cannot read `none.txt`"),
        (
            "{ judge_model: judge, judge_prompt_template_fpath: p, judge_prompt_template: '{expected_answer}{generated_answer}' }",
            "are both set",
        ),
        (
            "{ judge_model: judge, response_extract_regex: '(' }",
            "response_extract_regex`: missing )",
        ),
        ("{ judge_model: judge, judge_equal_label: '' }", "two different texts"),
        (
            "{ judge_model: judge, judge_responses_create_params: { temprature: 0 } }",
            "did you mean `temperature`?",
        ),
        ("{ judge_model: judge, reward_if_swap_fails: .nan }", "finite"),
        ("{ judge_model: judge, judge_attempts: 0 }", "judge_attempts"),
        ("{ judge_model: judge, check_twice: true }", "check_twice"),
    ] {
        let config = format!(
            "models: {{ judge: {{ kind: scripted, settings: {{ rules: [{{ say: x }}] }} }} }}
environments: {{ world: {{ kind: equivalence_llm_judge, settings: {settings} }} }}
agents: {{ solver: {{ kind: tool_loop, environment: world, model: judge, datasets: [{{ name: x, type: example, path: tasks.jsonl }}] }} }}
collect: {{ output: out.jsonl }}
"
        );
        let config =
            config.replace("settings: judge_model: jugde", "settings: { judge_model: jugde }");
        folder.write("config.yaml", &config);
        folder.write("tasks.jsonl", "");
        let ended = folder.run(&["collect", "--config", "config.yaml"]);
        assert!(ended.code != Some(0), "{settings}");
        ended.says(&[expected]);
    }
}

#[tokio::test]
async fn malformed_rows_say_what_is_wrong() {
    let court = Court::new("rows", &json!({}), vec![Reply::Says(EQUAL)]).await;
    let with = |key: &str, value: Value| {
        let mut row = row("4", None);
        row[key] = value;
        row
    };
    for (row, expected) in [
        (with("expected_answer", json!(4)), "`expected_answer`"),
        (with("expected_answer", json!("")), "`expected_answer` is missing or empty"),
        (with("expected_answer", Value::Null), "`expected_answer` is missing or empty"),
        (with("metadata", json!("x")), "`metadata`"),
        (with("options", json!([1])), "`options"),
        (row("4", Some("(")), "`template_metadata.output_regex`: "),
        (
            with("template_metadata", json!({ "output_regex": 5 })),
            "`template_metadata.output_regex` is no text",
        ),
    ] {
        let task = court.runtime.environment_task("world", "a/b/1".into(), &row.to_string());
        let error = task.unwrap_err().to_string();
        assert!(error.contains(expected), "{row}: {error}");
    }
    for (metadata, expected) in [(json!(42), "42"), (json!(true), "True"), (json!(["a"]), "['a']")]
    {
        let mut row = with("metadata", json!({ "expected_answer": metadata }));
        row["expected_answer"] = Value::Null;
        let verdict = court.score(&row, said("4")).await.unwrap();
        assert_eq!(verdict["expected_answer"], expected);
    }
    for ignored in
        [Value::Null, json!("x"), json!({ "output_regex": "" }), json!({ "output_regex": null })]
    {
        court.score(&with("template_metadata", ignored), said("4")).await.unwrap();
    }
    // A recorded rollout can be judged again.
    court.score(&with("judge_evaluations", json!([{}])), said("4")).await.unwrap();
    court.runtime.stop().await;
}
