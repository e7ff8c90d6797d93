//! `rehearsal view`: what it serves, asked for as its page and as others would.

mod browser;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::command::Folder;
use crate::support::wait_until;

/// A running viewer; it ends with this.
struct Viewer {
    child: Child,
    address: String,
}

impl Viewer {
    fn start(folder: &Folder, files: &[&str]) -> Self {
        let arguments = [&["view"], files].concat();
        let mut child = folder.rehearsal(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let rest = line.strip_prefix("the page is at http://")?;
            Some(rest.split('/').next()?.to_owned())
        });
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.count());
        Self { child, address: address.unwrap() }
    }

    /// Waits until so many rows are there and nothing is left to read.
    fn has(&self, rows: u64) -> &Self {
        wait_until(&format!("there are {rows} rows"), || {
            let summary = self.get("/api/summary");
            summary["is_settled"] == true && summary["rows"] == rows
        });
        self
    }

    fn exchange(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn ask(&self, path: &str) -> (String, String) {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address))
    }

    /// What is answered with status 200.
    fn get(&self, path: &str) -> Value {
        let (head, body) = self.ask(path);
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}\n{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Which rows a list has.
    fn ids(&self, query: &str) -> Vec<String> {
        let rows = self.get(&format!("/api/rows?{query}"));
        let rows = rows["rows"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    fn interrupt(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A model's text that would do something if it were not shown as text.
const HOSTILE: &str = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> \
    \u{202e}gnp.exe \u{1b}[31mred nul:\u{0} end";

/// A rollout with reasoning, a tool call, its output and an answer.
fn rollout(task: u32, repeat: u32, reward: f64, answer: &str) -> Value {
    let environment = if task.is_multiple_of(2) { "weather" } else { "math" };
    json!({
        "responses_create_params": { "input": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": format!("How is the weather in town {task}?") },
        ], "temperature": 0.5, "tools": [{ "type": "function", "name": "get_weather", "parameters": {}, "strict": true }] },
        "response": { "id": "r", "created_at": 1_760_000_000 + task * 100 + repeat, "model": "m",
            "usage": { "input_tokens": 40, "output_tokens": 10 + task * 10 + repeat },
            "output": [
                { "type": "reasoning", "id": "a", "summary": [{ "type": "summary_text", "text": "I should look." }] },
                { "type": "function_call", "name": "get_weather", "call_id": "call_1",
                    "arguments": json!({ "city": "São Paulo" }).to_string() },
                { "type": "function_call_output", "call_id": "call_1", "output": json!({ "high": 12 }).to_string() },
                { "type": "message", "id": "b", "role": "assistant", "prompt_token_ids": [1, 2],
                    "generation_token_ids": [3], "generation_log_probs": [-0.5],
                    "content": [{ "type": "output_text", "text": answer, "annotations": [] }] },
            ] },
        "reward": reward,
        "verdict_of_judge": "A=B",
        "rehearsal": { "task": format!("solver/data/{task}"), "repeat": repeat, "attempt": 1, "agent": "solver",
            "environment": environment, "outcome": "scored", "steps": 2,
            "timings": { "model": 0.1, "tools": 0.025, "verify": 0.005, "total": 0.15 } },
    })
}

fn failure(task: u32, repeat: u32) -> Value {
    json!({
        "responses_create_params": { "input": "How is the weather?" },
        "rehearsal": { "task": format!("solver/data/{task}"), "repeat": repeat, "attempt": 3, "agent": "solver",
            "environment": "weather", "outcome": "failed",
            "failure": { "culprit": "model", "error": "the endpoint is down", "retryable": true } },
    })
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// Four tasks with four rollouts each, of which one failed, and a line that is none.
fn sample() -> Folder {
    let folder = Folder::new();
    let mut rows = Vec::new();
    for task in 0..4 {
        for repeat in 0..4 {
            let reward = [0.0, 1.0, 0.5, 1.0][(task * repeat % 4) as usize];
            let answer = if (task, repeat) == (0, 0) { HOSTILE } else { "It is cold." };
            rows.push(rollout(task, repeat, reward, answer));
        }
    }
    rows[5]["rehearsal"]["outcome"] = "truncated".into();
    rows[5]["rehearsal"]["limit"] = "steps".into();
    rows.pop();
    folder.write("run.jsonl", &format!("{}{{oops\n", lines(&rows)));
    folder.write("run_failures.jsonl", &lines(&[failure(3, 3)]));
    folder
}

#[test]
fn rows_are_filtered_sorted_and_paged() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    viewer.has(16);
    assert_eq!(viewer.ids("limit=3"), ["0-1", "0-2", "0-3"]);
    assert_eq!(viewer.ids("limit=3&from=14"), ["0-15", "1-1"]);
    assert_eq!(viewer.ids("sort=-tokens&limit=2"), ["0-15", "0-14"]);
    assert_eq!(viewer.ids("sort=reward&limit=1&environment=math"), ["0-5"]);
    assert_eq!(viewer.ids("sort=-line&limit=1"), ["1-1"]);
    assert_eq!(viewer.ids("outcome=failed"), ["1-1"]);
    assert_eq!(viewer.ids("outcome=truncated"), ["0-6"]);
    assert_eq!(viewer.ids("reason=steps"), ["0-6"]);
    assert_eq!(viewer.ids("file=1"), ["1-1"]);
    assert_eq!(viewer.ids("task=solver/data/3"), ["0-13", "0-14", "0-15", "1-1"]);
    assert_eq!(
        viewer.ids("reward_min=0.4&reward_max=0.6&agent=solver"),
        ["0-7", "0-10", "0-12", "0-15"]
    );
    assert_eq!(viewer.ids("environment=nowhere"), Vec::<String>::new());
    let page = viewer.get("/api/rows?limit=2&from=4");
    assert_eq!((&page["total"], &page["next"]), (&json!(16), &json!(6)));
    let row = &page["rows"][1];
    assert_eq!(
        (&row["outcome"], &row["reason"], &row["line"]),
        (&json!("truncated"), &json!("steps"), &json!(6))
    );
    assert_eq!(
        (&row["repeat"], &row["steps"], &row["seconds"]),
        (&json!(1), &json!(2), &json!(0.15))
    );
    assert_eq!(
        (&row["prompt"], &row["answer"]),
        (&json!("How is the weather in town 1?"), &json!("It is cold."))
    );
    assert_eq!(viewer.get("/api/rows?file=1")["rows"][0]["answer"], "the endpoint is down");
}

#[test]
fn a_text_is_searched_for_in_all_lines_and_the_search_goes_on_where_it_was() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    viewer.has(16);
    assert_eq!(viewer.ids("q=TOWN+3%3F"), ["0-13", "0-14", "0-15"]);
    assert_eq!(viewer.ids("q=endpoint+is"), ["1-1"]);
    assert_eq!(viewer.ids("q=s%C3%A3o+paulo&limit=2&sort=-line"), ["0-15", "0-14"]);
    let first = viewer.get("/api/rows?q=%22city%22:%22S&limit=2");
    assert_eq!(
        (&first["next"], &first["searched"], &first["total"]),
        (&json!(2), &json!(2), &json!(16))
    );
    assert_eq!(viewer.ids("q=town+3&from=14"), ["0-15"]);
    assert_eq!(viewer.get("/api/rows?q=nowhere")["next"], Value::Null);
}

#[test]
fn tasks_and_charts_come_from_what_is_filtered() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    viewer.has(16);
    let tasks = viewer.get("/api/tasks?sort=-mean");
    assert_eq!(tasks["total"], 4);
    assert_eq!(tasks["tasks"][0]["name"], "solver/data/1");
    assert_eq!(tasks["tasks"][0]["mean"], 0.625);
    let last = viewer.get("/api/tasks?sort=-failed&limit=1");
    assert_eq!(last["tasks"][0]["name"], "solver/data/3");
    assert_eq!((&last["tasks"][0]["failed"], &last["next"]), (&json!(1), &json!(1)));
    let charts = viewer.get("/api/charts");
    assert_eq!(
        (&charts["rows"], &charts["rewards"]["total"], &charts["tasks"]["total"]),
        (&json!(16), &json!(15), &json!(4))
    );
    assert_eq!(
        charts["outcomes"],
        json!([{ "name": "scored", "count": 14 },
        { "name": "truncated", "count": 1 }, { "name": "failed", "count": 1 }])
    );
    let bins = charts["rewards"]["bins"].as_array().unwrap();
    assert_eq!(bins.iter().map(|bin| bin.as_u64().unwrap()).sum::<u64>(), 15);
    assert_eq!(charts["lengths"]["dots"].as_array().unwrap().len(), 15);
    assert!(charts["rate"]["bins"].as_array().unwrap().len() > 1);
    assert_eq!(viewer.get("/api/charts?environment=math&outcome=scored")["rows"], 6);
}

#[test]
fn a_record_is_shown_with_long_texts_cut_and_all_of_them_on_request() {
    let folder = Folder::new();
    let long = "long ".repeat(20_000);
    let ids: Vec<u32> = (0..5_000).collect();
    let mut row = rollout(0, 0, 1.0, &long);
    row["response"]["output"][3]["prompt_token_ids"] = json!(ids);
    folder.write("run.jsonl", &lines(&[rollout(1, 0, 1.0, HOSTILE), row]));
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    viewer.has(2);
    let detail = viewer.get("/api/row/0-1");
    let text = "/response/output/3/content/0/text";
    assert_eq!(detail["record"].pointer(text).unwrap(), HOSTILE);
    assert_eq!((&detail["previous"], &detail["next"]), (&Value::Null, &json!("0-2")));
    assert_eq!(detail["record"]["verdict_of_judge"], "A=B");
    let detail = viewer.get("/api/row/0-2");
    assert_eq!(detail["cut"][text], 100_000);
    assert_eq!(detail["cut"]["/response/output/3/prompt_token_ids"], 5_000);
    assert!(detail.to_string().len() < 30_000);
    assert_eq!(viewer.get(&format!("/api/row/0-2/value?at={text}")), long.as_str());
    let (head, body) = viewer.ask("/api/row/0-9");
    assert!(head.starts_with("HTTP/1.1 404") && body.contains("no row `0-9`"), "{body}");
    assert!(viewer.ask("/api/row/0-2/value?at=/nothing").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn a_running_collection_is_followed_and_malformed_lines_are_listed() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    viewer.has(16);
    let text = folder.read("run.jsonl");
    let (more, rest) =
        (rollout(9, 0, 1.0, "more").to_string(), rollout(9, 1, 1.0, "more").to_string());
    folder.write("run.jsonl", &format!("{text}{more}\n{}", &rest[..50]));
    viewer.has(17);
    assert_eq!(viewer.ids("task=solver/data/9"), ["0-17"]);
    folder.write("run.jsonl", &format!("{text}{more}\n{rest}\n"));
    viewer.has(18);
    assert_eq!(viewer.ids("task=solver/data/9"), ["0-17", "0-18"]);
    let malformed = viewer.get("/api/malformed");
    assert_eq!(
        (&malformed[0]["total"], &malformed[0]["lines"][0]["line"]),
        (&json!(1), &json!(16))
    );
    assert_eq!(malformed[0]["lines"][0]["start"], "{oops");
    folder.write("run.jsonl", &lines(&[rollout(7, 0, 1.0, "new")]));
    viewer.has(2);
    assert_eq!(viewer.get("/api/malformed"), json!([]));
    assert_eq!(viewer.get("/api/row/0-1")["row"]["task"], "solver/data/7");
}

#[test]
fn rollouts_of_nemo_gym_and_datasets_are_looked_at_too() {
    let folder = Folder::new();
    let task = |n: u32| json!({ "responses_create_params": { "input": format!("question {n}") }, "expected": n });
    folder.write("tasks.jsonl", &lines(&[task(1), task(2)]));
    let mut done = task(1);
    done["response"] = json!({ "output": [{ "role": "assistant", "content": "one" }] });
    done["reward"] = 1.0.into();
    done["_ng_task_index"] = 0.into();
    done["_ng_rollout_index"] = 3.into();
    done["agent_ref"] = json!({ "name": "simple" });
    folder.write("nemo.jsonl", &lines(&[done]));
    let viewer = Viewer::start(&folder, &["tasks.jsonl", "nemo.jsonl"]);
    viewer.has(3);
    assert_eq!(viewer.ids("outcome=task"), ["0-1", "0-2"]);
    let row = &viewer.get("/api/rows?file=1")["rows"][0];
    assert_eq!(
        (&row["agent"], &row["repeat"], &row["outcome"]),
        (&json!("simple"), &json!(3), &json!("scored"))
    );
    assert_eq!(
        (&row["are_bytes"], &row["steps"], &row["seconds"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    assert_eq!(viewer.get("/api/charts?outcome=task")["mean"], Value::Null);
}

#[test]
fn recorded_rollouts_of_nemo_gym_are_shown_whole() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    let Ok(folders) = std::fs::read_dir(recordings) else {
        println!("skipped: there are no recorded rollouts");
        return;
    };
    let folders = folders.map(|folder| folder.unwrap().path());
    let files: Vec<_> = folders
        .flat_map(|folder| ["rollouts.jsonl", "tasks.jsonl"].map(|name| folder.join(name)))
        .filter(|path| path.exists())
        .collect();
    let texts = files.iter().map(|path| std::fs::read_to_string(path).unwrap());
    let records: Vec<Vec<Value>> = texts
        .map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
        .collect();
    let names: Vec<_> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let viewer = Viewer::start(&Folder::new(), &names);
    viewer.has(records.iter().map(|records| records.len() as u64).sum());
    for (file, records) in records.iter().enumerate() {
        for (line, record) in (1..).zip(records) {
            let detail = viewer.get(&format!("/api/row/{file}-{line}"));
            let is_rollout = record.get("reward").is_some();
            assert_eq!(detail["row"]["outcome"], if is_rollout { "scored" } else { "task" });
            let reward = |of: &Value| of["reward"].as_f64().map(|reward| reward as f32);
            assert_eq!(reward(&detail["row"]), reward(record));
            let is_whole = detail["cut"] == json!({});
            assert!(!is_whole || detail["record"] == *record, "{file}-{line}");
            assert_eq!(viewer.get(&format!("/api/row/{file}-{line}/value?at=")), *record);
        }
    }
}

/// DNS rebinding makes a foreign page's requests reach this server under that page's name.
#[test]
fn only_this_machine_is_answered_and_nothing_foreign_runs_on_the_page() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    for host in
        ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:1"]
    {
        let (head, body) =
            viewer.exchange(&format!("GET /api/summary HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(head.starts_with("HTTP/1.1 403") && !body.contains("rows"), "{host}: {head}");
    }
    let tunnelled = viewer.exchange("GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
    assert!(tunnelled.0.starts_with("HTTP/1.1 200"));
    for path in ["/", "/app.js", "/api/summary", "/nothing"] {
        let head = viewer.ask(path).0.to_lowercase();
        assert!(
            head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{head}"
        );
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        assert!(head.contains("cross-origin-resource-policy: same-origin"), "{head}");
        assert!(!head.contains("access-control"), "{head}");
    }
    let posted =
        viewer.exchange(&format!("POST /api/summary HTTP/1.1\r\nHost: {}\r\n\r\n", viewer.address));
    assert!(posted.0.starts_with("HTTP/1.1 405"), "{}", posted.0);
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    for path in
        ["/", "/style.css", "/app.js", "/dom.js", "/lists.js", "/transcript.js", "/charts.js"]
    {
        let body = viewer.ask(path).1.replace("http://www.w3.org/2000/svg", "");
        assert!(!body.is_empty() && !body.contains("://"), "{path}");
        assert!(!body.contains("innerHTML") && !body.contains("eval("), "{path}");
    }
}

#[test]
fn a_question_that_makes_no_sense_says_what_is_wrong() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    let long = format!("/api/rows?q={}", "x".repeat(2_000));
    for (path, reason) in [
        ("/api/rows?colour=red", "there is no parameter `colour`"),
        ("/api/rows?reward_min=much", "`reward_min` must be a number, not `much`"),
        ("/api/rows?from=-1", "`from` must be a whole number"),
        ("/api/rows?sort=colour", "`sort`: unknown variant `colour`"),
        ("/api/rows?outcome=good", "`outcome`: unknown variant `good`"),
        ("/api/tasks?sort=colour", "`sort` cannot be `colour`"),
        (&long, "`q` is longer than 1000 characters"),
    ] {
        let (head, body) = viewer.ask(path);
        assert!(head.starts_with("HTTP/1.1 400") && body.contains(reason), "{path}: {body}");
    }
    assert!(viewer.ask("/api/nothing").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn an_interrupt_ends_it_and_what_cannot_be_viewed_is_an_error() {
    let folder = sample();
    let mut viewer = Viewer::start(&folder, &["run.jsonl"]);
    let port = viewer.address.split(':').next_back().unwrap().to_owned();
    let occupied = folder.run(&["view", "run.jsonl", "--port", &port]);
    occupied.exits_with(1).says(&["cannot listen on", "hint: leave --port out"]);
    assert_eq!(viewer.interrupt().code(), Some(0));
    folder.run(&["view", "none.jsonl"]).exits_with(1).says(&["cannot read `none.jsonl`", "hint: "]);
    folder
        .run(&["view", "."])
        .exits_with(1)
        .says(&["cannot read `.`: it is no regular file", "hint: "]);
}

/// A client that goes away must not keep the machine searching: the next answer comes at once.
#[test]
fn clients_that_go_away_leave_the_viewer_answering() {
    let folder = sample();
    let viewer = Viewer::start(&folder, &["run.jsonl"]);
    viewer.has(16);
    for _ in 0..40 {
        let mut stream = TcpStream::connect(&viewer.address).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        let request =
            format!("GET /api/rows?q=nowhere HTTP/1.1\r\nHost: {}\r\n\r\n", viewer.address);
        stream.write_all(request.as_bytes()).unwrap();
    }
    assert_eq!(viewer.get("/api/summary")["rows"], 16);
}
